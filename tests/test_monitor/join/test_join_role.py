"""On a real broker, the join counts what `replay` counts, and keeps what it keeps, through kills and lost disks."""

import shutil
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from support.brokers import Broker
from support.events import MODEL, START_MS, encoded, model_section, rows
from support.installation import Installation

from monitor import models, wiring
from monitor.config.load import load
from monitor.events.decoder import MessageDecoder
from monitor.join.restore import restored
from monitor.join.rows import Catalog
from monitor.join.state import BLOCK_KEY_BYTES, SEAL, DictStore, read_seal
from monitor.kafka import topics
from monitor.reference.opened import open_references
from monitor.replay.joining import JoinReplay

N = 6_000
HOURS = 12.0
PARTITIONS = 2
NOW_MS = START_MS + 10 * 86_400_000
State = tuple[Counter[str], dict[bytes, Any]]


def labels() -> list[bytes]:
    """Of three in four predictions, an hour later; some twice, some corrected, some too early, some of no one."""
    encode = msgspec.json.Encoder().encode
    found = []
    for i, row in enumerate(rows(N, seed=3, hours=HOURS)):
        if i % 4 == 3:
            continue
        label = {
            "model": MODEL, "prediction_id": str(i), "timestamp": row["timestamp"] + 3_600_000,
            "label": "yes" if i % 3 else "no", "value": float(i),
        }  # fmt: skip
        if i % 100 == 0:
            label["timestamp"] = row["timestamp"] - 1
        found.append(encode(label))
        if i % 10 == 1:
            found.append(encode(label))
        if i % 10 == 2:
            found.append(encode({**label, "label": "corrected", "timestamp": label["timestamp"] + 1}))
        if i % 50 == 5:
            found.append(encode({**label, "prediction_id": f"nobody {i}"}))
        if i % 500 == 6:
            found.append(encode({**label, "label": None}))
    return found


def known(rows_: dict[bytes, bytes]) -> dict[bytes, Any]:
    """Every id with what is known of it, without the codes that differ between partitions."""
    store = DictStore()
    store.rows = rows_
    catalog = Catalog(read_seal(store))
    found = {}
    for key, row in rows_.items():
        if key != SEAL and len(key) != BLOCK_KEY_BYTES and row:
            state = catalog.known(row)
            prediction = state.prediction
            found[key] = (None if prediction is None else prediction[:4], state.labels)
    return found


@pytest.fixture
def installation(transactional_kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    name = f"j{uuid.uuid4().hex[:8]}"
    made = Installation(
        tmp_path / "installation", transactional_kafka.bootstrap_servers, name,
        [model_section(tmp_path / "model", label_horizon="30d")], batch_events=200, commit_interval="100ms",
        topics={"predictions": [f"{name}-predictions"], "features": [f"{name}-features"], "labels": [f"{name}-labels"]},
    )  # fmt: skip
    kafka = made.config.kafka
    wiring.prepare_topics(made.config, {made.source: PARTITIONS, kafka.topics.features[0]: 1, f"{name}-labels": 1})
    yield made
    made.close()


def replayed(path: Path, predictions: list[bytes], of_labels: list[bytes]) -> State:
    """What the pure core makes of the same events."""
    config = load(path)
    references = open_references(config)
    join = JoinReplay(models.join_models(config), models.prediction_blocks(config, references))
    decoder = MessageDecoder(models.model_specs(config, references), models.limits(config.kafka))
    join.feed(decoder.decode_messages(predictions, None, "predictions", NOW_MS).batches, [])
    join.feed([], models.label_decoder(config).decode(of_labels, None, NOW_MS).batches)
    counts = Counter({what: n for (_, what), n in join.counts.items() if n})
    return counts, known(join.state)


def in_changelog(installation: Installation) -> State:
    """What a new worker would restore: the counts and the rows of all partitions."""
    kafka = installation.config.kafka
    topic = topics.join_changelog_topic(kafka)
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers, "group.id": "test", "enable.auto.commit": False,
            "isolation.level": "read_committed", "enable.partition.eof": True,
        }
    )  # fmt: skip
    counts: Counter[str] = Counter()
    found: dict[bytes, Any] = {}
    for partition in range(kafka.sketch_partitions):
        consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING)])
        changes = []
        while True:
            (message,) = consumer.consume(1, timeout=30)
            if message.error():
                break
            changes.append((message.key(), message.value()))
        store = DictStore()
        store.rows = {key: row for key, row in restored(store, changes).items() if row}
        for totals in read_seal(store).totals.values():
            counts.update(totals)
        if SEAL in store.rows:
            found |= known(store.rows)
    consumer.close()
    return Counter({what: n for what, n in counts.items() if n}), found


def test_killed_and_with_its_disk_lost_the_join_counts_each_match_once_and_keeps_what_replay_keeps(
    installation: Installation,
) -> None:
    predictions, of_labels = list(encoded(N, seed=3, hours=HOURS)), labels()
    expected, rows_ = replayed(installation.path, predictions, of_labels)
    assert expected["matched"] > 4_000
    assert {"repeated", "corrected", "label_before_prediction"} <= set(expected)
    topic = installation.config.kafka.topics.labels[0]
    installation.start("ingest", "ingest-0")
    for number in range(3):
        third = slice(number * N // 3, (number + 1) * N // 3)
        installation.start("join", "join-0")
        # The labels of a third come with it: before some of their predictions, and after others.
        installation.send(predictions[third], PARTITIONS)
        share = len(of_labels) // 3 + 1
        installation.send(of_labels[number * share : (number + 1) * share], 1, topic=topic)
        before = sum(in_changelog(installation)[0].values())
        installation.wait_for(
            lambda before=before: sum(in_changelog(installation)[0].values()) > before, "the join to begin", 120.0
        )
        installation.kill("join-0")
        if number % 2 == 0:
            shutil.rmtree(installation.folder / "state" / "join-join-0")
    installation.start("join", "join-0")
    installation.wait_until_done(["ingest", "labels", "join"])
    installation.stop()
    counts, kept = in_changelog(installation)
    assert kept == rows_
    for what in ("matched", "duplicate_prediction", "label_before_prediction"):
        assert counts[what] == expected[what], what
    ways = ("repeated", "corrected", "superseded")
    assert sum(counts[what] for what in ways) == sum(expected[what] for what in ways)
