"""The ingest role's shell: what it asks of its clients, and what it does when they fail.

What a commit holds is the step's (`test_ingest_step.py`); the guarantees are shown by `test_replay_law.py` and
`test_kafka_path.py`.
"""

import itertools
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException, Message, TopicPartition
from structlog.testing import capture_logs
from support.events import model_section

from monitor import wiring
from monitor.config.load import parse
from monitor.errors import RestartError, StoppedError
from monitor.eventtime.watermark import Clock
from monitor.kafka.waiting import StopRequest
from monitor.process.health import Health
from monitor.roles.ingest import Ingest
from monitor.sketching.messages import SketchMessage, decode

SOURCE = "predictions"
NO_EVENT = b"no event"

Read = list[Message] | Callable[[], list[Message]]


class FakeProducer:
    """Takes everything, and tells what was called."""

    def __init__(self, settings: dict[str, Any]) -> None:
        self.settings = settings
        self.calls: list[str] = []
        self.sent: list[SketchMessage] = []
        self.offsets: list[tuple[int, int]] = []
        self.committed: list[list[tuple[int, int]]] = []
        self.refuses: int | None = None
        """The code of an error that every commit meets, and after which it is rolled back."""

    def init_transactions(self, _timeout: float) -> None:
        self.calls.append("init")

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
        if self.refuses is not None:
            raise KafkaException(KafkaError(self.refuses, txn_requires_abort=True))
        self.committed.append(self.offsets)

    def abort_transaction(self, _timeout: float) -> None:
        self.calls.append("abort")


class FakeConsumer:
    """Hands over one read a turn of the role's loop, then stops the role. No call comes from inside a callback."""

    def __init__(self, settings: dict[str, Any], assigned: tuple[int, ...], reads: list[Read], turns: "Turns") -> None:
        self.settings = settings
        self.assigned = [TopicPartition(SOURCE, number, 5) for number in assigned]
        self.answers = True
        self.sought: dict[int, int] = {}
        self.closed = False
        self._reads = reads
        self._turns = turns
        self._pending: list[Message] = []
        self._joined = self._in_callback = False
        self._read_in = -1  # the turn

    def subscribe(self, _topics: list[str], on_assign: Any, on_revoke: Any) -> None:
        self._on_assign, self._on_revoke = on_assign, on_revoke

    def revoke(self) -> list[Message]:
        """A read that takes the partitions away."""
        return self._call_back(self._on_revoke)

    def _call_back(self, callback: Any) -> list[Message]:
        self._in_callback = True
        callback(self, self.assigned)
        self._in_callback = False
        return []

    def consume(self, n: int, timeout: float) -> list[Message]:
        if not self._joined:
            self._joined = True
            self._call_back(self._on_assign)
        if not self._pending and self._turns.n != self._read_in:
            self._read_in = self._turns.n
            if not self._reads:
                self._turns.stop()
                return []
            read = self._reads.pop(0)
            self._pending = read() if callable(read) else list(read)
        taken, self._pending = self._pending[:n], self._pending[n:]
        return taken

    def assignment(self) -> list[TopicPartition]:
        # confluent-kafka 2.16: a call from a callback, then another callback inside the same `consume`, ends the
        # process.
        assert not self._in_callback
        return self.assigned

    def position(self, partitions: list[TopicPartition]) -> list[TopicPartition]:
        assert not self._in_callback
        return partitions

    def committed(self, partitions: list[TopicPartition], timeout: float) -> list[TopicPartition]:
        assert not self._in_callback
        return [TopicPartition(one.topic, one.partition, 5) for one in partitions]

    def seek(self, partition: TopicPartition) -> None:
        assert not self._in_callback
        self.sought[partition.partition] = partition.offset

    def get_watermark_offsets(self, *_: object, **__: object) -> tuple[int, int]:
        assert not self._in_callback
        return 0, 5

    def consumer_group_metadata(self) -> object:
        assert not self._in_callback
        return object()

    def list_topics(self, timeout: float) -> Any:
        assert not self._in_callback
        if not self.answers:
            raise KafkaException(KafkaError(KafkaError._TRANSPORT))
        return SimpleNamespace(topics={SOURCE: SimpleNamespace(partitions=dict.fromkeys(range(2)))})

    def close(self) -> None:
        self.closed = True


class Turns(Health):
    """Counts how often the role's loop has turned, and what `/readyz` said at each turn's end."""

    n = 0
    stop: Callable[[], None]

    def __init__(self) -> None:
        super().__init__("ingest")
        self.said: list[str] = []

    def turned(self) -> None:
        super().turned()
        self.n += 1

    def ready(self) -> None:
        super().ready()
        self.said.append("")

    def not_ready(self, because: str) -> None:
        super().not_ready(because)
        self.said.append(because)


