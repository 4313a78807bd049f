"""One chDB engine for the tests of a module. A process can have one path open at a time, so it is closed afterwards."""

from collections.abc import Callable, Iterator

import pytest
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import connect
from sinks.clickhouse.migrations import migrate
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> str:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    return f"chdb://{tmp_path_factory.mktemp('chdb')}"


@pytest.fixture(scope="module")
def client(dsn: str) -> Iterator[Client]:
    """With all migrations applied."""
    client = connect(dsn)
    try:
        migrate(client)
        yield client
    finally:
        client.close()


@pytest.fixture(scope="module")
def empty(client: Client) -> Callable[[], None]:
    """Empties every table: for Hypothesis, whose examples share a fixture."""

    def truncate() -> None:
        for record in RECORDS.values():
            client.command(f"TRUNCATE TABLE {record.table}")

    return truncate


@pytest.fixture
def sink(dsn: str, client: Client, empty: Callable[[], None]) -> Iterator[ClickHouseSink]:
    """On empty tables."""
    empty()
    sink = ClickHouseSink(dsn)
    sink.setup()
    try:
        yield sink
    finally:
        sink.close()
