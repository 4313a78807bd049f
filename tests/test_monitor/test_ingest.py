"""The ingest role beside its guarantees, which `test_replay_law.py` and `test_kafka_path.py` show."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, NoReturn

import msgspec
import numpy as np
import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from hypothesis import given
from hypothesis import strategies as st
from support.events import model_section

from monitor import telemetry, wiring
from monitor.config.load import parse
from monitor.errors import StoppedError
from monitor.eventtime.watermark import Clock
from monitor.kafka.messages import places_of
from monitor.process.health import Health
from monitor.roles.ingest import Ingest
from monitor.sketching.messages import SketchMessage, decode

SOURCE = "predictions"


class FakeProducer:
    """Takes everything, and tells what was called."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.sent: list[SketchMessage] = []
        self.offsets: list[tuple[int, int]] = []

    def begin_transaction(self) -> None:
        self.calls.append("begin")

    def produce(self, topic: str, value: bytes, **_: object) -> None:
        self.calls.append(topic)
        if topic.endswith("sketches"):
            self.sent.append(decode(value))

    def poll(self, _timeout: float) -> None:
        pass

    def send_offsets_to_transaction(self, offsets: list[TopicPartition], *_: object) -> None:
        self.calls.append("offsets")
        self.offsets = [(one.partition, one.offset) for one in offsets]

    def commit_transaction(self, _timeout: float) -> None:
        self.calls.append("commit")

    def abort_transaction(self, _timeout: float) -> None:
        self.calls.append("abort")


class FakeConsumer:
    """Hands over what it is given, and knows where everything is."""

    def __init__(self, *assigned: int) -> None:
        self.assigned = [TopicPartition(SOURCE, number, 5) for number in assigned]
        self.answers = True
        self.sought: dict[int, int] = {}

    def assignment(self) -> list[TopicPartition]:
        return self.assigned

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        return partitions

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        return [TopicPartition(one.topic, one.partition, 5) for one in partitions]

    def seek(self, partition: TopicPartition) -> None:
        self.sought[partition.partition] = partition.offset

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        return 0, 105

    def consumer_group_metadata(self) -> object:
        return object()

    def list_topics(self, timeout: float) -> Any:
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={SOURCE: SimpleNamespace(partitions=dict.fromkeys(range(2)))})


def worker(folder: Path, *assigned: int, **kafka: Any) -> tuple[Ingest, FakeProducer, FakeConsumer, Health]:
    """A worker with these partitions, and its clients."""
    config = parse(msgspec.yaml.encode({"models": [model_section(folder)], "kafka": kafka}).decode(), environ={})
    health = Health("ingest")
    role = wiring.ingest_role(config, "w", health)
    producer, consumer = FakeProducer(), FakeConsumer(*assigned)
    role._producer, role._consumer = producer, consumer  # type: ignore[assignment]
    role._on_assign(role._consumer, consumer.assigned)
    return role, producer, consumer, health


def end_of(role: Ingest, partition: int, offset: int) -> None:
    """The broker says that nothing is left to read."""
    role._ended.append(((SOURCE, partition), offset))


class Untouchable:
    """A client that must not be called."""

    def __getattr__(self, name: str) -> NoReturn:
        raise AssertionError(f"{name} was called from a callback")


def test_callbacks_call_nothing_of_the_client(tmp_path: Path) -> None:
    # confluent-kafka 2.16: a call from a callback, then another callback inside the same `consume`, ends the process.
    config = parse(msgspec.yaml.encode({"models": [model_section(tmp_path)]}).decode(), environ={})
    health = Health("ingest")
    role = wiring.ingest_role(config, "w", health)
    client: Any = Untouchable()
    role._consumer = role._producer = client
    role._on_assign(client, [TopicPartition("predictions", 0), TopicPartition("predictions", 1)])
    assert not health.not_ready_because
    role._on_revoke(client, [TopicPartition("predictions", 0)])
    assert health.not_ready_because == "partitions revoked"


