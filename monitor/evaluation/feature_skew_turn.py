"""One model's share of one message, as far as feature skew goes: pairs are added, settle, and windows are told. Pure.

As with labels (`monitor.evaluation.performance_turn`), a pair waits until label time has passed the end of the pane in
which it became known, and a window of predictions is told

- when the watermark closes it, if pairs of it have settled by then;
- when label time passes the end of a pane in which pairs of it became known.

So its last rows depend neither on the sizes of messages nor on the number of partitions that they came from. Pairs of
predictions that have left the state (`Watched.skew_life_ms`) are counted as late.

What is kept, under the name `features_name` of the model: the counts of a pane of predictions by column, settled or
waiting, each with the offset that it has absorbed, and which panes wait.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec

from monitor.evaluation.feature_skew_rows import skew_rows
from monitor.evaluation.overlay import Write
from monitor.evaluation.panes import Group, Panes
from monitor.evaluation.results import Results, Source
from monitor.evaluation.state import KeyValue, ModelIndex, PaneId, pack, pane_key, read
from monitor.evaluation.turn import Turn
from monitor.evaluation.watched import Watched
from monitor.eventtime.windows import Window
from monitor.sketching.feature_skew import ColumnCounts, FeatureSkewDelta, added

MAX_WAITING: Final = 8
"""Panes of label time that the pairs of one pane of predictions wait in apart; of more, the earliest two wait together
until the later one is closed."""
LATE_FEATURES: Final = "late_features"
"""What becomes of pairs whose prediction has left the state."""

_Counts = dict[str, ColumnCounts]
_encoder = msgspec.msgpack.Encoder()


class SkewPane(msgspec.Struct, frozen=True, kw_only=True):
    """One pane of predictions.

    Attributes
    ----------
    absorbed: the last source offset counted in it.
    settled: by column.
    waiting: by the start of the pane of label time, then by column.
    """

    absorbed: int = -1
    settled: _Counts = {}
    waiting: dict[int, _Counts] = {}


class SkewIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model's pairs wait.

    Attributes
    ----------
    absorbed: the source offset that wrote this.
    waiting: by the start of the pane of label time, the panes of predictions that have pairs in it.
    settled: the panes whose pairs the message at `absorbed` settled: were it repeated, nothing else would tell.
    """

    absorbed: int = -1
    waiting: dict[int, tuple[PaneId, ...]] = {}
    settled: tuple[PaneId, ...] = ()


