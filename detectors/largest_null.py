"""The null distribution of the largest absolute difference of proportions of a cell: linf.

By Šidák's inequality P(no cell reaches t) is at least the product of what each cell alone gives, and not much more
where no two cells hold nearly all; two cells alone differ by the same amount, and are one. A cell's tails are those of
Pearson's type III, a shifted gamma with the variance and the skewness of the difference of two counts (a rare cell of a
small window is skewed), by Wilson and Hilferty's cube root where it is little.

References
----------
Šidák (1967), Rectangular confidence regions for the means of multivariate normal distributions, Journal of the American
Statistical Association 62(318), 626-633. Wilson & Hilferty (1931), The distribution of chi-square, Proceedings of the
National Academy of Sciences 17(12), 684-688.
"""

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints

_SKEWED: Final = 0.3  # beyond it the cube root is too rough
_STEP: Final = 0.25
_PLACES: Final = np.arange(_STEP / 2.0, 6.0, _STEP)  # for moments: in the widest cell's standard deviations


def largest_sf(t: Floats, p: Floats, n: Ints, m: Ints, widened: Floats) -> Floats:
    """(rows,) P(largest difference >= t).

    Parameters
    ----------
    t: (rows,) at least 0.
    p: (rows, cells) proportions under the null hypothesis.
    n, m: (rows,) the sizes of the two sides.
    widened: (rows, cells) a factor of each cell's standard deviation.
    """
    one, other = 1.0 / np.maximum(n, 1), 1.0 / np.maximum(m, 1)
    variance = p * (1.0 - p) * (one + other)[:, None] * widened**2
    free = variance > 0.0
    deviation = np.sqrt(np.where(free, variance, 1.0))
    skewness = p * (1.0 - p) * (1.0 - 2.0 * p) * np.abs(one**2 - other**2)[:, None] / deviation**3
    z = np.maximum(t[:, None] * (1.0 - 1e-12), 0.0) / deviation
    tails = np.where(free, np.minimum(_upper(z, skewness) + _upper(z, -skewness), 1.0), 0.0)
    with np.errstate(divide="ignore"):
        inside = np.log1p(-tails)
    pair = np.sum(free, axis=1) == 2
    together = -np.expm1(np.where(pair, np.min(inside, axis=1, initial=0.0), np.sum(inside, axis=1)))
    return np.where(np.any(free, axis=1) & (t > 0.0), together, np.where(t > 0.0, 0.0, 1.0))


def squared_moments(p: Floats, n: Ints, m: Ints, widened: Floats) -> tuple[Floats, Floats]:
    """(rows,) the mean and the variance of the largest difference's square."""
    spread = np.max(p * (1.0 - p) * widened**2, axis=1, initial=0.0)
    widest = np.sqrt(spread * (1.0 / np.maximum(n, 1) + 1.0 / np.maximum(m, 1)))
    mean, square = np.zeros(widest.size), np.zeros(widest.size)
    for place in _PLACES.tolist():
        t = place * widest
        sf = np.where(widest > 0.0, largest_sf(t, p, n, m, widened), 0.0)
        mean += 2.0 * t * sf * _STEP * widest
        square += 4.0 * t**3 * sf * _STEP * widest
    return mean, np.maximum(square - mean**2, 0.0)


def _upper(z: Floats, skewness: Floats) -> Floats:
    """P(variable >= z), of Pearson's type III, standardized, z at least 0; (rows, cells)."""
    from scipy import special

    skew = np.where(np.abs(skewness) > 1e-3, skewness, 1e-3)
    root = np.cbrt(np.maximum(1.0 + z * skew / 2.0, 0.0))
    tail: Floats = special.ndtr(-(root - 1.0 + skew**2 / 36.0) * 6.0 / skew)
    rare = np.abs(skew) > _SKEWED
    shape = 4.0 / skew[rare] ** 2
    place = np.maximum(shape + z[rare] * np.sqrt(shape) * np.sign(skew[rare]), 0.0)
    tail[rare] = np.where(skew[rare] > 0.0, special.gammaincc(shape, place), special.gammainc(shape, place))
    return tail
