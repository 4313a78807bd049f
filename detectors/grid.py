"""The quantile grid of a numeric column: edges drawn once from the reference, then only counted in.

The edges are actual reference values, so the proportions at them are exact, for the reference and for any live window.

- The `inverted_cdf` quantiles (Hyndman & Fan 1996, definition 1) at i/256, i = 0..256, so that the smallest and the
  largest value are edges, and the nine deciles. The rank `ceil(n i / 256)` is computed in integers: no rounding.
- A value that holds at least 1/256 of the reference is a cell of its own: `nextafter(v, -inf)` is an edge too.
- `nextafter(minimum, -inf)` is an edge, so that the first cell is exactly what lies below the reference's range.

Memory: at most 524 cells (when all is atoms), 268 on continuous data; 2 to 4 KB in int64.

References
----------
Hyndman & Fan (1996), Sample Quantiles in Statistical Packages, The American Statistician 50(4), 361-365.
"""

from typing import Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.errors import InvalidSetting

RESOLUTION: Final = 256
BINS: Final = (2, 4, 8, 10, 16, 32, 64, 128, 256)


def quantile_grid(values: Floats) -> Floats:
    """The edges for a reference column.

    Parameters
    ----------
    values: (n,) finite, in any order; n may be 0.

    Returns
    -------
    (n_cells - 1,) strictly increasing. Empty for n = 0; two edges (three cells) for a constant column. The first
    may be -inf, when the smallest value is the smallest float64: the cell below it can then hold nothing, as it
    should.
    """
    n = values.size
    if n == 0:
        return np.empty(0)
    ordered = np.sort(values) + 0.0  # -0.0 + 0.0 is 0.0: equal data give equal bytes
    ranks = np.concatenate([_ranks(n, RESOLUTION), _ranks(n, 10)])
    distinct, counts = np.unique(ordered, return_counts=True)
    atoms = distinct[counts * RESOLUTION >= n]
    with np.errstate(over="ignore", under="ignore"):  # below the smallest float64 lies -inf, and that is meant
        below = np.nextafter(np.append(atoms, ordered[0]), -np.inf)
    return np.unique(np.concatenate([ordered[ranks - 1], atoms, below])) + 0.0


def locate(edges: Floats, values: Floats) -> Ints:
    """The cell of each value: the number of edges below it, (n,) in [0, len(edges)]. The kernel's specification."""
    return np.searchsorted(edges, values, side="left").astype(np.int64)


def single_valued(edges: Floats) -> Bools:
    """(n_cells,) True where a cell can hold one float64 only: nothing is lost by counting it."""
    mask = np.zeros(edges.size + 1, dtype=np.bool_)
    with np.errstate(over="ignore", under="ignore"):  # beyond the largest float64 lies +inf, which is no edge
        mask[1:-1] = np.nextafter(edges[:-1], np.inf) == edges[1:]
    return mask


def coarse_cells(edges: Floats, counts: Ints, bins: int) -> Ints:
    """The coarse cell of every fine cell: the exact `bins` quantile cells of the reference, from its counts alone.

    A boundary is the `inverted_cdf` quantile at i/bins, i = 1..bins-1; a value with at least 1/bins of the reference is
    a cell of its own. What lies below the range joins the first cell and what lies above it the last, unless an atom
    there is a cell of its own.

    Parameters
    ----------
    edges: (n_cells - 1,) as `quantile_grid` made them.
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
        return np.zeros(edges.size + 1, dtype=np.int64)
    boundary = np.zeros(edges.size, dtype=np.bool_)  # boundary[i]: fine cells i and i + 1 lie in different coarse cells
    boundary[np.searchsorted(np.cumsum(counts)[:-1], _ranks(n, bins)[1:-1])] = True
    atoms = np.flatnonzero(single_valued(edges) & (counts * bins >= n))
    boundary[atoms] = True
    boundary[atoms - 1] = True
    return np.concatenate([[0], np.cumsum(boundary)]).astype(np.int64)


def _ranks(n: int, parts: int) -> Ints:
    """(parts + 1,) one-based ranks of the quantiles i/parts: max(1, ceil(n i / parts))."""
    return np.maximum((n * np.arange(parts + 1, dtype=np.int64) + parts - 1) // parts, 1)
