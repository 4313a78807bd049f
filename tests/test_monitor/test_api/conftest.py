"""One database and one server for all tests of the page."""

import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import page

from monitor.api.site import Site


@pytest.fixture(scope="session")
def page_dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page.made_database(tmp_path_factory.mktemp("page") / "db") as dsn:
        yield dsn


@pytest.fixture(scope="session")
def page_site(page_dsn: str) -> Iterator[Site]:
    site = page.site_of(page_dsn)
    yield site
    site.source.close()


@pytest.fixture(scope="session")
def page_origin(page_dsn: str) -> Iterator[str]:
    with page.served(page.site_of(page_dsn)) as origin:
        yield origin


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """Debian's Chromium, driven by Playwright, which comes without a browser of its own."""
    sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium is installed (Debian: apt install chromium)")
    with sync_api.sync_playwright() as playwright:
        made = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox", "--disable-gpu"])
        yield made
        made.close()


@pytest.fixture
def open_page(browser: Any) -> Iterator[Callable[..., Any]]:
    """Opens pages; at the end none has complained, met a policy, or asked another host for anything."""
    from support.browsing import own, wait

    said: list[str] = []
    contexts = []

    def opened(url: str) -> Any:
        context = browser.new_context(viewport={"width": 1280, "height": 900})
        contexts.append(context)
        found = context.new_page()
        found.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
        found.on("pageerror", lambda error: said.append(str(error)))
        found.on("dialog", lambda dialog: (said.append(f"dialog {dialog.message}"), dialog.dismiss()))
        found.on("request", lambda request: None if own(request.url, url) else said.append(f"asked {request.url}"))
        found.goto(url)
        wait(found, "[...document.querySelectorAll('.plot')].every((plot) => plot.classList.contains('done'))")
        return found

    yield opened
    for context in contexts:
        context.close()
    assert said == []
