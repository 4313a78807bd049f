"""Score: absorb sketches, let the watermark close windows, compare each with its reference. Pure.

`Evaluator.advance(state, message, source)` reads the state and returns what to write and what to send; it does no I/O.
The caller commits `Step.results`, `Step.writes`, `Step.seal` and the source offset in one transaction, and reads the
state for the next message only with these writes in it (`monitor.evaluation.batch`).

Besides, state is fenced by offset: each value holds the source offset that it has absorbed, and takes no message twice.
So a message that is repeated, over a state that a transaction has or has not reached (the embedded broker shows aborted
ones to its readers), leads to the same results, under the same source offset. One that is sealed repeats only the seal.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import msgspec
import pyarrow as pa

from monitor.evaluation.feature_skew_turn import expire_skew
from monitor.evaluation.overlay import Write
from monitor.evaluation.panes import Panes
from monitor.evaluation.parking import Brought, Progress, forgotten, progress
from monitor.evaluation.performance_turn import expire_matched
from monitor.evaluation.results import BYTES_A_MESSAGE, Results, Source
from monitor.evaluation.state import SEAL_KEY, STATE_VERSION, KeyValue, Parked, Seal, pack, read_seal
from monitor.evaluation.watched import Watched
from monitor.eventtime.watermark import advanced
from monitor.sketching.feature_skew import FeatureSkewDelta
from monitor.sketching.messages import Delta, PerformanceDelta, SketchMessage


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one message leads to: results (a batch a message), changes of state, and the seal that says they are whole.

    `waiting` has the models that wait for a reference's file, and its digest; `n_rest` the events that were counted
    under `(rest)`, because their models have too many versions. `n_labels` has, by model and what became of them,
    matches that are not as the join sent them in what is measured (`monitor.evaluation.performance_turn`); `n_measured`
    the windows whose performance was measured; `repeated_block` says that the message's block was counted before.
    """

    results: list[pa.RecordBatch] = field(default_factory=list)
    writes: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    seal: tuple[bytes, bytes]
    watermarks_ms: Mapping[str, int] = field(default_factory=dict)
    n_windows: Mapping[str, int] = field(default_factory=dict)
    n_unknown_model: Mapping[str, int] = field(default_factory=dict)
    waiting: Mapping[str, str] = field(default_factory=dict)
    n_rest: Mapping[str, int] = field(default_factory=dict)
    n_labels: Mapping[tuple[str, str], int] = field(default_factory=dict)
    n_measured: Mapping[str, int] = field(default_factory=dict)
    repeated_block: bool = False


class Evaluator:
    """The score role's logic for a set of models.

    `message_bytes` is what a batch of results may take, a batch being a message; None where they are no messages.
    """

    def __init__(self, models: Iterable[Watched], message_bytes: int | None = BYTES_A_MESSAGE) -> None:
        self._models = {model.name: model for model in models}
        self._message_bytes = message_bytes

    def take_up(self, state: KeyValue, topic: str, partition: int) -> Step | None:
        """Go on with models whose missing references have come, without a message; None if there is none."""
        seal = read_seal(state)
        there = [
            model
            for name, model in self._models.items()
            if name in seal.parked and seal.parked[name].reference in model.references
        ]
        if not there:
            return None
        source = Source(topic=topic, partition=partition, offset=seal.absorbed)
        outcome = _Outcome()
        for model in there:
            brought = Brought(low_ms=seal.clocks.low_ms(), label_low_ms=seal.label_clocks.low_ms())
            outcome.take(model.name, progress(model, state, source, seal, brought))
        others = {name: one for name, one in seal.parked.items() if name not in outcome.taken}
        outcome.parked |= others
        return outcome.step(
            msgspec.structs.replace(
                seal,
                schema_version=STATE_VERSION,
                watermarks_ms=seal.watermarks_ms | outcome.watermarks_ms,
                parked=outcome.parked,
                label_ms=seal.label_ms | outcome.label_ms,
            ),
            self._message_bytes,
        )

    def advance(self, state: KeyValue, message: SketchMessage, source: Source) -> Step:
        """Absorb one message that stands at `source` in `drift.sketches`."""
        seal = read_seal(state)
        if source.offset <= seal.absorbed:
            # Written again: releases before transactions may have left it on the local disk alone.
            known_ms = {name: at_ms for name, at_ms in seal.watermarks_ms.items() if name in self._models}
            return Step(seal=(SEAL_KEY, pack(seal)), watermarks_ms=known_ms)
        clocks = seal.clocks.advance(message.clocks, message.n_partitions) if message.n_partitions else seal.clocks
        low_ms = clocks.low_ms()
        label_clocks = seal.label_clocks
        if message.n_label_partitions:
            label_clocks = label_clocks.advance(message.label_clocks, message.n_label_partitions)
        blocks, performance, features, repeated = _fenced(seal, message)
        deltas: dict[str, list[Delta]] = defaultdict(list)
        for delta in message.deltas:
            deltas[delta.model].append(delta)
        n_unknown_model = {
            name: sum(entry.n for delta in part for entry in delta.entries if entry.segment == "")
            for name, part in deltas.items()
            if name not in self._models
        }
        for name in performance.keys() - self._models.keys():
            n = sum(entry.n for part in performance[name] for entry in part.entries if entry.segment == "")
            n_unknown_model[name] = n_unknown_model.get(name, 0) + n
        outcome = _Outcome(n_unknown_model=n_unknown_model, repeated_block=repeated)
        for name, model in self._models.items():
            brought = Brought(
                deltas=deltas[name],
                performance=performance.get(name, ()),
                features=features.get(name, ()),
                low_ms=low_ms,
                label_low_ms=label_clocks.low_ms(),
            )
            outcome.take(name, progress(model, state, source, seal, brought))
        # Models that the configuration has no more: what is kept of them leaves as it would have.
        left_ms: dict[str, int] = {}
        for name in sorted(seal.watermarks_ms.keys() - self._models.keys()):
            panes = Panes(name, state, source.offset)
            outcome.writes += panes.expire(seal.watermarks_ms[name])
            matched_gone, writes = expire_matched(name, state, source.offset, seal.watermarks_ms[name])
            outcome.writes += writes
            skew_gone, writes = expire_skew(name, state, source.offset, seal.watermarks_ms[name])
            outcome.writes += writes
            if not (panes.empty and matched_gone and skew_gone):
                after_ms = advanced(seal.watermarks_ms[name], low_ms, panes.index.lateness_ms)
                left_ms[name] = seal.watermarks_ms[name] if after_ms is None else after_ms
        for name in sorted(seal.parked.keys() - self._models.keys()):
            outcome.writes += forgotten(name, seal.parked[name])
        return outcome.step(
            Seal(
                absorbed=source.offset,
                clocks=clocks,
                watermarks_ms=outcome.watermarks_ms | left_ms,
                parked=outcome.parked,
                blocks=blocks,
                label_clocks=label_clocks,
                label_ms=outcome.label_ms,
            ),
            self._message_bytes,
        )


