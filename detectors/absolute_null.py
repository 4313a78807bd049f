"""The null distribution of a sum of absolute differences over cells: tvd.

A cell's own moments are those of the absolute difference of two Poisson counts, from a table as in
`detectors.cells_null`; what the sum shares with the two totals, which are given, is taken off its variance. What the
cells share in pairs, because what one gains the others lose, is that of correlated normal variables
(`detectors.half_normal`): it matters where few cells hold many rows each, and there they are normal.
"""

import functools
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.cells_null import RATIOS, NullMoments, poisson
from detectors.half_normal import SQUARES, third_of_squares

_COUNTS: Final = np.geomspace(1e-5, 300.0, 100)  # expected on the smaller side; beyond it cells are normal


def absolute_moments(p: Floats, n: Ints, m: Ints, widened: Floats) -> NullMoments:
    """Of sum |l - r| sqrt(n m / (n + m)), in which unit a cell's difference has the variance p (1 - p).

    Parameters
    ----------
    p: (rows, cells) proportions under the null hypothesis.
    n, m: (rows,) the sizes of the two sides.
    widened: (rows, cells) a factor of each cell's standard deviation.
    """
    small, large = (
        np.maximum(np.minimum(n, m), 1).astype(np.float64),
        np.maximum(np.maximum(n, m), 1).astype(np.float64),
    )
    mean, third, with_small, with_large = _cells(p * small[:, None], small / large)
    root, deviation = np.sqrt(p), np.sqrt(p * (1.0 - p)) * widened
    explained = np.sum(with_small * root, axis=1) ** 2 / small + np.sum(with_large * root, axis=1) ** 2 / large
    variance = np.sum((1.0 - mean**2) * deviation**2, axis=1)
    # With q = p / (1 - p), the correlation of two cells is -sqrt(q_i q_j), every power of which is a product.
    q = np.divide(p, 1.0 - p, out=np.zeros_like(p), where=p < 1.0)
    shared = np.zeros(p.shape[0])
    for power, share in SQUARES:
        part = deviation * q**power
        shared += share * (np.sum(part, axis=1) ** 2 - np.sum(part**2, axis=1))
    # The correlations are a diagonal 1 + q less the product of sqrt(q) with itself.
    diagonal, weight = deviation * (1.0 + q), deviation * q
    total = np.sum(weight, axis=1)
    trace = (
        np.sum(diagonal**3 - 3.0 * weight * diagonal**2, axis=1)
        + 3.0 * total * np.sum(weight * diagonal, axis=1)
        - total**3
    )
    pair = np.sum(deviation > 0.0, axis=1) == 2  # both differ by the same
    cubes = np.sum(third * deviation**3, axis=1) + third_of_squares(trace - np.sum(deviation**3, axis=1))
    cubes = np.where(pair, 4.0 * np.sum(third * deviation**3, axis=1), cubes)
    return NullMoments(
        mean=np.sum(mean * deviation, axis=1),
        variance=np.maximum(variance + shared - explained, 1e-9 * variance),
        third=np.maximum(cubes, 0.0),
    )


def _cells(expected: Floats, ratio: Floats) -> Floats:
    """(4, rows, cells) the table's values, linear between its places in the logarithms."""
    table = _table()
    i, u = _place(expected, _COUNTS)
    j, v = _place(np.broadcast_to(ratio[:, None], expected.shape), RATIOS)
    values: Floats = (table[:, i, j] * (1.0 - u) + table[:, i + 1, j] * u) * (1.0 - v)
    values += (table[:, i, j + 1] * (1.0 - u) + table[:, i + 1, j + 1] * u) * v
    return values


def _place(values: Floats, grid: Floats) -> tuple[Ints, Floats]:
    """The grid's place below each value, and how far it is to the next."""
    with np.errstate(divide="ignore"):
        place = np.log(values / grid[0]) / np.log(grid[1] / grid[0])
    place = np.clip(place, 0.0, grid.size - 1.000001)
    first = place.astype(np.int64)
    return first, place - first


@functools.cache
def _table() -> Floats:
    """(4, counts, ratios) of |x - x'| in standard deviations of x - x': mean, third central moment, and the covariances
    with the smaller and the larger count."""
    table = np.empty((4, _COUNTS.size, RATIOS.size))
    for i, small in enumerate(_COUNTS):
        x, x_weight = poisson(small)
        for j, ratio in enumerate(RATIOS):
            large = small / ratio
            y, y_weight = poisson(large)
            weight = x_weight[:, None] * y_weight
            value = np.abs(x[:, None] - ratio * y[None, :]) / np.sqrt(small * (1.0 + ratio))
            mean = np.sum(weight * value)
            off = value - mean
            table[:, i, j] = (
                mean,
                np.sum(weight * off**3),
                np.sum(weight * off * (x - small)[:, None]),
                np.sum(weight * off * (y - large)),
            )
    return table
