"""The Kafka path gives the rows that `replay` gives: real broker, real ClickHouse engine, one and three ingest workers."""

import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.brokers import Broker
from support.events import BAD_EVERY, encoded, model_section
from support.installation import Installation, parquet_rows, score_rows

from monitor import wiring
from monitor.cli.offline import replay_file
from monitor.config.load import load
from monitor.deliver import Deliver
from monitor.health import Health
from sinks.errors import SinkUnavailable
from sinks.records import Row

N_EVENTS = 60_000
HOURS = 24.0
PARTITIONS = 4


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    return model_section(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def expected(section: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> list[tuple[object, ...]]:
    """What `driftline replay` finds in the same events."""
    folder = tmp_path_factory.mktemp("replay")
    data = folder / "events.jsonl"
    data.write_bytes(b"\n".join(encoded(N_EVENTS, seed=5, hours=HOURS, shift=1.0)))
    config = Installation(folder / "installation", "127.0.0.1:1", "replay", [section]).path
    replay_file(config, data, folder / "out", close=False)
    rows = parquet_rows(folder / "out" / "drift.parquet")
    assert len({row[6] for row in rows}) >= 20, "hourly windows of most of a day"
    assert any(row[12] for row in rows), "the shift is found"
    return rows


@pytest.fixture
def installation(kafka: Broker, section: dict[str, object], tmp_path: Path) -> Iterator[Installation]:
    made = Installation(tmp_path / "installation", kafka.bootstrap_servers, f"t{uuid.uuid4().hex[:8]}", [section])
    made.prepare(PARTITIONS)
    yield made
    made.close()


@pytest.mark.parametrize("workers", [1, 3])
def test_the_rows_in_clickhouse_are_those_of_replay(
    workers: int, installation: Installation, expected: list[tuple[object, ...]]
) -> None:
    for worker in range(workers):
        installation.start("ingest", f"ingest-{worker}")
    installation.start("evaluate", "evaluate-0")
    installation.start("deliver", "deliver-0")
    installation.send(encoded(N_EVENTS, seed=5, hours=HOURS, shift=1.0), PARTITIONS)
    installation.wait_until_done()
    installation.stop()
    assert score_rows(installation) == expected
    assert_every_event_is_accounted_for(installation)


def assert_every_event_is_accounted_for(installation: Installation) -> None:
    """Counted in a pane that is over, rejected, or in a pane that is not over yet: the last hour or so."""
    counted = installation.query(
        "SELECT sum(n + nulls + invalid), max(toUnixTimestamp64Milli(pane_end)) FROM column_profiles_latest "
        "WHERE segment = '' AND column = 'age'"
    )[0]
    rejected = installation.query("SELECT reason, count() FROM rejects FINAL GROUP BY reason")
    assert rejected == [("undecodable", N_EVENTS // BAD_EVERY)]
    still_open = sum(1 for event in encoded_good() if event >= counted[1])
    assert counted[0] + rejected[0][1] + still_open == N_EVENTS


def encoded_good() -> Iterator[int]:
    """The times of the events that can be decoded."""
    import msgspec

    for number, event in enumerate(encoded(N_EVENTS, seed=5, hours=HOURS, shift=1.0)):
        if number % BAD_EVERY != BAD_EVERY - 1:
            yield msgspec.json.decode(event)["timestamp"]


class Refusing:
    """The real sink behind a door that stays shut for a while: stands in for a server that answers 503."""

    def __init__(self, sink: object, seconds: float) -> None:
        self._sink = sink
        self._opens_s = time.monotonic() + seconds
        self.refused = 0

    def setup(self) -> None:
        self._sink.setup()  # type: ignore[attr-defined]

    def write(self, rows: list[Row]) -> int:
        if rows and time.monotonic() < self._opens_s:
            self.refused += 1
            raise SinkUnavailable("503, try again", retry_after_s=0.5)
        return self._sink.write(rows)  # type: ignore[attr-defined,no-any-return]

    def close(self) -> None:
        self._sink.close()  # type: ignore[attr-defined]


def test_a_clickhouse_that_refuses_for_a_minute_costs_nothing_but_delay(
    installation: Installation, expected: list[tuple[object, ...]]
) -> None:
    import threading

    installation.start("ingest", "ingest-0")
    installation.start("evaluate", "evaluate-0")
    installation.send(encoded(N_EVENTS, seed=5, hours=HOURS, shift=1.0), PARTITIONS)
    config = load(installation.path)
    sink = Refusing(wiring.clickhouse_sink(config), 60.0)
    health = Health("deliver")
    role: Deliver = wiring.deliver_role(config, sink, "deliver-0", health)  # type: ignore[arg-type]
    thread = threading.Thread(target=role.run)
    thread.start()
    try:
        installation.wait_for(lambda: "out of reach" in health.not_ready_because, "deliver to be refused")
        installation.wait_until_done()
    finally:
        role.stop()
        thread.join()
    installation.stop()
    assert sink.refused >= 3
    assert score_rows(installation) == expected
