"""The null distribution of statistics that are sums over cells: psi, js, hellinger, tvd.

Given the cells' proportions p, both sides' counts are Poisson(n p) and Poisson(m p), conditioned on their totals. So
the moments of a sum over cells follow from what one cell adds, which depends on the count that the smaller side expects
and on the ratio of the sizes alone: it is summed up once for a grid of both, and looked up afterwards.

- Mean: linear in the cells; conditioning takes (1 - p) of each, exactly so where counts are large.
- Variance: that of the Poisson sum, less what its covariance with each total explains (Holst 1972; Morris 1975).
- Third central moment: of the Poisson sum.

The distribution is then Pearson's type III (a shifted gamma) with these three moments, or the gamma of the first two
where its tail is the larger: few cells with few expected rows are lumpier than either. Nothing is drawn, no seed is
needed, and sparse cells need no other way. Measured on 20,000 draws a case, 2 to 100 cells, even to Zipf, sides of 50
to 50,000 rows, nominal 5, 1 and 0.1 %: 4.5 to 5.4, 0.8 to 1.2 and 0.06 to 0.15 % of unchanged windows; where one of two
cells expects fewer than three rows the few values that the statistic takes show (5 % may be 2 or 13 %, 0.1 % at most
0.15 %).

References
----------
Holst (1972), Asymptotic normality and efficiency for certain goodness-of-fit tests, Biometrika 59(1), 137-145.
Morris (1975), Central limit theorems for multinomial sums, Annals of Statistics 3(1), 165-188.
Cressie & Read (1984), Multinomial goodness-of-fit tests, Journal of the Royal Statistical Society B 46(3), 440-464.
"""

import functools
from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints

CellTerm = Callable[[Floats, Floats, float], Floats]
"""(live counts, reference counts, n / m) -> what a cell adds to the statistic times n m / (n + m), elementwise."""

COUNTS: Final = np.geomspace(1e-3, 300.0, 64)  # expected on the smaller side; beyond it the moments stand still
RATIOS: Final = np.geomspace(1e-3, 1.0, 12)  # of the smaller size to the larger
_QUADRATURE_FROM: Final = 400.0
_PLACES: Final = tuple(
    float(place) for axis in (COUNTS, RATIOS) for place in (np.log(axis[0]), np.log(axis[1] / axis[0]))
)
"""The logarithms of the first count and of the step to the next, and those of the ratios."""


class NullMoments(msgspec.Struct, frozen=True, kw_only=True):
    """Of a statistic times its effective size, under the null hypothesis.

    Attributes
    ----------
    mean, variance, third: (rows,) the mean and the central moments.
    """

    mean: Floats
    variance: Floats
    third: Floats

    def shifted(self, by: Floats) -> "NullMoments":
        """As a chi-square variable's moments are by a noncentrality, (rows,)."""
        return NullMoments(mean=self.mean + by, variance=self.variance + 4.0 * by, third=self.third + 24.0 * by)

    def squared(self) -> tuple[Floats, Floats]:
        """(rows,) the mean and the variance of the square, the latter as far as three moments tell."""
        mean = self.mean**2 + self.variance
        variance = 4.0 * self.mean**2 * self.variance + 4.0 * self.mean * self.third + 2.0 * self.variance**2
        return mean, variance

    @property
    def freedom(self) -> Floats:
        """(rows,) 2 mean^2 / variance: that of a chi-square; NaN where nothing is free to differ."""
        unknown = np.full(self.mean.shape, np.nan)
        freedom: Floats = np.divide(2.0 * self.mean**2, self.variance, out=unknown, where=self.variance > 0.0)
        return freedom

    def sf(self, x: Floats) -> Floats:
        """(rows,) P(statistic >= x); 1 where nothing is free to differ."""
        from scipy import special

        free = (self.variance > 0.0) & (self.mean > 0.0)
        mean, variance = np.where(free, self.mean, 1.0), np.where(free, self.variance, 1.0)
        skewness = np.maximum(np.where(free, self.third, 1.0) / variance**1.5, 1e-3)
        shape = 4.0 / skewness**2
        place = shape + (x - mean) / np.sqrt(variance) * np.sqrt(shape)
        three = special.gammaincc(shape, np.maximum(place, 0.0))
        two = special.gammaincc(mean**2 / variance, np.maximum(x, 0.0) * mean / variance)
        return np.where(free, np.maximum(two, three), np.where(x > 1e-9, 0.0, 1.0))


