"""The metrics of a binary classifier, from its performance sketch.

References
----------
Naeini, Cooper & Hauskrecht (2015), Obtaining well calibrated probabilities using Bayesian binning, AAAI, 2901-2907; in
bins of equal mass: Nguyen & O'Connor (2015), Posterior calibration and exploratory analysis for natural language
processing models, EMNLP, 1587-1598. Takahashi et al. (2022), Confidence interval for micro-averaged F1 and
macro-averaged F1 scores, Applied Intelligence 52, 4961-4972. Kumar, Liang & Ma (2019), Verified uncertainty
calibration, NeurIPS, 3787-3798.
"""

import math
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.half_normal import MEAN
from detectors.performance.auc import pr_auc, roc_auc
from detectors.performance.intervals import Metric, Z, of_mean, share, wilson
from detectors.performance.sketch import ERROR, UNIT, N, PerformanceSketch

CALIBRATION_BINS: Final = 10


def binary_metrics(sketch: PerformanceSketch) -> tuple[Metric, ...]:
    """All metrics of a binary sketch: those of the scores where the space has some, then those of the said class.

    Edge cases: a metric that the rows leave undefined is NaN (scikit-learn says 0 and warns). A said class that is
    neither of the two is a wrong one, and not the positive one.

    >>> import numpy as np
    >>> from detectors.performance.examples import binary_sketch
    >>> rng = np.random.default_rng(7)
    >>> score = rng.uniform(size=10_000)
    >>> metrics = {metric.name: metric for metric in binary_metrics(binary_sketch(score, rng.uniform(size=10_000) < score))}
    >>> [round(metrics[name].value, 3) for name in ("roc_auc", "log_loss", "brier", "accuracy")]
    [0.833, 0.501, 0.167, 0.748]
    """  # noqa: E501  # an example is not wrapped
    found: list[Metric] = []
    space = sketch.space
    if space.scores:
        outcomes = sketch.outcomes[space.score_cells(0)].astype(np.float64)
        positive, negative = outcomes[:, 3:].sum(axis=1), outcomes[:, :3].sum(axis=1)
        single = space.single(0)
        found += [roc_auc(positive, negative, single), pr_auc(positive, negative, single)]
        if space.probability:
            for name in ("log_loss", "brier"):
                moment = sketch.moment(name)
                found.append(of_mean(name, moment.mean, moment.variance, moment.n, least=0.0))
            sums = sketch.sums[space.block(space.scores[0].name)][:-1].astype(np.float64)
            square = sketch.moment("brier").mean
            found.append(ece(sums[:, N], sums[:, ERROR] * UNIT, positive, negative, square))
    return (*found, *said_metrics(*outcomes_of(sketch.confusion)))


def outcomes_of(confusion: Ints) -> tuple[float, float, float, float]:
    """True positives, false positives, false negatives and true negatives; rows without a said class left out."""
    said = confusion[:2, :3].astype(np.float64)
    return float(said[1, 1]), float(said[0, 1]), float(said[1, 0] + said[1, 2]), float(said[0, 0] + said[0, 2])


def said_metrics(tp: float, fp: float, fn: float, tn: float) -> tuple[Metric, ...]:
    """Accuracy, precision, recall and F1 of the positive class, from counts or expected counts.

    Intervals: Wilson's. Precision is a share of the rows said to be positive, recall one of those that are. F1 is
    2 J / (1 + J) of J = TP / (TP + FP + FN), a share too, so its interval is that of J carried over: exact where the
    delta method (Takahashi et al. 2022) is a first order.
    """
    jaccard = wilson(tp, tp + fp + fn)
    f1 = 2.0 * tp / (2.0 * tp + fp + fn) if tp + fp + fn > 0.0 else math.nan
    low, high = (2.0 * end / (1.0 + end) for end in jaccard)
    return (
        share("accuracy", tp + tn, tp + fp + fn + tn),
        share("precision", tp, tp + fp),
        share("recall", tp, tp + fn),
        Metric(name="f1", value=f1, n=round(tp + fp + fn), ci_low=low, ci_high=high, method="wilson"),
    )


def ece(n: Floats, error: Floats, positive: Floats, negative: Floats, mean_square: float) -> Metric:
    """The expected calibration error: over bins of scores, the mean distance between the share of positives and the
    mean score.

    The bins are ten runs of as many cells each, which in the reference hold about equally many rows, and never move.
    Exact for these bins: the mean scores are those of the rows.

    Parameters
    ----------
    n, error: (n_cells,) rows, and the sum of label - score.
    positive, negative: (n_cells,) rows of either label.
    mean_square: of label - score: the Brier score.

    Returns
    -------
    The value is the plain one, which is biased upwards: noise in a bin looks like bad calibration. The interval is
    about the value less that bias, by the normal distribution: sqrt(gap^2 - variance) stands for a bin's gap, as in
    Kumar et al.'s debiased estimator. It begins at 0 where the value is no more than noise alone may make (half-normal
    gaps). It holds its level where the true error stands out of the noise, and is too wide near 0.
    """
    groups = np.arange(n.size) * CALIBRATION_BINS // max(n.size, 1)
    rows, gap, ones, zeros = (
        np.bincount(groups, weights=values, minlength=CALIBRATION_BINS) for values in (n, error, positive, negative)
    )
    total = float(rows.sum())
    if total <= 0.0:
        return Metric(name="ece", value=math.nan, n=0, method="debiased normal")
    value = float(np.abs(gap).sum()) / total
    smoothed = (ones + 0.5) / (ones + zeros + 1.0)
    sd = np.sqrt(np.maximum(rows * smoothed * (1.0 - smoothed), 1e-300))
    # The square of a bin's gap is its true one and, on average, the variance.
    bias = float(np.sum(np.abs(gap) - np.sqrt(np.maximum(gap**2 - sd**2, 0.0)))) / total
    # Of the mean of label - score with its bin's sign, bins of random size.
    spread = math.sqrt(max(mean_square - value**2, 0.0) / total)
    # Were every bin right, the value had the mean and the deviation of a sum of half-normal ones.
    chance = MEAN * float(np.sum(sd[rows > 0.0])) / total + Z * math.sqrt(1.0 - MEAN**2) * spread
    low = max(value - bias - Z * spread, 0.0) if value > chance else 0.0
    return Metric(
        name="ece", value=value, n=round(total), ci_low=low, ci_high=max(value - bias, 0.0) + Z * spread,
        method="debiased normal",
    )  # fmt: skip
