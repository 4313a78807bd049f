"""Functionals of the Brownian bridge at the ends of cells, compiled: what cramer_von_mises, anderson_darling and
wasserstein are when nothing has changed.

The difference of two empirical distribution functions times sqrt(n m / (n + m)) has the covariance C(s, t) = H(s) (1 -
H(t)), s <= t, H the common distribution function. A weighted sum of its squares, with the weights w, is a sum of
chi-square variables whose cumulants are tr(A), 2 tr(A^2) and 8 tr(A^3), A = w C; C is a product, so that one pass gives
all three.

Source: Durbin & Knott (1972), Components of Cramér-von Mises statistics I, Journal of the Royal Statistical Society B
34(2), 290-307.
"""

from typing import Any, Final

import numpy as np

from detectors.compiled import compiled
from detectors.half_normal import MEAN, SQUARES, TAKEN_BACK, THIRD

_POWERS: Final = np.array([power for power, _ in SQUARES])
_SHARES: Final = np.array([share for _, share in SQUARES])


@compiled
def squared_steps(
    reference: Any, n_reference: Any, current: Any, n_current: Any, anderson: bool, statistic: Any, moments: Any
) -> None:
    """Fill `statistic` (rows,), the sum over the cells' ends of w D^2 n m / (n + m), D the difference of the
    distribution functions, and `moments` (3, rows), its mean, variance and third central moment under the pooled
    proportions.

    w is half the pooled proportion of the two cells that meet at the end, divided by H (1 - H) for `anderson`.
    """
    for row in range(reference.shape[0]):
        m, n = max(float(n_reference[row]), 1.0), max(float(n_current[row]), 1.0)
        rows_before, rows_after, last = 0, 0, 0.0
        total, first, second, third = 0.0, 0.0, 0.0, 0.0
        below, below_own, below_pairs = 0.0, 0.0, 0.0
        for cell in range(reference.shape[1]):
            before, after = reference[row, cell], current[row, cell]
            if before == 0 and after == 0:
                continue
            share = (before + after) / (m + n)
            if rows_before + rows_after > 0:
                h = (rows_before + rows_after) / (m + n)
                own = h * (1.0 - h)
                weight = (last + share) / 2.0
                if anderson:
                    weight /= own
                total += weight * (rows_after / n - rows_before / m) ** 2
                rest = (1.0 - h) ** 2
                first += weight * own
                second += (weight * own) ** 2 + 2.0 * weight * rest * below
                third += (
                    (weight * own) ** 3
                    + 3.0 * weight * rest * (below_own + weight * own * below)
                    + 6.0 * weight * rest * below_pairs
                )
                below_pairs += weight * own * below
                below += weight * h * h
                below_own += weight * own * weight * h * h
            rows_before += before
            rows_after += after
            last = share
        statistic[row] = total * n * m / (n + m)
        moments[0, row], moments[1, row], moments[2, row] = first, 2.0 * second, 8.0 * third


@compiled
def absolute_steps(reference: Any, current: Any, places: Any, distance: Any, moments: Any) -> None:
    """Fill `distance` (rows,), the area between the two distribution functions of values at `places`, (rows, cells) not
    decreasing, and `moments` (3, rows): the mean of the area times sqrt(n m / (n + m)) under the pooled proportions,
    and its variance and third central moment over the second and third power of that mean.
    """
    for row in range(reference.shape[0]):
        n_before, n_after = 0, 0
        for cell in range(reference.shape[1]):
            n_before += reference[row, cell]
            n_after += current[row, cell]
        m, n = max(float(n_before), 1.0), max(float(n_after), 1.0)
        rows_before, rows_after, place = 0, 0, 0.0
        area, mean = 0.0, 0.0
        for cell in range(reference.shape[1]):
            before, after = reference[row, cell], current[row, cell]
            if before == 0 and after == 0:
                continue
            if rows_before + rows_after > 0:
                h = (rows_before + rows_after) / (m + n)
                width = places[row, cell] - place
                area += width * abs(rows_after / n - rows_before / m)
                mean += width * np.sqrt(h * (1.0 - h))
            rows_before += before
            rows_after += after
            place = places[row, cell]
        distance[row] = area
        moments[0, row], moments[1, row], moments[2, row] = MEAN * mean, 0.0, 0.0
        if mean == 0.0:
            continue
        rows_before, rows_after = 0, 0
        own_squares, own_cubes, pairs, third, odds = 0.0, 0.0, 0.0, 0.0, 1.0
        below, below_own, below_pairs = 0.0, 0.0, 0.0
        shared = np.zeros(_POWERS.size)
        for cell in range(reference.shape[1]):
            before, after = reference[row, cell], current[row, cell]
            if before == 0 and after == 0:
                continue
            if rows_before + rows_after > 0:
                h = (rows_before + rows_after) / (m + n)
                own = h * (1.0 - h)
                part = (places[row, cell] - place) * np.sqrt(own) / (MEAN * mean)
                own_squares += part**2
                own_cubes += part**3
                squared = odds * (1.0 - h) / h  # the squared correlation with the end before
                odds = h / (1.0 - h)
                for k in range(_POWERS.size):
                    shared[k] *= squared ** _POWERS[k]
                    pairs += 2.0 * _SHARES[k] * part * shared[k]
                    shared[k] += part
                weight, rest = part / own, (1.0 - h) ** 2
                third += 3.0 * weight * rest * (below_own + part * below) + 6.0 * weight * rest * below_pairs
                below_pairs += part * below
                below += weight * h * h
                below_own += part * weight * h * h
            rows_before += before
            rows_after += after
            place = places[row, cell]
        moments[1, row] = (1.0 - MEAN**2) * own_squares + pairs
        moments[2, row] = THIRD * own_cubes + TAKEN_BACK * MEAN**3 * third
