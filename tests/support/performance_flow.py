"""Predictions and their labels on their way through ingest, several joiners and one evaluator, in any interleaving."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from random import Random
from typing import Any
from unittest.mock import patch

import msgspec
import numpy as np
from support.joins import id_of
from support.performance import World, draw

from detectors.columns import NULL
from detectors.error_pane import ErrorPane
from monitor.evaluation import error_turn, performance_turn
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.performance_rows import PerformanceRows
from monitor.evaluation.performance_window import PerformanceWindow
from monitor.evaluation.results import Source
from monitor.evaluation.watched import Watched
from monitor.events.batch import Batch
from monitor.events.label_batch import LabelBatch
from monitor.eventtime.watermark import Clock
from monitor.eventtime.windows import FixedShape
from monitor.join.block import JoinMessage
from monitor.join.joiner import Joiner
from monitor.join.outgoing import PredictionBlocks, blocks_by_partition
from monitor.join.performance_messages import PerformanceMessages
from monitor.join.state import DictStore
from monitor.join.step import JoinModel
from monitor.sketching.deltas import deltas_of
from monitor.sketching.messages import SketchMessage, decode, encode

MINUTE_MS = 60_000
HORIZON_MS = 40 * MINUTE_MS
RETENTION_MS = 60 * MINUTE_MS
SPAN_MS = 30 * MINUTE_MS
"""All times of events lie in `[0, SPAN_MS)`: nothing expires before all has come."""

WORLD = World(draw(np.random.default_rng(7), 400))


class Prediction(msgspec.Struct, frozen=True):
    """A prediction of the score `score`; `site` 3 is a value outside the reference."""

    name: str
    time_ms: int
    score: float
    site: int = 0
    version: str = "1"


class Label(msgspec.Struct, frozen=True):
    name: str
    time_ms: int
    label: str


Event = Prediction | Label


def watched(**changes: Any) -> Watched:
    fields = {
        "name": "m",
        "shapes": (
            FixedShape(size_ms=2 * MINUTE_MS, every_ms=2 * MINUTE_MS),
            FixedShape(size_ms=6 * MINUTE_MS, every_ms=2 * MINUTE_MS),
        ),
        "lateness_ms": MINUTE_MS,
        "retention_ms": RETENTION_MS,
        "min_samples": 5,
        "settings": (),
        "alpha": 0.05,
        "references": {WORLD.reference.digest: WORLD.reference},
        "label_horizon_ms": HORIZON_MS,
        "task": "binary",
        "positive": "1",
    }
    return Watched(**{**fields, **changes})


def prediction_batch(events: Sequence[Prediction]) -> Batch:
    layout = WORLD.layout
    versions = tuple(sorted({one.version for one in events}))
    numeric = np.full((len(layout.numeric), len(events)), NULL)
    numeric[-1] = [one.score for one in events]
    numeric[0] = [one.score - 0.5 for one in events]
    code = layout.columns[-1].codes()
    return Batch(
        model="m",
        n=len(events),
        versions=versions,
        version_codes=np.array([versions.index(one.version) for one in events], dtype=np.int32),
        timestamps_ms=np.array([one.time_ms for one in events], dtype=np.int64),
        numeric=numeric,
        codes=np.array([[code["1" if one.score >= 0.5 else "0"] for one in events]], dtype=np.int32),
        segments=np.array([[one.site for one in events]], dtype=np.int32),
        unseen={},
        sources=np.zeros(len(events), dtype=np.int32),
        ids=_ids(events),
    )


def label_batch(events: Sequence[Label]) -> LabelBatch:
    classes = tuple(sorted({one.label for one in events}))
    n = len(events)
    return LabelBatch(
        model="m",
        ids=_ids(events),
        timestamps_ms=np.array([one.time_ms for one in events], dtype=np.int64),
        numbers=np.full(n, np.nan),
        class_codes=np.array([classes.index(one.label) for one in events], dtype=np.int32),
        classes=classes,
        values=np.full(n, np.nan),
        sources=np.zeros(n, dtype=np.int32),
    )


def _ids(events: Sequence[Event]) -> Any:
    return np.frombuffer(b"".join(id_of(one.name) for one in events), dtype=np.uint64).reshape(-1, 2)


def content(one: PerformanceWindow) -> Any:
    """All that rows follow from, but for the revision."""
    return (
        one.label_ms,
        {segment: (own.n, own.n_invalid, own.encode()) for segment, own in one.matched.items()},
        {segment: (own.n, own.counts.tobytes()) for segment, own in one.predicted.items()},
        one.delays.tobytes(),
        one.panes,
    )


class Measurements:
    """What was measured, and the closed panes that detectors were given."""

    def __init__(self) -> None:
        self.windows: list[PerformanceWindow] = []
        self.panes: list[tuple[str, ErrorPane]] = []

    def last(self) -> dict[Any, Any]:
        """Of each window the content of the last revision: all that rows follow from."""
        return {(one.version, one.window): content(one) for one in self.windows}

    def since(self, n_windows: int, n_panes: int) -> Any:
        """What came after so many windows and panes, revisions and all."""
        windows = [(one.version, one.window, one.revision, content(one)) for one in self.windows[n_windows:]]
        return windows, self.panes[n_panes:]

    def n_matched(self) -> int:
        """Matches of the last revisions of the windows of two minutes, which tile time."""
        last = {(one.version, one.window): one for one in self.windows}
        return sum(
            own.matched[""].n
            for own in last.values()
            if own.window.end_ms - own.window.start_ms == 2 * MINUTE_MS and "" in own.matched
        )


@contextmanager
def measurements() -> Iterator[Measurements]:
    """Collect what is measured in place of making rows of it."""
    made = Measurements()

    def measure(_model: Watched, window: PerformanceWindow) -> PerformanceRows:
        made.windows.append(window)
        return PerformanceRows(performance=[], parts=[], verdicts=[])

    def advance(_model: Watched, version: str, state: bytes | None, pane: ErrorPane, _context: Any) -> Any:
        made.panes.append((version, pane))
        return (state or b"") + b".", []

    with (
        patch.object(performance_turn, "performance_results", measure),
        patch.object(error_turn, "advance_detectors", advance),
    ):
        yield made


class Flow:
    """One ingest worker, joiners of `n_joins` partitions, and an evaluator."""

    def __init__(self, measured: "Measurements", n_joins: int = 1, model: Watched | None = None) -> None:
        self.model = watched() if model is None else model
        self.measured = measured
        self.evaluator = Evaluator([self.model])
        self.state: dict[bytes, bytes] = {}
        self.sketches: list[bytes] = []
        self.n_read = 0
        self.steps: list[Any] = []
        self.crash = Random(0)
        self.crash_rate = 0.0
        self._blocks = {"m": PredictionBlocks("m", WORLD.reference, self.model.pane_ms, self.model.max_versions)}
        self._messages = PerformanceMessages([self.model], 1, n_joins)
        rule = JoinModel(name="m", horizon_ms=HORIZON_MS, lateness_ms=MINUTE_MS)
        self._joiners = [(Joiner([rule]), DictStore()) for _ in range(n_joins)]
        self.joins: list[list[JoinMessage]] = [[] for _ in range(n_joins)]
        self.joined = [0] * n_joins
        self._clocks = {"predictions": -1, "labels": -1}

    # Ingest -----------------------------------------------------------------------------------------------------------

    def ingest(self, events: Sequence[Event], *, clocks: dict[str, int] | None = None) -> None:
        """One commit; the clocks are the latest times, or as given."""
        predictions = [one for one in events if isinstance(one, Prediction)]
        labels = [one for one in events if isinstance(one, Label)]
        for topic, own in (("predictions", predictions), ("labels", labels)):
            self._clocks[topic] = max(
                [self._clocks[topic], *(one.time_ms for one in own), (clocks or {}).get(topic, -1)]
            )
        batches = [prediction_batch(predictions)] if predictions else []
        label_batches = [label_batch(labels)] if labels else []
        times = [
            Clock(topic=topic, partition=0, max_event_ms=None if at_ms < 0 else at_ms)
            for topic, at_ms in self._clocks.items()
        ]
        for batch in batches:
            for delta in deltas_of(batch, WORLD.reference, self.model.pane_ms):
                self.sketches.append(encode(SketchMessage(deltas=[delta])))
        self.sketches.append(encode(SketchMessage(clocks=times[:1], n_partitions={"predictions": 1})))
        blocks = blocks_by_partition(batches, label_batches, self._blocks, len(self.joins))
        for number, queue in enumerate(self.joins):
            own_predictions, own_labels = blocks.get(number, ([], []))
            queue += [JoinMessage(predictions=[block]) for block in own_predictions]
            queue += [JoinMessage(labels=[block]) for block in own_labels]
            queue.append(JoinMessage(clocks=times, n_partitions={"predictions": 1, "labels": 1}))

    # Join -------------------------------------------------------------------------------------------------------------

    def join(self, number: int) -> bool:
        """The next message of a partition, if there is one."""
        if self.joined[number] == len(self.joins[number]):
            return False
        joiner, store = self._joiners[number]
        step = joiner.advance(store, self.joins[number][self.joined[number]], self.joined[number])
        assert step is not None
        self.joined[number] += 1
        sent = [encode(message) for _, message in self._messages.of(step, number)]
        step.apply(store.rows)
        self.sketches += sent
        while sent and self.crash.random() < self.crash_rate:
            self.sketches += sent  # a reader of aborted transactions sees them again
        return True

    # Evaluate ---------------------------------------------------------------------------------------------------------

    def evaluate(self) -> bool:
        """The next message, if there is one; at times again, over a state that has it but for the seal."""
        if self.n_read == len(self.sketches):
            return False
        message = decode(self.sketches[self.n_read])
        source = Source(topic="drift.sketches", partition=0, offset=self.n_read)
        self.n_read += 1
        n_before = len(self.measured.windows), len(self.measured.panes)
        step = self.evaluator.advance(self.state, message, source)
        while self.crash.random() < self.crash_rate:
            done = self.measured.since(*n_before)
            self._write(step.writes)
            self.evaluator = Evaluator([self.model])
            n_before = len(self.measured.windows), len(self.measured.panes)
            step = self.evaluator.advance(self.state, message, source)
            assert self.measured.since(*n_before) == done  # to the revision
        self._write([*step.writes, step.seal])
        self.steps.append(step)
        return True

    def _write(self, writes: Sequence[tuple[bytes, bytes | None]]) -> None:
        for key, value in writes:
            if value is None:
                self.state.pop(key, None)
            else:
                self.state[key] = value

    # All of it --------------------------------------------------------------------------------------------------------

    def drain(self) -> None:
        """All that waits."""
        for number in range(len(self.joins)):
            while self.join(number):
                pass
        while self.evaluate():
            pass

    def finish(self, *, first_events: bool) -> None:
        """Time passes: that of events first, so that ordinary panes leave before the labels' horizon is over, or all at
        once."""
        if first_events:
            # The predictions' clock alone says nothing of labels.
            for at_ms in (SPAN_MS + 20 * MINUTE_MS, SPAN_MS + 2 * RETENTION_MS, SPAN_MS + 2 * RETENTION_MS + 1):
                self.ingest([], clocks={"predictions": at_ms})
                self.drain()
        until_ms = SPAN_MS + HORIZON_MS + 20 * MINUTE_MS
        self.ingest([], clocks={"predictions": until_ms, "labels": until_ms})
        self.drain()


def run(events: Sequence[Event], random: Random, n_joins: int, *, crash_rate: float = 0.0) -> tuple[Flow, Measurements]:
    """The events in this order, in blocks of any size, each part of the way as far behind as chance will have it."""
    with measurements() as made:
        flow = Flow(made, n_joins)
        flow.crash, flow.crash_rate = random, crash_rate
        left = list(events)
        while left:
            n = random.randint(1, 12)
            flow.ingest(left[:n])
            left = left[n:]
            for _ in range(random.randint(0, 6)):
                flow.join(random.randrange(n_joins))
            for _ in range(random.randint(0, 6)):
                flow.evaluate()
        flow.drain()
        flow.finish(first_events=random.random() < 0.5)
    return flow, made
