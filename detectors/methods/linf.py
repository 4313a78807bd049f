"""L-infinity (Chebyshev) distance."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.calibration import calibrated
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register
from detectors.significance import cross_difference


@register
class Chebyshev:
    """L-infinity (Chebyshev) distance: the largest absolute difference of the proportions of one cell.

    Sees one category or one decile that moved, whatever the others do; blind to many small changes, which `tvd` adds
    up.

    Parameters: `bins` (10). `default_threshold` 0.1: a tenth of the rows moved into or out of one cell.

    Statistic: in [0, 1]; 1 where all rows moved from one cell to another. Exact: it is that of the raw values in the
    reference's quantile cells.

    p-value: seeded permutation test, with a fitted tail; see `detectors.calibration`. Assumes independent rows.

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("linf", rng.normal(size=20_000), rng.normal(0.5, size=5_000))
    >>> round(float(scores.statistic[0]), 2), bool(scores.p_value[0] < 1e-6)
    (0.12, True)

    Source: as the drift measure of categorical features: Breck, Polyzotis, Roy, Whang & Zinkevich (2019), Data
    validation for machine learning, Proceedings of MLSys 1, 334-347.
    """

    name = "linf"
    kinds = frozenset(Kind)
    grid: Final = "bins"
    default_threshold = 0.1
    symmetric = True

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        difference, scale = cross_difference(reference.counts, reference.n[:, None], current.counts, current.n[:, None])
        statistic = np.where(comparison.empty, np.nan, np.max(np.abs(difference), axis=1, initial=0.0) / scale[:, 0])
        # By the function that the draws are measured with: equal ones must be equal to the last bits.
        observed = np.where(comparison.empty, np.nan, _distance(reference.proportions(), current.proportions()))
        p_value = calibrated(comparison, observed, _distance)
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))


def _distance(r: Floats, l: Floats) -> Floats:  # noqa: E741  # the design's letters
    return np.asarray(np.max(np.abs(r - l), axis=-1, initial=0.0), dtype=np.float64)
