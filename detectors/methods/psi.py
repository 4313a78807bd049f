"""Population stability index."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.floored_null import floored_moments
from detectors.registry import Scores, register
from detectors.selection import selection_noise
from detectors.significance import effective_size

FLOOR: Final = 1e-4


@register
class Psi:
    """PSI: the sum over cells of (l - r) ln(l / r), l and r the live and the reference proportions.

    The industry's habit, with two corrections: the cells never move, and it has a p-value. Prefer `js` where cells come
    and go: PSI's value for an empty cell is decided by the floor alone (the same bins give 35.3, 0.56 or 0.32 with the
    floors 2e-308, 1e-6 and 1e-4).

    Parameters: `bins` (10). `default_threshold` 0.1, the customary beginning of "some change"; 0.25 is "a large one".

    Statistic: at least 0, unbounded. A zero proportion counts as 1e-4, and nothing is renormalised. Exact: it is the
    PSI of the raw values in the reference's quantile cells.

    Effect: PSI - E PSI, at least 0, E that of unchanged data of these sizes: PSI is a square already.

    p-value: PSI / (1/n + 1/m) is asymptotically chi-square with B - 1 degrees of freedom, B the filled cells. Its first
    three moments are taken from the cells themselves, with the floor in them (`detectors.floored_null`): the floor is
    part of both, the PSI and what it is compared with. Assumes independent rows. Dependent ones: an F distribution with
    the panes' design effect (`detectors.dependence`).

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN; a category the reference
    never held is in the last cell
    but one, the tail.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("psi", rng.normal(size=20_000), rng.normal(0.5, size=5_000))
    >>> round(float(scores.statistic[0]), 2), bool(scores.p_value[0] < 1e-9)
    (0.24, True)

    Source: Yurdakul & Naranjo (2020), Statistical properties of the population stability index, Journal of Risk Model
    Validation 14(4), 89-100.
    """

    name = "psi"
    kinds = frozenset(Kind)
    grid: Final = "bins"
    default_threshold = 0.1
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        r, l = reference.proportions(), current.proportions()  # noqa: E741  # the design's letters
        index = np.sum(psi_term(l, r, np.array(FLOOR)), axis=1)
        size = effective_size(current.n, reference.n)
        x = index * size
        null = floored_moments(psi_term, comparison.expected, current.n, reference.n, FLOOR)
        null = null.shifted(selection_noise(comparison).sum(axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = np.maximum(index - null.mean * design.ratio / size, 0.0)
            dispersion = x / null.mean
        return Scores.of(
            comparison,
            statistic=index,
            effect=effect,
            p_value=null.sf(x),
            p_panes=design.quadratic_sf(x, null.mean, null.variance),
            dispersion=dispersion,
        )


def psi_term(l: Floats, r: Floats, floor: Floats) -> Floats:  # noqa: E741  # the design's letters
    """What a cell adds, in any unit that the three share: 0 where both sides are empty."""
    if l.all() and r.all():
        return np.asarray((l - r) * np.log(l / r))
    l, r = np.where((l == 0.0) & (r > 0.0), floor, l), np.where((r == 0.0) & (l > 0.0), floor, r)  # noqa: E741
    filled = (l > 0.0) & (r > 0.0)
    term: Floats = np.where(filled, (l - r) * np.log(np.where(filled, l, 1.0) / np.where(filled, r, 1.0)), 0.0)
    return term
