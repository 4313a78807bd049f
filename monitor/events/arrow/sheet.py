"""One model's rows in the making: arrays made once for many record batches."""

from typing import Any

import numpy as np

from detectors.arrays import Bools, Codes, Ints
from monitor.events.frame import Frame
from monitor.events.parts import Part


class Sheet:
    """(n rows) the arrays of a `Part`, not yet filled.

    Attributes
    ----------
    positions, timestamps_ms, numeric, codes, segments, version_codes, unseen, ids
        as in `Part`; of every row, also the bad ones.
    """

    def __init__(self, frame: Frame, n: int) -> None:
        self.positions: Ints = np.empty(n, dtype=np.int64)
        self.timestamps_ms: Ints = np.empty(n, dtype=np.int64)
        self.numeric = np.empty((frame.n_numeric, n))
        self.codes: Codes = np.empty((frame.n_categorical, n), dtype=np.int32)
        self.segments: Codes = np.empty((len(frame.dimensions), n), dtype=np.int32)
        self.version_codes: Codes = np.empty(n, dtype=np.int32)
        self.unseen: dict[int, list[tuple[int, str]]] = {}
        self.ids: Any = np.zeros((n, 2), dtype=np.uint64) if frame.with_ids else None
        self._versions: dict[str, int] = {}
        self._bad: Bools | None = None

    def version(self, text: str) -> int:
        """The code of a version."""
        return self._versions.setdefault(text, len(self._versions))

    def drop(self, rows: Ints) -> None:
        """Leave these rows out."""
        if self._bad is None:
            self._bad = np.zeros(self.positions.size, dtype=np.bool_)
        self._bad[rows] = True

    def kept(self, rows: slice) -> Bools:
        """Of some rows, those that are not dropped."""
        bad = np.zeros(self.positions.size, dtype=np.bool_) if self._bad is None else self._bad
        return ~bad[rows]

    def part(self) -> Part:
        """All rows but the dropped ones."""
        part = Part(
            positions=self.positions,
            timestamps_ms=self.timestamps_ms,
            numeric=self.numeric,
            codes=self.codes,
            segments=self.segments,
            versions=tuple(self._versions),
            version_codes=self.version_codes,
            unseen=self.unseen,
            ids=self.ids,
        )
        return part if self._bad is None else part.take(np.flatnonzero(~self._bad))
