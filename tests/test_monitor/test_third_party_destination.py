"""A destination of another package is found, configured and fed beside ClickHouse, without a change here."""

import os
import uuid
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from support.batches import batch_of
from support.brokers import Broker
from support.events import MODEL, START_MS, model_section
from support.installation import Installation
from support.plugins import JSON_LINES, install_plugin

from sinks.records import RECORDS, Source, encode

N = 100
PARTITIONS = 2
SCORE = {
    "model": MODEL, "version": "1", "reference": "r", "segment": "", "column": "age", "method": "psi",
    "window_start_ms": START_MS, "window_end_ms": START_MS + 3_600_000, "compare": "pinned", "statistic": 0.25,
    "effect": 0.2, "p_value": 0.01, "calibration": "theory", "threshold": 0.2, "n_reference": 10, "n_current": 20,
    "error_bound": 0.0, "revision": 1,
}  # fmt: skip
LATE = {"model": MODEL, "version": "1", "pane_start_ms": START_MS, "n": 1, "source_topic": "s", "source_partition": 0}


def test_a_package_outside_the_tree_is_fed_beside_clickhouse(
    kafka: Broker, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    install_plugin(site, "acme-lines", {"acme_lines": JSON_LINES}, {"json-lines": "acme_lines:Settings"})
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("ARCHIVE_TOKEN", "hunter2")
    folder, name = tmp_path / "installation", f"t{uuid.uuid4().hex[:8]}"
    destinations = {
        "clickhouse": {"dsn": f"chdb://{folder / 'clickhouse'}"},
        "archive": {"type": "json-lines", "folder": "archive", "records": ["drift_score"], "token": "${ARCHIVE_TOKEN}"},
    }
    section = model_section(tmp_path / "model")
    installation = Installation(folder, kafka.bootstrap_servers, name, [section], destinations=destinations)
    assert installation.config.destinations["archive"].folder == folder / "archive"
    assert "hunter2" not in repr(installation.config)
    installation.prepare(1)
    try:
        installation.start("deliver", "deliver-clickhouse", "clickhouse")
        installation.start("deliver", "deliver-archive", "archive")
        send_results(installation)
        installation.wait_until_done(roles=("deliver",))
    finally:
        installation.close()
    assert [file.name for file in (folder / "archive").iterdir()] == ["drift_score.jsonl"], "what it takes, and no more"
    archived = [msgspec.json.decode(line) for line in (folder / "archive" / "drift_score.jsonl").open("rb")]
    assert sorted(archived, key=lambda row: row["column"]) == [score(number) for number in range(N)]
    stored = installation.query("SELECT column, statistic FROM drift_scores ORDER BY column")
    assert stored == [(row["column"], row["statistic"]) for row in map(score, range(N))]
    assert installation.query("SELECT count(), sum(n) FROM late_dropped_latest") == [(N, N)]
    assert installation.query("SELECT count() > 0 FROM references") == [(True,)], (
        "the first rows of one that takes them"
    )


def score(number: int) -> dict[str, Any]:
    return {**SCORE, "column": f"column {number:03d}"}


def send_results(installation: Installation) -> None:
    """A message a row on our results, of two kinds of record."""
    producer = Producer({"bootstrap.servers": installation.config.kafka.bootstrap_servers})
    topic = installation.config.kafka.own_topic("results")
    for number in range(N):
        source = Source(topic="s", partition=0, offset=number)
        for record, row in (
            ("drift_score", score(number)),
            ("late_dropped", {**LATE, "source_offset": number}),
        ):
            message = encode(batch_of(RECORDS[record], [row]), source)
            producer.produce(topic, message, partition=number % PARTITIONS)
    assert producer.flush(60) == 0
