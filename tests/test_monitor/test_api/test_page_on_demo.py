"""The page and the report over what `driftline demo` has found, in a real browser; pictures stay in pytest's folder."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from support.demo import kept_demo
from support.page import served

from monitor.api import report
from monitor.api.queries.models import sized_windows
from monitor.api.serve import make_site
from monitor.api.site import Site
from monitor.api.views.fleet import main_size
from monitor.config.load import load
from sinks.clickhouse.client import connect

pytest.importorskip("sklearn", reason="the demo's packages are not installed: pip install 'driftline[demo]'")
pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = pytest.mark.long
VERSION = {"model": "flight-delay", "version": "1"}
SCREENS = {
    "fleet": "/",
    "model": "/model?" + urlencode(VERSION),
    "segment": "/model?" + urlencode({**VERSION, "segment": "carrier=UA"}),
    "column": "/column?" + urlencode({**VERSION, "column": "pressure"}),
    "categories": "/column?" + urlencode({**VERSION, "column": "dest"}),
    "score": "/column?" + urlencode({**VERSION, "column": "@score"}),
    "performance": "/performance?" + urlencode(VERSION),
    "compare": "/compare?" + urlencode(VERSION),
    "rejects": "/rejects",
    "alerts": "/alerts",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return kept_demo(tmp_path_factory.mktemp("demo") / "kept")


@pytest.fixture(scope="module")
def most(folder: Path) -> str:
    """The column that drifts on in all rows and went furthest since, by its verdicts alone."""
    client = connect(f"chdb://{folder / 'clickhouse'}")
    rows = client.query(
        "SELECT column, drifted, effect / threshold FROM drift_verdicts_latest WHERE segment = '' AND "
        "NOT startsWith(compare, 'sequential') AND window_end - window_start = 604800 ORDER BY column, window_start"
    ).result_rows
    client.close()
    runs: dict[str, list[float]] = defaultdict(list)
    for column, drifted, strength in rows:
        runs[column] = [*runs[column], strength] if drifted else []
    return max((column for column in runs if runs[column]), key=lambda column: max(runs[column]))


@pytest.fixture(scope="module")
def site(folder: Path, most: str) -> Iterator[Site]:
    found = make_site(load(folder / "demo.yaml"))  # after `most`: the embedded engine has one process at a time
    yield found
    found.source.close()


@pytest.fixture(scope="module")
def origin(site: Site) -> Iterator[str]:
    with served(site) as origin:
        yield origin


@pytest.mark.parametrize("name", SCREENS)
def test_every_screen_is_drawn_readable_and_asks_nobody(
    name: str, origin: str, open_page: Callable[..., Any], tmp_path: Path
) -> None:
    from support.browsing import serious

    found = open_page(origin + SCREENS[name])
    assert serious(found) == []
    assert found.locator(".next").count() == 1
    found.screenshot(path=tmp_path / f"{name}.png", full_page=True)
    found.set_viewport_size({"width": 360, "height": 740})
    found.emulate_media(color_scheme="dark")
    assert serious(found, "color-contrast", "scrollable-region-focusable") == []
    assert found.evaluate("document.documentElement.scrollWidth") <= 360
    found.screenshot(path=tmp_path / f"{name}-phone.png", full_page=True)
    assert all(path.stat().st_size > 5_000 for path in tmp_path.glob("*.png"))


def test_from_the_fleet_to_the_column_that_drifted_most(
    origin: str, open_page: Callable[..., Any], most: str, site: Site
) -> None:
    assert main_size(sized_windows(site.source)).size_s == 604_800
    found = open_page(origin)
    found.get_by_role("link", name="flight-delay", exact=True).first.click()
    found.locator(".moves").filter(has=found.locator(".what a")).first.wait_for()
    found.locator("section", has=found.get_by_role("heading", name="What differs from the reference now")).locator(
        ".what a"
    ).first.click()
    found.locator("h1").wait_for()
    assert parse_qs(urlsplit(found.url).query)["column"] == [most]


def test_the_report_opens_from_its_file(site: Site, open_page: Callable[..., Any], tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_text(report.html_report(site, report.choose(site, "flight-delay", None, None, None)), encoding="utf-8")
    found = open_page(path.as_uri())
    assert "flight-delay v1" in found.locator("h1").first.inner_text()
    assert found.locator(".next").count() == 0  # it leads nowhere
    found.screenshot(path=tmp_path / "report.png", full_page=True)
