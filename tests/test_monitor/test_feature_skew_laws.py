"""Feature skew is the same for any order of arrival, sizes of messages, partitions of the join, crashes and repeats."""

from collections import Counter
from random import Random
from typing import Any

import msgspec
import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from support.joins import id_of

from detectors.columns import ABSENT, CODE_NULL, INVALID, NULL, Column, Kind
from detectors.layout import Layout
from detectors.reference import Reference
from detectors.sketch import Sketch
from monitor.config.schema import FeatureSkew
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.watched import Watched
from monitor.events.batch import Batch
from monitor.eventtime.watermark import Clock
from monitor.eventtime.windows import FixedShape
from monitor.join import state_block
from monitor.join.block import JoinMessage, decode, encode
from monitor.join.feature_blocks import FeatureBlocks, features_by_partition, live_batches
from monitor.join.feature_share import features_name
from monitor.join.joiner import Joiner
from monitor.join.performance_messages import PerformanceMessages
from monitor.join.restore import restored
from monitor.join.state import DictStore
from monitor.join.step import JoinModel
from monitor.sketching.deltas import deltas_of
from monitor.sketching.messages import SketchMessage
from monitor.sketching.messages import decode as decode_sketch
from monitor.sketching.messages import encode as encode_sketch
from sinks.records import record_of

MINUTE_MS = 60_000
HORIZON_MS = 20 * MINUTE_MS
SPAN_MS = 12 * MINUTE_MS
"""All times of events lie in `[0, SPAN_MS)`: nothing expires, and no pair is too far apart, before all has come."""

LAYOUT = Layout(
    [
        Column(name="x", kind=Kind.NUMERIC, edges=(0.0, 1.0)),
        Column(name="color", kind=Kind.CATEGORICAL, categories=("red",), others=("rare", "rarer")),
        Column(name="@score", kind=Kind.NUMERIC, edges=(0.5,)),
    ]
)
REFERENCE = Reference(
    model="m", version="1", layout=LAYOUT, dimensions={}, sketches={"": Sketch.empty(LAYOUT)},
    cell_means=np.full(LAYOUT.n_cells, np.nan),
)  # fmt: skip
MODEL = Watched(
    name="m",
    shapes=(
        FixedShape(size_ms=2 * MINUTE_MS, every_ms=2 * MINUTE_MS),
        FixedShape(size_ms=6 * MINUTE_MS, every_ms=2 * MINUTE_MS),
    ),
    lateness_ms=MINUTE_MS,
    retention_ms=60 * MINUTE_MS,
    min_samples=1,
    settings=(),
    alpha=0.05,
    references={REFERENCE.digest: REFERENCE},
    feature_skew=FeatureSkew(horizon_ms=HORIZON_MS),
)


class Event(msgspec.Struct, frozen=True):
    """Features of an id: as served, or computed again. `x` and `color` may be missing."""

    name: str
    time_ms: int
    recomputed: bool
    x: float | None = 1.0
    color: str | None = "red"
    version: str = "1"


def batch_of(events: list[Event]) -> Batch:
    n, versions = len(events), tuple(sorted({one.version for one in events}))
    score = np.array([ABSENT if one.recomputed else 0.5 for one in events])
    codes = LAYOUT.columns[1].codes()
    unseen = LAYOUT.columns[1].unseen
    return Batch(
        model="m",
        n=n,
        versions=versions,
        version_codes=np.array([versions.index(one.version) for one in events], dtype=np.int32),
        timestamps_ms=np.array([one.time_ms for one in events], dtype=np.int64),
        numeric=np.array([[NULL if one.x is None else one.x for one in events], score]),
        codes=np.array(
            [[CODE_NULL if one.color is None else codes.get(one.color, unseen) for one in events]], dtype=np.int32
        ),
        segments=np.empty((0, n), dtype=np.int32),
        unseen={
            0: [(i, one.color) for i, one in enumerate(events) if one.color is not None and one.color not in codes]
        },
        sources=np.zeros(n, dtype=np.int32),
        ids=np.frombuffer(b"".join(id_of(one.name) for one in events), dtype=np.uint64).reshape(-1, 2),
    )