def null_moments(term: CellTerm, p: Floats, n: Ints, m: Ints) -> NullMoments:
    """The moments for each row.

    Parameters
    ----------
    term: a module-level function, symmetric in the two sides; its table is made at the first call, in half a second.
    p: (rows, cells) proportions under the null hypothesis; cells of proportion 0 add nothing.
    n, m: (rows,) the sizes of the two sides.
    """
    small, large = np.minimum(n, m).astype(np.float64), np.maximum(n, m).astype(np.float64)
    ratio = small / np.maximum(large, 1.0)
    return conditioned(looked_up(_table(term), p * small[:, None], ratio, 1.0 - p), small, large)


def conditioned(sums: Floats, small: Floats, large: Floats) -> NullMoments:
    """From sums over independent Poisson cells (5, rows), as the table has them, to those of fixed totals; `small` and
    `large` are (rows,) the sizes of the two sides."""
    mean, variance, third, with_small, with_large = sums
    explained = sum(
        np.divide(own**2, size, out=np.zeros(size.shape), where=size > 0.0)
        for own, size in ((with_small, small), (with_large, large))
    )
    return NullMoments(mean=mean, variance=np.maximum(variance - explained, 1e-9 * variance), third=third)


def looked_up(table: Floats, expected: Floats, ratio: Floats, free: Floats) -> Floats:
    """(5, rows) the table's values of each cell, linear between its places in the logarithms, summed over cells."""
    from detectors.interpolate import summed_cells  # brings Numba

    out = np.zeros((5, expected.shape[0]))
    summed_cells(np.ascontiguousarray(expected), ratio, np.ascontiguousarray(free), table, *_PLACES, out)
    return out


def looked_up_between(
    tables: Floats, first: Ints, between: Floats, expected: Floats, ratio: Floats, free: Floats
) -> Floats:
    """As `looked_up`, each row linear between `tables[first]` and the one after it: `between` of the way, (rows,)."""
    from detectors.interpolate import summed_between  # brings Numba

    out = np.zeros((5, expected.shape[0]))
    sides = np.ascontiguousarray(expected), ratio, np.ascontiguousarray(free)
    summed_between(*sides, tables, first, between, *_PLACES, out)
    return out


@functools.cache
def _table(term: CellTerm) -> Floats:
    """(counts, ratios, 5): mean, variance, third moment, and the covariances with the smaller and the larger count."""
    table = np.empty((COUNTS.size, RATIOS.size, 5))
    sides = [poisson(expected) for expected in COUNTS]
    for i, small in enumerate(COUNTS):
        x, x_weight = sides[i]
        for j, ratio in enumerate(RATIOS):
            large = small / ratio
            y, y_weight = poisson(large)
            weight = x_weight[:, None] * y_weight
            value = term(x[:, None], y[None, :], float(ratio))
            mean = np.sum(weight * value)
            off = value - mean
            table[i, j] = (
                mean,
                np.sum(weight * off**2),
                np.sum(weight * off**3),
                np.sum(weight * off * (x - small)[:, None]),
                np.sum(weight * off * (y - large)),
            )
    return table


def poisson(expected: float) -> tuple[Floats, Floats]:
    """Counts and their probabilities; beyond some hundred, Gauss-Hermite places with a Cornish-Fisher correction."""
    if expected >= _QUADRATURE_FROM:
        place, weight = _quadrature()
        return expected + np.sqrt(expected) * place + (place**2 - 1.0) / 6.0, weight / weight.sum()
    from scipy import special  # and not `stats`, which takes a second to import

    reach = 9.0 * np.sqrt(expected) + 12.0
    counts = np.arange(max(0.0, np.floor(expected - reach)), np.ceil(expected + reach) + 1.0)
    return counts, np.exp(special.xlogy(counts, expected) - expected - special.gammaln(counts + 1.0))


@functools.cache
def _quadrature() -> tuple[Floats, Floats]:
    return np.polynomial.hermite_e.hermegauss(24)
