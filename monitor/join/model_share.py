"""One model's share of a step of the join: many rows at once, or one by one as `monitor.join.joined` specifies."""

from typing import TYPE_CHECKING, Any

import numpy as np

from detectors.arrays import Bools, Ints
from monitor.join.joined import Known, Prediction
from monitor.join.outcomes import CORRECTED, DUPLICATE, EARLY, MATCHED, OVERDUE, REPEATED, SUPERSEDED, TOO_LATE
from monitor.join.records import times_ms
from monitor.join.rows import stretch_in
from monitor.join.state_block import split
from monitor.join.step import JoinModel, is_over

if TYPE_CHECKING:
    from monitor.join.joiner import Step


class ModelShare:
    """A step, as far as one model goes."""

    def __init__(self, step: "Step", model: JoinModel) -> None:
        self._step = step
        self._model = model
        self._code = step.code(model)
        self.stretch_ms = step.stretch_ms(self._code, model)
        self._watermark_ms = step.watermark_ms(self._code)
        self.horizon_ms = model.horizon_ms
        self._singles: list[tuple[bytes, bytes, int, bool]] = []

    def live(self, stretches: Ints) -> Bools:
        """(n,) whether each stretch is not over."""
        if self._watermark_ms is None:
            return np.ones(stretches.shape, dtype=np.bool_)
        over: Bools = is_over(stretches, self.stretch_ms, self._model, self._watermark_ms)
        return ~over

    def count(self, what: str, n: int) -> None:
        """Count what became of some."""
        if n:
            self._step.counts[self._model.name, what] += n

    def tally(self, what: str, stretches: Ints, n: int) -> None:
        """Add to what is known of stretches."""
        for number, times in zip(*(found.tolist() for found in np.unique(stretches, return_counts=True)), strict=True):
            stretch = self._step.stretch(self._code, number)
            setattr(stretch, what, getattr(stretch, what) + n * times)

    def write(self, keys: list[bytes], matrix: Any, stretches: Ints, *, new: bool) -> None:
        """Note rows of one length, (n, length) uint8."""
        rows = split(np.ascontiguousarray(matrix).tobytes(), matrix.shape[1])
        self._step.changed(self._code, keys, rows, stretches, np.full(len(keys), new))

    def meet_pending(
        self, shape: int, keys: list[bytes], matrix: Any, predictions: Any, labels: Any, stretches: Ints
    ) -> None:
        """Labels of predictions that have none; (n,) the stretches of their rows."""
        meets = self._meet(shape, predictions, labels)
        self.tally("unlabelled", stretches[meets], -1)
        self.write(keys, matrix, stretches, new=False)

    def meet_waiting(
        self, shape: int, keys: list[bytes], matrix: Any, predictions: Any, labels: Any, before: Ints, after: Ints
    ) -> None:
        """Predictions of ids with one label; (n,) the stretches of their rows before and after."""
        meets = self._meet(shape, predictions, labels)
        self.tally("waiting", before, -1)
        self.tally("n_left", before[before < after], 1)
        self.tally("unlabelled", after[~meets], 1)
        rows = split(np.ascontiguousarray(matrix).tobytes(), matrix.shape[1])
        self._step.changed(self._code, keys, rows, after, before < after)

    def _meet(self, shape: int, predictions: Any, labels: Any) -> Bools:
        """Emit matches and count; (n,) which are some."""
        after_ms = times_ms(labels) - times_ms(predictions)
        early, overdue = after_ms < 0, after_ms > self._model.horizon_ms
        meets: Bools = ~(early | overdue)
        self.count(EARLY, int(early.sum()))
        self.count(OVERDUE, int(overdue.sum()))
        self.count(MATCHED, int(meets.sum()))
        self._step.gathering.add(shape, predictions[meets], labels[meets], 1)
        return meets

    def flush(self) -> None:
        """Note what was done one by one."""
        if self._singles:
            keys, rows, stretches, new = (list(column) for column in zip(*self._singles, strict=True))
            self._step.changed(self._code, keys, rows, np.array(stretches), np.array(new, dtype=np.bool_))
            self._singles = []

    def _is_live(self, stretch: int) -> bool:
        return self._watermark_ms is None or not is_over(stretch, self.stretch_ms, self._model, self._watermark_ms)

    def _add(self, what: str, number: int, n: int) -> None:
        stretch = self._step.stretch(self._code, number)
        setattr(stretch, what, getattr(stretch, what) + n)

    def one(self, key: bytes, row: bytes, *, prediction: Prediction | None = None, label: bytes | None = None) -> None:
        """One prediction, or the record of one label; `row` is what is known of it, but for what this block brought."""
        model, catalog = self._model, self._step.catalog
        row = self._step.newest(key, row)
        before = after = catalog.known(row)
        if row:
            stretch = stretch_in(row)
            if not self._is_live(stretch):  # over, but not yet dropped
                if label is not None and before.prediction is not None:
                    self.count(TOO_LATE, 1)
                    return
                self._add("n_left", stretch, 1)
                row, before, after = b"", Known(), Known()
        if prediction is not None:
            after = before.with_prediction(prediction)
            self.count(DUPLICATE, int(before.prediction is not None))
        said = None if label is None else catalog.label(label)
        if said is not None:
            after = before.with_label(said, model.label_is)
        if not row and not self._is_live(after.anchor_ms() // self.stretch_ms):
            self.count(TOO_LATE, 1)
            return
        old, new = before.match(model.horizon_ms), after.match(model.horizon_ms)
        self.count(MATCHED, int(new is not None) - int(old is not None))
        if said is not None:
            self._count_label(before, said, old=old, new=new)
        elif before.prediction is None:
            for one in after.labels:
                self._count_outside(after, one.time_ms)
        if after == before:
            return
        self._step.emit(before, after, model)
        self._move(key, row, before, after)

    def _count_label(self, before: Known, label: Any, *, old: Any, new: Any) -> None:
        # One that is the first match is counted as that, whatever labels outside the horizon came before it.
        if self._count_outside(before, label.time_ms) or (old is None and new is not None):
            return
        if any(label.said == kept.said for kept in before.labels):
            self.count(REPEATED, 1)
        elif before.labels:
            self.count(CORRECTED if new != old else SUPERSEDED, 1)

    def _count_outside(self, known: Known, label_ms: int) -> bool:
        """Count a label that lies outside its prediction's horizon."""
        if known.prediction is None:
            return False
        after_ms = label_ms - known.prediction.time_ms
        self.count(EARLY, int(after_ms < 0))
        self.count(OVERDUE, int(after_ms > self._model.horizon_ms))
        return not 0 <= after_ms <= self._model.horizon_ms

    def _move(self, key: bytes, row: bytes, before: Known, after: Known) -> None:
        """Note the new row of an id, and to which stretch it belongs."""
        number = after.anchor_ms() // self.stretch_ms
        came = True
        if row:
            left = stretch_in(row)
            number = max(number, left)
            came = left != number
            self._tally_state(before, left, -1)
            if came:
                self._add("n_left", left, 1)
        self._tally_state(after, number, 1)
        new = self._step.catalog.row(after, number)
        self._step.change(key, new)
        self._singles.append((key, new, number, came))

    def _tally_state(self, known: Known, number: int, n: int) -> None:
        if known.prediction is None:
            self._add("waiting", number, n)
        elif known.match(self._model.horizon_ms) is None:
            self._add("unlabelled", number, n)
