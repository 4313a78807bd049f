"""On a real broker, ingest, join and evaluate give the rows of performance that `replay` gives, through kills."""

import random
import uuid
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from support.brokers import Broker
from support.events import MODEL, encoded, model_section, rows
from support.installation import Installation
from support.results import Results, assert_same, delivered
from support.results import replayed as read_replayed

from monitor import wiring
from monitor.cli.offline import replay_file

N = 6_000
HOURS = 12.0
PARTITIONS = 2
IDLE_S = 2.0


def labels() -> list[bytes]:
    """Of four in five predictions, up to three hours later and in order of time; some twice, some corrected."""
    encode = msgspec.json.Encoder().encode
    rng = random.Random(5)
    found = []
    for i, row in enumerate(rows(N, seed=3, hours=HOURS)):
        if i % 5 == 4:
            continue
        right = rng.random() < row["prediction"]["score"]
        label = {
            "model": MODEL, "prediction_id": str(i), "label": "yes" if right else "no", "value": float(i),
            "timestamp": row["timestamp"] + rng.randint(0, 3 * 3_600_000),
        }  # fmt: skip
        found.append(label)
        if i % 10 == 1:
            found.append(label)
        if i % 10 == 2:
            found.append({**label, "label": "yes", "timestamp": label["timestamp"] + 2 * 3_600_000})
        if i % 50 == 5:
            found.append({**label, "prediction_id": f"nobody {i}"})
    return [encode(one) for one in sorted(found, key=lambda one: one["timestamp"])]


@pytest.fixture
def installation(transactional_kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    name = f"p{uuid.uuid4().hex[:8]}"
    section = model_section(tmp_path / "model", label_horizon="6h", positive="yes")
    made = Installation(
        tmp_path / "installation", transactional_kafka.bootstrap_servers, name, [section], batch_events=400,
        topics={"predictions": [f"{name}-predictions"], "features": [f"{name}-features"], "labels": [f"{name}-labels"]},
    )  # fmt: skip
    kafka = made.config.kafka
    wiring.prepare_topics(made.config, {made.source: PARTITIONS, kafka.topics.features[0]: 1, f"{name}-labels": 1})
    wiring.migrate(made.config)
    yield made
    made.close()


def replayed(installation: Installation, folder: Path, predictions: list[bytes], of_labels: list[bytes]) -> Results:
    (folder / "live.jsonl").write_bytes(b"\n".join(predictions))
    shuffled = [*of_labels]
    random.Random(1).shuffle(shuffled)
    (folder / "labels.jsonl").write_bytes(b"\n".join(shuffled))
    replay_file(installation.path, folder / "live.jsonl", folder / "out", close=False, labels=folder / "labels.jsonl")
    return read_replayed(folder / "out")


def test_killed_join_and_evaluate_give_the_rows_of_performance_that_replay_gives(
    installation: Installation, tmp_path: Path
) -> None:
    predictions, of_labels = list(encoded(N, seed=3, hours=HOURS)), labels()
    expected = replayed(installation, tmp_path, predictions, of_labels)
    assert len(expected["performance"]) > 1_000
    assert any(not row["provisional"] for row in expected["performance"])
    topic = installation.config.kafka.topics.labels[0]
    installation.send(predictions, PARTITIONS)
    installation.send(of_labels, 1, topic=topic)
    installation.start("ingest", "ingest-0")
    installation.start("join", "join-0")
    installation.start("evaluate", "evaluate-0")
    installation.start("deliver", "deliver-0")
    installation.wait_for(lambda: installation.has_disk("evaluate-0"), "evaluate to begin", 120.0)
    installation.breathe(IDLE_S)
    installation.kill("join-0")
    installation.kill("evaluate-0")
    installation.lose_disk("evaluate-0")
    installation.start("join", "join-0")
    installation.start("evaluate", "evaluate-0")
    installation.wait_until_done(["ingest", "labels", "join"])
    # Sources fall silent, and then time goes on to the latest event of all, as it does in replay.
    installation.breathe(2 * IDLE_S)
    installation.wait_until_done(["join", "evaluate", "deliver"])
    installation.stop()
    assert_same(delivered(installation), expected)
