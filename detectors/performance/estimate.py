"""How good a model probably is where no label has come yet: the reference's relation of label to score cell, applied to
the live counts of the score cells alone.

Holds where inputs move and the relation does not. Where the relation changes it says what the metric would have been:
by how far the measured one parts from it is then what `detectors.performance.split` calls the changed relation.

References
----------
NannyML (2022), Confidence-based performance estimation (CBPE). Garg, Balakrishnan, Lipton, Neyshabur & Sedghi (2022),
Leveraging unlabeled data to predict out-of-distribution performance, ICLR. Kish (1965), Survey Sampling, section 11.7:
what rows of unequal weight are worth.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.performance.auc import pr_auc, roc_auc
from detectors.performance.binary import ece, said_metrics
from detectors.performance.intervals import Metric, of_mean
from detectors.performance.isotonic import cell_means
from detectors.performance.multiclass import confusion_metrics
from detectors.performance.reference import PerformanceReference, rows_by_cell
from detectors.performance.regression import rmse
from detectors.performance.sketch import ERROR, LOSS, SQUARE, UNIT, N, PerformanceSketch
from detectors.performance.space import Task


def estimate(reference: PerformanceReference, scores: Sequence[Ints], said: Ints | None = None) -> dict[str, Metric]:
    """The metrics that the labels of these predictions would probably give.

    Parameters
    ----------
    reference: labelled, in the same cells.
    scores: live counts by cell of each score column of the space, (n_cells,): those of an ordinary sketch.
    said: (n_classes + 2,) live counts of the said classes, of any other, and of none. Of several classes without
        probabilities they are all there is; beside probabilities they make the estimate sharper; else not looked at.

    Returns
    -------
    By name, `n` predictions each. The interval is for the value that labels of all of them would give: its half width
    is that of a measurement on n' rows, 1/n' = 1/n + 1/m', m' the reference's rows as the live weights of its cells
    leave them (Kish), times what the reference's own windows ask for (`Spread.inflation`).

    Edge cases: nothing without live rows, without a reference row, or of sketches that are not settled. A cell that the
    reference has no row in takes part as what lies between its neighbours. There is no estimate of `r2` and of residual
    quantiles.

    >>> import numpy as np
    >>> from detectors.performance.examples import binary_sketch, binary_space
    >>> from detectors.performance.measure import measure
    >>> rng = np.random.default_rng(7)
    >>> score, live = rng.uniform(size=50_000), rng.beta(3.0, 2.0, size=10_000)
    >>> space = binary_space(score)
    >>> reference = PerformanceReference(binary_sketch(score, rng.uniform(size=50_000) < score, space=space))
    >>> window = binary_sketch(live, rng.uniform(size=10_000) < live, space=space)
    >>> before_labels = estimate(reference, score_counts(window))  # of counts alone
    >>> round(before_labels["roc_auc"].value, 2), round(measure(window)["roc_auc"].value, 2)
    (0.74, 0.74)
    """
    space = reference.sketch.space
    live = [counts.astype(np.float64) for counts in scores]
    spoken = None if said is None else said[:-1].astype(np.float64)
    if spoken is not None and spoken.min() < 0.0:
        return {}
    n = float(live[0].sum()) if live else float(0.0 if spoken is None else spoken.sum())
    if n <= 0.0 or reference.sketch.n <= 0 or not reference.sketch.settled or any(own.min() < 0.0 for own in live):
        return {}
    if live:
        worth = min(_worth(rows_by_cell(reference.sketch, i), own) for i, own in enumerate(live))
    else:
        worth = _worth(reference.sketch.confusion[:, :-1].sum(axis=0).astype(np.float64), spoken)
    rows = 1.0 / (1.0 / n + 1.0 / worth) if worth > 0.0 else 0.0
    if rows <= 0.0:
        return {}
    if space.task is Task.REGRESSION:
        found = _regression(reference.sketch, live[0], rows)
    elif space.task is Task.BINARY and live:
        found = _binary(reference, live[0], rows / n)
    else:
        found = _multiclass(reference, live, spoken, rows / n)
    return {metric.name: _widened(metric, reference, round(n)) for metric in found}


def score_counts(sketch: PerformanceSketch) -> list[Ints]:
    """The counts by score cell of matches, as if they had no labels."""
    return [rows_by_cell(sketch, position).astype(np.int64) for position in range(len(sketch.space.scores))]


def said_counts(sketch: PerformanceSketch) -> Ints | None:
    """The counts of the said classes of matches; None for regression."""
    return sketch.confusion.sum(axis=0) if sketch.space.classes else None


def _worth(before: Floats, now: Floats | None) -> float:
    """How many independent rows the reference's are worth, weighted to lie in cells as the live ones do."""
    if now is None:
        return 0.0
    filled = (before > 0.0) & (now > 0.0)
    total = float(now[filled].sum())
    return total**2 / float(np.sum(now[filled] ** 2 / before[filled])) if total > 0.0 else 0.0


def _widened(metric: Metric, reference: PerformanceReference, n: int) -> Metric:
    spread = reference.spread.get(metric.name)
    factor = spread.inflation if spread else 1.0
    low = metric.value - factor * (metric.value - metric.ci_low)
    high = metric.value + factor * (metric.ci_high - metric.value)
    if metric.name != "bias":
        low = max(low, 0.0)
        high = high if metric.name in ("log_loss", "mae", "rmse") else min(high, 1.0)
    return msgspec.structs.replace(metric, n=n, ci_low=low, ci_high=high, method=f"estimate, {metric.method}")


