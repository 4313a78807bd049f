"""Ratio of variances."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.columns import Kind
from detectors.comparison import Comparison, Side
from detectors.dependence import DesignEffect
from detectors.placement import placement
from detectors.registry import Scores, debiased, register


@register
class Variance:
    """Change of variance: the logarithm of the ratio of the two variances, with a test that allows for heavy tails.

    For a column whose variance itself is what matters. Prefer `spread`, which has ranks in the place of squares, on
    heavy tails: there the variance is decided by a few values, and this test is silent rather than wrong.

    Parameters: none. `default_threshold` 0.2: a variance larger by 22 %, a standard deviation by 10 %.

    Statistic: ln(s_l^2 / s_r^2), signed: positive where live values vary more. Exact, up to the rounding of variances. Where
    a side is constant, its variance counts as 2^-52 of its squared magnitude, or of the other side's variance: what rounding
    would leave.

    Effect: sqrt(statistic^2 - v), v the variance below.

    p-value: two-sided, normal. Without normality of the values the variance of ln s^2 is some (k - 1) / n, k = E (x - mean)^4 /
    variance^2 the kurtosis (3 of normal values). No sketch holds fourth powers, so k is taken from the grid's cells at
    their places (`detectors.placement`), of each side and of both together, and the larger counts on each side: a rare
    far value that one side happens to have widens its own error. v = (k_l - 1) / n + (k_r - 1) / m. Measured on unchanged
    windows: LEVELS. Assumes independent rows. Dependent ones: Student's t with the panes' design effect
    (`detectors.dependence`).

    Edge cases: constant on both sides gives 0 and p = 1; a side without values gives NaN; variances that overflow give 0.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("variance", rng.normal(size=20_000), rng.normal(scale=1.2, size=5_000))
    >>> round(float(scores.statistic[0]), 1), bool(scores.p_value[0] < 1e-9)
    (0.4, True)

    Source: Layard (1973), Robust large-sample tests for homogeneity of variances, Journal of the American Statistical
    Association 68(341), 195-198; Shoemaker (2003), Fixing the F test for equal variances, The American Statistician 57(2),
    105-114.
    """

    name = "variance"
    kinds = frozenset({Kind.NUMERIC})
    grid: Final = "cells"
    default_threshold = 0.2
    symmetric = False  # the reference draws the grid, and so the places that the kurtosis is taken at

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        from scipy import special

        reference, current = comparison.reference, comparison.current
        before, after = _variance(reference), _variance(current)
        usable = np.isfinite(before) & np.isfinite(after) & ((before > 0.0) | (after > 0.0))
        floor = np.maximum(np.maximum(before, after), np.finfo(np.float64).tiny) * np.finfo(np.float64).eps
        statistic = np.where(usable, np.log(np.maximum(after, floor) / np.maximum(before, floor)), 0.0)
        error = _error(comparison)
        z = np.divide(statistic, np.sqrt(error), out=np.zeros_like(statistic), where=error > 0.0)
        return Scores.of(
            comparison,
            statistic=statistic,
            effect=debiased(statistic**2, error * design.ratio),
            p_value=special.erfc(np.abs(z) / np.sqrt(2.0)),
            p_panes=design.normal_sf(z),
            dispersion=np.where(usable, z**2, np.nan),
        )


def _variance(side: Side) -> Floats:
    """(rows,) of the sample."""
    variance: Floats = side.m2 / np.maximum(side.n - 1, 1)
    return variance


def _error(comparison: Comparison) -> Floats:
    """(rows,) the variance of the statistic on unchanged data; at least that of two sides of the flattest distribution."""
    where = placement(comparison)
    r, l = comparison.reference.proportions(), comparison.current.proportions()  # noqa: E741  # the design's letters
    own = [_central(share, places) for share, places in ((r, where.reference), (l, where.current))]
    m, n = (np.maximum(side.n, 1).astype(np.float64) for side in (comparison.reference, comparison.current))
    # Both together, each about its own mean: a shift is no kurtosis.
    both = [(m * before + n * after) / (m + n) for before, after in zip(*own, strict=True)]
    pooled = _kurtosis(*both)
    error: Floats = sum(
        (np.maximum(_kurtosis(*moments), pooled) - 1.0) / size for moments, size in zip(own, (m, n), strict=True)
    )
    return error


def _central(share: Floats, places: Floats) -> tuple[Floats, Floats]:
    """(rows,) the second and the fourth central moment."""
    filled = np.where(share > 0.0, places, 0.0)
    off = np.where(share > 0.0, filled - np.sum(share * filled, axis=1, keepdims=True), 0.0)
    return np.sum(share * off**2, axis=1), np.sum(share * off**4, axis=1)


def _kurtosis(second: Floats, fourth: Floats) -> Floats:
    """(rows,) at least 1.2, somewhat above the least that there is, 1 of two values with equal shares."""
    square = second**2
    return np.maximum(np.divide(fourth, square, out=np.full(square.shape, 3.0), where=square > 0.0), _FLATTEST)


_FLATTEST: Final = 1.2
