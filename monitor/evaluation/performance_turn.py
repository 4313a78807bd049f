"""One model's share of one message, as far as its labels go: matches are added, settle, and windows are measured. Pure.

A window is measured, with the matches whose label time is complete by then,

- when the watermark closes it, with labels or without;
- when label time passes the end of a pane of label time in which labels of it lie;
- at some ages without that (`CHECKPOINTS`), for that no labels come is a finding too;
- when its label horizon has passed: then it is final.

All but the first are instants of label time at the ends of panes: where a message takes label time over several of
them, the window is measured once, as of the last. So its last rows depend neither on the sizes of messages nor on the
number of partitions that they came from. A late prediction that opens a closed window again has it measured again.

Labels that come after label time has passed them count from the next end of a pane on; those of predictions that have
left the state (`Watched.performance_life_ms`) are counted as late, never silently lost.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from itertools import takewhile
from typing import Final

import numpy as np

from detectors.performance.delay import N_DELAY_CELLS
from detectors.performance.sketch import PerformanceSketch
from detectors.reference import WHOLE
from detectors.sketch import Sketch
from monitor.evaluation.error_turn import ErrorTurn
from monitor.evaluation.matched_panes import ChunkId, MatchedPanes, pane_of, with_chunks
from monitor.evaluation.overlay import Write
from monitor.evaluation.panes import Group, Panes
from monitor.evaluation.performance_rows import performance_results
from monitor.evaluation.performance_state import (
    Counted,
    LabelledIndex,
    added_delays,
    errors_key,
    labelled_key,
    matched_name,
)
from monitor.evaluation.performance_window import PerformanceWindow
from monitor.evaluation.results import Results, Source
from monitor.evaluation.state import KeyValue, ModelIndex, PaneId, pack, read
from monitor.evaluation.turn import Turn
from monitor.evaluation.watched import Watched
from monitor.eventtime.windows import Window, longest_ms
from monitor.sketching.messages import PerformanceDelta

CHECKPOINTS: Final = (1, 4, 16, 64, 256, 1024)
"""Panes after its end a window is measured, whether labels came or not."""

LATE, LATE_ERROR, UNMEASURED = "late_label", "late_error", "unmeasured"
"""What becomes of matches: of predictions that have left the state; not given to detectors, for their pane of label
time was closed; of a model or reference that has no performance space here."""


class PerformanceTurn:
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
        self.n_measured = 0
        self._model, self._state, self._source, self._turn = model, state, source, turn
        self._watermark_ms, self._before_ms = watermark_ms, before_ms
        self._open_ms, self._closed_ms = _floor(before_ms, model.pane_ms), _floor(after_ms, model.pane_ms)
        self._panes = Panes(matched_name(model.name), state, source.offset, model.pane_ms)
        self._index = read(state, labelled_key(model.name), LabelledIndex, LabelledIndex())
        self._repeated = self._index.absorbed == source.offset
        self._waiting = {start_ms: set(panes) for start_ms, panes in self._index.waiting.items()}
        self._settled: set[PaneId] = set(self._index.settled) if self._repeated else set()
        self._matched = MatchedPanes(model, state, source.offset, turn)
        self._errors = ErrorTurn(model, state, source, self._index.versions, self._open_ms, self._closed_ms)
        if before_ms is not None:
            self._panes.forget(before_ms - model.performance_life_ms)

    # Absorb -----------------------------------------------------------------------------------------------------------

    def absorb(self, deltas: Sequence[PerformanceDelta]) -> None:
        """Take in the message's matches, and what the ordinary state lets go of."""
        for pane in sorted(self._turn.touched):
            chunking = self._matched.chunking(pane.reference)
            if chunking is not None:
                self._panes.told_apart(pane.version, pane.end_ms, self._model.max_versions)
                self._panes.add(with_chunks(pane, chunking.n_chunks))
        for pane in sorted(self._turn.removed):
            # Where a reference's file is gone nothing can be counted on it any more.
            chunking = self._matched.chunking(pane.reference) if pane.reference in self._model.references else None
            if chunking is not None and not self._is_late(pane):
                kept = self._matched.keep_predicted(pane, chunking)
                if kept is not None:
                    self._panes.add(kept)
        parts: dict[ChunkId, dict[int, dict[str, list[Counted]]]] = defaultdict(
            lambda: defaultdict(lambda: defaultdict(list))
        )
        for delta in deltas:
            chunking = self._matched.chunking(delta.reference)
            if chunking is None:
                self.counts[UNMEASURED] += sum(entry.n for entry in delta.entries if entry.segment == WHOLE)
                continue
            pane_ms = self._turn.pane_ms_of(delta.pane_ms)
            for entry in delta.entries:
                start_ms = entry.pane_start_ms // pane_ms * pane_ms
                version = self._panes.told_apart(entry.version, start_ms + pane_ms, self._model.max_versions)
                pane = PaneId(
                    start_ms=start_ms, pane_ms=pane_ms, version=version, reference=delta.reference,
                    n_chunks=chunking.n_chunks,
                )  # fmt: skip
                if self._is_late(pane):
                    self.counts[LATE] += abs(entry.n) if entry.segment == WHOLE else 0
                    continue
                waits_in = max(self._label_pane(entry.label_pane_ms, delta.pane_ms), self._open_ms or 0)
                self._panes.add(pane)
                self._waiting.setdefault(waits_in, set()).add(pane)
                counted = Counted(sketch=entry.sketch, delays=entry.delays)
                parts[pane, chunking.of_segment[entry.segment]][waits_in][entry.segment].append(counted)
            for error in delta.errors:
                end_ms = error.label_pane_ms + delta.pane_ms
                version = self._panes.told_apart(error.version, end_ms, self._model.max_versions)
                start_ms = self._label_pane(error.label_pane_ms, delta.pane_ms)
                self.counts[LATE_ERROR] += self._errors.add(version, delta.reference, start_ms, error.sums)
        for chunk_id, by_label_pane in sorted(parts.items()):
            self._matched.wait(chunk_id, by_label_pane)

    def _label_pane(self, start_ms: int, delta_ms: int) -> int:
        """Our pane of label time that holds the end of a delta's: all of it is complete when ours is closed."""
        return (start_ms + delta_ms - 1) // self._model.pane_ms * self._model.pane_ms

    def _is_late(self, pane: PaneId) -> bool:
        before_ms = self._before_ms
        return before_ms is not None and pane.end_ms <= before_ms - self._model.performance_life_ms

    # Settle and measure -----------------------------------------------------------------------------------------------

    def settle(self) -> None:
        """Let label time go on: what waited for it counts, and what is due is measured."""
        closed_ms = self._closed_ms
        if closed_ms is not None and closed_ms != self._open_ms:
            for start_ms in sorted(start_ms for start_ms in self._waiting if start_ms < closed_ms):
                self._settled |= self._waiting.pop(start_ms)
            self.results.add_rows("drift_verdict", self._errors.close(self._turn.reference))
        for pane in sorted(self._settled):
            for number in range(pane.n_chunks):
                self._matched.settle((pane, number), closed_ms)
        for group, window in sorted(self._due()):
            self._measure(group, window)

    def _due(self) -> set[tuple[Group, Window]]:
        """The windows to measure: all have ended by the watermark."""
        until_ms = self._watermark_ms
        if until_ms is None:
            return set()
        due = {key for key in self._turn.due if self._matched.chunking(key[0][1]) is not None}
        due |= self._windows(self._settled, None, until_ms)
        closed_ms, open_ms = self._closed_ms, self._open_ms
        if closed_ms is None or closed_ms == open_ms:
            return due
        longest = longest_ms(self._model.shapes)
        for age_ms in self._ages_ms():
            after_ms = None if open_ms is None else open_ms - age_ms
            last_ms = min(closed_ms - age_ms, until_ms)
            if after_ms is None or after_ms < last_ms:
                near = self._panes.starting(None if after_ms is None else after_ms - longest, last_ms)
                due |= self._windows(near, after_ms, last_ms)
        return due

    def _windows(self, panes: Iterable[PaneId], after_ms: int | None, until_ms: int) -> set[tuple[Group, Window]]:
        """The windows with one of the panes whole in them that end in `(after_ms, until_ms]`."""
        return {
            ((pane.version, pane.reference), window)
            for pane in panes
            for shape in self._model.shapes
            for window in shape.ending(
                Window(start_ms=pane.start_ms, end_ms=pane.end_ms),
                after_ms=pane.start_ms if after_ms is None else after_ms,
                until_ms=until_ms,
            )
        }

    def _ages_ms(self) -> list[int]:
        """How long after its end a window is measured in any case, in rising order; last, when it is final."""
        horizon_ms, pane_ms = self._model.label_horizon_ms or 0, self._model.pane_ms
        final_ms = -(-horizon_ms // pane_ms) * pane_ms
        return [*takewhile(lambda age_ms: age_ms < final_ms, (n * pane_ms for n in CHECKPOINTS)), final_ms]

    def _measure(self, group: Group, window: Window) -> None:
        reference, space = self._turn.reference(group[1]), self._matched.space(group[1])
        inside = [
            pane for pane in self._panes.starting(window.start_ms, window.end_ms, group) if pane.end_ms <= window.end_ms
        ]
        matched: dict[str, PerformanceSketch] = {}
        predicted: dict[str, Sketch] = {}
        delays, predictions = [], []
        label_ms = window.end_ms
        for pane in inside:
            for segment, own in self._matched.matches(pane).items():
                matched[segment] = matched[segment].merge(own) if segment in matched else own
            said = self._matched.predictions(pane)
            for segment, sketch in said.items():
                predicted[segment] = predicted[segment].merge(sketch) if segment in predicted else sketch
            if WHOLE in said:
                predictions.append((pane.start_ms, said[WHOLE].with_prediction))
            for number in range(pane.n_chunks):
                chunk = self._matched.chunk((pane, number))
                label_ms = max(label_ms, chunk.settled_ms)
                if WHOLE in chunk.settled:
                    delays.append(chunk.settled[WHOLE].delays)
        if not matched and not predicted:
            return
        ages_ms = self._ages_ms()
        if self._closed_ms is not None:
            passed = [window.end_ms + age_ms for age_ms in ages_ms if window.end_ms + age_ms <= self._closed_ms]
            label_ms = max([label_ms, *passed])
        counts = np.zeros(N_DELAY_CELLS, dtype=np.int64)
        for cell, n in added_delays(delays).items():
            counts[cell] = n
        again = self._turn.due.get((group, window), True)
        self.n_measured += 1
        found = performance_results(
            self._model,
            PerformanceWindow(
                version=group[0],
                reference=reference,
                space=space,
                window=window,
                label_ms=min(label_ms, window.end_ms + ages_ms[-1]),
                labels_reached=self._closed_ms is not None and self._closed_ms >= window.end_ms,
                matched={segment: own for segment, own in sorted(matched.items()) if _has_matches(own)},
                predicted=dict(sorted(predicted.items())),
                delays=counts,
                panes=tuple(predictions),
                pane_ms=self._model.pane_ms,
                revision=self._panes.revision(group, window, reopened=again),
            ),
        )
        self.results.add_rows("performance", found.performance)
        self.results.add_rows("performance_part", found.parts)
        self.results.add_rows("drift_verdict", found.verdicts)

    def writes(self) -> list[Write]:
        """What changed. None removes a key."""
        model, offset = self._model, self._source.offset
        # Panes that leave the state need not wait any more.
        gone = {pane_of(pane) for pane in self._panes.removed}
        waiting = {
            start_ms: tuple(sorted(pane for pane in panes if pane_of(pane) not in gone))
            for start_ms, panes in sorted(self._waiting.items())
        }
        index = LabelledIndex(
            absorbed=offset,
            waiting={start_ms: panes for start_ms, panes in waiting.items() if panes},
            settled=tuple(sorted(self._settled)),
            versions=self._errors.versions,
        )
        changed: list[Write] = []
        before = self._index
        if self._repeated or (index.waiting, index.settled, index.versions) != (
            before.waiting, before.settled, before.versions
        ):  # fmt: skip
            changed.append((labelled_key(model.name), pack(index)))
        changed += self._panes.writes(lateness_ms=model.lateness_ms, horizon_ms=model.performance_life_ms)
        return changed + self._matched.writes(gone) + self._errors.writes()


def expire_matched(model: str, state: KeyValue, offset: int, watermark_ms: int) -> tuple[bool, list[Write]]:
    """What is kept of a model that the configuration has no more leaves as it would have, by its events' watermark.

    Returns whether nothing is kept any more, and what to write.
    """
    panes = Panes(matched_name(model), state, offset)
    index = read(state, labelled_key(model), LabelledIndex, LabelledIndex())
    writes: list[Write] = [(errors_key(model, version), None) for version in index.versions]
    if index != LabelledIndex():
        writes.append((labelled_key(model), None))
    if panes.index == ModelIndex():
        return True, writes
    writes += panes.expire(watermark_ms)
    return panes.empty, writes


def _floor(at_ms: int | None, pane_ms: int) -> int | None:
    return None if at_ms is None else at_ms // pane_ms * pane_ms


def _has_matches(sketch: PerformanceSketch) -> bool:
    """Whether anything is left after corrections."""
    return sketch.n != 0 or sketch.n_invalid != 0 or not sketch.settled
