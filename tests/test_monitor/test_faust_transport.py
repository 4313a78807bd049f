"""The score role reads messages when its state is restored, and knows how far it is."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import faust
import msgspec
import pytest
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from support.events import model_section

from monitor import wiring
from monitor.config.load import parse
from monitor.errors import StoppedError
from monitor.kafka.faust.consumer import CommittedConsumer, ReadTo
from monitor.kafka.faust.transport import brokers, transport
from monitor.process.health import Health


@pytest.fixture
def consumer(tmp_path: Path) -> CommittedConsumer:
    section = model_section(tmp_path / "model")
    config = parse(msgspec.yaml.encode({"models": [section], "state_dir": str(tmp_path / "state")}).decode())
    app = wiring.evaluate_role(config, "evaluate-0", Health("evaluate"))
    made = app.transport.create_consumer(
        callback=lambda message: None, on_partitions_revoked=None, on_partitions_assigned=None
    )
    app.topics.acks_enabled_for = lambda topic: True  # type: ignore[method-assign]  # its topics come with a subscription
    assert isinstance(made, CommittedConsumer)
    return made


SOURCE = TP("drift.sketches", 0)


def message(offset: int) -> Message:
    return Message(SOURCE.topic, SOURCE.partition, offset, 0.0, 0, None, b"", b"", None, tp=SOURCE)


def test_messages_are_fetched_between_a_restoration_and_the_next_rebalance(
    consumer: CommittedConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[set[TP]] = []
    record = SimpleNamespace(offset=5)

    async def fetch(_self: object, partitions: set[TP], timeout: float) -> dict[TP, list[object]]:
        fetched.append(partitions)
        return {tp: [record] for tp in partitions}

    async def nothing(*_args: object) -> None:
        """What Faust does at a rebalance."""

    monkeypatch.setattr(driver.Consumer, "_getmany", fetch)
    monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", nothing)
    monkeypatch.setattr(driver.Consumer, "on_partitions_assigned", nothing)
    changelog = TP(next(iter(consumer.app.tables.changelog_topics)), 0)

    async def through_a_rebalance() -> None:
        assert await consumer._getmany({SOURCE}, 1.0) == {}
        assert await consumer._getmany({SOURCE, changelog}, 1.0) == {changelog: [record]}
        consumer.restored(consumer.rebalances)
        assert await consumer._getmany({SOURCE, changelog}, 1.0) == {SOURCE: [record], changelog: [record]}
        at_the_time = consumer.rebalances
        await consumer.on_partitions_revoked({SOURCE})
        assert await consumer._getmany({SOURCE}, 1.0) == {}
        consumer.restored(at_the_time)
        assert await consumer._getmany({SOURCE}, 1.0) == {}, "what was restored then is not what is held now"
        await consumer.on_partitions_assigned({SOURCE}, 1)
        assert await consumer._getmany({SOURCE}, 1.0) == {}

    asyncio.run(through_a_rebalance())
    assert fetched == [{changelog}, {SOURCE, changelog}]


def test_what_a_rebalance_overtook_is_not_handed_on(
    consumer: CommittedConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch(_self: object, partitions: set[TP], timeout: float) -> dict[TP, list[object]]:
        consumer.rebalances += 1  # meanwhile
        return {tp: [SimpleNamespace(offset=5)] for tp in partitions}

    monkeypatch.setattr(driver.Consumer, "_getmany", fetch)
    consumer.restored(consumer.rebalances)
    assert asyncio.run(consumer._getmany({SOURCE}, 1.0)) == {}


def test_a_partition_without_a_commit_is_sought_to_its_beginning(
    consumer: CommittedConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """aiokafka leaves it where it stands: what a rebalance overtook before the first commit was never fetched again."""
    changelog = TP(next(iter(consumer.app.tables.changelog_topics)), 0)
    committed = {SOURCE: None, TP(SOURCE.topic, 1): 7, TP(SOURCE.topic, 2): 0, changelog: None}
    sought: list[TP] = []

    async def seek_to_committed(_self: object) -> dict[TP, int | None]:
        return committed

    async def call(_self: object, function: Callable[..., None], *tps: TP) -> None:
        function(*tps)

    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "seek_to_committed", seek_to_committed)
    monkeypatch.setattr(driver.AIOKafkaConsumerThread, "call_thread", call)
    thread = consumer._thread
    stand_in = SimpleNamespace(seek_to_beginning=lambda *tps: sought.extend(tps))
    monkeypatch.setattr(thread, "_ensure_consumer", lambda: stand_in)
    thread.read_to[SOURCE] = ReadTo(position=9, last_record=8)
    assert asyncio.run(thread.seek_to_committed()) == committed
    assert sought == [SOURCE, TP(SOURCE.topic, 2)], "recovery seeks changelogs itself"
    assert consumer.read_to(SOURCE) == ReadTo(position=-1)


def test_offsets_are_left_to_transactions(consumer: CommittedConsumer) -> None:
    consumer._committed_offset[SOURCE] = 10
    consumer.ack(message(10))
    assert asyncio.run(consumer.commit()) is False
    assert consumer.next_offset(SOURCE) == 11


def test_what_was_done_before_a_partition_went_away_says_nothing_when_it_comes_back(
    consumer: CommittedConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def nothing(*_args: object) -> None:
        """What Faust does at a rebalance."""

    monkeypatch.setattr(driver.Consumer, "on_partitions_revoked", nothing)
    consumer.ack(message(49))
    asyncio.run(consumer.on_partitions_revoked({SOURCE}))
    consumer._committed_offset[SOURCE] = 200  # another worker brought it there
    assert consumer.next_offset(SOURCE) == 200


def test_the_marker_behind_the_last_transaction_is_no_message_that_waits(consumer: CommittedConsumer) -> None:
    # offsets 10 and 11 hold messages, 12 the marker
    consumer._committed_offset[SOURCE] = 10
    assert consumer.next_offset(SOURCE) == 10
    consumer._thread.read_to[SOURCE] = ReadTo(position=13, last_record=11)
    assert consumer.next_offset(SOURCE) == 10
    consumer.ack(message(10))
    assert consumer.next_offset(SOURCE) == 11
    consumer.ack(message(11))
    assert consumer.next_offset(SOURCE) == 13


def test_a_quiet_partition_is_read_to_its_end_after_a_restart(consumer: CommittedConsumer) -> None:
    consumer._committed_offset[SOURCE] = 12
    consumer._thread.read_to[SOURCE] = ReadTo(position=13)
    assert consumer.next_offset(SOURCE) == 13, "12 is a marker"


def test_a_rebalance_does_not_wait_for_a_message_that_was_let_go(consumer: CommittedConsumer) -> None:
    waiting = message(10)
    consumer._unacked_messages.add(waiting)
    consumer.release(waiting)
    asyncio.run(asyncio.wait_for(consumer.wait_empty(), 5.0))
    assert consumer.next_offset(SOURCE) is None, "nor is it done"


@pytest.mark.parametrize(
    ("servers", "expected"),
    [
        ("kafka-1:9092, kafka-2:9093", ["kafka://kafka-1:9092", "kafka://kafka-2:9093"]),
        ("SSL://kafka-1:9093,SSL://kafka-2:9093", ["kafka://kafka-1:9093", "kafka://kafka-2:9093"]),
        ("[::1]:9092", ["kafka://[::1]:9092"]),
    ],
)
def test_faust_connects_to_the_servers_that_librdkafka_connects_to(servers: str, expected: list[str]) -> None:
    assert brokers(servers) == expected


def test_faust_lets_a_broker_wait_as_long_as_the_other_clients_do() -> None:
    app = faust.App("fetching", broker="kafka://127.0.0.1:1", store="memory://")
    assert transport(app, "127.0.0.1:1", {}).fetch_wait_ms == 500
    assert transport(app, "127.0.0.1:1", {"fetch.wait.max.ms": 50}).fetch_wait_ms == 50
    with pytest.raises(StoppedError, match=r"fetch\.wait\.max\.ms is 'soon'"):
        transport(app, "127.0.0.1:1", {"fetch.wait.max.ms": "soon"})


def test_a_partition_that_has_more_to_read_is_no_livelock(
    consumer: CommittedConsumer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Faust logs an error for one that it has not committed for five minutes: it never commits, transactions do."""
    thread, said = consumer._thread, list[str]()
    state = SimpleNamespace(highwater=10, position=5)
    assignment = SimpleNamespace(state_value=lambda tp: state)
    fetcher = SimpleNamespace(_subscriptions=SimpleNamespace(subscription=SimpleNamespace(assignment=assignment)))
    monkeypatch.setattr(thread, "_ensure_consumer", lambda: SimpleNamespace(_fetcher=fetcher))
    monkeypatch.setattr(thread, "_verify_aiokafka_event_path", lambda now, tp: False)
    monkeypatch.setattr(thread, "_log_slow_processing", lambda text, *rest, **more: said.append(text))
    thread.time_started = 0.0
    week_s = 604_800.0
    consumer.app.monitor.stream_inbound_time[SOURCE] = week_s - 1.0
    thread.verify_event_path(week_s, SOURCE)
    assert said == []
