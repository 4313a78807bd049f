"""Hellinger distance."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.cells_null import null_moments
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.registry import Scores, debiased, register
from detectors.selection import selection_noise
from detectors.significance import effective_size


@register
class Hellinger:
    """Hellinger distance: the square root of half the summed squared differences of the square roots of the
    proportions.

    A bounded metric like `js`, whose value it follows closely; weighs small cells more than `tvd` does.

    Parameters: `bins` (10). `default_threshold` 0.1.

    Statistic: in [0, 1]; 1 where the two sides share no cell. Exact: it is that of the raw values in the reference's
    quantile cells.

    Effect: sqrt(H^2 - E H^2), E that of unchanged data of these sizes.

    p-value: 8 H^2 / (1/n + 1/m) is asymptotically chi-square with B - 1 degrees of freedom; its first three moments are
    taken from the cells themselves, however sparse (`detectors.cells_null`, with its levels). Assumes independent rows.
    Dependent ones: an F distribution with the panes' design effect (`detectors.dependence`).

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("hellinger", rng.normal(size=20_000), rng.normal(0.5, size=5_000))
    >>> round(float(scores.statistic[0]), 2), bool(scores.p_value[0] < 1e-6)
    (0.17, True)

    Source: Hellinger (1909), Neue Begründung der Theorie quadratischer Formen von unendlichvielen Veränderlichen,
    Journal für die reine und angewandte Mathematik 136, 210-271; in this form: Le Cam & Yang (2000), Asymptotics in
    Statistics, Springer, chapter 3.
    """

    name = "hellinger"
    kinds = frozenset(Kind)
    grid: Final = "bins"
    default_threshold = 0.1
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        roots = np.sqrt(reference.proportions()) - np.sqrt(current.proportions())
        squared = np.sum(roots**2, axis=1) / 2.0
        size = effective_size(current.n, reference.n)
        x = 8.0 * squared * size
        null = null_moments(hellinger_term, comparison.expected, current.n, reference.n)
        null = null.shifted(selection_noise(comparison).sum(axis=0))
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = debiased(squared, null.mean * design.ratio / (8.0 * size))
            dispersion = x / null.mean
        return Scores.of(
            comparison,
            statistic=np.minimum(np.sqrt(squared), 1.0),
            effect=np.minimum(effect, 1.0),
            p_value=null.sf(x),
            p_panes=design.quadratic_sf(x, null.mean, null.variance),
            dispersion=dispersion,
        )


def hellinger_term(live: Floats, reference: Floats, ratio: float) -> Floats:
    """What a cell adds to 8 n m / (n + m) times the squared distance; see `detectors.cells_null`."""
    a, b = live / (1.0 + ratio), reference * ratio / (1.0 + ratio)
    term: Floats = 4.0 * (np.sqrt(a) - np.sqrt(b)) ** 2
    return term
