"""What roles are made of: references that fit, settings that no one can overrule, and services that are away."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from support.batches import objects
from support.events import START_MS, model_section

from detectors.columns import Kind
from monitor import models, wiring
from monitor.cli.roles import role_commands
from monitor.config.load import parse
from monitor.config.schema import Config, Kafka
from monitor.errors import ConfigError, InputError, StoppedError, Unavailable
from monitor.events.reasons import Reason
from monitor.reference.opened import open_references
from sinks.clickhouse.sink import ClickHouseSink
from sinks.errors import SinkRejected, SinkUnavailable


@pytest.fixture(scope="module")
def section(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    return model_section(tmp_path_factory.mktemp("model"))


def config_of(section: dict[str, Any], **sections: Any) -> Config:
    return parse(msgspec.yaml.encode({"models": [section], **sections}).decode(), environ={"PASSWORD": "geheim"})


def kafka_of(**settings: Any) -> Kafka:
    return config_of({"name": "m", "reference": "m.ref"}, kafka=settings).kafka


# References -----------------------------------------------------------------------------------------------------------


def test_each_model_has_its_references(section: dict[str, Any]) -> None:
    references = open_references(config_of(section))
    assert list(references) == ["m"]
    assert references["m"].current.dimensions.keys() == {"site"}


@pytest.mark.parametrize(
    ("changes", "path", "text"),
    [
        ({"segments": ["color"]}, "models[0].segments", "built with segments ['site'], not ['color']"),
        ({"segments": []}, "models[0].segments", "built with segments ['site'], not []"),
        ({"columns": {"age": "categorical"}}, "models[0].columns.age", "the reference holds it as numeric"),
        ({"columns": {"color": "numeric"}}, "models[0].columns.color", "the reference holds it as categorical"),
        ({"columns": {"hue": "numeric"}}, "models[0].columns.hue", "the reference holds it not at all"),
        ({"drift": [{"method": "psi", "columns": ["hue"]}]}, "models[0].drift[0].columns", "no column 'hue'"),
    ],
)
def test_a_reference_that_does_not_fit_names_the_key(
    section: dict[str, Any], changes: dict[str, Any], path: str, text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        open_references(config_of({**section, **changes}))
    assert caught.value.path == path
    assert text in str(caught.value)
    assert caught.value.hint


def test_every_misfit_is_named_at_once(section: dict[str, Any]) -> None:
    misfit = {**section, "segments": [], "columns": {"hue": "numeric", "age": "boolean"}}
    with pytest.raises(ConfigError) as caught:
        open_references(config_of(misfit))
    assert [problem.path for problem in caught.value.problems] == [
        "models[0].segments", "models[0].columns.hue", "models[0].columns.age",
    ]  # fmt: skip


def test_a_boolean_column_is_held_as_a_categorical_one(section: dict[str, Any]) -> None:
    open_references(config_of({**section, "columns": {"color": "boolean"}}))


def test_a_missing_reference_is_an_error_of_input(section: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(InputError):
        open_references(config_of({**section, "reference": str(tmp_path / "none.ref")}))


def test_the_rows_of_a_reference_are_its_sketches(section: dict[str, Any]) -> None:
    references = open_references(config_of(section))
    reference = references["m"].current
    (batch,) = wiring.first_rows(references)
    rows = objects(batch)
    keys = {(row.segment, row.column) for row in rows}
    assert keys == {(s, c.name) for s in reference.sketches for c in reference.layout.columns}
    assert len(rows) == len(keys)
    for row in rows:
        index = reference.layout.index(row.column)
        column = reference.layout.columns[index]
        sketch = reference.sketches[row.segment]
        assert row.counts == sketch.counts[reference.layout.cells(index)].tolist()
        assert (row.n, row.nulls) == (sketch.valid[index], sketch.nulls[index])
        assert len(row.decile) == len(row.counts) == column.n_cells
        assert (len(row.edges), len(row.categories)) == (
            (column.n_cells - 1, 0) if column.kind is Kind.NUMERIC else (0, column.n_cells - 2)
        )
        whole = next(one for one in rows if (one.segment, one.column) == ("", row.column))
        assert row.decile == whole.decile, "coarse cells are the whole's in every segment"
        if column.kind is Kind.NUMERIC:
            assert np.all(np.diff(row.decile) >= 0)


def test_limits_of_the_configuration_reach_the_decoder(section: dict[str, Any]) -> None:
    config = config_of(section, kafka={"max_message_bytes": 2_000, "max_events_a_message": 2})
    decoder = models.message_decoder(config, open_references(config))
    good = msgspec.json.encode({"model": "m", "timestamp": START_MS})
    messages = [good, good + b" " * 2_000, b"[" + b",".join([good] * 3) + b"]", b"[" + b",".join([good] * 2) + b"]"]
    decoded = decoder.decode_messages(messages, None, "predictions", START_MS)
    assert [(one.message, one.reason) for one in decoded.rejects] == [(1, Reason.OVERSIZE), (2, Reason.OVERSIZE)]
    assert sum(batch.n for batch in decoded.batches) == 3


def test_what_is_scored_is_what_the_configuration_says(section: dict[str, Any]) -> None:
    config = config_of({**section, "alpha": 0.01, "drift": [{"method": "psi", "threshold": 0.3, "columns": ["age"]}]})
    (watched,) = models.watched(config, open_references(config))
    model = config.models[0]
    assert watched.shapes == tuple(window.shape for window in model.windows)
    assert (watched.lateness_ms, watched.retention_ms, watched.min_samples) == (900_000, 14 * 86_400_000, 50)
    assert watched.pane_ms == model.pane_ms == 3_600_000
    (setting,) = watched.settings
    assert (setting.method, setting.threshold, setting.verdict, setting.columns) == ("psi", 0.3, True, ("age",))
    assert watched.alpha == 0.01


# Destinations ---------------------------------------------------------------------------------------------------------


def migrated(section: dict[str, Any]) -> dict[str, list[str]]:
    dsn = "clickhouse://u:${PASSWORD}@127.0.0.1:1/d"
    return wiring.migrate(config_of(section, destinations={"here": {"type": "clickhouse", "dsn": dsn}}))


def failing(monkeypatch: pytest.MonkeyPatch, *errors: Exception) -> list[int]:
    """Have `ClickHouseSink.migrate` raise these, one a call, and the last for ever; returns the list of calls."""
    calls: list[int] = []

    def migrate(*_: object) -> list[str]:
        calls.append(1)
        raise errors[min(len(calls), len(errors)) - 1]

    monkeypatch.setattr(ClickHouseSink, "migrate", migrate)
    return calls


@pytest.mark.usefixtures("no_waiting")
def test_migrate_waits_for_a_database_that_is_away(section: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    calls = failing(monkeypatch, SinkUnavailable("away"), SinkUnavailable("away"), SinkRejected("no right"))
    with pytest.raises(StoppedError, match="here: no right") as caught:
        migrated(section)
    assert len(calls) == 3
    assert "destinations.here" in caught.value.hint


@pytest.mark.usefixtures("no_waiting")
def test_a_database_that_stays_away_is_an_error_that_the_command_line_can_show(
    section: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    failing(monkeypatch, SinkUnavailable("ClickHouse at here does not answer"))
    with pytest.raises(Unavailable, match="ClickHouse at here does not answer"):
        migrated(section)


def test_a_destination_that_there_is_not_names_those_there_are(section: dict[str, Any]) -> None:
    config = config_of(section, destinations={"a": {"type": "clickhouse"}, "b": {"type": "clickhouse"}})
    with pytest.raises(InputError, match="no destination 'c'") as caught:
        wiring.open_destination(config, "c")
    assert caught.value.hint == "destinations: a, b"


def test_each_destination_has_a_deliver_process_of_its_own() -> None:
    commands = role_commands(Path("c.yaml"), ["clickhouse", "archive"], ingest_workers=2)
    assert [command.name for command in commands] == [
        "ingest-0", "ingest-1", "evaluate-0", "deliver-clickhouse", "deliver-archive",
    ]  # fmt: skip
    assert commands[-1].arguments == [
        "deliver", "c.yaml", "archive", "--worker", "deliver-archive", "--port-offset", "4",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("make", "loads", "needs_not"),
    [
        ("wiring.ingest_role(config, 'w', health)", "confluent_kafka", {"faust", "aiokafka", "clickhouse_connect"}),
        (
            "wiring.deliver_role(config, 'clickhouse', wiring.open_destination(config, 'clickhouse'), 'w', health)",
            "clickhouse_connect",
            {"faust", "aiokafka", "numba"},
        ),
    ],
)
def test_a_role_loads_no_client_of_another(
    section: dict[str, Any], tmp_path: Path, make: str, loads: str, needs_not: set[str]
) -> None:
    (tmp_path / "c.yaml").write_bytes(msgspec.yaml.encode({"models": [section]}))
    code = f"""
import sys
from pathlib import Path
from monitor import wiring
from monitor.config.load import load
from monitor.kafka.topics import changelog_topic, ensure_topics
from monitor.process.health import Health
config, health = load(Path({str(tmp_path / "c.yaml")!r})), Health("r")
{make}
print(*{{name.partition(".")[0] for name in sys.modules}})
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.split())
    assert loads in loaded
    assert loaded & needs_not == set()