class Flow:
    """Ingest, the partitions of the join, and one evaluator; at times one of them crashes."""

    def __init__(self, n_joins: int, random: Random, crash_rate: float) -> None:
        self.random, self.crash_rate = random, crash_rate
        self.rows: dict[tuple[Any, ...], dict[str, Any]] = {}
        self.counts: Counter[str] = Counter()
        self.sketches: list[bytes] = []
        self._blocks = {"m": FeatureBlocks("m", REFERENCE, MODEL.pane_ms, 50)}
        self._messages = PerformanceMessages([MODEL], 1, n_joins)
        own = JoinModel(name=features_name("m"), features_of="m", horizon_ms=HORIZON_MS, lateness_ms=MINUTE_MS)
        self._joiner = Joiner([own])
        self._stores = [DictStore() for _ in range(n_joins)]
        self._logs: list[list[tuple[bytes, bytes | None]]] = [[] for _ in range(n_joins)]
        self.queues: list[list[JoinMessage]] = [[] for _ in range(n_joins)]
        self._joined = [0] * n_joins
        self._state: dict[bytes, bytes] = {}
        self._read = 0
        self._latest_ms = -1

    def ingest(self, events: list[Event], clock_ms: int = -1) -> None:
        self._latest_ms = max([self._latest_ms, clock_ms, *(one.time_ms for one in events)])
        batches = [batch_of(events)] if events else []
        for batch in live_batches(batches, self._blocks):
            for delta in deltas_of(batch, REFERENCE, MODEL.pane_ms):
                self.sketches.append(encode_sketch(SketchMessage(deltas=[delta])))
        clock = Clock(topic="t", partition=0, max_event_ms=self._latest_ms)
        self.sketches.append(encode_sketch(SketchMessage(clocks=[clock], n_partitions={"t": 1})))
        blocks = features_by_partition(batches, self._blocks, len(self.queues))
        for number, queue in enumerate(self.queues):
            queue += [decode(encode(JoinMessage(features=[block]))) for block in blocks.get(number, ())]
            queue.append(JoinMessage(clocks=[clock], n_partitions={"t": 1}))

    def join(self, number: int) -> bool:
        if self._joined[number] == len(self.queues[number]):
            return False
        if self.random.random() < self.crash_rate:  # the disk is lost: all is rebuilt from the changelog
            rows = restored(DictStore(), self._logs[number])
            self._stores[number].rows = {key: row for key, row in rows.items() if row}
        store = self._stores[number]
        step = self._joiner.advance(store, self.queues[number][self._joined[number]], self._joined[number])
        assert step is not None
        self._joined[number] += 1
        sent = [encode_sketch(message) for _, message in self._messages.of(step, number)]
        self._logs[number] += [(key, None) for key in step.expired]
        self._logs[number] += [(block.key, state_block.encode(block)) for block in step.blocks]
        self._logs[number].append((b"seal", step.seal))
        step.apply(store.rows)
        self.counts.update({what: n for (_, what), n in step.counts.items()})
        self.sketches += sent
        while sent and self.random.random() < self.crash_rate:
            self.sketches += sent  # a reader of aborted transactions sees them again
        return True

    def evaluate(self) -> bool:
        if self._read == len(self.sketches):
            return False
        source = Source(topic="s", partition=0, offset=self._read)
        message = decode_sketch(self.sketches[self._read])
        self._read += 1
        step = Evaluator([MODEL]).advance(self._state, message, source)
        while self.random.random() < self.crash_rate:  # all is written but the seal, and the message comes again
            self._write(step.writes)
            again = Evaluator([MODEL]).advance(self._state, message, source)
            assert str([one.to_pylist() for one in again.results]) == str([one.to_pylist() for one in step.results])
            step = again
        self._write([*step.writes, step.seal])
        for batch in step.results:
            record = record_of(batch)
            if record.name == "feature_skew" or record.name == "drift_verdict":
                for row in batch.to_pylist():
                    self.rows[record.name, *(row[name] for name in record.key)] = row
        return True

    def _write(self, writes: Any) -> None:
        for key, value in writes:
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value

    def drain(self) -> None:
        for number in range(len(self.queues)):
            while self.join(number):
                pass
        while self.evaluate():
            pass

    def figures(self) -> dict[tuple[Any, ...], str]:
        """The last rows by their keys; what says how they came about is no part of them, nor are rows of no pairs."""
        return {
            key: str({name: value for name, value in row.items() if name != "revision"})
            for key, row in self.rows.items()
            if key[0] == "feature_skew" and row["n_compared"]
        }


def run(events: list[Event], random: Random, n_joins: int, crash_rate: float = 0.0) -> Flow:
    """The events in this order, in blocks of any size, each part of the way as far behind as chance will have it."""
    flow = Flow(n_joins, random, crash_rate)
    left = list(events)
    while left:
        n = random.randint(1, 8)
        flow.ingest(left[:n])
        left = left[n:]
        for _ in range(random.randint(0, 5)):
            flow.join(random.randrange(n_joins))
        for _ in range(random.randint(0, 5)):
            flow.evaluate()
    flow.drain()
    flow.ingest([], SPAN_MS + HORIZON_MS + 20 * MINUTE_MS)
    flow.drain()
    return flow


