"""Change in the rate of unseen categories."""

from typing import Final

import numpy as np

from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register
from detectors.significance import rate_difference, two_proportion_z


@register
class Unseen:
    """Change in the rate of unseen categories: the share of values the reference never held, as an absolute difference.

    New categories, whichever they are; `js` and `psi` also see them, as one cell among many.

    Parameters: none. `default_threshold` 0.01: one row in a hundred.

    Statistic: |rate live - rate reference|, in [0, 1], of all rows that had the column (valid, null and invalid ones).
    Exact. The direction is in the column's profile.

    p-value: of the pooled two-proportion z-test, 1 where the live rate is not the larger. The reference's own rate is 0
    by construction, which is no sample of anything; in its place stands the share of its rows whose category no other
    row of the whole has, which each of them, drawn last, would have brought unseen (Good and Turing's estimate of what
    has not been met). Beyond 1,000 categories, of which only the sum is kept, those rows are known where all have one;
    else p is too small, as if there were none. Assumes independent rows, and at least some 5 expected on either side:
    with fewer it is too small too, and the threshold has to hold the verdict. Measured at 5 % on unchanged windows of
    300 to 2,000 Zipf categories: 3 to 6 %, and 13 % where the window is ten times the reference.

    Edge cases: no unseen category gives 0 and p = 1; a side without rows gives NaN.

    >>> from detectors.examples import compare_categories
    >>> scores = compare_categories("unseen", {"red": 500, "blue": 500}, {"red": 450, "blue": 450, "green": 100})
    >>> float(scores.statistic[0])
    0.1

    Source: Good (1953), The population frequencies of species and the estimation of population parameters, Biometrika
    40(3-4), 237-264; Fleiss, Levin & Paik (2003), Statistical Methods for Rates and Proportions, 3rd edition, Wiley,
    section 3.1.
    """

    name = "unseen"
    kinds = frozenset({Kind.CATEGORICAL})
    grid: Final = "rates"
    default_threshold = 0.01
    symmetric = True

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        statistic, _ = rate_difference(reference.unseen, reference.n, current.unseen, current.n)
        would_be = reference.unseen + comparison.singletons
        z, two_sided = two_proportion_z(would_be, reference.n, current.unseen, current.n)
        p_value = np.where((z > 0.0) | np.isnan(z), two_sided, 1.0)
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))
