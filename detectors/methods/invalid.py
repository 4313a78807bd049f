"""Change in the rate of invalid values."""

from typing import Final

from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.rates import rate_scores
from detectors.registry import Scores, register


@register
class Invalid:
    """Change in the rate of invalid values: the share of values of the wrong kind, as an absolute difference.

    Text where a number belongs, NaN, infinities: most often an upstream change of schema or unit.

    Parameters: none. `default_threshold` 0.01: one row in a hundred.

    Statistic: |rate live - rate reference|, in [0, 1], of all rows that had the column (valid, null and invalid ones).
    Exact. The direction is in the column's profile.

    Effect: sqrt(statistic^2 - p (1 - p) (1/n + 1/m)), p the pooled rate.

    p-value: two-sided; the pooled z-test, whose square is Pearson's chi-square of the 2 x 2 table, where ten are
    expected on the smaller side, else the binomial distribution of rare counts given their sum; see `detectors.rates`.
    Assumes independent rows. Dependent ones: counts are divided by the panes' design effect, and z is Student's t.

    Edge cases: both rates 0, or both 1, give 0 and p = 1; a side without rows gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> reference, live = np.arange(1000.0), np.arange(1000.0)
    >>> live[:100] = np.inf
    >>> float(compare("invalid", reference, live).statistic[0])
    0.1

    Source: Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, 3rd edition, Wiley, section 3.1;
    Przyborowski & Wilenski (1940), Homogeneity of results in testing samples from Poisson series, Biometrika 31(3-4),
    313-323.
    """

    name = "invalid"
    kinds = frozenset(Kind)
    grid: Final = "rates"
    default_threshold = 0.01
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        return rate_scores(comparison, comparison.reference.invalid, comparison.current.invalid, design)
