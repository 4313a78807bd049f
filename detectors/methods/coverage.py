"""Change in how many predictions come with features, and features with predictions."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.columns import Kind
from detectors.comparison import Comparison, Side
from detectors.dependence import DesignEffect
from detectors.registry import Scores, debiased, register


@register
class Coverage:
    """Change in the balance of features and predictions: the events that speak of the one for each that speaks of the
    other. One score a version and window, under the column `@coverage`, of the whole alone.

    Predictions and features may come together in one event, or as events of their own on two topics. An event is not
    looked up by its id; what is compared are numbers of events, so that either way is healthy, and a reference built
    from a table of both says what to expect of two topics. A feature pipeline that loses every tenth event shows here,
    and nowhere else: what an event does not speak of is absent, and no null.

    Parameters: none. `default_threshold` 0.05: one prediction in twenty without features, or the other way round.

    Statistic: |s_live - s_reference|, in [0, 2], with s = (F - P) / max(F, P), of F events with features and P with a
    prediction: -0.1 where a tenth of the predictions lacks features, 0.1 where a tenth of the features lacks a
    prediction. Exact.

    p-value: two-sided, by the normal distribution of the difference of ln(F / P) between the two sides, each of
    variance (F + P - 2 B) / (F P), B the events with both (one half is added to F and to P). Where events hold both,
    that is the ratio of two matched proportions; where none does, B is 0 and it is 1/F + 1/P, that of two Poisson
    counts. Assumes independent events. Pairs that came as two events are not independent, they balance each other: the
    p-value is then too large, never too small.

    Effect: sqrt(statistic^2 - v), v the variance of the difference of ln(F / P).

    Edge cases: all events with both on both sides give 0 and p = 1. Where a window has events of one kind alone, or the
    reference has, there is no verdict: features often name no version, and are then counted under another than the
    predictions that they belong to. Segments are left out for the same reason: what an event of one kind does not say
    of its segment puts it into the rest.

    >>> import numpy as np
    >>> from detectors.examples import compare_coverage
    >>> scores = compare_coverage((1000, 0, 0), (900, 0, 100))  # both, features alone, predictions alone
    >>> round(float(scores.statistic[0]), 12), bool(scores.p_value[0] < 1e-6)
    (0.1, True)
    >>> float(compare_coverage((1000, 0, 0), (0, 500, 500)).statistic[0])  # two topics
    0.0

    Source: Agresti & Min (2004), Effects and non-effects of paired identical observations in comparing proportions with
    binary matched-pairs data, Statistics in Medicine 23(1), 65-75.
    """

    name = "coverage"
    kinds: Final = frozenset[Kind]()
    grid: Final = "events"
    default_threshold = 0.05
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once; the cells are events with both, with features alone, with a prediction alone."""
        from scipy import special

        (share_r, log_r, variance_r), (share_l, log_l, variance_l) = map(
            _balance, (comparison.reference, comparison.current)
        )
        statistic = np.abs(share_l - share_r)
        spread = np.sqrt(variance_r + variance_l)
        with np.errstate(divide="ignore", invalid="ignore"):
            z = np.where(spread > 0.0, np.abs(log_l - log_r) / spread, 0.0)
        return Scores.of(
            comparison,
            statistic=statistic,
            effect=debiased(statistic**2, spread**2 * design.ratio),
            p_value=special.erfc(z / np.sqrt(2.0)),
            p_panes=design.normal_sf(z),
            dispersion=z**2,
        )


def _balance(side: Side) -> tuple[Floats, Floats, Floats]:
    """(rows,) the balance s, ln(F / P), and its variance."""
    both, features_alone, predictions_alone = (side.counts[:, cell].astype(np.float64) for cell in range(3))
    features, predictions = both + features_alone, both + predictions_alone
    share = (features - predictions) / np.maximum(np.maximum(features, predictions), 1.0)
    f, p = features + 0.5, predictions + 0.5
    return share, np.log(f / p), (features_alone + predictions_alone) / (f * p)