class Worker:
    """A role with fake clients, that ends after these reads."""

    def __init__(self, folder: Path, assigned: tuple[int, ...], *reads: Read, **kafka: Any) -> None:
        section = {"sketch_partitions": 1, "commit_interval": "10ms", **kafka}
        config = parse(msgspec.yaml.encode({"models": [model_section(folder)], "kafka": section}).decode(), environ={})
        self.health = Turns()
        self.producer = FakeProducer({})
        self.consumer = FakeConsumer({}, assigned, list(reads), self.health)
        self.role = Ingest(
            config.kafka,
            wiring.ingest_step(config),
            worker="w",
            health=self.health,
            make_consumer=lambda _settings: self.consumer,  # type: ignore[arg-type, return-value]
            make_producer=lambda _settings: self.producer,  # type: ignore[arg-type, return-value]
        )
        self.health.stop = self.role.stop

    def run(self) -> "Worker":
        """Until the last read is done."""
        self.role.run()
        assert self.consumer.closed
        return self


@pytest.fixture(autouse=True)
def _no_pause_between_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.roles.ingest.MIN_INTERVAL_S", 0.0)


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses before what was rolled back is read again, at their longest; nobody waits for them."""
    made: list[float] = []
    monkeypatch.setattr("monitor.roles.ingest.random.random", lambda: 0.0)
    monkeypatch.setattr(StopRequest, "pause", lambda _self, seconds: made.append(seconds))
    return made


def at(*origins: tuple[int, int]) -> list[Message]:
    """Messages at these (partition, offset), none of which is an event."""
    return [Message(topic=SOURCE, partition=number, offset=offset, value=NO_EVENT) for number, offset in origins]


def end(partition: int, offset: int) -> Message:
    """The broker says that nothing is left to read."""
    return Message(topic=SOURCE, partition=partition, offset=offset, error=KafkaError(KafkaError._PARTITION_EOF))


def failed(code: int, **flags: bool) -> Message:
    """The client says that something is wrong."""
    return Message(error=KafkaError(code, **flags))


def test_a_commit_is_one_transaction_with_the_offsets_last(tmp_path: Path) -> None:
    worker = Worker(tmp_path, (0, 1), [], [end(1, 7)]).run()
    assert worker.producer.calls == ["init", "begin", "drift.sketches", "offsets", "commit"]
    assert worker.producer.offsets == [(1, 7)]
    (message,) = worker.producer.sent
    assert message.clocks == [Clock(topic=SOURCE, partition=0), Clock(topic=SOURCE, partition=1)]
    assert message.n_partitions == {SOURCE: 2}
    assert worker.health.said[0] == "", "it is ready before anything is known of its partitions"


def test_rejects_are_logged_by_reason_with_an_example_and_those_of_a_minute_together(tmp_path: Path) -> None:
    with capture_logs() as logs:
        Worker(tmp_path, (0,), at((0, 5)), at((0, 6)), at((0, 7))).run()
    lines = [line for line in logs if line["event"].startswith("events rejected")]
    assert [(line["reason"], line["n"]) for line in lines] == [("undecodable", 1), ("undecodable", 2)]
    assert "offset 5" in lines[0]["example"]
    assert "offset 6" in lines[1]["example"]


def test_a_quiet_stream_is_committed_at_once_and_a_busy_one_no_more_than_ten_times_a_second(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.roles.ingest.MIN_INTERVAL_S", 0.1)
    now_s = 1_000.0
    monkeypatch.setattr("monitor.roles.ingest.time.monotonic", lambda: now_s)
    worker = Worker(tmp_path, (0,), [], commit_interval="1h")
    commits_s: list[float] = []
    commit = worker.producer.commit_transaction

    def commit_and_note(timeout_s: float) -> None:
        commit(timeout_s)
        commits_s.append(now_s)

    monkeypatch.setattr(worker.producer, "commit_transaction", commit_and_note)
    join = worker.consumer.consume
    n_read = 0

    def consume(n: int, timeout: float) -> list[Message]:
        # An event as soon as the one before is committed, and silence until then.
        nonlocal now_s, n_read
        if n_read == 0:
            join(1, timeout)
        if n == 1 and n_read < 50:
            n_read += 1
            now_s += 0.01
            return at((0, n_read))
        now_s += timeout
        if n == 1:
            worker.role.stop()
        return []

    monkeypatch.setattr(worker.consumer, "consume", consume)
    worker.run()
    assert worker.producer.committed[-1] == [(0, 51)]
    gaps_s = [after - before for before, after in itertools.pairwise(commits_s)]
    assert len(gaps_s) >= 40
    assert min(gaps_s) >= 0.1 - 1e-6
    assert max(gaps_s) <= 0.2


def test_what_is_in_hand_when_the_role_is_told_to_stop_is_committed(tmp_path: Path) -> None:
    worker = Worker(tmp_path, (0,))
    consume = worker.consumer.consume

    def consume_and_stop(n: int, timeout: float) -> list[Message]:
        consume(n, timeout)
        worker.role.stop()
        return at((0, 8))

    worker.consumer.consume = consume_and_stop  # type: ignore[method-assign]
    assert worker.run().producer.committed == [[(0, 9)]]


def test_a_worker_without_partitions_is_ready_again_once_the_broker_answers(tmp_path: Path) -> None:
    def answers(yes: bool, *messages: Message) -> Callable[[], list[Message]]:
        def read() -> list[Message]:
            worker.consumer.answers = yes
            seen.append(worker.health.not_ready_because)
            return list(messages)

        return read

    seen: list[str] = []
    lost = failed(KafkaError._TRANSPORT)
    worker = Worker(tmp_path, (), answers(True), answers(False, lost), answers(False), answers(True), answers(True))
    worker.consumer._reads.append(worker.consumer.revoke)
    worker.consumer._reads.append(answers(True))
    worker.run()
    assert seen[:2] == ["", ""]
    assert all("does not answer" in because for because in seen[2:4])
    assert seen[4] == ""
    assert worker.health.not_ready_because == "partitions revoked", "it waits for a new assignment"
    assert worker.producer.calls == ["init"]


def test_while_no_broker_is_there_nothing_falls_silent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = 1_000.0

    def later() -> list[Message]:
        nonlocal now_s
        now_s += 9.0
        return [failed(KafkaError._ALL_BROKERS_DOWN)]

    def waits() -> list[Message]:
        nonlocal now_s
        now_s += 0.02
        return []

    monkeypatch.setattr("monitor.roles.ingest.time.monotonic", lambda: now_s)
    reads: list[Read] = [lambda: [end(0, 7), *waits()], waits]
    for _ in range(20):
        reads += [later, waits]
    worker = Worker(tmp_path, (0,), *reads, idle_timeout="60s", commit_interval="1ms").run()
    assert worker.producer.sent
    assert not any(clock.idle for sent in worker.producer.sent for clock in sent.clocks)


def test_between_commits_that_are_rolled_back_there_is_a_pause_that_grows(tmp_path: Path, pauses: list[float]) -> None:
    def again(code: int | None, offset: int) -> Callable[[], list[Message]]:
        def read() -> list[Message]:
            worker.producer.refuses = code
            return at((0, offset))

        return read

    refuse = KafkaError.NOT_ENOUGH_REPLICAS
    reads = [again(refuse, 1)] * 9 + [again(None, 1), again(refuse, 2)]
    worker = Worker(tmp_path, (0,), *reads)
    worker.run()
    assert pauses[:9] == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0, 15.0]
    assert worker.producer.calls.count("abort") == 10
    assert all("NOT_ENOUGH" in because or "in-sync" in because for because in worker.health.said[1:10])
    assert len(worker.health.said[1:10]) == 9
    assert pauses[9:] == [0.25], "what was committed in between counts"
    assert worker.producer.committed == [[(0, 2)]]


def test_a_pause_ends_with_the_role() -> None:
    stop = StopRequest()
    stop.ask()
    stop.pause(3_600.0)


def test_a_message_that_the_topic_does_not_take_ends_the_role(tmp_path: Path) -> None:
    worker = Worker(tmp_path, (0,), at((0, 1)))
    worker.producer.refuses = KafkaError.MSG_SIZE_TOO_LARGE
    with pytest.raises(StoppedError) as caught:
        worker.run()
    assert "max.message.bytes" in caught.value.hint
    assert worker.consumer.closed


@pytest.mark.parametrize(
    "error", [failed(KafkaError._FATAL), failed(KafkaError._FENCED), failed(KafkaError._APPLICATION, fatal=True)]
)
def test_a_fatal_error_ends_the_role_so_that_a_new_process_takes_its_place(tmp_path: Path, error: Message) -> None:
    worker = Worker(tmp_path, (0,), [error])
    with pytest.raises(RestartError):
        worker.run()
    assert worker.consumer.closed


def in_groups_of_two(raws: list[bytes]) -> list[slice]:
    return [slice(start, start + 2) for start in range(0, max(1, len(raws)), 2)]


def test_messages_that_hold_much_are_committed_group_by_group(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.roles.ingest.groups_of", in_groups_of_two)
    read = [*at((0, 5), (0, 6), (1, 7), (0, 7), (0, 8)), end(0, 9)]
    producer = Worker(tmp_path, (0, 1), read, idle_timeout="1ms", session_timeout="30m").run().producer
    assert producer.committed[:3] == [[(0, 7)], [(0, 8), (1, 8)], [(0, 9)]]
    assert [[(one.first, one.last) for one in sent.sources] for sent in producer.sent[:3]] == [
        [(5, 6)], [(7, 7), (7, 7)], [(8, 8)],
    ]  # fmt: skip


def test_what_was_read_after_a_group_that_is_rolled_back_is_read_again_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pauses: list[float]
) -> None:
    monkeypatch.setattr("monitor.roles.ingest.groups_of", in_groups_of_two)
    # An interval that no slow machine reaches: a second commit would be refused too.
    worker = Worker(tmp_path, (0, 1, 2), at((0, 5), (0, 6), (1, 5), (1, 6)), commit_interval="1h")
    worker.producer.refuses = KafkaError.NOT_ENOUGH_REPLICAS
    worker.run()
    assert worker.producer.calls.count("abort") == 1
    assert len(pauses) == 1
    assert worker.consumer.sought == {0: 5, 1: 5}
