"""The quantile grid of a numeric column: edges drawn once from the reference, then only counted in.

The edges are actual reference values, up to what float32 makes of them, so the proportions at them are exact, for the
reference and for any live window.

- The `inverted_cdf` quantiles (Hyndman & Fan 1996, definition 1) at i/256, i = 0..256, so that the smallest and the
  largest value are edges, and the nine deciles. The rank `ceil(n i / 256)` is computed in integers: no rounding. An
  edge lies above its value by as much as a float64 may be larger that float32 rounds to the same number: rows that are
  float32 on one side and float64 on the other are counted alike.
- A value that holds at least 1/256 of the reference, an atom, is a cell of its own, as wide as six printed digits or
  float32 may move it: `SLACK` of its magnitude to either side, and no farther than half way to the reference's next
  value.
- The first and the last cell are what lies below and above the reference's range by more than `SLACK`.

Memory: at most 524 cells (when all is atoms), 268 on continuous data; 2 to 4 KB in int64.

References
----------
Hyndman & Fan (1996), Sample Quantiles in Statistical Packages, The American Statistician 50(4), 361-365.
"""

from typing import Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import Column
from detectors.errors import InvalidSetting

RESOLUTION: Final = 256
SLACK: Final = 5.01e-6
"""Of a value's magnitude: what six printed digits may take from it."""
BINS: Final = (2, 4, 8, 10, 16, 32, 64, 128, 256)


def quantile_grid(values: Floats) -> Floats:
    """The edges for a reference column.

    Parameters
    ----------
    values: (n,) finite, in any order; n may be 0.

    Returns
    -------
    (n_cells - 1,) strictly increasing. Empty for n = 0; two edges (three cells) for a constant column. The first
    may be -inf, when the smallest value is as good as the smallest float64: the cell below it can then hold nothing, as
    it should.
    """
    n = values.size
    if n == 0:
        return np.empty(0)
    ordered = np.sort(values) + 0.0  # -0.0 + 0.0 is 0.0: equal data give equal bytes
    distinct, counts = np.unique(ordered, return_counts=True)
    atom = counts * RESOLUTION >= n
    ranks = np.concatenate([_ranks(n, RESOLUTION), _ranks(n, 10)])
    chosen = np.unique(np.concatenate([np.searchsorted(distinct, ordered[ranks - 1]), np.flatnonzero(atom)]))
    ends = np.concatenate([[-np.inf], distinct, [np.inf]])
    before, value, after = ends[chosen], ends[chosen + 1], ends[chosen + 2]
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        slack = SLACK * np.abs(value)
        wide = np.minimum(np.minimum(value + slack, _between(value, after)), np.finfo(np.float64).max)
        narrow = np.minimum(_float32_end(value, after), wide)
        below = np.minimum(np.maximum(value - slack, _between(before, value)), np.nextafter(value, -np.inf))
    alone = atom[chosen]
    upper = np.where(alone | np.isposinf(after), wide, narrow)
    return np.unique(np.concatenate([upper, below[alone | np.isneginf(before)]])) + 0.0


def _between(value: Floats, after: Floats) -> Floats:
    """Where `value` ends and `after` begins, the next value of the reference: half way, or where float32 parts them; at
    least `value`, and below `after`."""
    with np.errstate(over="ignore", invalid="ignore"):
        middle = value / 2.0 + after / 2.0
        least, most = value.astype(np.float32), after.astype(np.float32)
        parted = (least < most) & ((middle < least) | (middle >= most))
        place = np.where(parted, _float32_end(value, after), middle)
    place = np.where(place >= after, value, np.maximum(place, value))
    return np.where(np.isinf(value) | np.isinf(after), np.where(np.isinf(value), value, after), place)


