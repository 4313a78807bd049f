"""Tests of rates: how often something happened, in two samples.

References
----------
Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, 3rd edition, Wiley, section 3.1: the z-test.
Przyborowski & Wilenski (1940), Homogeneity of results in testing samples from Poisson series, Biometrika 31(3-4),
313-323: given their sum, one of two rare counts is binomial. Good (1953), The population frequencies of species and the
estimation of population parameters, Biometrika 40(3-4), 237-264: what is new is as frequent as what was met once. Esty
(1983), A normal limit law for a nonparametric estimator of the coverage of a random sample, Annals of Statistics 11(3),
905-912: the variance of that.
"""

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.registry import Scores, debiased
from detectors.significance import cross_difference

_FEW: Final = 10.0  # expected on the smaller side; below it counts are taken as Poisson's
_MANY_SINGLES: Final = 50


def rate_scores(comparison: Comparison, before: Ints, after: Ints, design: DesignEffect) -> Scores:
    """Scores of a rate that either side may have, `before` of n_reference rows and `after` of n_current; two-sided.

    The statistic is |rate live - rate reference|.
    """
    m, n = comparison.n_reference, comparison.n_current
    there = (before + after).nonzero()[0]
    if not there.size:  # as of most methods in most windows: nothing is invalid anywhere
        zero, one = np.zeros(n.size), np.ones(n.size)
        silent, p_panes = np.ones(n.size, dtype=np.bool_), design.only_dependent(one)
        return Scores.of(comparison, statistic=zero, effect=zero, p_value=one, p_panes=p_panes, silent=silent)
    difference, variance = _difference(comparison, before, after)
    return Scores.of(
        comparison,
        statistic=np.abs(difference),
        effect=debiased(difference**2, variance * design.ratio),
        p_value=_of_rows(there, before, m, after, n, DesignEffect.none(n.size)),
        p_panes=design.only_dependent(_of_rows(there[design.ratio[there] > 1.0], before, m, after, n, design)),
        dispersion=_ratio(difference, variance),
        silent=before + after == 0,
    )


def rate_dispersion(comparison: Comparison, before: Ints, after: Ints) -> Floats:
    """(rows,) the dispersion alone of `rate_scores`."""
    return _ratio(*_difference(comparison, before, after))


def _difference(comparison: Comparison, before: Ints, after: Ints) -> tuple[Floats, Floats]:
    """(rows,) the difference of both rates, and its variance where they are the same."""
    m, n = comparison.n_reference, comparison.n_current
    numerator, denominator = cross_difference(before, m, after, n)
    size = 1.0 / np.maximum(n, 1) + 1.0 / np.maximum(m, 1)
    pooled = (before + after) / np.maximum(n + m, 1)
    return numerator / denominator, pooled * (1.0 - pooled) * size


def _ratio(difference: Floats, variance: Floats) -> Floats:
    dispersion: Floats = np.divide(difference**2, variance, out=np.full(variance.shape, np.nan), where=variance > 0.0)
    return dispersion


def _of_rows(rows: Ints, before: Ints, m: Ints, after: Ints, n: Ints, design: DesignEffect) -> Floats:
    """`two_rates_p` of some rows, 1 in the others: most columns have no nulls on either side."""
    p = np.ones(n.size)
    p[rows] = two_rates_p(before[rows], m[rows], after[rows], n[rows], design.of_rows(rows))
    return p


def two_rates_p(before: Ints, m: Ints, after: Ints, n: Ints, design: DesignEffect) -> Floats:
    """(rows,) two-sided p-values of "both rates are the same".

    The pooled z-test where ten are expected on the smaller side, of what happened and of what did not; else the rarer
    of the two is taken as Poisson, and given the sum of both sides the live one is binomial. Counts are divided by the
    design effect.
    """
    from scipy import special

    m_rows, n_rows = np.maximum(m, 1).astype(np.float64), np.maximum(n, 1).astype(np.float64)
    pooled = (before + after) / (m_rows + n_rows)
    smaller = np.minimum(m_rows, n_rows) / design.ratio
    common = smaller * np.minimum(pooled, 1.0 - pooled) >= _FEW
    p = np.empty(n.size)

    of = common.nonzero()[0]
    variance = pooled[of] * (1.0 - pooled[of]) * (1.0 / m_rows[of] + 1.0 / n_rows[of])
    z = (after[of] / n_rows[of] - before[of] / m_rows[of]) / np.sqrt(variance)
    own = design.of_rows(of)
    p[of] = np.where(own.ratio > 1.0, own.normal_sf(z), special.erfc(np.abs(z) / np.sqrt(2.0)))

    of = (~common).nonzero()[0]
    ratio, few = design.ratio[of], pooled[of] <= 0.5
    rare = np.where(few, after[of], n[of] - after[of]) / ratio
    total = np.where(few, (before + after)[of], (m + n - before - after)[of]) / ratio
    share = n_rows[of] / (m_rows[of] + n_rows[of])
    upper = np.where(rare > 0, special.betainc(np.maximum(rare, 1e-12), total - rare + 1.0, share), 1.0)
    lower = np.where(total - rare > 0, special.betainc(np.maximum(total - rare, 1e-12), rare + 1.0, 1.0 - share), 1.0)
    p[of] = np.minimum(2.0 * np.minimum(upper, lower), 1.0)
    return p


def new_rows_p(new: Ints, n: Ints, singles: Floats, doubles: Floats, m: Ints, design: DesignEffect) -> Floats:
    """(rows,) P(`new` or more of n rows are of categories that m rows of the reference lack), one-sided.

    The reference's estimate of that share is singles / m, with the variance (singles (1 - singles / m) + doubles) /
    m^2. With few singles, or few new rows expected, the share is taken as gamma-distributed, and the count is
    negative binomial.
    """
    from scipy import special

    x, rows = new / design.ratio, np.maximum(n, 1) / design.ratio
    once, twice, of = singles / design.ratio, doubles / design.ratio, np.maximum(m, 1) / design.ratio
    spread = 1.0 + twice / np.maximum(once, 1.0)
    shape = (once + 1.0) / spread
    odds = rows * spread / of
    few = np.where(x > 0, special.betainc(np.maximum(x, 1e-12), shape, odds / (1.0 + odds)), 1.0)
    # By the share of both sides together, as in a score test: few singles by chance would make the variance small.
    pooled = (x + once) / (rows + of) * of
    z = (x / rows - once / of) / np.sqrt(new_rate_variance(rows, pooled, twice, of))
    many = np.where(design.ratio > 1.0, special.stdtr(design.df, -z), special.ndtr(-z))
    normal = (once >= _MANY_SINGLES) & (rows * once / of >= 2.0 * _FEW)
    return np.where(normal, many, few)


def new_rate_variance(rows: Floats, singles: Floats, doubles: Floats, m: Floats) -> Floats:
    """(rows,) of the live rate of new categories less singles / m."""
    share = np.minimum((singles + 1.0) / (m + 2.0), 1.0)
    met_once = singles * np.maximum(1.0 - singles / m, 0.0)
    variance: Floats = share * (1.0 - share) / rows + (met_once + doubles + 1.0) / m**2
    return variance