def _binary(reference: PerformanceReference, live: Floats, factor: float) -> list[Metric]:
    """`factor`: what of a row each live row is worth in an interval."""
    sketch = reference.sketch
    space = sketch.space
    live = live * factor
    p = reference.relation(0)
    positive, negative = live * p, live * (1.0 - p)
    single = space.single(0)
    found = [roc_auc(positive, negative, single), pr_auc(positive, negative, single)]
    outcomes = sketch.outcomes[space.score_cells(0)].astype(np.float64)
    if space.probability:
        found += _probability(sketch, live, p)
    said = outcomes[:, [0, 1, 3, 4]].sum(axis=1)
    if said.any():
        # Label and said class are independent within a cell: the said class follows from the score.
        q = cell_means(outcomes[:, 1] + outcomes[:, 4], said)
        found += said_metrics(
            float(positive @ q), float(negative @ q), float(positive @ (1.0 - q)), float(negative @ (1.0 - q))
        )
    return found


def _probability(sketch: PerformanceSketch, live: Floats, p: Floats) -> list[Metric]:
    space = sketch.space
    sums = sketch.sums[space.block(space.scores[0].name)][:-1].astype(np.float64)
    n = sums[:, N]
    if not n.any():
        return []
    score = np.clip(cell_means(sketch.outcomes[space.score_cells(0), 3:].sum(axis=1) - sums[:, ERROR] * UNIT, n), 0, 1)
    rows = float(live.sum())
    loss, square = cell_means(sums[:, LOSS] * UNIT, n), cell_means(sums[:, SQUARE] * UNIT, n)
    mean = float(live @ loss) / rows
    brier = float(live @ (p * (1.0 - score) ** 2 + (1.0 - p) * score**2)) / rows
    fourth = float(live @ (p * (1.0 - score) ** 4 + (1.0 - p) * score**4)) / rows
    return [
        of_mean("log_loss", mean, max(float(live @ square) / rows - mean**2, 0.0), rows, least=0.0),
        of_mean("brier", brier, max(fourth - brier**2, 0.0), rows, least=0.0),
        ece(live, live * (p - score), live * p, live * (1.0 - p), brier),
    ]


def _multiclass(
    reference: PerformanceReference, live: Sequence[Floats], spoken: Floats | None, factor: float
) -> list[Metric]:
    sketch = reference.sketch
    space = sketch.space
    confusion = sketch.confusion[:, :-1].astype(np.float64)
    if not live:
        assert spoken is not None  # there would be no rows
        matrix = confusion / np.maximum(confusion.sum(axis=0), 1.0) * spoken * factor
        if space.task is Task.BINARY:
            return list(said_metrics(matrix[1, 1], matrix[0, 1], matrix[1, 0] + matrix[1, 2], matrix[0, 0]))
        return list(confusion_metrics(matrix, space.classes))
    n = float(live[0].sum())
    rows, hits, named = (np.zeros(len(space.classes) + 1) for _ in range(3))
    loss = 0.0
    for k, own in enumerate(live):
        outcomes = sketch.outcomes[space.score_cells(k)].astype(np.float64)
        said = outcomes[:, [0, 1, 3, 4]].sum(axis=1)
        rows[k] = float(own @ reference.relation(k))
        if said.any():
            hits[k] = float(own @ cell_means(outcomes[:, 4], said))
            named[k] = float(own @ cell_means(outcomes[:, 1] + outcomes[:, 4], said))
        sums = sketch.sums[space.block(space.scores[k].name)][:-1].astype(np.float64)
        if space.probability and sums[:, N].any():
            loss += float(own @ cell_means(sums[:, LOSS] * UNIT, sums[:, N])) / n
    if spoken is not None and spoken.sum() > 0.0:
        named = spoken * n / float(spoken.sum())
    rows *= n / max(float(rows.sum()), 1e-300)
    named *= n / max(float(named.sum()), 1e-300)
    hits = np.minimum(hits, np.minimum(rows, named))
    matrix = _completed(hits, rows - hits, named - hits) * factor
    found = list(confusion_metrics(matrix, space.classes))
    if space.loss == "log_loss":
        variance = sketch.moment("log_loss").variance
        found.insert(0, of_mean("log_loss", loss, variance, n * factor, least=0.0))
    return found


def _completed(hits: Floats, missed: Floats, wrong: Floats) -> Floats:
    """A confusion matrix with this diagonal, and with these sums of the rest of each row and of each column, as near to
    independence as they allow (iterative proportional fitting)."""
    rest = np.outer(missed, wrong)
    np.fill_diagonal(rest, 0.0)
    for _ in range(50):
        rest *= (missed / np.maximum(rest.sum(axis=1), 1e-300))[:, None]
        rest *= wrong / np.maximum(rest.sum(axis=0), 1e-300)
    matrix: Floats = rest + np.diag(hits)
    return matrix


def _regression(sketch: PerformanceSketch, live: Floats, rows: float) -> list[Metric]:
    """The residual model: mean absolute, squared and signed error by cell of the prediction."""
    space = sketch.space
    sums = sketch.sums[space.block(space.scores[0].name)][:-1].astype(np.float64)
    n = sums[:, N]
    if not n.any():
        return []
    weights = live / float(live.sum())
    error, loss, square = (float(weights @ cell_means(sums[:, column] * UNIT, n)) for column in (ERROR, LOSS, SQUARE))
    scale = space.scale
    squared = sketch.moment("squared")
    mean_square = square * scale**2
    # The shape of the errors is the reference's, their size the estimated one.
    relative = squared.variance / squared.mean / squared.mean if squared.mean > 0.0 else math.nan
    return [
        of_mean("mae", loss * scale, max(square - loss**2, 0.0) * scale**2, rows, least=0.0),
        rmse(mean_square, relative * mean_square**2, rows),
        of_mean("bias", error * scale, max(square - error**2, 0.0) * scale**2, rows),
    ]
