"""What the join emits: matches of predictions with labels, as columns; another package makes sketches of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from monitor.join import records as rec
from monitor.join.records import CLASS, LABEL, Shape


@dataclass(frozen=True, kw_only=True, eq=False)
class Matches:
    """Matches of one model and reference. A correction is two: what held is taken back, what holds is added.

    Attributes
    ----------
    shape: model, reference and pane length, and how predictions lie in their bytes.
    versions, classes: what the codes of versions and of labels stand for; more than occur.
    predictions: (n,) of `shape.dtype`.
    labels: (n,) of `monitor.join.records.LABEL`.
    sign: (n,) int8: 1 to add, -1 to take back.
    since_ms: (n,) int64, from when on this holds, in label time: the label's time, or that of the label which takes its
        place (`Known.course`). So what is known as of an instant does not depend on what came first. None: the labels'
        times.
    """

    shape: Shape
    versions: Sequence[str]
    classes: Sequence[str]
    predictions: Any
    labels: Any
    sign: Any
    since_ms: Ints | None = None

    @property
    def n(self) -> int:
        """How many."""
        return int(self.sign.size)

    @property
    def times_ms(self) -> Ints:
        """(n,) of the predictions."""
        return rec.times_ms(self.predictions)

    @property
    def pane_starts_ms(self) -> Ints:
        """(n,) where the predictions' panes start."""
        return self.times_ms // self.shape.pane_ms * self.shape.pane_ms

    @property
    def label_times_ms(self) -> Ints:
        """(n,)."""
        return rec.times_ms(self.labels)

    @property
    def at_ms(self) -> Ints:
        """(n,) `since_ms`."""
        return self.label_times_ms if self.since_ms is None else self.since_ms

    @property
    def version_codes(self) -> Ints:
        """(n,) indices into `versions`."""
        codes: Ints = self.predictions["version"].astype(np.int64)
        return codes

    @property
    def scores(self) -> Floats:
        """(n_scores, n)."""
        return np.ascontiguousarray(self.predictions["scores"].T)

    @property
    def class_codes(self) -> Ints:
        """(n,) the reference's code of the class that was predicted; negative as in `detectors.columns`."""
        codes: Ints = self.predictions["class"].astype(np.int64)
        return codes

    @property
    def segments(self) -> Ints:
        """(n_dimensions, n) as `monitor.events.batch.Batch` has them."""
        codes: Ints = np.ascontiguousarray(self.predictions["segments"].T.astype(np.int64))
        return codes

    @property
    def cells(self) -> Any:
        """(n_columns, n) uint8, the coarse cell of each monitored column."""
        return np.ascontiguousarray(rec.cells_of(self.predictions["cells"], self.shape.n_columns).T)

    @property
    def is_class(self) -> Bools:
        """(n,) whether the label is a class, and `label_codes` has it; else `label_numbers`."""
        known: Bools = self.labels["kind"] == CLASS
        return known

    @property
    def label_codes(self) -> Ints:
        """(n,) indices into `classes`; 0 where the label is a number."""
        codes: Ints = np.where(self.is_class, self.labels["label"], 0).astype(np.int64)
        return codes

    @property
    def label_numbers(self) -> Floats:
        """(n,) NaN where the label is a class."""
        found: Floats = np.where(self.is_class, np.nan, np.ascontiguousarray(self.labels["label"]).view(np.float64))
        return found

    @property
    def values(self) -> Floats:
        """(n,) the numbers that came with the labels; NaN for none."""
        found: Floats = self.labels["value"].astype(np.float64)
        return found


class Gathering:
    """Matches in the making, by shape."""

    def __init__(self) -> None:
        self._parts: dict[int, list[tuple[Any, Any, Any, Ints]]] = {}
        self._singles: dict[int, list[tuple[bytes, bytes, int, int]]] = {}

    def add(self, shape: int, predictions: Any, labels: Any, sign: int) -> None:
        """Take matches of one shape: (n,) predictions and labels."""
        if predictions.size:
            signs = np.full(predictions.size, sign, np.int8)
            self._parts.setdefault(shape, []).append((predictions, labels, signs, rec.times_ms(labels)))

    def add_one(self, shape: int, prediction: bytes, label: bytes, sign: int, at_ms: int) -> None:
        """Take one match, by its records."""
        self._singles.setdefault(shape, []).append((prediction, label, sign, at_ms))

    def matches(self, shapes: Sequence[Shape], versions: Sequence[str], classes: Sequence[str]) -> list[Matches]:
        """All of them, one a shape."""
        for code, singles in self._singles.items():
            predictions = np.frombuffer(b"".join([one[0] for one in singles]), dtype=shapes[code].dtype)
            labels = np.frombuffer(b"".join([one[1] for one in singles]), dtype=LABEL)
            signs = np.array([one[2] for one in singles], dtype=np.int8)
            at_ms = np.array([one[3] for one in singles], dtype=np.int64)
            self._parts.setdefault(code, []).append((predictions, labels, signs, at_ms))
        self._singles = {}
        return [
            Matches(
                shape=shapes[code],
                versions=versions,
                classes=classes,
                predictions=np.concatenate([part[0] for part in parts]),
                labels=np.concatenate([part[1] for part in parts]),
                sign=np.concatenate([part[2] for part in parts]),
                since_ms=np.concatenate([part[3] for part in parts]),
            )
            for code, parts in sorted(self._parts.items())
        ]
