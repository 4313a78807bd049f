"""The page and the report in a real browser: what it complains of, whom it asks, by keyboard, on a phone, to everybody.

Debian's Chromium, driven by Playwright, which comes without a browser of its own; axe-core 4.14.1 (MPL-2.0) lies in
`tests/support/axe`.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from support import page
from support.browsing import serious, wait

from monitor.api import report
from monitor.api.site import Site

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
VERSION = {"model": page.MODEL, "version": "1"}
HOSTILE = {"model": page.HOSTILE, "version": page.HOSTILE}
SCREENS = {
    "fleet": "/",
    "model": "/model?" + urlencode(VERSION),
    "column": "/column?" + urlencode({**VERSION, "column": "temp"}),
    "categories": "/column?" + urlencode({**VERSION, "column": "carrier"}),
    "performance": "/performance?" + urlencode(VERSION),
    "compare": "/compare?" + urlencode(VERSION),
    "rejects": "/rejects",
    "alerts": "/alerts",
    "hostile model": "/model?" + urlencode(HOSTILE),
    "hostile column": "/column?" + urlencode({**HOSTILE, "column": page.LONG}),
}


@pytest.mark.parametrize("name", SCREENS)
def test_everybody_can_read_every_screen_on_a_laptop_and_a_phone(
    name: str, page_origin: str, open_page: Callable[..., Any]
) -> None:
    found = open_page(page_origin + SCREENS[name])
    assert serious(found) == []
    found.set_viewport_size({"width": 360, "height": 740})
    found.emulate_media(color_scheme="dark")
    assert serious(found, "color-contrast", "scrollable-region-focusable") == []
    assert found.evaluate("document.documentElement.scrollWidth") <= 360


def test_before_the_first_window_a_phone_shows_why_kafka_does_not_answer(
    tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    with page.made_database(tmp_path / "db", empty=True) as dsn, page.served(page.site_of(dsn)) as origin:
        found = open_page(origin)
        found.set_viewport_size({"width": 360, "height": 740})
        found.locator("#came").get_by_text("does not answer").wait_for()
        wait(found, "document.querySelector('#next').textContent.includes('Start Kafka')")
        assert found.evaluate("document.documentElement.scrollWidth") <= 360
        assert serious(found) == []
        found.goto("about:blank")


def test_from_the_fleet_to_the_column_that_drifted_most(page_origin: str, open_page: Callable[..., Any]) -> None:
    found = open_page(page_origin)
    found.get_by_role("link", name="flights", exact=True).first.click()
    assert "1 input moved (temp)" in found.locator("h1").inner_text()
    found.locator(".moves a").first.click()
    assert found.locator("h1").inner_text().startswith("temp: mean 12 → 18 (up)")
    assert "column=temp" in found.url


def test_a_click_on_the_heat_map_shows_the_column(page_origin: str, open_page: Callable[..., Any]) -> None:
    found = open_page(page_origin + SCREENS["model"])
    plot = found.locator(".plot").first
    box = plot.bounding_box()
    found.mouse.click(box["x"] + box["width"] - 60, box["y"] + 18)  # the first row is what changed most
    wait(found, "location.pathname === '/column'")
    assert "column=temp" in found.url


def test_dragging_over_time_puts_the_span_into_the_address(page_origin: str, open_page: Callable[..., Any]) -> None:
    found = open_page(page_origin + SCREENS["column"])
    plot = found.locator("figure[data-range] .plot").first
    plot.scroll_into_view_if_needed()
    box = plot.bounding_box()
    found.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 90)
    found.mouse.down()
    found.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + 100, steps=4)
    found.mouse.up()
    wait(found, "location.search.includes('from=')")
    assert "to=" in found.url


def test_the_keyboard_alone_reaches_the_column(page_origin: str, open_page: Callable[..., Any]) -> None:
    found = open_page(page_origin)
    found.keyboard.press("Tab")
    assert found.evaluate("document.activeElement.textContent") == "To the content"

    def follow(name: str) -> None:
        for _ in range(60):
            if found.evaluate("document.activeElement.textContent.trim()") == name:
                assert found.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
                with found.expect_navigation():
                    found.keyboard.press("Enter")
                return
            found.keyboard.press("Tab")
        raise AssertionError(f"no way to {name!r}")

    follow("flights")
    follow("temp")
    assert "column=temp" in found.url
    for _ in range(60):
        found.keyboard.press("Tab")
        if found.evaluate("document.activeElement.tagName") == "SUMMARY":
            break
    found.keyboard.press("Enter")
    assert found.locator("details[open] table").first.is_visible()


def _log_in(found: Any, token: str) -> None:
    """By keyboard: the field has the focus."""
    found.locator("#token:focus").wait_for()
    found.keyboard.type(token)
    with found.expect_navigation(url="**/"):
        found.keyboard.press("Enter")


def _tab_to(found: Any, name: str) -> None:
    """Until what has the focus is called so."""
    name_of = "(one) => (one.labels && one.labels[0] ? one.labels[0] : one).textContent.trim()"
    for _ in range(80):
        if found.evaluate(f"({name_of})(document.activeElement)").startswith(name):
            return
        found.keyboard.press("Tab")
    raise AssertionError(f"no way to {name!r}")


@pytest.mark.parametrize("scripts", [True, False], ids=["with scripts", "without scripts"])
def test_by_keyboard_an_alert_is_acknowledged_and_silenced(scripts: bool, browser: Any, page_dsn: str) -> None:
    token, told = "a-token-of-some-length", page.Noted()
    site = page.site_of(page_dsn, token)
    site.tells = told
    said: list[str] = []
    context = browser.new_context(viewport={"width": 360, "height": 740})
    if not scripts:  # a browser that has them switched off could not be asked what has the focus
        empty = {"status": 200, "content_type": "text/javascript", "body": ""}
        context.route("**/static/*.js", lambda route: route.fulfill(**empty))
    found = context.new_page()
    found.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    with page.served(site) as origin:
        found.goto(origin)
        _log_in(found, token)
        found.goto(origin + "/alerts?" + urlencode({"model": page.MODEL}))
        for name in ("Acknowledge flights: temp moved", "Silence flights: temp moved"):
            _tab_to(found, name)
            found.keyboard.press("Enter")
        assert serious(found) == []
        assert found.evaluate("document.documentElement.scrollWidth") <= 360
        _tab_to(found, "who has it in hand")
        found.keyboard.type("ada")
        found.keyboard.press("Enter")
        found.get_by_text("acknowledged by ada").wait_for()
        assert "ada has it in hand" in found.locator(":focus").inner_text()
        _tab_to(found, "Silence flights: temp moved")
        found.keyboard.press("Enter")
        _tab_to(found, "reason")
        found.keyboard.type("a new sensor")
        found.keyboard.press("Enter")
        found.get_by_text("silenced until").wait_for()
        assert serious(found) == []
        assert found.evaluate("location.pathname") == ("/alerts" if scripts else "/alerts/silence")
        _tab_to(found, "End it now")
        found.keyboard.press("Enter")
        found.get_by_text("That silence ends.").wait_for()
        assert found.get_by_text("silenced until").count() == 0
        context.close()  # before the server, whom it may ask
    assert [type(one).__name__ for one in told.said] == ["Acknowledgement", "Silence", "Removed"]
    assert said == []


def test_news_waits_for_whoever_is_writing_and_a_refusal_is_shown(browser: Any, page_dsn: str) -> None:
    site = page.site_of(page_dsn, "a-token-of-some-length")
    site.tells = page.Noted()
    context = browser.new_context()
    found = context.new_page()
    with page.served(site) as origin:
        context.add_cookies([{"name": "driftline", "value": site.access.cookie, "url": origin}])
        found.goto(origin + "/alerts")
        found.get_by_text("Silence a model").click()
        field = found.get_by_label("until").locator("visible=true")
        field.fill("soon")
        found.get_by_label("reason").locator("visible=true").fill("a new sensor")
        found.evaluate("document.body.dispatchEvent(new Event('driftline-news'))")
        found.wait_for_timeout(500)  # the answer to a question that was not asked would be here by now
        assert field.input_value() == "soon"
        field.press("Enter")
        found.get_by_text("until is no time").wait_for()
        assert field.input_value() == "soon"
        context.close()


def test_times_are_in_the_viewers_zone_with_utc_on_hover(browser: Any, page_origin: str) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    found = context.new_page()
    found.goto(page_origin + SCREENS["model"])
    time = found.locator(".moves time").first
    assert time.get_attribute("title") == "2023-11-15 07:00 UTC"
    assert "16:00" in time.inner_text()
    context.close()


def test_a_report_opens_from_a_file_and_draws_itself(
    page_site: Site, tmp_path: Path, open_page: Callable[..., Any]
) -> None:
    path = tmp_path / "report.html"
    path.write_text(report.html_report(page_site, report.choose(page_site, page.HOSTILE, page.HOSTILE, None, None)))
    found = open_page(path.as_uri())
    assert found.locator(".plot.done").count() >= 4
    assert serious(found) == []