def test_clocks_are_sent_with_an_offset_by_which_kafka_tells_whose_the_partitions_are(tmp_path: Path) -> None:
    role, producer, _, health = worker(tmp_path, 0, 1, sketch_partitions=1)
    role._commit_in_groups(1.0)
    assert producer.calls == [], "not one offset is known yet"
    assert not health.not_ready_because
    end_of(role, 1, 7)
    role._commit_in_groups(1.0)
    assert producer.calls == ["begin", "drift.sketches", "offsets", "commit"]
    assert producer.offsets == [(1, 7)]
    (message,) = producer.sent
    assert message.clocks == [Clock(topic=SOURCE, partition=0), Clock(topic=SOURCE, partition=1)]


def test_a_worker_that_was_stopped_does_not_count_that_time_as_silence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("monitor.roles.ingest.time.monotonic", lambda: now_s)
    role, producer, _, _ = worker(tmp_path, 0, idle_timeout="60s", session_timeout="10s", sketch_partitions=1)
    end_of(role, 0, 7)

    def idle_after(seconds: float) -> bool:
        nonlocal now_s
        now_s += seconds
        role._commit_in_groups(now_s)
        return producer.sent[-1].clocks[0].idle

    assert not any(idle_after(9.0) for _ in range(5))
    assert not idle_after(70.0), "the process was suspended"
    assert [idle_after(10.0) for _ in range(6)] == [False] * 5 + [True]


def test_while_no_broker_is_there_nothing_falls_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("monitor.roles.ingest.time.monotonic", lambda: now_s)
    role, producer, _, _ = worker(tmp_path, 0, idle_timeout="60s", sketch_partitions=1)
    end_of(role, 0, 7)
    for _ in range(20):
        role._on_error(KafkaError(KafkaError._ALL_BROKERS_DOWN))
        now_s += 9.0
        role._commit_in_groups(now_s)
    assert not producer.sent[-1].clocks[0].idle


def test_a_worker_without_partitions_is_ready_again_once_the_broker_answers(tmp_path: Path) -> None:
    role, producer, consumer, health = worker(tmp_path)
    role._commit_in_groups(1.0)
    assert not health.not_ready_because
    consumer.answers = False
    role._on_error(KafkaError(KafkaError._TRANSPORT))
    role._commit_in_groups(1.0)
    assert health.not_ready_because
    consumer.answers = True
    role._commit_in_groups(1.0)
    assert not health.not_ready_because
    role._on_revoke(role._consumer, [])
    role._commit_in_groups(1.0)
    assert health.not_ready_because == "partitions revoked", "it waits for a new assignment"
    assert producer.calls == []


def test_the_lag_of_a_partition_is_told_by_whom_it_belongs_to(tmp_path: Path) -> None:
    def told() -> set[str]:
        (lag,) = telemetry.CONSUMER_LAG.collect()
        return {one.labels["partition"] for one in lag.samples if one.labels["role"] == "ingest"}

    role, _, _, _ = worker(tmp_path, 3, 4, sketch_partitions=1)
    end_of(role, 3, 7)
    role._commit_in_groups(1.0)
    assert {"3", "4"} <= told()
    role._on_revoke(role._consumer, [TopicPartition(SOURCE, number) for number in (3, 4, 5)])
    assert not {"3", "4"} & told()


class Refusing(FakeProducer):
    """A broker that commits nothing."""

    code = KafkaError.NOT_ENOUGH_REPLICAS

    def commit_transaction(self, _timeout: float) -> None:
        raise KafkaException(KafkaError(self.code, txn_requires_abort=True))


def test_between_commits_that_are_rolled_back_there_is_a_pause_that_grows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    role, _, _, health = worker(tmp_path, 0, sketch_partitions=1)
    role._producer = refusing = Refusing()  # type: ignore[assignment]
    pauses: list[float] = []
    monkeypatch.setattr(role, "_pause", pauses.append)
    for _ in range(9):
        role._buffer = [Message(topic=SOURCE, partition=0, offset=1, value=b"no event")]
        role._commit_in_groups(1.0)
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    assert refusing.calls.count("abort") == 9
    assert health.not_ready_because
    role._producer = FakeProducer()  # type: ignore[assignment]
    role._buffer = [Message(topic=SOURCE, partition=0, offset=1, value=b"no event")]
    role._commit_in_groups(1.0)
    role._producer = refusing  # type: ignore[assignment]
    role._buffer = [Message(topic=SOURCE, partition=0, offset=2, value=b"no event")]
    role._commit_in_groups(1.0)
    assert pauses[9:] == [0.25], "what was committed in between counts"


