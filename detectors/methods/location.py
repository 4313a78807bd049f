"""Change of location by ranks."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.registry import Scores, debiased, register
from detectors.significance import effective_size


@register
class Location:
    """Whether live values tend to be larger or smaller: Wilcoxon, Mann and Whitney's rank test, from the grid.

    The most power of all methods here against a shift, on any distribution and with any outliers. Prefer `mean` where
    the mean itself is what matters, `spread` for a change of width, `ks` and `js` for any other change of shape.

    Parameters: none. `default_threshold` 0.1: of normal values, a shift of a tenth of their standard deviation.

    Statistic: the difference of the two sides' mean pooled mid-ranks over the mid-ranks' standard deviation, signed:
    positive where live values are larger. In [-1.74, 1.74]; +-0.98 d for a small shift by d standard deviations of
    normal values. Values in one cell of the grid are ties, which costs one part in 65,000 of the power.

    Effect: sqrt(statistic^2 - (1/n + 1/m)), the latter its mean square on unchanged data.

    p-value: two-sided, the statistic times sqrt(n m / (n + m)) as a standard normal variable:
    `scipy.stats.mannwhitneyu` (asymptotic, tie-corrected, no continuity correction) of the cells, up to a factor
    sqrt((n + m) / (n + m - 1)) of z. Assumes independent rows and some ten on either side. Dependent ones: Student's t
    with the panes' design effect (`detectors.dependence`).

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("location", rng.normal(size=20_000), rng.normal(-0.5, size=5_000))
    >>> round(float(scores.statistic[0]), 1), bool(scores.p_value[0] < 1e-9)
    (-0.5, True)

    Source: Mann & Whitney (1947), On a test of whether one of two random variables is stochastically larger than the
    other, Annals of Mathematical Statistics 18(1), 50-60; with ties: Lehmann (1975), Nonparametrics, Holden-Day, 1.4.
    """

    name = "location"
    kinds = frozenset({Kind.NUMERIC})
    grid: Final = "cells"
    default_threshold = 0.1
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        moments = comparison.rank_moments
        return standardized(comparison, moments[0], moments[2], design)


def standardized(comparison: Comparison, difference: Floats, variance: Floats, design: DesignEffect) -> Scores:
    """Scores of a difference of means of something that has this variance in the pooled values; all (rows,)."""
    from scipy import special

    size = effective_size(comparison.current.n, comparison.reference.n)
    statistic = np.divide(difference, np.sqrt(variance), out=np.zeros(size.shape), where=variance > 0.0)
    z = statistic * np.sqrt(size)
    with np.errstate(divide="ignore"):
        effect = debiased(statistic**2, design.ratio / size)
    return Scores.of(
        comparison,
        statistic=statistic,
        effect=effect,
        p_value=special.erfc(np.abs(z) / np.sqrt(2.0)),
        p_panes=design.normal_sf(z),
        dispersion=z**2,
    )