def _float32_end(value: Floats, after: Floats) -> Floats:
    """The largest float64 below `after` that float32 rounds as it does `value`; `value` itself where that would take in
    `after`, and where float32 has no such number with all its digits."""
    with np.errstate(over="ignore", invalid="ignore", under="ignore"):
        rounded = value.astype(np.float32)
        following = np.nextafter(rounded, np.float32(np.inf)).astype(np.float64)
        end = rounded / 2.0 + following / 2.0
        usable = (np.abs(rounded) >= np.finfo(np.float32).tiny) & np.isfinite(following)
        usable &= rounded < after.astype(np.float32)
    end = np.minimum(end, np.nextafter(after, -np.inf))
    return np.where(usable, np.maximum(end, value), value)


def locate(edges: Floats, values: Floats) -> Ints:
    """The cell of each value: the number of edges below it, (n,) in [0, len(edges)]. The kernel's specification."""
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def atom_cells(edges: Floats, ordered: Floats) -> Ints:
    """The cells that hold an atom: values that are equal, but for rounding.

    Parameters
    ----------
    edges: as `quantile_grid` made them.
    ordered: (n,) the reference's values, sorted.
    """
    counts = np.bincount(locate(edges, ordered), minlength=edges.size + 1)
    filled = np.flatnonzero(counts)
    ends = np.cumsum(counts)[filled]
    alone = ordered[ends - counts[filled]] == ordered[ends - 1]
    return filled[alone & (counts[filled] * RESOLUTION >= ordered.size)].astype(np.int64)


def adjacent_cells(edges: Floats) -> Ints:
    """The cells that can hold one float64 only: what atoms were in references that do not name them."""
    with np.errstate(over="ignore", under="ignore"):  # beyond the largest float64 lies +inf, which is no edge
        cells: Ints = np.flatnonzero(np.nextafter(edges[:-1], np.inf) == edges[1:]).astype(np.int64) + 1
    return cells


def single_valued(column: Column) -> Bools:
    """(n_cells,) True where a numeric column's cell holds an atom: nothing is lost by counting it."""
    mask = np.zeros(column.n_cells, dtype=np.bool_)
    edges = np.array(column.edges, dtype=np.float64)
    mask[list(column.atoms) if column.atoms is not None else adjacent_cells(edges)] = True
    return mask


def coarse_cells(single: Bools, counts: Ints, bins: int) -> Ints:
    """The coarse cell of every fine cell: the exact `bins` quantile cells of the reference, from its counts alone.

    A boundary is the `inverted_cdf` quantile at i/bins, i = 1..bins-1; a value with at least 1/bins of the reference is
    a cell of its own. What lies below the range joins the first cell and what lies above it the last, unless an atom
    there is a cell of its own.

    Parameters
    ----------
    single: (n_cells,) as `single_valued` tells.
    counts: (n_cells,) the whole reference's.
    bins: one of `BINS`; others are no subset of the grid.

    Returns
    -------
    (n_cells,) int64, non-decreasing, from 0 without gaps.

    Raises
    ------
    InvalidSetting: for any other number of bins.
    """
    if bins not in BINS:
        raise InvalidSetting(f"bins must be one of {', '.join(map(str, BINS))}, not {bins}")
    n = int(counts.sum())
    if n == 0:
        return np.zeros(single.size, dtype=np.int64)
    boundary = np.zeros(
        single.size - 1, dtype=np.bool_
    )  # boundary[i]: fine cells i and i + 1 lie in different coarse cells
    boundary[np.searchsorted(np.cumsum(counts)[:-1], _ranks(n, bins)[1:-1])] = True
    atoms = np.flatnonzero(single & (counts * bins >= n))
    boundary[atoms] = True
    boundary[atoms - 1] = True
    return np.concatenate([[0], np.cumsum(boundary)]).astype(np.int64)


def _ranks(n: int, parts: int) -> Ints:
    """(parts + 1,) one-based ranks of the quantiles i/parts: max(1, ceil(n i / parts))."""
    return np.maximum((n * np.arange(parts + 1, dtype=np.int64) + parts - 1) // parts, 1)
