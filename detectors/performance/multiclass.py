"""The metrics of a classifier of several classes, from its performance sketch.

References
----------
Takahashi, Yamamoto, Kuchiba & Koyama (2022), Confidence interval for micro-averaged F1 and macro-averaged F1 scores,
Applied Intelligence 52, 4961-4972.
"""

import math
from collections.abc import Sequence

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.performance.intervals import Metric, of_mean, on_logit, share
from detectors.performance.sketch import PerformanceSketch


class Confused(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one class that were said to be of another."""

    true: str
    said: str
    n: int
    share: float  # of the true class's rows


def multiclass_metrics(sketch: PerformanceSketch) -> tuple[Metric, ...]:
    """Log loss where there are probabilities, accuracy, macro F1, and each class's recall.

    Rows without a said class are in the log loss alone. Rows of a class that the reference never held are wrong, and no
    class of their own in the mean of F1.

    >>> import numpy as np
    >>> from detectors.performance.examples import multiclass_sketch
    >>> rng = np.random.default_rng(7)
    >>> label = rng.integers(3, size=3_000)
    >>> said = np.where(rng.uniform(size=3_000) < 0.8, label, rng.integers(3, size=3_000))
    >>> [(m.name, round(m.value, 3)) for m in multiclass_metrics(multiclass_sketch(label, said, 3))][:2]
    [('accuracy', 0.87), ('macro_f1', 0.87)]
    """
    found: list[Metric] = []
    if sketch.space.loss == "log_loss":
        moment = sketch.moment("log_loss")
        found.append(of_mean("log_loss", moment.mean, moment.variance, moment.n, least=0.0))
    said = sketch.confusion[:, :-1].astype(np.float64)
    return (*found, *confusion_metrics(said, sketch.space.classes))


def confusion_metrics(confusion: Floats, classes: Sequence[str]) -> tuple[Metric, ...]:
    """From counts, or expected counts, (n_classes + 1, n_classes + 1): true by said class, the last is any other."""
    k = len(classes)
    n = float(confusion.sum())
    right = np.diagonal(confusion)[:k]
    rows = confusion.sum(axis=1)[:k]
    return (
        share("accuracy", float(right.sum()), n),
        macro_f1(confusion, k),
        *(share(f"recall:{name}", float(right[i]), float(rows[i])) for i, name in enumerate(classes)),
    )


def macro_f1(confusion: Floats, n_classes: int) -> Metric:
    """The mean of the classes' F1, over the classes that are true or said somewhere.

    Interval: delta method over the counts of the confusion matrix (Takahashi et al. 2022), on the log odds; at 0 and 1
    Wilson's of all rows.
    """
    n = float(confusion.sum())
    right = np.diagonal(confusion)[:n_classes]
    both = (confusion.sum(axis=0) + confusion.sum(axis=1))[:n_classes]
    there = np.flatnonzero(both > 0.0)
    if there.size == 0:
        return Metric(name="macro_f1", value=math.nan, n=round(n), method="delta")
    f1 = 2.0 * right[there] / both[there]
    value = float(f1.mean())
    gradient = np.zeros(confusion.shape)
    for place, own in zip(there.tolist(), (f1 / both[there]).tolist(), strict=True):
        gradient[place, :] -= own
        gradient[:, place] -= own
        gradient[place, place] += 2.0 / float(both[place])
    variance = float(np.sum(confusion * gradient**2)) / there.size**2
    low, high = on_logit(value, variance, n)
    return Metric(name="macro_f1", value=value, n=round(n), ci_low=low, ci_high=high, method="delta")


def most_confused(sketch: PerformanceSketch, most: int = 10) -> tuple[Confused, ...]:
    """The pairs of classes that are taken for another most often, largest first; ties by the classes' order."""
    names = (*sketch.space.classes, "(other)")
    counts = sketch.confusion[:, :-1].copy()
    totals = np.maximum(sketch.confusion.sum(axis=1), 1)
    # Two unknown classes may still be two.
    np.fill_diagonal(counts, 0)
    order = np.argsort(-counts, axis=None, kind="stable")[:most]
    pairs = [divmod(place, len(names)) for place in order.tolist()]
    return tuple(
        Confused(true=names[i], said=names[j], n=int(counts[i, j]), share=float(counts[i, j] / totals[i]))
        for i, j in pairs
        if counts[i, j] > 0
    )
