"""A score worker that sleeps through its session, and wakes after another has taken over, changes nothing.

In each round one worker is stopped (SIGSTOP) in a backlog, another takes over and finishes it, the first wakes,
and both are killed; in half of the rounds they lose their disks. What is then restored is what was committed.
"""

import os
import signal
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient
from support.brokers import Broker
from support.events import encoded, model_section
from support.installation import Installation, parquet_rows, profiles_that_differ, score_rows

from monitor.cli.offline import replay_file
from monitor.config.schema import Kafka
from monitor.kafka import topics
from monitor.kafka.topics import application_id

EVENTS_A_ROUND = 3_000
HOURS_A_ROUND = 6.0
PARTITIONS = 2
ROUNDS = int(os.environ.get("DRIFTLINE_FENCING_ROUNDS", "20"))
SLEEPER, SUCCESSOR = "evaluate-0", "evaluate-1"


@pytest.fixture
def installation(transactional_kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    made = Installation(
        tmp_path / "installation", transactional_kafka.bootstrap_servers, f"f{uuid.uuid4().hex[:8]}",
        [model_section(tmp_path / "model")], batch_events=25, commit_interval="100ms",
    )  # fmt: skip
    made.prepare(PARTITIONS)
    yield made
    made.close()


def test_two_rounds_of_sleep_takeover_wake_and_crash_leave_the_rows_of_replay(
    installation: Installation, tmp_path: Path
) -> None:
    sleep_take_over_wake_and_crash(installation, tmp_path, rounds=2)


@pytest.mark.long
def test_many_rounds_of_sleep_takeover_wake_and_crash_leave_the_rows_of_replay(
    installation: Installation, tmp_path: Path
) -> None:
    sleep_take_over_wake_and_crash(installation, tmp_path, rounds=ROUNDS)


def sleep_take_over_wake_and_crash(installation: Installation, tmp_path: Path, rounds: int) -> None:
    data = tmp_path / "events.jsonl"
    events = list(encoded(EVENTS_A_ROUND * rounds, seed=9, hours=HOURS_A_ROUND * rounds, shift=1.0))
    data.write_bytes(b"\n".join(events))
    replay_file(installation.path, data, tmp_path / "out", close=False)

    installation.start("ingest", "ingest-0")
    installation.start("deliver", "deliver-0")
    group, n_in_backlog = Group(installation.config.kafka), 0
    for number in range(rounds):
        installation.send(events[number * EVENTS_A_ROUND : (number + 1) * EVENTS_A_ROUND], PARTITIONS)
        installation.wait_until_done(["ingest"])
        n_in_backlog += one_round(installation, group, lose_disks=number % 2 == 0)
    assert n_in_backlog > rounds // 2, "else it was not stopped with messages in hand"
    installation.start("evaluate", SLEEPER)
    installation.wait_until_done(timeout_s=400)
    installation.stop()

    assert score_rows(installation) == parquet_rows(tmp_path / "out" / "drift.parquet")
    n_profiles, *differ = profiles_that_differ(installation, tmp_path / "out" / "quality.parquet")
    assert n_profiles > 100
    assert differ == [0, 0], "every event is in its pane once"


def one_round(installation: Installation, group: "Group", *, lose_disks: bool) -> bool:
    """Returns whether the sleeper was stopped with something left to read."""
    before = group.committed()
    installation.start("evaluate", SLEEPER)
    installation.wait_for(lambda: group.committed() > before, "the sleeper to begin", every_s=0.02)
    sleeper = installation.processes.pop(SLEEPER)
    sleeper.send_signal(signal.SIGSTOP)
    try:
        stopped_at = group.committed()
        installation.start("evaluate", SUCCESSOR)
        installation.wait_until_done(["evaluate"])
        finished_at = group.committed()
        sleeper.send_signal(signal.SIGCONT)
        installation.wait_for(lambda: sleeper.poll() is not None or group.n_members() == 2, "the sleeper to find out")
    finally:
        sleeper.kill()
        sleeper.wait()
    installation.kill(SUCCESSOR)
    if lose_disks:
        installation.lose_disk(SLEEPER)
        installation.lose_disk(SUCCESSOR)
    return finished_at > stopped_at


class Group:
    """Evaluate's consumer group, seen from outside."""

    def __init__(self, kafka: Kafka) -> None:
        self._name = application_id(kafka)
        settings = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0}
        self._consumer = Consumer({**settings, "group.id": self._name})
        self._admin = AdminClient(settings)
        self._asked = [TopicPartition(kafka.own_topic(topics.SKETCHES), n) for n in range(kafka.sketch_partitions)]

    def committed(self) -> int:
        """The offsets of all partitions that are committed, together."""
        return sum(max(0, one.offset) for one in self._consumer.committed(self._asked, timeout=10))

    def n_members(self) -> int:
        """Members that have partitions."""
        (described,) = self._admin.describe_consumer_groups([self._name], request_timeout=10).values()
        return sum(bool(member.assignment.topic_partitions) for member in described.result().members)
