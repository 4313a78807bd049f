"""Change in the rate of unseen categories."""

from typing import Final

import numpy as np

from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.rates import new_rate_variance, new_rows_p
from detectors.registry import Scores, debiased, register


@register
class Unseen:
    """Change in the rate of unseen categories: the share of values the reference never held, as an absolute difference.

    New categories, whichever they are; `js` and `psi` see them together with the rare known ones.

    Parameters: none. `default_threshold` 0.005: one row in two hundred.

    Statistic: |rate live - rate reference|, in [0, 1], of all rows that had the column (valid, null and invalid ones).
    Exact. The direction is in the column's profile.

    Effect: what exceeds the share that the reference lets expect, f1 / m, debiased in squares by the variance of the
    difference; 0 where less is new.

    p-value: one-sided. The reference's own rate is 0 by construction, which is no sample of anything. In its place
    stands Good and Turing's estimate: its f1 rows whose category no other row of the whole has would each have been
    new, had they come last; with f2 rows of categories that have two, the estimate's variance is (f1 (1 - f1 / m) +
    f2) / m^2. So the live count is negative binomial with few singles and normal with many; see `detectors.rates`.
    Where the other side is live itself, its own unseen rows stand in the place of f1. Assumes independent rows; the
    design effect of dependent ones is from what each of the reference's panes brings that the rest does not have.

    Edge cases: no unseen category gives 0 and p = 1; a side without rows gives NaN.

    >>> from detectors.examples import compare_categories
    >>> scores = compare_categories("unseen", {"red": 500, "blue": 500}, {"red": 450, "blue": 450, "green": 100})
    >>> float(scores.statistic[0])
    0.1

    Source: Good (1953), The population frequencies of species and the estimation of population parameters, Biometrika
    40(3-4), 237-264; Esty (1983), A normal limit law for a nonparametric estimator of the coverage of a random sample,
    Annals of Statistics 11(3), 905-912.
    """

    name = "unseen"
    kinds = frozenset({Kind.CATEGORICAL})
    grid: Final = "rates"
    default_threshold = 0.005
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        m, n = np.maximum(reference.n, 1), np.maximum(current.n, 1)
        singles = comparison.singles + reference.unseen
        rate = current.unseen / n
        excess = rate - singles / m
        variance = new_rate_variance(n, singles, comparison.doubles, m)
        sides = (current.unseen, n, singles, comparison.doubles, m)
        return Scores.of(
            comparison,
            statistic=np.abs(rate - reference.unseen / m),
            effect=np.where(excess > 0.0, debiased(excess**2, variance * design.ratio), 0.0),
            p_value=new_rows_p(*sides, DesignEffect.none(n.size)),
            p_panes=design.only_dependent(new_rows_p(*sides, design)),
            dispersion=excess**2 / variance,
            silent=current.unseen + singles == 0,
        )
