"""Population stability index."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.calibration import calibrated
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register
from detectors.significance import chi2_sf, effective_size
from detectors.sparse import filled_cells, sparse

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

    p-value: PSI / (1/n + 1/m) is asymptotically chi-square with B - 1 degrees of freedom, B the cells that either side
    fills. Where the cells are too sparse for that (`detectors.sparse`), and so wherever a proportion below the floor is
    likely to come out as none, it comes from dealing the rows again, with a fitted tail (`detectors.calibration`, with
    its levels): the floor is then part of both, the PSI and what it is compared with. Assumes independent rows.

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN; a category the reference
    never held is in the cell `unseen`.

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

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        index = _index(reference.proportions(), current.proportions())
        statistic = np.where(comparison.empty, np.nan, index)
        scaled = index * effective_size(current.n, reference.n)
        p_value = np.where(comparison.empty, np.nan, chi2_sf(scaled, filled_cells(comparison) - 1))
        few = sparse(comparison)
        p_value = np.where(few, calibrated(comparison, statistic, _index, few), p_value)
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))


def _index(r: Floats, l: Floats) -> Floats:  # noqa: E741  # the design's letters
    filled = (r > 0.0) | (l > 0.0)
    r, l = np.where(r > 0.0, r, FLOOR), np.where(l > 0.0, l, FLOOR)  # noqa: E741
    return np.asarray(np.sum(np.where(filled, (l - r) * np.log(l / r), 0.0), axis=-1), dtype=np.float64)
