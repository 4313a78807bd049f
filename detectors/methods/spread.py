"""Change of spread by ranks."""

from typing import Final

from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.methods.location import standardized
from detectors.registry import Scores, register


@register
class Spread:
    """Whether live values lie farther from the middle: Mood's rank test, from the grid.

    Sees a column become wider or narrower around the same middle, and outliers on both sides, on any distribution.
    Prefer `variance` where the variance itself is what matters. A large shift of location moves this one too: read it
    beside `location`.

    Parameters: none. `default_threshold` 0.1.

    Statistic: the difference of the two sides' mean squared distance of the pooled mid-rank from 1/2, over the standard
    deviation of that square, signed: positive where live values are wider. In [-2.3, 2.3]; for normal values some 1.23
    times the logarithm of the ratio of standard deviations, while that is small.

    Effect: sqrt(statistic^2 - (1/n + 1/m)).

    p-value: two-sided, the statistic times sqrt(n m / (n + m)) as a standard normal variable: `scipy.stats.mood` of the
    cells, to the first order in 1/n. Assumes independent rows and some twenty on either side. Dependent ones: Student's
    t with the panes' design effect (`detectors.dependence`).

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("spread", rng.normal(size=20_000), rng.normal(scale=1.2, size=5_000))
    >>> bool(scores.statistic[0] > 0.1), bool(scores.p_value[0] < 1e-9)
    (True, True)

    Source: Mood (1954), On the asymptotic efficiency of certain nonparametric two-sample tests, Annals of Mathematical
    Statistics 25(3), 514-522; with ties: Mielke (1967), Note on some squared rank tests with existing ties,
    Technometrics 9(2), 312-314.
    """

    name = "spread"
    kinds = frozenset({Kind.NUMERIC})
    grid: Final = "cells"
    default_threshold = 0.1
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        moments = comparison.rank_moments
        return standardized(comparison, moments[1], moments[3], design)
