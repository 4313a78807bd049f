"""Difference of means."""

from typing import Final

import numpy as np

from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.grid import SLACK
from detectors.registry import Scores, debiased, register


@register
class Mean:
    """Difference of means in standard deviations: Cohen's d, with Welch's test.

    For a column whose mean itself is what matters, a price or a score. Prefer `location` on heavy tails, where a few
    values decide the mean.

    Parameters: none. `default_threshold` 0.2, Cohen's "small".

    Statistic: d = (mean live - mean reference) / s, signed: positive where live values are larger; s^2 is the pooled
    variance, ((m - 1) s_r^2 + (n - 1) s_l^2) / (m + n - 2). Exact, up to the rounding of means; at most the largest
    float64. Where nothing varies, the unit is the larger magnitude of the two values: a relative change.

    Effect: sqrt(d^2 - (s_r^2 / m + s_l^2 / n) / s^2), the latter its mean square on unchanged data.

    p-value: Welch's t-test, two-sided, with Satterthwaite's degrees of freedom:
    `scipy.stats.ttest_ind(equal_var=False)`. Two constants that differ by more than rounding give 0. Assumes
    independent rows, and enough of them for their means to be normal. Dependent ones: Student's t with the panes'
    design effect (`detectors.dependence`).

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN; variances that overflow give
    p = 1.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("mean", rng.normal(size=20_000), rng.normal(-0.5, size=5_000))
    >>> round(float(scores.statistic[0]), 1), bool(scores.p_value[0] < 1e-9)
    (-0.5, True)

    Source: Welch (1947), The generalization of Student's problem when several different population variances are
    involved, Biometrika 34(1-2), 28-35; Cohen (1988), Statistical Power Analysis for the Behavioral Sciences, 2nd
    edition, Erlbaum, section 2.2.
    """

    name = "mean"
    kinds = frozenset({Kind.NUMERIC})
    grid: Final = "cells"
    default_threshold = 0.2
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        from scipy import special

        reference, current = comparison.reference, comparison.current
        m, n = (np.maximum(side.n, 1).astype(np.float64) for side in (reference, current))
        larger = np.maximum(np.abs(reference.mean), np.abs(current.mean))
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            # Halves first: the difference of two finite means can overflow.
            difference = 2.0 * (current.mean / 2.0 - reference.mean / 2.0)
            error_r, error_l = reference.m2 / np.maximum(m - 1.0, 1.0) / m, current.m2 / np.maximum(n - 1.0, 1.0) / n
            error = error_r + error_l
            pooled = (reference.m2 + current.m2) / np.maximum(m + n - 2.0, 1.0)
            varies = (pooled > 0.0) & (error > 0.0)
            unit = np.where(varies, np.sqrt(pooled), np.where(larger > 0.0, larger, 1.0))
            largest = np.finfo(np.float64).max
            statistic = np.nan_to_num(np.clip(difference / unit, -largest, largest), nan=0.0)
            t = np.where(varies, difference / np.sqrt(np.where(varies, error, 1.0)), 0.0)
            share_r, share_l = error_r / error, error_l / error
            df = 1.0 / (share_r**2 / np.maximum(m - 1.0, 1.0) + share_l**2 / np.maximum(n - 1.0, 1.0))
            noise = np.where(varies, error / pooled, 0.0)
            size = np.minimum(np.abs(statistic), np.sqrt(largest))
            p_value = 2.0 * special.stdtr(np.where(varies & np.isfinite(df), df, 1.0), -np.abs(np.nan_to_num(t)))
        constants = (pooled == 0.0) & (np.abs(statistic) > SLACK)
        return Scores.of(
            comparison,
            statistic=statistic,
            effect=np.where(np.abs(statistic) > size, np.abs(statistic), debiased(size**2, noise * design.ratio)),
            p_value=np.where(constants, 0.0, p_value),
            p_panes=np.where(constants, np.nan, design.normal_sf(np.nan_to_num(t))),
            dispersion=np.where(varies, np.nan_to_num(t) ** 2, np.nan),
        )
