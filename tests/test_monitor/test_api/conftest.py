"""One database and one server for all tests of the page."""

import shutil
from collections.abc import Iterator
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
