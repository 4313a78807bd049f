"""On a real broker, ingest, join and evaluate give the rows of feature skew that `replay` gives, through a kill."""

import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from support.brokers import Broker
from support.events import encoded, model_section, rows
from support.installation import Installation
from support.results import assert_same, delivered, replayed

from monitor import wiring
from monitor.cli.offline import replay_file

N = 3_000
HOURS = 12.0
PARTITIONS = 2
IDLE_S = 2.0


def feature_log() -> list[bytes]:
    """Features computed again, of nine in ten predictions, an hour later: `amount` off in every 15th, some twice."""
    encode = msgspec.json.Encoder().encode
    found = []
    for i, row in enumerate(rows(N, seed=3, hours=HOURS)):
        if i % 10 == 3:
            continue
        features = {**row["features"], "amount": row["features"]["amount"] + 0.25 * (i % 15 == 0)}
        again = {**row, "features": features, "timestamp": row["timestamp"] + 3_600_000}
        del again["prediction"]
        found += [again, again] if i % 11 == 0 else [again]
    return [encode(one) for one in sorted(found, key=lambda one: one["timestamp"])]


@pytest.fixture
def installation(transactional_kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    name = f"s{uuid.uuid4().hex[:8]}"
    section = model_section(tmp_path / "model", feature_skew={"horizon": "6h"})
    made = Installation(
        tmp_path / "installation", transactional_kafka.bootstrap_servers, name, [section], batch_events=400,
        topics={"predictions": [f"{name}-predictions"], "features": [f"{name}-features"], "labels": [f"{name}-labels"]},
    )  # fmt: skip
    wiring.prepare_topics(made.config, {made.source: PARTITIONS, made.config.kafka.topics.features[0]: 1})
    wiring.migrate(made.config)
    yield made
    made.close()


def test_a_feature_log_is_compared_as_replay_compares_it_through_a_kill(
    installation: Installation, tmp_path: Path
) -> None:
    predictions, log = list(encoded(N, seed=3, hours=HOURS)), feature_log()
    for name, events in (("live", predictions), ("log", log)):
        (tmp_path / f"{name}.jsonl").write_bytes(b"\n".join(events))
    replay_file(
        installation.path, tmp_path / "live.jsonl", tmp_path / "out", close=False, features=tmp_path / "log.jsonl"
    )
    expected = replayed(tmp_path / "out")
    assert len(expected["feature_skew"]) > 50
    assert {row["column"] for row in expected["drift_verdict"] if row["direction"] == "skewed"} == {"amount"}
    features = installation.config.kafka.topics.features[0]
    installation.send(predictions, PARTITIONS)
    installation.send(log, 1, topic=features)
    for worker in ("ingest", "join", "evaluate", "deliver"):
        installation.start(worker, f"{worker}-0")
    state = installation.folder / "state" / "evaluate-evaluate-0"
    installation.wait_for(state.exists, "evaluate to keep a state", 120.0)
    for worker in ("join", "evaluate"):
        installation.kill(f"{worker}-0")
    installation.lose_disk("evaluate-0")
    for worker in ("join", "evaluate"):
        installation.start(worker, f"{worker}-0")
    installation.wait_until_done(["ingest", "join"])
    # Sources fall silent, and then time goes on to the latest event of all, as it does in replay.
    installation.breathe(2 * IDLE_S)
    installation.wait_until_done(["ingest", "join", "evaluate", "deliver"])
    installation.stop()
    assert_same(delivered(installation), expected)
