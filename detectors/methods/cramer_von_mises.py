"""Two-sample Cramér-von Mises."""

from typing import Final

import numpy as np

from detectors.cells_null import NullMoments
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.registry import Scores, debiased, register
from detectors.significance import effective_size


@register
class CramerVonMises:
    """Cramér-von Mises: the squared distance of the two distribution functions, averaged over the pooled values.

    Adds up what `ks` takes the largest of: more power against a shift or a change over a wide range, and a design
    effect that is steadier. Prefer `anderson_darling` where the tails matter, `location` against a pure shift.

    Parameters: none. `default_threshold` 0.06: of normal values, a shift by a fifth of their standard deviation.

    Statistic: T = n m / (n + m) times the mean of (F_l - F_r)^2, at least 0, unbounded: it grows with the rows. At the
    ends of the grid's cells, each with half of the pooled rows of the two cells that meet there: within some 2 % of
    `scipy.stats.cramervonmises_2samp` on continuous data of a few hundred rows, that on a column of few values is its
    own.

    Effect: sqrt((T - E T) / (n m / (n + m))), at least 0, in [0, 1]: the root mean square distance of the distribution
    functions, less what unchanged data make of it.

    p-value: T is a weighted sum of chi-square variables, whose first three moments follow from the pooled cells, ties
    included (`detectors.bridge`); Pearson's type III distribution has them. Measured on unchanged windows: 3 to 6 % at
    5 %, 0.4 to 1.5 % at 1 %, on any distribution, from 200 rows on. Assumes independent rows and some twenty on either
    side. Dependent ones: an F distribution with the panes' design effect (`detectors.dependence`).

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("cramer_von_mises", rng.normal(size=20_000), rng.normal(0.5, size=5_000))
    >>> round(float(scores.effect[0]), 2), bool(scores.p_value[0] < 1e-9)
    (0.15, True)

    Source: Anderson (1962), On the distribution of the two-sample Cramér-von Mises criterion, Annals of Mathematical
    Statistics 33(3), 1148-1159.
    """

    name = "cramer_von_mises"
    kinds = frozenset({Kind.NUMERIC})
    grid: Final = "cells"
    default_threshold = 0.06
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        return squared_step_scores(comparison, design, anderson=False)


def squared_step_scores(comparison: Comparison, design: DesignEffect, *, anderson: bool) -> Scores:
    """Scores of the weighted squared distance of the distribution functions; see `detectors.bridge`."""
    from detectors.bridge import squared_steps  # loads Numba, which only what computes needs

    reference, current = comparison.reference, comparison.current
    statistic, moments = np.empty(reference.n.size), np.empty((3, reference.n.size))
    squared_steps(reference.counts, reference.n, current.counts, current.n, anderson, statistic, moments)
    null = NullMoments(mean=moments[0], variance=moments[1], third=moments[2])
    size = effective_size(current.n, reference.n)
    with np.errstate(divide="ignore", invalid="ignore"):
        effect = debiased(statistic / size, null.mean * design.ratio / size)
        dispersion = statistic / null.mean
    return Scores.of(
        comparison,
        statistic=statistic,
        effect=effect,
        p_value=null.sf(statistic),
        p_panes=design.quadratic_sf(statistic, null.mean, null.variance),
        dispersion=dispersion,
    )
