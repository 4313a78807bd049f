"""The derived columns of a batch, see `detectors.derived`. `derive_numpy` is the specification of `with_derived`.

Everything is done a tile of rows at a time, so that what lies between is never written to memory: standardise,
multiply with the weights, squares and roots. The products are BLAS's, which is three times as fast as a compiled loop;
it may add in any order because every sum is exact. Where there are many features they are taken a block at a time, so
small that OpenBLAS keeps to one thread.
"""

from typing import Any, Final

import numpy as np

from detectors.arrays import Floats
from detectors.columns import ABSENT
from detectors.compiled import compiled
from detectors.derived import DERIVED_COLUMNS, N_JOINT, Z_LIMIT, Z_STEPS, Derived

STEPS: Final = 1024.0
"""Derived values are multiples of its inverse."""

_TILE: Final = 256  # rows
_MOST_PRODUCTS: Final = 250_000  # at a time; OpenBLAS divides from 262,144 on between threads


def with_derived(derived: Derived, numeric: Floats) -> Floats:
    """A batch with its derived columns. Releases the GIL.

    Parameters
    ----------
    derived: the reference's.
    numeric: (n_observed, n) float64, the columns that events have; see `detectors.columns` for null and the like.

    Returns
    -------
    (n_observed + 18, n): the same, then the derived columns in the order of `DERIVED_COLUMNS`.

    Raises
    ------
    ValueError: the batch lacks a feature that the weights are of.
    """
    n_observed, n = numeric.shape
    if derived.features[-1] >= n_observed:
        raise ValueError(f"{n_observed} numeric columns where the weights are of {int(derived.features[-1]) + 1}")
    whole = np.empty((n_observed + len(DERIVED_COLUMNS), n))
    whole[:n_observed] = numeric
    _fill(
        *(whole, derived.features, derived.centre, 1.0 / derived.scale, _blocks(derived.weights)),
        *(derived.distance, derived.residual, whole[n_observed:]),
    )
    return whole


def _blocks(weights: Floats) -> Floats:
    """(n_blocks, m, width) the weights (m, p) of `width` features at a time, those that are none 0."""
    m, p = weights.shape
    width = min(max(_MOST_PRODUCTS // (m * _TILE), 1), p)
    n_blocks = -(-p // width)
    padded = np.zeros((m, n_blocks * width))
    padded[:, :p] = weights
    return np.ascontiguousarray(padded.reshape(m, n_blocks, width).transpose(1, 0, 2))


def derive_numpy(derived: Derived, numeric: Floats) -> Floats:
    """(18, n) the derived columns alone, in plain NumPy."""
    own = numeric[derived.features]
    there = np.isfinite(own)
    with np.errstate(over="ignore", invalid="ignore"):
        z = (own - derived.centre[:, np.newaxis]) * (1.0 / derived.scale)[:, np.newaxis]
    z = np.where(there, np.rint(np.clip(z, -Z_LIMIT, Z_LIMIT) * Z_STEPS) / Z_STEPS, 0.0)
    values = derived.weights @ z
    columns = np.zeros((len(DERIVED_COLUMNS), numeric.shape[1]))
    for row in range(derived.distance, derived.residual):
        columns[0] += values[row] * values[row]
    for row in range(derived.residual, derived.weights.shape[0]):
        columns[1] += values[row] * values[row]
    columns[:2] = np.sqrt(columns[:2])
    columns[2:] = values[:N_JOINT]
    columns = np.rint(columns * STEPS) / STEPS + 0.0  # -0.0 + 0.0 is 0.0
    columns[:, ~there.any(axis=0)] = ABSENT
    return columns


@compiled
def _standardise(x: Any, centre: float, inverse: float, z: Any, there: Any) -> None:
    """z[i] of one feature; there[i] becomes 1 where it is a number."""
    for i in range(z.size):
        finite = x[i] - x[i] == 0.0
        a = (x[i] - centre) * inverse
        a = a if a < Z_LIMIT else Z_LIMIT
        a = a if a > -Z_LIMIT else -Z_LIMIT
        z[i] = np.rint(a * Z_STEPS) / Z_STEPS if finite else 0.0
        there[i] = 1.0 if finite else there[i]


@compiled
def _add(values: Any, total: Any) -> None:
    for i in range(total.size):
        total[i] += values[i]


@compiled
def _add_squares(values: Any, total: Any) -> None:
    for i in range(total.size):
        total[i] += values[i] * values[i]


@compiled
def _store(values: Any, there: Any, column: Any) -> None:
    for i in range(column.size):
        a = np.rint(values[i] * STEPS) / STEPS + 0.0
        column[i] = a if there[i] > 0.0 else ABSENT


@compiled
def _fill(
    numeric: Any,  # (n_numeric or more, n) float64
    features: Any,  # and
    centre: Any,  # and
    inverse: Any,  # and
    blocks: Any,  # of the weights, and
    distance: int,  # and
    residual: int,  # as in `Derived`; inverse: of the scale
    columns: Any,  # (18, n) float64, written
) -> None:
    """Trusts every index: `with_derived` checks them."""
    n, p = numeric.shape[1], features.size
    n_blocks, m, block = blocks.shape
    z_all, values_all, part_all = np.zeros(block * _TILE), np.empty(m * _TILE), np.empty(m * _TILE)
    for start in range(0, n, _TILE):
        end = min(start + _TILE, n)
        width = end - start
        z, values = z_all[: block * width].reshape(block, width), values_all[: m * width].reshape(m, width)
        far, left, there = np.zeros(width), np.zeros(width), np.zeros(width)
        for number in range(n_blocks):
            first = number * block
            for j in range(first, min(first + block, p)):
                _standardise(numeric[features[j], start:end], centre[j], inverse[j], z[j - first], there)
            # Beyond the last feature lie those of the block before, finite, whose weights are 0.
            if number == 0:
                np.dot(blocks[number], z, values)
            else:
                part = part_all[: m * width].reshape(m, width)
                np.dot(blocks[number], z, part)
                for row in range(m):
                    _add(part[row], values[row])
        for row in range(distance, residual):
            _add_squares(values[row], far)
        for row in range(residual, m):
            _add_squares(values[row], left)
        _store(np.sqrt(far), there, columns[0, start:end])
        _store(np.sqrt(left), there, columns[1, start:end])
        for row in range(columns.shape[0] - 2):
            _store(values[row], there, columns[2 + row, start:end])
