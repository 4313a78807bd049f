"""Hellinger distance."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.calibration import calibrated
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register


@register
class Hellinger:
    """Hellinger distance: the square root of half the summed squared differences of the square roots of the
    proportions.

    A bounded metric like `js`, whose value it follows closely; weighs small cells more than `tvd` does.

    Parameters: `bins` (10). `default_threshold` 0.1.

    Statistic: in [0, 1]; 1 where the two sides share no cell. Exact: it is that of the raw values in the reference's
    quantile cells.

    p-value: seeded permutation test, with a fitted tail; see `detectors.calibration`. Assumes independent rows.

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

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        distance = _distance(comparison.reference.proportions(), comparison.current.proportions())
        statistic = np.where(comparison.empty, np.nan, distance)
        p_value = calibrated(comparison, statistic, _distance)
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))


def _distance(r: Floats, l: Floats) -> Floats:  # noqa: E741  # the design's letters
    return np.asarray(np.sqrt(np.maximum(np.sum((np.sqrt(r) - np.sqrt(l)) ** 2, axis=-1), 0.0) / 2.0), dtype=np.float64)
