"""The score role around the evaluator: its transactions, what waits in them, and what it tells."""

import asyncio
from collections.abc import Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import msgspec
import pyarrow as pa
import pytest
import zstandard
from confluent_kafka import TopicPartition
from faust.types import EventT, Message
from prometheus_client import REGISTRY
from support.batches import batch_of
from support.flow import MINUTE_MS, Event, make_reference, make_watched, message_of

from monitor.config.schema import Kafka
from monitor.errors import StoppedError
from monitor.evaluation.batch import MAX_MESSAGES
from monitor.evaluation.evaluator import Evaluator, Step
from monitor.evaluation.state import SEAL_KEY, STATE_VERSION, read_seal
from monitor.evaluation.watched import Watched
from monitor.eventtime.watermark import Clock
from monitor.kafka.faust.producers import TransactionMessage
from monitor.kafka.topics import changelog_topic, partition_of_model
from monitor.process.health import Health
from monitor.roles.evaluate_metrics import EvaluateMetrics
from monitor.roles.evaluate_role import EvaluateRole
from monitor.sketching import messages
from monitor.sketching.messages import SketchMessage, encode
from sinks.records import RECORDS, Source

REFERENCE = make_reference()
CHANGELOG = changelog_topic(Kafka())


class FakeState:
    """A store, and how far its changelog was when it was written."""

    def __init__(self) -> None:
        self.data: dict[bytes, bytes] = {}
        self.changelog_offset = -1

    def view(self, partition: int) -> dict[bytes, bytes]:
        return self.data

    def apply(self, partition: int, writes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        self.data |= {key: value for key, value in writes.items() if value is not None}
        self.changelog_offset = changelog_offset


class FakeProducer:
    """Takes transactions; the changelog of each ends at the next offset that is a multiple of 100."""

    def __init__(self, state: FakeState) -> None:
        self.sent: list[tuple[list[TransactionMessage], int]] = []
        self._state = state

    def commit(self, sent: Sequence[TransactionMessage], source: TopicPartition) -> dict[tuple[str, int], int]:
        assert self._state.changelog_offset == 100 * len(self.sent) - (0 if self.sent else 1), "the store comes after"
        self.sent.append((list(sent), source.offset))
        return {(CHANGELOG, 0): 100 * len(self.sent)}


class Bench:
    """A role on fakes that keep what they get."""

    def __init__(self, model: Watched) -> None:
        self.state, self.health = FakeState(), Health("evaluate")
        self.producer = FakeProducer(self.state)
        self.acked: list[int] = []
        self.restored = True
        self.role = EvaluateRole(
            Kafka(), Evaluator([model]), [], self.health,
            producer_of=lambda _partition: self.producer, state=lambda: self.state,
            is_restored=lambda _partition: self.restored,
        )  # fmt: skip

    def event(self, offset: int, value: bytes | None = None) -> EventT[bytes]:
        message = Message("s", 0, offset, 0.0, 0, None, b"", value or sketch(offset), None)
        return cast("EventT[bytes]", SimpleNamespace(message=message, ack=lambda: self.acked.append(offset)))


def sketch(minute: int) -> bytes:
    clock = Clock(topic="t", partition=0, max_event_ms=minute * MINUTE_MS)
    return encode(
        message_of([Event(minute * MINUTE_MS, 0.1, 0, 0)], REFERENCE, make_watched(REFERENCE), [clock], 1)
    )  # fmt: skip


def newer() -> bytes:
    return encode(SketchMessage(schema_version=messages.SCHEMA_VERSION + 1))


def test_what_waits_is_one_transaction_with_each_key_once() -> None:
    bench = Bench(make_watched(REFERENCE))
    asyncio.run(bench.role.process([bench.event(offset) for offset in range(10)]))
    ((sent, next_offset),) = bench.producer.sent
    changelog = [message for message in sent if message.topic == CHANGELOG]
    assert len({message.key for message in changelog}) == len(changelog)
    assert any(message.topic == "drift.results" for message in sent)
    assert read_seal(bench.state.data).absorbed == 9
    assert (next_offset, bench.acked, bench.state.changelog_offset) == (10, list(range(10)), 100)


def test_several_messages_at_once_lead_to_what_they_lead_to_one_by_one() -> None:
    together, apart = Bench(make_watched(REFERENCE)), Bench(make_watched(REFERENCE))
    asyncio.run(together.role.process([together.event(offset) for offset in range(20)]))
    for offset in range(20):
        asyncio.run(apart.role.process([apart.event(offset)]))

    def results(bench: Bench) -> list[bytes | None]:
        return [message.value for sent, _ in bench.producer.sent for message in sent if message.topic != CHANGELOG]

    assert results(together) == results(apart)
    assert together.state.data == apart.state.data


def test_a_transaction_takes_no_more_than_its_bound() -> None:
    bench = Bench(make_watched(REFERENCE))
    asyncio.run(bench.role.process([bench.event(offset) for offset in range(MAX_MESSAGES + 3)]))
    assert [next_offset for _sent, next_offset in bench.producer.sent] == [MAX_MESSAGES, MAX_MESSAGES + 3]


def test_a_transaction_that_is_large_enough_takes_no_further_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.evaluation.batch.MAX_BYTES", 1)
    bench = Bench(make_watched(REFERENCE))
    asyncio.run(bench.role.process([bench.event(offset) for offset in range(3)]))
    assert [next_offset for _sent, next_offset in bench.producer.sent] == [1, 2, 3]


def test_a_message_that_cannot_be_read_is_passed_over() -> None:
    bench = Bench(make_watched(REFERENCE))
    asyncio.run(bench.role.process([bench.event(0), bench.event(1, b"not a message")]))
    assert ([next_offset for _, next_offset in bench.producer.sent], bench.acked) == ([2], [0, 1])
    assert read_seal(bench.state.data).absorbed == 0


def test_a_newer_message_stops_the_role_unread_and_what_came_before_it_is_committed() -> None:
    bench = Bench(make_watched(REFERENCE))
    versions = f"schema version {messages.SCHEMA_VERSION + 1}, .* up to {messages.SCHEMA_VERSION}"
    with pytest.raises(StoppedError, match=f"s, partition 0, offset 2: .* {versions}") as raised:
        asyncio.run(bench.role.process([bench.event(0), bench.event(1), bench.event(2, newer()), bench.event(3)]))
    assert "upgrade this worker" in raised.value.hint
    assert ([next_offset for _, next_offset in bench.producer.sent], bench.acked) == ([2], [0, 1])


def test_a_state_that_a_newer_release_wrote_stops_the_role() -> None:
    bench = Bench(make_watched(REFERENCE))
    bench.state.data[SEAL_KEY] = seal_of_a_newer_release()
    with pytest.raises(
        StoppedError, match=f"offset 0: the state has version {STATE_VERSION + 1}, .* up to {STATE_VERSION}"
    ):
        asyncio.run(bench.role.process([bench.event(0)]))
    with pytest.raises(StoppedError, match=f"partition 0: the state has version {STATE_VERSION + 1}"):
        asyncio.run(bench.role.take_up(0))
    assert (bench.producer.sent, bench.acked) == ([], [])


def seal_of_a_newer_release() -> bytes:
    return zstandard.compress(
        msgspec.msgpack.encode({"schema_version": STATE_VERSION + 1, "absorbed": {"what": "nobody knows"}})
    )


def test_a_model_whose_reference_is_missing_waits_and_goes_on_when_it_is_there_without_a_message() -> None:
    references: dict[str, object] = {}
    bench = Bench(make_watched(REFERENCE, references=references))
    asyncio.run(bench.role.process([bench.event(offset) for offset in range(40)]))
    assert bench.acked == list(range(40))
    assert read_seal(bench.state.data).parked["m"].reference == REFERENCE.digest
    assert REGISTRY.get_sample_value("driftline_waiting_for_reference", {"model": "m"}) == 1
    asyncio.run(bench.role.take_up(0))
    assert [next_offset for _, next_offset in bench.producer.sent] == [32, 40], "nothing to take up yet"
    references[REFERENCE.digest] = REFERENCE
    bench.restored = False
    asyncio.run(bench.role.take_up(0))
    assert len(bench.producer.sent) == 2, "the state that it would read is not yet that of the partition"
    bench.restored = True
    asyncio.run(bench.role.take_up(0))
    assert [next_offset for _, next_offset in bench.producer.sent] == [32, 40, 40, 40]
    assert read_seal(bench.state.data).parked == {}
    assert REGISTRY.get_sample_value("driftline_waiting_for_reference", {"model": "m"}) == 0
    whole = Bench(make_watched(REFERENCE))
    asyncio.run(whole.role.process([whole.event(offset) for offset in range(40)]))
    assert read_seal(bench.state.data) == read_seal(whole.state.data)


N = 4


def step(model: str, watermark_ms: int) -> Step:
    return Step(seal=(b"", b""), watermarks_ms={model: watermark_ms}, results=[verdict_batch(model)])


def verdict_batch(model: str, *rows: Mapping[str, Any]) -> pa.RecordBatch:
    """Verdicts of a model, one that has drifted but for what each row says."""
    drifted = {
        "model": model, "version": "1", "segment": "", "column": "c", "window_start_ms": 0, "window_end_ms": 1,
        "reference": "r", "compare": "pinned", "drifted": True, "p_value": 0.0, "q_value": 0.0, "method": "ks",
        "effect": 0.25, "threshold": 0.1, "direction": "up", "quantity": "mean", "before": 0.0, "after": 1.0,
        "n_reference": 1, "n_current": 1, "revision": 1,
    }  # fmt: skip
    return batch_of(RECORDS["drift_verdict"], [{**drifted, **row} for row in rows or [{}]])


def gauge(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


def test_the_watermark_delay_grows_while_no_message_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr("monitor.roles.evaluate_metrics.time.time", lambda: now_s[0])
    metrics = EvaluateMetrics(N)
    metrics.done([step("grows", 995_000)], partition_of_model("grows", N), 0.1)
    assert gauge("driftline_watermark_delay_seconds", model="grows") == 5.0
    now_s[0] += 2.0
    metrics.turned()
    assert gauge("driftline_watermark_delay_seconds", model="grows") == 7.0


def test_gauges_of_partitions_that_are_elsewhere_are_taken_away() -> None:
    metrics, here = EvaluateMetrics(N), partition_of_model("moves", N)
    lag = {"role": "evaluate", "topic": "moves", "partition": str(here)}
    drift = {"model": "moves", "column": "c"}
    metrics.done([step("moves", 0)], here, 0.1)
    metrics.lags("moves", {here: 3})
    metrics.holds({here})
    assert gauge("driftline_consumer_lag", **lag) == 3
    assert gauge("driftline_drifted", **drift) == 1, "a rebalance that leaves it here changes nothing"
    metrics.lags("moves", {})
    metrics.holds({(here + 1) % N})
    metrics.turned()
    assert gauge("driftline_consumer_lag", **lag) is None
    assert gauge("driftline_drifted", **drift) is None
    assert gauge("driftline_drift_effect", **drift) is None
    assert gauge("driftline_watermark_delay_seconds", model="moves") is None


def test_the_gauges_are_of_the_whole_beside_the_pinned_reference_and_every_verdict_is_counted() -> None:
    metrics, here = EvaluateMetrics(N), partition_of_model("shown", N)
    trailing = {"compare": "trailing 28d", "drifted": False, "effect": 0.0}
    rows = [{}, trailing, {"segment": "site=north", "effect": 0.9}, {"column": "d", **trailing}]
    metrics.done([Step(seal=(b"", b""), results=[verdict_batch("shown", *rows)])], here, 0.1)
    assert gauge("driftline_drifted", model="shown", column="c") == 1
    assert gauge("driftline_drift_effect", model="shown", column="c") == 2.5
    assert gauge("driftline_drifted", model="shown", column="d") is None, "this model is compared with its reference"
    assert gauge("driftline_verdicts_total", model="shown", drifted="true") == 2
    assert gauge("driftline_verdicts_total", model="shown", drifted="false") == 2


def test_a_model_that_is_not_compared_with_its_reference_shows_what_it_is_compared_with() -> None:
    metrics, here = EvaluateMetrics(N), partition_of_model("trails", N)
    row = {"compare": "trailing 28d", "effect": 0.02}
    every_effect = {"column": "d", "compare": "trailing 28d", "method": "chi2", "threshold": 0.0}
    metrics.done([Step(seal=(b"", b""), results=[verdict_batch("trails", row, every_effect)])], here, 0.1)
    assert gauge("driftline_drift_effect", model="trails", column="c") == pytest.approx(0.2)
    assert gauge("driftline_drift_effect", model="trails", column="d") == 1.0, "its threshold is 0"


def test_a_model_that_waits_and_one_of_too_many_versions_are_told_of_at_most_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr("monitor.roles.evaluate_metrics.time.time", lambda: now_s[0])
    metrics, here = EvaluateMetrics(N), partition_of_model("waits", N)
    one = Step(seal=(b"", b""), waiting={"waits": "abc"}, n_rest={"waits": 7})
    for _ in range(3):
        metrics.done([one], here, 0.1)
        now_s[0] += 25.0
    said = capsys.readouterr().out
    assert said.count("waits for a reference") == 1
    assert said.count("mapping.version") == 1
    assert gauge("driftline_rest_versions_total", model="waits") == 21
    metrics.turned()
    assert capsys.readouterr().out.count("waits for a reference") == 1, "a minute later, also while no message comes"
    assert gauge("driftline_waiting_for_reference", model="waits") == 1
    metrics.holds({(here + 1) % N})
    assert gauge("driftline_waiting_for_reference", model="waits") is None


def test_a_watermark_is_told_of_where_the_model_lives() -> None:
    metrics, here = EvaluateMetrics(N), partition_of_model("lives", N)
    metrics.done([step("lives", 0)], (here + 1) % N, 0.1)
    assert gauge("driftline_watermark_delay_seconds", model="lives") is None


def late(model: str, n: int, offset: int) -> pa.RecordBatch:
    row = {"model": model, "version": "1", "pane_start_ms": 0, "source_topic": "s", "source_partition": 2, "n": n}
    return batch_of(RECORDS["late_dropped"], [{**row, "source_offset": offset}])


def test_what_comes_too_late_or_cannot_be_read_is_said_with_an_example_at_most_once_a_minute(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    now_s = [1_000.0]
    monkeypatch.setattr("monitor.roles.evaluate_metrics.time.monotonic", lambda: now_s[0])
    metrics, here = EvaluateMetrics(N), partition_of_model("late", N)
    for offset in (7, 8, 9):
        metrics.done([Step(seal=(b"", b""), results=[late("late", 3, offset)])], here, 0.1)
        metrics.corrupt(Source(topic="s", partition=2, offset=offset), "no sketch")
        now_s[0] += 10.0
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "later than the retention" in line]
    assert "n=3" in line
    assert "of the pane from 1970-01-01 00:00 UTC, by s, partition 2, offset 7" in line
    now_s[0] += 60.0
    metrics.turned()
    said = capsys.readouterr().out.splitlines()
    assert ["n=6" in line and "offset 8" in line for line in said if "later than" in line] == [True]
    assert ["n=3" in line and "offset 7: no sketch" in line for line in said if "cannot be read" in line] == [True]
    assert gauge("driftline_late_dropped_total", model="late") == 9
