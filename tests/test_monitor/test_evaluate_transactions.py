"""What the score role leaves behind, and finds, at any moment: transactions are whole or they are nothing."""

import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from support.apache_kafka import ApacheKafka
from support.brokers import Broker
from support.evaluate_group import EvaluateGroup
from support.events import encoded, model_section
from support.installation import Installation, profiles_that_differ
from support.results import assert_same, delivered, replayed

from monitor.cli.offline import replay_file
from monitor.errors import StoppedError, Unavailable
from monitor.evaluation.batch import EvaluationBatch
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.kafka import topics
from monitor.kafka.topics import application_id, changelog_topic
from monitor.models import watched
from monitor.reference.opened import open_references
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
    assert_same(delivered(installation), replayed(tmp_path / "out"))
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


def test_a_first_start_over_a_changelog_without_transactions_goes_on_from_it(
    transactional_kafka: Broker, make: Make, tmp_path: Path
) -> None:
    """As the release before wrote it: results, then state, then the seal, then the offset, each by itself."""
    installation = make(transactional_kafka)
    config = installation.config
    kafka = config.kafka
    source, group = kafka.own_topic(topics.SKETCHES), application_id(kafka)
    evaluator = Evaluator(watched(config, open_references(config)))
    settings = {"bootstrap.servers": kafka.bootstrap_servers}
    producer = Producer(settings)
    reading = {"isolation.level": "read_committed", "enable.partition.eof": True, "enable.auto.commit": False}
    reader = Consumer({**settings, **reading, "group.id": group})
    for partition in range(kafka.sketch_partitions):
        values = committed_values(reader, source, partition)
        state: dict[bytes, bytes] = {}
        for offset, value in values[: len(values) // 2]:
            batch = EvaluationBatch(evaluator, state)
            batch.add(value, Source(topic=source, partition=partition, offset=offset))
            for result in batch.results:
                producer.produce(kafka.own_topic(topics.RESULTS), result, partition=partition)
            for key, written in batch.writes.items():
                producer.produce(changelog_topic(kafka), written, key, partition)
            state |= {key: written for key, written in batch.writes.items() if written is not None}
            reader.commit(offsets=[TopicPartition(source, partition, offset + 1)], asynchronous=False)
        assert state, "something was there"
    assert producer.flush(30) == 0
    reader.close()
    installation.start("evaluate", WORKER)
    expect_rows_of_replay(installation, tmp_path)


def committed_values(reader: Consumer, topic: str, partition: int) -> list[tuple[int, bytes]]:
    reader.assign([TopicPartition(topic, partition, 0)])
    values: list[tuple[int, bytes]] = []
    while True:
        for message in reader.consume(500, timeout=10):
            if message.error() is not None:
                return values
            values.append((message.offset() or 0, message.value() or b""))


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


@pytest.mark.long
def test_a_broker_that_is_killed_inside_a_transaction_costs_nothing_but_delay(
    apache_kafka: ApacheKafka, make: Make, tmp_path: Path
) -> None:
    installation = make(apache_kafka)
    group = EvaluateGroup(installation.config.kafka)
    installation.start("evaluate", WORKER)
    installation.wait_for(lambda: group.committed() > 0, "evaluate to begin", LONG_S, every_s=0.02)
    apache_kafka.kill()
    apache_kafka.start()
    deadline_s = time.monotonic() + LONG_S

    def goes_on() -> bool:
        # It may end, as it does when the broker took a transaction back; the supervisor starts it again.
        role = installation.processes.pop(WORKER)
        if role.poll() is None:
            installation.processes[WORKER] = role
        else:
            assert role.returncode != StoppedError.exit_code, installation.tail()
            installation.start("evaluate", WORKER)
        return group.is_done()

    while not goes_on():
        assert time.monotonic() < deadline_s, installation.tail()
    expect_rows_of_replay(installation, tmp_path)


def test_a_role_ends_when_it_is_told_to_while_the_broker_is_frozen(
    apache_kafka: ApacheKafka, make: Make, tmp_path: Path
) -> None:
    installation = make(apache_kafka)
    group = EvaluateGroup(installation.config.kafka)
    installation.start("evaluate", WORKER)
    installation.wait_for(lambda: group.committed() > 0, "evaluate to begin", LONG_S, every_s=0.02)
    assert apache_kafka.pid is not None
    os.kill(apache_kafka.pid, signal.SIGSTOP)
    try:
        role = installation.processes.pop(WORKER)
        role.send_signal(signal.SIGTERM)
        # Or its transaction is over before it is; the supervisor would kill it after 20 s.
        assert role.wait(20.0) in (0, Unavailable.exit_code)
    finally:
        os.kill(apache_kafka.pid, signal.SIGCONT)
