"""One database and one server for all tests of the page."""

from collections.abc import Iterator

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
