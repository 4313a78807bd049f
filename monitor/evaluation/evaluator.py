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

from monitor.evaluation.panes import Panes
from monitor.evaluation.results import Source, batches_of_results
from monitor.evaluation.state import SEAL_KEY, KeyValue, Seal, pack, read_seal
from monitor.evaluation.turn import Turn
from monitor.evaluation.watched import Watched
from monitor.eventtime.watermark import advanced
from monitor.sketching.messages import Delta, SketchMessage
from sinks.records import ColumnProfile, DriftScore, LateDropped, ResultBatch


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What one message leads to: results to send, changes of state, and the seal that says they are whole."""

    results: list[ResultBatch] = field(default_factory=list)
    writes: list[tuple[bytes, bytes | None]] = field(default_factory=list)
    seal: tuple[bytes, bytes]
    watermarks_ms: Mapping[str, int] = field(default_factory=dict)
    n_windows: Mapping[str, int] = field(default_factory=dict)
    n_unknown_model: Mapping[str, int] = field(default_factory=dict)


class Evaluator:
    """The score role's logic for a set of models."""

    def __init__(self, models: Iterable[Watched]) -> None:
        self._models = {model.name: model for model in models}

    def advance(self, state: KeyValue, message: SketchMessage, source: Source) -> Step:
        """Absorb one message that stands at `source` in `drift.sketches`."""
        seal = read_seal(state)
        if source.offset <= seal.absorbed:
            # Written again: releases before transactions may have left it on the local disk alone.
            known_ms = {name: at_ms for name, at_ms in seal.watermarks_ms.items() if name in self._models}
            return Step(seal=(SEAL_KEY, pack(seal)), watermarks_ms=known_ms)
        clocks = seal.clocks.advance(message.clocks, message.n_partitions) if message.n_partitions else seal.clocks
        low_ms = clocks.low_ms()
        deltas: dict[str, list[Delta]] = defaultdict(list)
        for delta in message.deltas:
            deltas[delta.model].append(delta)
        n_unknown_model = {
            name: sum(entry.n for delta in part for entry in delta.entries if entry.segment == "")
            for name, part in deltas.items()
            if name not in self._models
        }
        watermarks_ms: dict[str, int] = {}
        writes: list[tuple[bytes, bytes | None]] = []
        scores: list[DriftScore] = []
        profiles: list[ColumnProfile] = []
        late: list[LateDropped] = []
        n_windows: dict[str, int] = {}
        for name, model in self._models.items():
            before_ms = seal.watermarks_ms.get(name)
            after_ms = advanced(before_ms, low_ms, model.lateness_ms)
            if after_ms is not None:
                watermarks_ms[name] = after_ms
            if not deltas[name] and after_ms == before_ms:
                continue
            turn = Turn(model, state, source, before_ms, after_ms)
            turn.absorb(deltas[name])
            turn.close()
            writes += turn.writes()
            scores += turn.scores
            profiles += turn.profiles
            late += turn.late
            n_windows[name] = turn.n_windows
        # Models that the configuration has no more: what is kept of them leaves as it would have.
        left_ms: dict[str, int] = {}
        for name in sorted(seal.watermarks_ms.keys() - self._models.keys()):
            panes = Panes(name, state, source.offset)
            writes += panes.expire(seal.watermarks_ms[name])
            if not panes.empty:
                after_ms = advanced(seal.watermarks_ms[name], low_ms, panes.index.lateness_ms)
                left_ms[name] = seal.watermarks_ms[name] if after_ms is None else after_ms
        sealed = Seal(absorbed=source.offset, clocks=clocks, watermarks_ms={**watermarks_ms, **left_ms})
        return Step(
            results=batches_of_results(source, scores, profiles, late),
            writes=writes,
            seal=(SEAL_KEY, pack(sealed)),
            watermarks_ms=watermarks_ms,
            n_windows=n_windows,
            n_unknown_model=n_unknown_model,
        )