def _fenced(
    seal: Seal, message: SketchMessage
) -> tuple[dict[int, tuple[int, int]], dict[str, list[PerformanceDelta]], dict[str, list[FeatureSkewDelta]], bool]:
    """The last block of each partition of `drift.joins` after a message, what it brings by model (performance, feature
    skew), and whether that was counted before: then none is given."""
    block = message.block
    if block is None:
        return seal.blocks, {}, {}, False
    if (block.offset, block.part) <= seal.blocks.get(block.partition, (-1, -1)):
        return seal.blocks, {}, {}, True
    performance: dict[str, list[PerformanceDelta]] = defaultdict(list)
    for delta in message.performance:
        performance[delta.model].append(delta)
    features: dict[str, list[FeatureSkewDelta]] = defaultdict(list)
    for skew in message.features:
        features[skew.model].append(skew)
    blocks = {**seal.blocks, block.partition: (block.offset, block.part)}
    return blocks, dict(performance), dict(features), False


@dataclass(slots=True, kw_only=True)
class _Outcome:
    """What all models make of a message."""

    n_unknown_model: Mapping[str, int] = field(default_factory=dict)
    repeated_block: bool = False
    watermarks_ms: dict[str, int] = field(default_factory=dict)
    label_ms: dict[str, int] = field(default_factory=dict)
    parked: dict[str, Parked] = field(default_factory=dict)
    taken: set[str] = field(default_factory=set)
    writes: list[Write] = field(default_factory=list)
    results: Results = field(default_factory=Results)
    n_windows: dict[str, int] = field(default_factory=dict)
    n_rest: dict[str, int] = field(default_factory=dict)
    n_labels: dict[tuple[str, str], int] = field(default_factory=dict)
    n_measured: dict[str, int] = field(default_factory=dict)

    def take(self, name: str, now: Progress) -> None:
        """Take in one model's."""
        self.taken.add(name)
        self.writes += now.writes
        if now.watermark_ms is not None:
            self.watermarks_ms[name] = now.watermark_ms
        if now.label_ms is not None:
            self.label_ms[name] = now.label_ms
        if now.parked is not None:
            self.parked[name] = now.parked
        for performance in now.performance:
            self.results.add(performance.results)
            for what, n in performance.counts.items():
                self.n_labels[name, what] = self.n_labels.get((name, what), 0) + n
        for skew in now.features:
            self.results.add(skew.results)
            for what, n in skew.counts.items():
                self.n_labels[name, what] = self.n_labels.get((name, what), 0) + n
        if n_measured := sum(performance.n_measured for performance in now.performance):
            self.n_measured[name] = n_measured
        for turn in now.turns:
            self.results.add(turn.results)
        if now.turns:
            self.n_windows[name] = sum(turn.n_windows for turn in now.turns)
        if n_rest := sum(turn.n_rest for turn in now.turns):
            self.n_rest[name] = n_rest

    def step(self, seal: Seal, message_bytes: int | None) -> Step:
        """All of it, and the seal that says it is whole."""
        return Step(
            results=self.results.batches(message_bytes),
            writes=self.writes,
            seal=(SEAL_KEY, pack(seal)),
            watermarks_ms=self.watermarks_ms,
            n_windows=self.n_windows,
            n_unknown_model=self.n_unknown_model,
            waiting={name: one.reference for name, one in self.parked.items()},
            n_rest=self.n_rest,
            n_labels={key: n for key, n in self.n_labels.items() if n},
            n_measured=self.n_measured,
            repeated_block=self.repeated_block,
        )
