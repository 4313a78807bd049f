"""What the score role leaves behind, and finds, at any moment: transactions are whole or they are nothing."""

import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Producer
from support.brokers import Broker
from support.evaluate_group import EvaluateGroup
from support.events import encoded, model_section
from support.installation import Installation, parquet_rows, profiles_that_differ, score_rows

from monitor.cli.offline import replay_file
from monitor.errors import StoppedError
from monitor.kafka import topics
from monitor.kafka.topics import application_id, changelog_topic
from monitor.sketching.messages import SCHEMA_VERSION, SketchMessage, encode

N_EVENTS = 2_000
HOURS = 4.0
PARTITIONS = 2
WORKER = "evaluate-0"
LONG_S = 400.0
"""A deadline, in seconds, that only a role that hangs would miss, on a machine with much else to do."""

Make = Callable[[Broker], Installation]


@pytest.fixture
def make(tmp_path: Path) -> Iterator[Make]:
    """An installation, with sketches of `N_EVENTS` events on its topic, and what `replay` makes of them."""
    made: list[Installation] = []

    def make(broker: Broker) -> Installation:
        installation = Installation(
            tmp_path / "installation", broker.bootstrap_servers, f"e{uuid.uuid4().hex[:8]}",
            [model_section(tmp_path / "model")], batch_events=25, commit_interval="100ms",
        )  # fmt: skip
        made.append(installation)
        installation.prepare(PARTITIONS)
        events = list(encoded(N_EVENTS, seed=4, hours=HOURS, shift=1.0))
        (tmp_path / "events.jsonl").write_bytes(b"\n".join(events))
        replay_file(installation.path, tmp_path / "events.jsonl", tmp_path / "out", close=False)
        installation.start("ingest", "ingest-0")
        installation.send(events, PARTITIONS)
        installation.wait_until_done(["ingest"], timeout_s=LONG_S)
        installation.stop()
        return installation

    yield make
    for installation in made:
        installation.close()


def expect_rows_of_replay(installation: Installation, tmp_path: Path) -> None:
    """Deliver what is there, and compare."""
    installation.start("deliver", "deliver-0")
    installation.wait_until_done(["evaluate", "deliver"], timeout_s=LONG_S)
    installation.stop()
    assert score_rows(installation) == parquet_rows(tmp_path / "out" / "drift.parquet")
    n_profiles, *differ = profiles_that_differ(installation, tmp_path / "out" / "quality.parquet")
    assert n_profiles > 10
    assert differ == [0, 0]


LEAVE_OPEN = """
import os, sys
from confluent_kafka import Producer
servers, group, changelog, results = sys.argv[1:]
for partition in (0, 1):
    producer = Producer({"bootstrap.servers": servers, "transactional.id": f"{group}-{partition}"})
    producer.init_transactions(30)
    producer.begin_transaction()
    for key in (b"seal", b"more"):
        producer.produce(changelog, b"of a worker that died", key, partition)
    producer.produce(results, b"of a worker that died", partition=partition)
    producer.flush(30)
os._exit(9)
"""
"""What `kill -9` leaves: a transaction that is open, with records in both topics."""


def test_what_a_killed_worker_left_open_is_rolled_back(transactional_kafka: Broker, make: Make, tmp_path: Path) -> None:
    installation = make(transactional_kafka)
    kafka = installation.config.kafka
    names = (application_id(kafka), changelog_topic(kafka), kafka.own_topic(topics.RESULTS))
    left = subprocess.run([sys.executable, "-c", LEAVE_OPEN, kafka.bootstrap_servers, *names], check=False)
    assert left.returncode == 9
    installation.start("evaluate", WORKER)
    expect_rows_of_replay(installation, tmp_path)


def test_a_newer_message_ends_the_role_and_stays_unread(
    transactional_kafka: Broker, make: Make, tmp_path: Path
) -> None:
    installation = make(transactional_kafka)
    kafka = installation.config.kafka
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    told: list[int] = []
    newer = encode(SketchMessage(schema_version=SCHEMA_VERSION + 1))
    producer.produce(
        kafka.own_topic(topics.SKETCHES), newer, partition=0, on_delivery=lambda _, m: told.append(m.offset() or 0)
    )
    assert producer.flush(30) == 0
    installation.start("evaluate", WORKER)
    role = installation.processes.pop(WORKER)
    assert role.wait(LONG_S) == StoppedError.exit_code
    assert f"partition 0, offset {told[0]}" in installation.tail()
    assert "upgrade this worker" in installation.tail()
    assert EvaluateGroup(kafka).committed_of(0) <= told[0]
