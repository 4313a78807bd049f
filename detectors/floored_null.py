"""The null distribution of a sum over cells in which an empty side counts as a floor: psi.

As `detectors.cells_null`, whose table is made once for each of some floors: only a cell that is empty on one side
depends on the floor, so that the counts in between are summed up once. Between two floors all is linear in the
logarithm, as it is exactly for the mean of what a small floor adds.
"""

import functools
from collections.abc import Callable
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.cells_null import COUNTS, RATIOS, NullMoments, conditioned, looked_up_between, poisson
from detectors.significance import effective_size

FlooredTerm = Callable[[Floats, Floats, Floats], Floats]
"""(l, r, floor), all times n m / (n + m): what a cell adds to the statistic times n m / (n + m), elementwise and
symmetric in l and r; either may be 0, both are 0 nowhere."""

_FLOORS: Final = np.geomspace(1e-4, 1e6, 41)  # in rows of the effective size


def floored_moments(term: FlooredTerm, p: Floats, n: Ints, m: Ints, floor: float) -> NullMoments:
    """The moments for each row.

    Parameters
    ----------
    term: a module-level function; its tables are made at the first call, in a second.
    p: (rows, cells) proportions under the null hypothesis; cells of proportion 0 add nothing.
    n, m: (rows,) the sizes of the two sides.
    floor: the proportion that an empty side counts as.
    """
    small, large = np.minimum(n, m).astype(np.float64), np.maximum(n, m).astype(np.float64)
    ratio = small / np.maximum(large, 1.0)
    rows = floor * np.nan_to_num(effective_size(n, m), nan=1.0)
    low, step = np.log(_FLOORS[0]), np.log(_FLOORS[1] / _FLOORS[0])
    place = np.clip((np.log(np.maximum(rows, 1e-300)) - low) / step, 0.0, _FLOORS.size - 1.000001)
    first = place.astype(np.int64)
    sums = looked_up_between(_tables(term), first, place - first, p * small[:, None], ratio, 1.0 - p)
    return conditioned(sums, small, large)


@functools.cache
def _tables(term: FlooredTerm) -> Floats:
    """(floors, counts, ratios, 5), each as in `detectors.cells_null`."""
    tables = np.empty((_FLOORS.size, COUNTS.size, RATIOS.size, 5))
    sides = [poisson(expected) for expected in COUNTS]
    for i, small in enumerate(COUNTS):
        for j, ratio in enumerate(RATIOS):
            tables[:, i, j] = _cell(term, small, *sides[i], small / ratio, *poisson(small / ratio), float(ratio))
    return tables


def _cell(
    term: FlooredTerm,
    small: float,
    x: Floats,
    x_weight: Floats,
    large: float,
    y: Floats,
    y_weight: Floats,
    ratio: float,
) -> Floats:
    """(floors, 5) of one expected count and ratio."""
    a, b = x / (1.0 + ratio), y * ratio / (1.0 + ratio)
    no_floor = np.zeros(1)
    zero_a, zero_b = a == 0.0, b == 0.0
    inside = np.ix_(~zero_a, ~zero_b)
    weight = (x_weight[:, None] * y_weight)[inside]
    value = term(a[~zero_a, None], b[None, ~zero_b], no_floor)
    parts = [(value[None], weight[None], x[~zero_a, None][None] - small, y[None, ~zero_b][None] - large)]
    floors = _FLOORS[:, None]
    if zero_a.any():
        edge = term(np.zeros(1), b[None, ~zero_b], floors)
        parts.append(
            (edge, (x_weight[zero_a] * y_weight[~zero_b])[None], np.full((1, 1), -small), y[None, ~zero_b] - large)
        )
    if zero_b.any():
        edge = term(a[None, ~zero_a], np.zeros(1), floors)
        parts.append(
            (edge, (y_weight[zero_b] * x_weight[~zero_a])[None], x[None, ~zero_a] - small, np.full((1, 1), -large))
        )
    sums = np.zeros((5, _FLOORS.size))
    for part, w, off_x, off_y in parts:
        axes = tuple(range(1, part.ndim))
        for k, factor in enumerate((part, part**2, part**3, part * off_x, part * off_y)):
            sums[k] += np.sum(w * factor, axis=axes)
    mean, square, cube, with_x, with_y = sums
    return np.stack([mean, square - mean**2, cube - 3.0 * mean * square + 2.0 * mean**3, with_x, with_y], axis=1)
