"""The coarse cells of a reference's columns: at most 12 each, so that a cell is half a byte a prediction."""

from typing import Any, Final

import numpy as np

from detectors.columns import Column
from detectors.compiled import compiled
from detectors.grid import coarse_cells, single_valued
from detectors.reference import WHOLE, Reference
from monitor.events.batch import Batch

MOST_CELLS: Final = 12
"""Eleven of values and one of none."""
_OWN_CATEGORIES: Final = 10
_STEPS: Final = 15


class CoarseColumns:
    """The monitored columns of a reference: all that events have, but for the prediction's own.

    Attributes
    ----------
    names: in the order of the cells.
    """

    def __init__(self, reference: Reference) -> None:
        layout, observed = reference.layout, reference.layout.observed
        counts = reference.sketches[WHOLE].counts
        position = {column.name: place for place, column in enumerate(layout.columns)}
        self._numeric: list[tuple[int, Any, int]] = []
        self._codes: list[tuple[int, int]] = []
        self.names: list[str] = []
        for row, index in enumerate(observed.numeric):
            column = observed.columns[index]
            if not column.name.startswith("@"):
                cells = layout.cells(position[column.name])
                edges = coarse_edges(column, counts[cells])
                filled = np.full(_STEPS, np.inf)
                filled[: edges.size] = edges
                self._numeric.append((row, filled, edges.size))
                self.names.append(column.name)
        for row, index in enumerate(observed.categorical):
            column = observed.columns[index]
            if not column.name.startswith("@"):
                self._codes.append((row, min(len(column.categories), _OWN_CATEGORIES)))
                self.names.append(column.name)

    def packed(self, batch: Batch) -> Any:
        """(ceil(n_columns / 2), n) uint8, as `cells` of `monitor.join.records.Shape.dtype`."""
        packed = np.zeros(((len(self.names) + 1) // 2, batch.n), dtype=np.uint8)
        for place, (row, edges, n_edges) in enumerate(self._numeric):
            _pack_numbers(batch.numeric[row], edges, n_edges, packed[place // 2], 4 * (place % 2))
        for place, (row, n_own) in enumerate(self._codes, start=len(self._numeric)):
            _pack_codes(batch.codes[row], n_own, packed[place // 2], 4 * (place % 2))
        return packed


def coarse_edges(column: Column, counts: Any) -> Any:
    """(n_coarse - 1,) the edges of a numeric column's coarse cells: its deciles, or the next fewer quantiles of 8, 4
    and 2 that fit where some values are frequent."""
    for bins in (10, 8, 4, 2):
        coarse = coarse_cells(single_valued(column), counts, bins)
        if coarse[-1] + 1 < MOST_CELLS:
            break
    edges: Any = np.array(column.edges, dtype=np.float64)[np.flatnonzero(np.diff(coarse))]
    return edges


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
