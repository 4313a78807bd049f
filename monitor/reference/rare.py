"""Rows of rare categories: what a reference's own rows say of how often something new comes.

Of each segment: the rows whose category one row of the whole has, and two; and of each pane the rows whose category no
other pane has. For the categories that are cells it follows from counts; the others are looked at row by row.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np

from detectors.arrays import Codes, Ints
from detectors.columns import Column
from detectors.layout import Layout
from detectors.reference import REST, WHOLE, segment_name
from detectors.sketch import Sketch
from monitor.files.values import texts

_NONE: Final = -1


class OtherRows(msgspec.Struct, frozen=True, kw_only=True):
    """The rows of one column whose category is none of its cells.

    Attributes
    ----------
    index: of the column in the layout.
    row: (n_others,) which rows.
    code: (n_others,) the category, 0 up.
    """

    index: int
    row: Ints
    code: Ints


def other_rows(index: int, column: Column, chunks: Callable[[], Iterator[Any]]) -> OtherRows:
    """Find them in the column's values."""
    place = {name: position for position, name in enumerate(column.others)}
    rows: list[Ints] = [np.empty(0, dtype=np.int64)]
    codes: list[Ints] = [np.empty(0, dtype=np.int64)]
    start = 0
    for values in chunks():
        found = texts(values)
        code_of = [place.get(value, _NONE) if isinstance(value, str) else _NONE for value in found.values]
        own = np.array([*code_of, _NONE], dtype=np.int64)[found.codes]
        there = np.flatnonzero(own >= 0)
        rows.append(there + start)
        codes.append(own[there])
        start += len(values)
    return OtherRows(index=index, row=np.concatenate(rows), code=np.concatenate(codes))


class RareRows:
    """Counts rows of rare categories by segment.

    Parameters
    ----------
    layout, dimensions, whole: the reference's columns, segment values, and the sketch of all rows.
    segments: (n_dimensions, n) the segment of each row.
    others: of the columns that have more categories than cells.
    """

    def __init__(
        self,
        layout: Layout,
        dimensions: Mapping[str, tuple[str, ...]],
        whole: Sketch,
        segments: Codes,
        others: Sequence[OtherRows],
    ) -> None:
        self._layout, self._whole, self._segments, self._others = layout, whole.counts, segments, others
        self._names = [[segment_name(name, value) for value in (*values, REST)] for name, values in dimensions.items()]

    def of_reference(self, sketches: Mapping[str, Sketch]) -> dict[str, Ints]:
        """By segment, (2, n_columns): rows of categories that one row of the whole has, and two."""
        rare = {name: np.zeros((2, len(self._layout.columns)), dtype=np.int64) for name in sketches}
        for times in (1, 2):
            known = self._cells(self._whole == times)
            for name, sketch in sketches.items():
                rare[name][times - 1] = self._sums(sketch.counts * known)
        for other in self._others:
            times_of = np.bincount(other.code)[other.code]
            for times in (1, 2):
                for name, n in self._by_segment(other.row[times_of == times]).items():
                    rare[name][times - 1, other.index] += n
        return rare

    def of_panes(self, panes: Sequence[Mapping[str, Sketch]], pane_of_row: Ints) -> list[dict[str, Ints]]:
        """For each pane by segment, (n_columns,): rows whose category only that pane has."""
        found: list[dict[str, Ints]] = []
        own_others = [(other, self._only_in_one(other, pane_of_row)) for other in self._others]
        for number, pane in enumerate(panes):
            only = self._cells((pane[WHOLE].counts == self._whole) & (self._whole > 0)) if WHOLE in pane else None
            rows = {name: self._sums(sketch.counts * only) for name, sketch in pane.items()} if only is not None else {}
            for other, only_rows in own_others:
                for name, n in self._by_segment(only_rows[pane_of_row[only_rows] == number]).items():
                    if name in rows:
                        rows[name][other.index] += n
            found.append(rows)
        return found

    def _only_in_one(self, other: OtherRows, pane_of_row: Ints) -> Ints:
        """The rows whose category has all its rows in one pane."""
        if not other.row.size:
            return other.row
        panes, size = pane_of_row[other.row], int(other.code.max()) + 1
        first, last = np.full(size, np.iinfo(np.int64).max), np.full(size, -2)
        np.minimum.at(first, other.code, panes)
        np.maximum.at(last, other.code, panes)
        alone: Ints = other.row[((first == last) & (first >= 0))[other.code]]
        return alone

    def _cells(self, chosen: Any) -> Any:
        """Only cells that are a category by themselves."""
        chosen = chosen.copy()
        for index, column in enumerate(self._layout.columns):
            cells = self._layout.cells(index)
            if index in self._layout.numeric:
                chosen[cells] = False
            else:
                chosen[cells.start + column.other : cells.stop] = False
        return chosen

    def _sums(self, counts: Ints) -> Ints:
        return np.add.reduceat(counts, self._layout.offsets[:-1]).astype(np.int64)

    def _by_segment(self, rows: Ints) -> dict[str, int]:
        counts = {WHOLE: rows.size}
        for names, segment in zip(self._names, self._segments, strict=True):
            sizes = np.bincount(segment[rows], minlength=len(names)).tolist()
            counts |= {name: n for name, n in zip(names, sizes, strict=True) if n}
        return counts