class FeatureSkewTurn:
    """Absorb, settle, then ask for `results`, `counts` and `writes()`.

    `turn` is the model's share of the same message otherwise, absorbed and closed; `watermark_ms` the model's watermark
    after it. `before_ms` and `after_ms` are the model's label time before and after the message.
    """

    def __init__(
        self,
        model: Watched,
        state: KeyValue,
        source: Source,
        turn: Turn,
        *,
        watermark_ms: int | None,
        before_ms: int | None,
        after_ms: int | None,
    ) -> None:
        self.results = Results()
        self.counts: Counter[str] = Counter()
        self._model, self._state, self._offset, self._turn = model, state, source.offset, turn
        self._watermark_ms, self._before_ms = watermark_ms, before_ms
        self._open_ms, self._closed_ms = _floor(before_ms, model.pane_ms), _floor(after_ms, model.pane_ms)
        self._panes = Panes(skew_name(model.name), state, source.offset, model.pane_ms)
        self._index = read(state, skew_key(model.name), SkewIndex, SkewIndex())
        self._repeated = self._index.absorbed == source.offset
        self._waiting = {start_ms: set(panes) for start_ms, panes in self._index.waiting.items()}
        self._settled: set[PaneId] = set(self._index.settled) if self._repeated else set()
        self._kept: dict[PaneId, SkewPane] = {}
        self._frozen: set[PaneId] = set()
        if before_ms is not None:
            self._panes.forget(before_ms - model.skew_life_ms)

    def absorb(self, deltas: Sequence[FeatureSkewDelta]) -> None:
        """Take in the message's pairs."""
        parts: dict[PaneId, dict[int, _Counts]] = defaultdict(dict)
        for delta in deltas:
            pane_ms = self._turn.pane_ms_of(delta.pane_ms)
            for entry in delta.entries:
                start_ms = entry.pane_start_ms // pane_ms * pane_ms
                version = self._panes.told_apart(entry.version, start_ms + pane_ms, self._model.max_versions)
                pane = PaneId(
                    start_ms=start_ms, pane_ms=pane_ms, version=version, reference=delta.reference, n_chunks=1
                )
                if self._before_ms is not None and pane.end_ms <= self._before_ms - self._model.skew_life_ms:
                    self.counts[LATE_FEATURES] += max((_n_pairs(own) for own in entry.columns.values()), default=0)
                    continue
                end_ms = entry.label_pane_ms + delta.pane_ms
                waits_in = max((end_ms - 1) // self._model.pane_ms * self._model.pane_ms, self._open_ms or 0)
                self._panes.add(pane)
                self._waiting.setdefault(waits_in, set()).add(pane)
                own = parts[pane]
                own[waits_in] = added(own.get(waits_in, {}), entry.columns)
        for pane, by_label_pane in sorted(parts.items()):
            kept = self._pane(pane)
            waiting = dict(kept.waiting)
            for start_ms, counts in by_label_pane.items():
                waiting[start_ms] = _filled(added(waiting.get(start_ms, {}), counts))
            while len(waiting) > MAX_WAITING:
                first, second = sorted(waiting)[:2]
                waiting[second] = _filled(added(waiting[second], waiting.pop(first)))
            self._change(pane, kept, waiting=waiting)

    def settle(self) -> None:
        """Let label time go on: what waited for it counts, and the windows that are due are told."""
        closed_ms = self._closed_ms
        if closed_ms is not None and closed_ms != self._open_ms:
            for start_ms in sorted(start_ms for start_ms in self._waiting if start_ms < closed_ms):
                self._settled |= self._waiting.pop(start_ms)
        for pane in sorted(self._settled):
            self._settle_pane(pane)
        for group, window in sorted(self._due()):
            self._tell(group, window)

    def _settle_pane(self, pane: PaneId) -> None:
        kept, closed_ms = self._pane(pane), self._closed_ms
        ripe = sorted(start_ms for start_ms in kept.waiting if closed_ms is not None and start_ms < closed_ms)
        if not ripe:
            return
        settled = kept.settled
        for start_ms in ripe:
            settled = added(settled, kept.waiting[start_ms])
        left = {start_ms: own for start_ms, own in kept.waiting.items() if start_ms not in ripe}
        self._change(pane, kept, settled=settled, waiting=left)

    def _due(self) -> set[tuple[Group, Window]]:
        """The windows to tell of: all have ended by the watermark."""
        until_ms = self._watermark_ms
        if until_ms is None:
            return set()
        settled = {
            ((pane.version, pane.reference), window)
            for pane in self._settled
            for shape in self._model.shapes
            for window in shape.ending(
                Window(start_ms=pane.start_ms, end_ms=pane.end_ms), after_ms=pane.start_ms, until_ms=until_ms
            )
        }
        return settled | set(self._turn.due)

    def _tell(self, group: Group, window: Window) -> None:
        counts: _Counts = {}
        for pane in self._panes.starting(window.start_ms, window.end_ms, group):
            if pane.end_ms <= window.end_ms:
                counts = added(counts, self._pane(pane).settled)
        if not counts:
            return
        again = self._turn.due.get((group, window), True)
        revision = self._panes.revision(group, window, reopened=again)
        rows, verdicts = skew_rows(self._model, group, window, counts, revision)
        self.results.add_rows("feature_skew", rows)
        self.results.add_rows("drift_verdict", verdicts)

    def _pane(self, pane: PaneId) -> SkewPane:
        if pane not in self._kept:
            key = pane_key(skew_name(self._model.name), pane, 0)
            kept = self._kept[pane] = read(self._state, key, SkewPane, SkewPane())
            if kept.absorbed >= self._offset:
                self._frozen.add(pane)  # it has what this message does to it
        return self._kept[pane]

    def _change(self, pane: PaneId, kept: SkewPane, **changes: Any) -> None:
        if pane not in self._frozen:
            self._kept[pane] = msgspec.structs.replace(kept, absorbed=self._offset, **changes)

    def writes(self) -> list[Write]:
        """What changed. None removes a key."""
        model, gone = self._model, self._panes.removed
        waiting = {
            start_ms: tuple(sorted(panes - gone)) for start_ms, panes in sorted(self._waiting.items()) if panes - gone
        }
        index = SkewIndex(absorbed=self._offset, waiting=waiting, settled=tuple(sorted(self._settled)))
        changed: list[Write] = []
        if self._repeated or (index.waiting, index.settled) != (self._index.waiting, self._index.settled):
            changed.append((skew_key(model.name), pack(index)))
        changed += self._panes.writes(lateness_ms=model.lateness_ms, horizon_ms=model.skew_life_ms)
        return changed + [
            (pane_key(skew_name(model.name), pane, 0), pack(kept))
            for pane, kept in sorted(self._kept.items())
            if kept.absorbed == self._offset and pane not in gone
        ]


def skew_name(model: str) -> str:
    """The name under which a model's `Panes` of pairs are kept, beside its ordinary ones."""
    return f"{model}\0features"


def skew_key(model: str) -> bytes:
    """The key of the index of what waits."""
    return _encoder.encode(("features", model))


def expire_skew(model: str, state: KeyValue, offset: int, watermark_ms: int) -> tuple[bool, list[Write]]:
    """What is kept of a model that the configuration has no more leaves as it would have, by its events' watermark.

    Returns whether nothing is kept any more, and what to write.
    """
    panes = Panes(skew_name(model), state, offset)
    writes: list[Write] = []
    if read(state, skew_key(model), SkewIndex, SkewIndex()) != SkewIndex():
        writes.append((skew_key(model), None))
    if panes.index == ModelIndex():
        return True, writes
    writes += panes.expire(watermark_ms)
    return panes.empty, writes


def _floor(at_ms: int | None, pane_ms: int) -> int | None:
    return None if at_ms is None else at_ms // pane_ms * pane_ms


def _n_pairs(own: ColumnCounts) -> int:
    return abs(own.n_equal + own.n_unequal + own.n_served_only + own.n_recomputed_only)


def _filled(counts: Mapping[str, ColumnCounts]) -> _Counts:
    """Without what was added and taken back before anyone was told of it."""
    return {name: own for name, own in counts.items() if own != ColumnCounts()}
