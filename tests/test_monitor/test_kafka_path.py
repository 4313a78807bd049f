"""The Kafka path gives the rows that `replay` gives.

Real broker, real ClickHouse engine, one and three ingest workers.
"""

import threading
import time
import uuid
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support.brokers import Broker
from support.events import BAD_EVERY, encoded, model_section
from support.installation import Installation, profiles_that_differ
from support.refusing import Refusing
from support.results import Results, assert_same, delivered
from support.results import replayed as read_replayed

from monitor import wiring
from monitor.cli.offline import replay_file
from monitor.config.load import parse
from monitor.demo import flights, model
from monitor.process.health import Health
from monitor.reference.build import build_reference
from monitor.reference.store import write_reference

PARTITIONS = 4
N_EVENTS = 60_000
HOURS = 24.0


@pytest.fixture
def install(kafka: Broker, tmp_path: Path) -> Iterator[Callable[[dict[str, Any]], Installation]]:
    """Makes an installation for a model's section of the configuration."""
    made: list[Installation] = []

    def make(section: dict[str, Any]) -> Installation:
        name = f"t{uuid.uuid4().hex[:8]}"
        made.append(Installation(tmp_path / "installation", kafka.bootstrap_servers, name, [section]))
        made[-1].prepare(PARTITIONS)
        return made[-1]

    yield make
    for installation in made:
        installation.close()


def replayed(section: dict[str, Any], data: Path, folder: Path) -> tuple[Results, Path]:
    """What `driftline replay` finds in a file of events: its rows, and the file of profiles."""
    config = Installation(folder / "replay", "127.0.0.1:1", "replay", [section]).path
    replay_file(config, data, folder / "out", close=False)
    return read_replayed(folder / "out"), folder / "out" / "quality.parquet"


Flights = tuple[dict[str, Any], list[bytes], Results, Path]


@pytest.fixture(scope="module")
def year_of_flights(tmp_path_factory: pytest.TempPathFactory) -> Flights:
    """The demo's model, February to December of its flights as events, and what `replay` finds in them."""
    folder = tmp_path_factory.mktemp("flights")
    predictions = model.add_predictions(flights.load_flights())
    flights.write_flat(flights.reference_rows(predictions), folder / "january.parquet")
    section = msgspec.yaml.decode((resources.files("monitor.demo") / "demo.yaml").read_bytes())["models"][0]
    section["reference"] = str(folder / "flights.ref")
    del section["label_horizon"]  # what comes of labels has tests of its own
    watched = parse(msgspec.yaml.encode({"models": [section]}).decode()).models[0]
    write_reference(watched.reference, build_reference(watched, folder / "january.parquet").reference)
    events = [value for _time_ms, _key, value in flights.prediction_events(flights.live_rows(predictions))]
    (folder / "events.jsonl").write_bytes(b"\n".join(events))
    rows, quality = replayed(section, folder / "events.jsonl", folder)
    assert len(events) > 300_000
    windows = {(row["window_start_ms"], row["window_end_ms"]) for row in rows["window"]}
    assert len(windows) == 668, "a window a day of each of the two shapes"
    return section, events, rows, quality


@pytest.mark.long
@pytest.mark.parametrize("workers", [1, 3])
def test_a_year_of_flights_gives_the_rows_of_replay(
    workers: int, year_of_flights: Flights, install: Callable[[dict[str, Any]], Installation]
) -> None:
    section, events, expected, quality = year_of_flights
    installation = install(section)
    for worker in range(workers):
        installation.start("ingest", f"ingest-{worker}")
    installation.start("evaluate", "evaluate-0")
    installation.start("deliver", "deliver-0")
    installation.send(events, PARTITIONS)
    installation.wait_until_done()
    installation.stop()
    assert_same(delivered(installation), expected)
    n_profiles, *differ = profiles_that_differ(installation, quality)
    assert n_profiles > 100_000
    assert differ == [0, 0]
    counted, over_ms = installation.query(
        "SELECT sum(n + nulls + invalid), max(toUnixTimestamp64Milli(pane_end)) FROM column_profiles_latest "
        "WHERE segment = '' AND column = '@score'"
    )[0]
    still_open = sum(msgspec.json.decode(event)["timestamp"] >= over_ms for event in events[-5_000:])
    assert counted + still_open == len(events)


@pytest.mark.long
def test_a_clickhouse_that_refuses_for_a_minute_costs_nothing_but_delay(
    install: Callable[[dict[str, Any]], Installation], tmp_path: Path
) -> None:
    section = model_section(tmp_path / "model")
    data = tmp_path / "events.jsonl"
    data.write_bytes(b"\n".join(encoded(N_EVENTS, seed=5, hours=HOURS, shift=1.0)))
    expected, quality = replayed(section, data, tmp_path)
    assert any(row["drifted"] for row in expected["drift_verdict"]), "the shift is found"

    installation = install(section)
    installation.start("ingest", "ingest-0")
    installation.start("evaluate", "evaluate-0")
    installation.send(encoded(N_EVENTS, seed=5, hours=HOURS, shift=1.0), PARTITIONS)
    opens_s = time.monotonic() + 60.0
    sink = Refusing(wiring.open_destination(installation.config, "clickhouse"), lambda: time.monotonic() >= opens_s)
    health = Health("deliver")
    role = wiring.deliver_role(installation.config, "clickhouse", sink, "deliver-0", health)
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
    assert_same(delivered(installation), expected)
    assert profiles_that_differ(installation, quality)[1:] == (0, 0)
    rejected = installation.query("SELECT reason, count() FROM rejects FINAL GROUP BY reason")
    assert rejected == [("undecodable", N_EVENTS // BAD_EVERY)]