EVENTS = st.lists(
    st.builds(
        Event,
        st.sampled_from([f"id{i}" for i in range(8)]),
        st.integers(0, SPAN_MS - 1),
        st.booleans(),
        st.sampled_from([None, 0.0, 1.0, 1.0 + 1e-9, 1e-9, 1e300, -1e300]),
        st.sampled_from([None, "red", "rare", "other", "another"]),
        st.sampled_from("12"),
    ),
    min_size=1,
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(0, 2**32), st.integers(1, 3), st.sampled_from([0.0, 0.3]))
def test_any_order_any_partitions_and_any_crash_give_the_same_rows(events, seed, n_joins, crash_rate):
    random = Random(seed)
    expected = run(sorted(events, key=lambda one: (one.time_ms, one.name)), Random(1), 1)
    arrival = list(events)
    random.shuffle(arrival)
    found = run(arrival, random, n_joins, crash_rate)
    assert found.figures() == expected.figures()
    assert found.counts["features_compared"] == expected.counts["features_compared"]


@settings(max_examples=60, deadline=None)
@given(EVENTS, st.integers(0, 2**32), st.integers(1, 3))
def test_the_earliest_event_of_each_side_is_compared_once(events, seed, n_joins):
    random = Random(seed)
    random.shuffle(events)
    flow = run(events, random, n_joins, 0.3)
    sides: dict[tuple[str, bool], list[Event]] = {}
    for one in events:
        sides.setdefault((one.name, one.recomputed), []).append(one)
    names = {name for name, recomputed in sides if recomputed and (name, False) in sides}
    assert flow.counts["features_compared"] == len(names)
    n_compared = sum(
        row["n_compared"]
        for row in flow.rows.values()
        if "n_compared" in row
        and row["column"] == "x"
        and row["window_end_ms"] - row["window_start_ms"] < 3 * MINUTE_MS
    )
    first = {key: min(one.time_ms for one in own) for key, own in sides.items()}
    least, most = 0, 0
    for name in names:
        told = [
            {one.x is not None for one in sides[name, side] if one.time_ms == first[name, side]}
            for side in (False, True)
        ]
        least += min(told[0]) or min(told[1])  # of events at the same instant either may be the one
        most += max(told[0]) or max(told[1])
    assert least <= n_compared <= most


def test_an_invalid_value_is_none_and_a_feature_that_was_not_recomputed_has_no_verdict() -> None:
    events = [Event(f"id{i}", i, recomputed, x=x) for i in range(20) for recomputed, x in ((False, 2.0), (True, None))]
    events += [Event("bad", 50, False, x=INVALID), Event("bad", 60, True, x=3.0)]
    flow = run(events[:40], Random(1), 1)
    x = [row for row in flow.rows.values() if row["column"] == "x" and "n_compared" in row]
    assert {(row["n_compared"], row["n_served_only"], row["n_one_sided"], row["share"]) for row in x} == {
        (20, 20, 20, 1.0)
    }
    verdicts = {row["column"] for row in flow.rows.values() if "direction" in row}
    assert verdicts == {"color"}
    flow = run(events[40:], Random(1), 1)
    (row, *_) = (row for row in flow.rows.values() if row["column"] == "x" and "n_compared" in row)
    assert (row["n_compared"], row["n_one_sided"], row["n_served_only"]) == (1, 1, 0)


def test_two_categories_that_the_reference_does_not_know_are_two() -> None:
    served = [Event(f"id{i}", i, False, color="other") for i in range(6)]
    again = [Event(f"id{i}", i, True, color="other" if i % 2 else "another") for i in range(6)]
    flow = run([*served, *again], Random(1), 2)
    row = next(row for row in flow.rows.values() if row["column"] == "color" and "n_compared" in row)
    assert (row["n_compared"], row["n_mismatched"], row["n_one_sided"]) == (6, 3, 0)


def test_what_is_never_recomputed_expires_and_is_counted() -> None:
    flow = run([Event("served", 10, False), Event("again", 20, True), Event("both", 5, True)], Random(1), 1)
    flow.ingest([Event("both", SPAN_MS, False)], SPAN_MS + 3 * HORIZON_MS)
    flow.drain()
    flow.ingest([], SPAN_MS + 6 * HORIZON_MS)
    flow.ingest([], SPAN_MS + 6 * HORIZON_MS + 1)
    flow.drain()
    assert flow.counts["features_not_recomputed"] >= 1
    assert flow.counts["features_orphan"] >= 1
    assert len(flow._stores[0].rows) == 1  # the seal alone
