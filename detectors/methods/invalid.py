"""Change in the rate of invalid values."""

from typing import Final

import numpy as np

from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register
from detectors.significance import rate_difference


@register
class Invalid:
    """Change in the rate of invalid values: the share of values of the wrong kind, as an absolute difference.

    Text where a number belongs, NaN, infinities: most often an upstream change of schema or unit.

    Parameters: none. `default_threshold` 0.01: one row in a hundred.

    Statistic: |rate live - rate reference|, in [0, 1], of all rows that had the column (valid, null and invalid ones).
    Exact. The direction is in the column's profile.

    p-value: pooled two-proportion z-test, two-sided, without continuity correction; its square is Pearson's chi-square
    of the 2 x 2 table. Assumes independent rows and at least some 5 expected on either side: with fewer it is too
    small, and the threshold has to hold the verdict.

    Edge cases: both rates 0, or both 1, give 0 and p = 1; a side without rows gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> reference, live = np.arange(1000.0), np.arange(1000.0)
    >>> live[:100] = np.inf
    >>> float(compare("invalid", reference, live).statistic[0])
    0.1

    Source: Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, 3rd edition, Wiley, section 3.1.
    """

    name = "invalid"
    kinds = frozenset(Kind)
    grid: Final = "rates"
    default_threshold = 0.01
    symmetric = True

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        statistic, p_value = rate_difference(reference.invalid, reference.n, current.invalid, current.n)
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))