def test_a_pause_ends_with_the_role(tmp_path: Path) -> None:
    role, _, _, _ = worker(tmp_path, 0)
    role.stop()
    role._pause(3_600.0)


def test_a_message_that_the_topic_does_not_take_ends_the_role(tmp_path: Path) -> None:
    role, _, _, _ = worker(tmp_path, 0, sketch_partitions=1)
    role._producer = refusing = Refusing()  # type: ignore[assignment]
    refusing.code = KafkaError.MSG_SIZE_TOO_LARGE
    role._buffer = [Message(topic=SOURCE, partition=0, offset=1, value=b"no event")]
    with pytest.raises(StoppedError) as caught:
        role._commit_in_groups(1.0)
    assert "max.message.bytes" in caught.value.hint


def in_groups_of_two(messages: list[Message]) -> list[slice]:
    return [slice(start, start + 2) for start in range(0, max(1, len(messages)), 2)]


def messages_of(*origins: tuple[int, int]) -> list[Message]:
    return [Message(topic=SOURCE, partition=number, offset=at, value=b"no event") for number, at in origins]


def test_messages_that_hold_much_are_committed_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.roles.ingest.groups_of", in_groups_of_two)
    role, producer, _, _ = worker(tmp_path, 0, 1, idle_timeout="1ms", session_timeout="30m", sketch_partitions=1)
    committed: list[list[tuple[int, int]]] = []
    monkeypatch.setattr(producer, "commit_transaction", lambda _timeout: committed.append(producer.offsets))
    role._buffer = messages_of((0, 5), (0, 6), (1, 7), (0, 7), (0, 8))
    end_of(role, 0, 9)
    role._commit_in_groups(1.0)
    assert committed == [[(0, 7)], [(0, 8), (1, 8)], [(0, 9)]]
    assert [[(one.first, one.last) for one in sent.sources] for sent in producer.sent] == [
        [(5, 6)], [(7, 7), (7, 7)], [(8, 8)],
    ]  # fmt: skip


def test_what_was_read_after_a_group_that_is_rolled_back_is_read_again_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.roles.ingest.groups_of", in_groups_of_two)
    role, _, consumer, _ = worker(tmp_path, 0, 1, 2, sketch_partitions=1)
    monkeypatch.setattr(role, "_pause", lambda _seconds: None)
    role._producer = refusing = Refusing()  # type: ignore[assignment]
    role._buffer = messages_of((0, 5), (0, 6), (1, 5), (1, 6))
    role._commit_in_groups(1.0)
    assert refusing.calls.count("abort") == 1
    assert consumer.sought == {0: 5, 1: 5}


@pytest.mark.parametrize(("end", "idle"), [(1, False), (3, True)])
def test_an_end_among_the_messages_counts_where_nothing_followed_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: int, idle: bool
) -> None:
    now_s = 1_000.0
    monkeypatch.setattr("monitor.roles.ingest.time.monotonic", lambda: now_s)
    role, producer, _, _ = worker(tmp_path, 0, idle_timeout="5s", session_timeout="10s", sketch_partitions=1)
    role._notice_suspension(now_s)
    now_s += 6.0
    role._buffer = [Message(topic=SOURCE, partition=0, offset=offset, value=b"no event") for offset in (1, 2)]
    end_of(role, 0, end)
    role._commit_in_groups(now_s)
    assert producer.sent[-1].clocks == [Clock(topic=SOURCE, partition=0, idle=idle)]


@given(st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 3)), max_size=40))
def test_places_are_those_of_the_messages_one_by_one(origins: list[tuple[str, int]]) -> None:
    next_offset: dict[tuple[str, int], int] = {}
    messages = []
    for origin in origins:
        offset = next_offset[origin] = next_offset.get(origin, 10) + 1
        messages.append(Message(topic=origin[0], partition=origin[1], offset=offset, value=b""))
    places = places_of(messages)
    assert [places.partitions[number] for number in places.of_message.tolist()] == origins
    assert sorted(places.partitions) == sorted(set(origins))
    for number, origin in enumerate(places.partitions):
        of_origin = [m.offset() for m in messages if (m.topic(), m.partition()) == origin]
        assert (places.first[number], places.last[number]) == (min(of_origin), max(of_origin))  # type: ignore[type-var]
    assert np.all(places.of_message >= 0)
