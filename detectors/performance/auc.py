"""The areas under the ROC and the precision-recall curve, from label counts by score cell.

Both are exact where every cell holds one score: ties count half (ROC), and as one threshold (precision-recall), as in
scikit-learn. In other cells the order of the rows is not known, and `error_bound` says what it can change.

References
----------
DeLong, DeLong & Clarke-Pearson (1988), Comparing the areas under two or more correlated receiver operating
characteristic curves, Biometrics 44(3), 837-845. Qin & Hotilovac (2008), Comparison of non-parametric confidence
intervals for the area under the ROC curve, Statistical Methods in Medical Research 17(2), 207-221: its interval on the
log odds. Davis & Goadrich (2006), The relationship between precision-recall and ROC curves, ICML, 233-240.
"""

import math

import numpy as np

from detectors.arrays import Bools, Floats
from detectors.performance.intervals import Metric, on_logit


def roc_auc(positive: Floats, negative: Floats, single: Bools) -> Metric:
    """The probability that a positive row scores above a negative one, a tie counting half.

    Prefer `pr_auc` where positives are rare and only the top of the ranking is acted on.

    Parameters
    ----------
    positive, negative: (n_cells,) rows of each label, by rising score; fractions of rows are welcome.
    single: (n_cells,) whether all scores of a cell are equal.

    Returns
    -------
    Interval: DeLong's variance, computed over cells, on the log odds. At 0 and 1, and with one row of a label:
    Wilson's, of as many rows as the rarer label has. Error bound: half the share of pairs that lie in one cell of
    several scores, at most 1/512 for scores like the reference's in 256 cells of independent labels.

    Edge cases: NaN where a label has no row.

    >>> import numpy as np
    >>> metric = roc_auc(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]), np.array([True, True, True]))
    >>> round(metric.value, 4), metric.error_bound
    (0.7222, 0.0)
    """
    n_positive, n_negative = float(positive.sum()), float(negative.sum())
    n = n_positive + n_negative
    if n_positive <= 0.0 or n_negative <= 0.0:
        return Metric(name="roc_auc", value=math.nan, n=round(n), method="delong")
    below = (np.cumsum(negative) - negative / 2.0) / n_negative  # of a positive row in the cell: its share of wins
    above = (n_positive - np.cumsum(positive) + positive / 2.0) / n_positive
    value = float(positive @ below / n_positive)
    together = positive * negative
    variance = 0.0
    if n_positive > 1.0 and n_negative > 1.0:
        variance = float(positive @ (below - value) ** 2) / (n_positive - 1.0) / n_positive
        variance += float(negative @ (above - value) ** 2) / (n_negative - 1.0) / n_negative
    low, high = on_logit(value, variance, min(n_positive, n_negative))
    return Metric(
        name="roc_auc",
        value=value,
        n=round(n),
        ci_low=low,
        ci_high=high,
        error_bound=float(together[~single].sum() / 2.0 / (n_positive * n_negative)),
        method="delong",
    )


def pr_auc(positive: Floats, negative: Floats, single: Bools) -> Metric:
    """Average precision: the mean, over positive rows, of the precision at their score.

    Prefer `roc_auc` to compare windows of unlike label shares: this one moves with the share.

    Parameters
    ----------
    As `roc_auc`'s.

    Returns
    -------
    In a cell of several scores the positives are taken to lie evenly among the negatives (Davis & Goadrich's
    interpolation); the error bound is what the extreme orders would change, ties among the scores included. Interval:
    delta method over the counts of the cells, on the log odds; at 1 Wilson's, of as many rows as are positive.

    Edge cases: NaN without a positive row; 1 without a negative one.

    >>> import numpy as np
    >>> metric = pr_auc(np.array([1.0, 2.0, 3.0]), np.array([3.0, 2.0, 1.0]), np.array([True, True, True]))
    >>> round(metric.value, 4), metric.error_bound
    (0.6667, 0.0)
    """
    from scipy.special import digamma

    p, q = positive[::-1], negative[::-1]  # by falling score
    n_positive, n = float(p.sum()), float(p.sum() + q.sum())
    if n_positive <= 0.0:
        return Metric(name="pr_auc", value=math.nan, n=round(n), method="delta")
    after_p, after = np.cumsum(p), np.cumsum(p + q)
    before_p, before = after_p - p, after - p - q
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = np.where(after > 0.0, after_p / after, 0.0)
        step = 1.0 + q / (p + 1.0)  # rows a positive one in the cell
        harmonic = digamma(before / step + p + 1.0) - digamma(before / step + 1.0)
        spread = (p + (before_p - before / step) * harmonic) / step
        best = np.where(p > 0.0, p * after_p / (before + p), 0.0)  # all its positives first, and tied
        passed = before + q
        worst = p - (passed - before_p) * (digamma(passed + p + 1.0) - digamma(passed + 1.0))
    tied = single[::-1] | (q == 0.0) & (before == before_p)
    terms = np.where(tied, p * precision, spread)
    value = min(max(float(terms.sum()) / n_positive, 0.0), 1.0)
    off = np.where(tied | (p == 0.0), 0.0, np.maximum(best - terms, terms - worst))
    # The gradient of sum(p_c precision_c) / sum(p) by the counts of each cell: a row moves its own cell's precision and
    # that of all cells below.
    with np.errstate(divide="ignore", invalid="ignore"):
        wins = np.where(after > 0.0, p * (after - after_p) / after**2, 0.0)
        losses = np.where(after > 0.0, p * after_p / after**2, 0.0)
    by_positive = precision + np.cumsum(wins[::-1])[::-1] - float(p @ precision) / n_positive
    by_negative = -np.cumsum(losses[::-1])[::-1]
    variance = float(p @ by_positive**2 + q @ by_negative**2) / n_positive**2
    low, high = on_logit(value, variance, n_positive)
    return Metric(
        name="pr_auc",
        value=value,
        n=round(n),
        ci_low=low,
        ci_high=high,
        error_bound=float(off.sum()) / n_positive,
        method="delta",
    )
