"""The coarse cells of a reference's columns: at most 12 each, so that a cell is half a byte a prediction."""

from typing import Any, Final

import numpy as np

from detectors.columns import Kind
from detectors.compiled import compiled
from detectors.performance.build import parts_of
from detectors.reference import Reference
from monitor.events.batch import Batch

_STEPS: Final = 15
"""Edges that the search goes over; `detectors.performance.space.MOST_CELLS` has ten at most."""


class CoarseColumns:
    """The monitored columns of a reference: `detectors.performance.build.parts_of`, in that order.

    Attributes
    ----------
    parts: what the cells of each column hold.
    names: of the columns, in the order of the cells.
    """

    def __init__(self, reference: Reference) -> None:
        observed = reference.layout.observed
        row_of = {observed.columns[index].name: row for row, index in enumerate(observed.numeric)}
        row_of |= {observed.columns[index].name: row for row, index in enumerate(observed.categorical)}
        self.parts = parts_of(reference)
        self.names = [part.column for part in self.parts]
        self._numeric: list[tuple[int, int, Any, int]] = []
        self._codes: list[tuple[int, int, int]] = []
        for place, part in enumerate(self.parts):
            column, row = reference.layout.columns[reference.layout.index(part.column)], row_of[part.column]
            if column.kind is Kind.CATEGORICAL:
                self._codes.append((place, row, len(part.cells) - 2))
                continue
            # A coarse cell ends where its last fine cell does.
            edges = np.array(column.edges, dtype=np.float64)[np.flatnonzero(np.diff(part.coarse))]
            filled = np.full(_STEPS, np.inf)
            filled[: edges.size] = edges
            self._numeric.append((place, row, filled, edges.size))

    def packed(self, batch: Batch) -> Any:
        """(ceil(n_columns / 2), n) uint8, as `cells` of `monitor.join.records.Shape.dtype`."""
        packed = np.zeros(((len(self.names) + 1) // 2, batch.n), dtype=np.uint8)
        for place, row, edges, n_edges in self._numeric:
            _pack_numbers(batch.numeric[row], edges, n_edges, packed[place // 2], 4 * (place % 2))
        for place, row, n_own in self._codes:
            _pack_codes(batch.codes[row], n_own, packed[place // 2], 4 * (place % 2))
        return packed


@compiled
def _pack_numbers(values: Any, edges: Any, n_edges: Any, out: Any, shift: Any) -> None:
    """`edges` (15,) are filled up with infinities: four steps find the number of those below a value."""
    none = n_edges + 1
    for i in range(values.size):
        value, cell = values[i], 0
        cell += 8 * (edges[cell + 7] < value)
        cell += 4 * (edges[cell + 3] < value)
        cell += 2 * (edges[cell + 1] < value)
        cell += edges[cell] < value
        out[i] |= np.uint8((cell if np.isfinite(value) else none) << shift)


@compiled
def _pack_codes(codes: Any, n_own: Any, out: Any, shift: Any) -> None:
    for i in range(codes.size):
        cell = n_own + 1 if codes[i] < 0 else min(codes[i], n_own)
        out[i] |= np.uint8(cell << shift)
