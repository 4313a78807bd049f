"""Whether a window's loss is another than the reference's: by more than chance, and by more than the reference's own
windows differ from each other.

References
----------
Welch (1947), The generalization of Student's problem when several different population variances are involved,
Biometrika 34(1-2), 28-35. Satterthwaite (1946), An approximate distribution of estimates of variance components,
Biometrics Bulletin 2(6), 110-114. Agresti & Caffo (2000), Simple and effective confidence intervals for proportions,
The American Statistician 54(4), 280-288.
"""

import math
from typing import Final

import msgspec

from detectors.performance.intervals import Z
from detectors.performance.reference import PerformanceReference, Spread
from detectors.performance.sketch import LOSS, SQUARE, UNIT, N, PerformanceSketch
from detectors.performance.space import PerformanceSpace
from detectors.performance.split import Split

LEAST_WINDOWS: Final = 3
_METRIC: Final = {"log_loss": "log_loss", "zero_one": "accuracy", "absolute": "mae"}


class Between(msgspec.Struct, frozen=True, kw_only=True):
    """How the mean loss varies from window to window of the reference.

    Attributes
    ----------
    total: the variance of the windows' mean losses; 0 where it is not known.
    beyond: the part of it that independent rows would not explain, at least 0.
    windows: how many tell.
    n_rows: of a window, on average.
    """

    total: float = 0.0
    beyond: float = 0.0
    windows: int = 0
    n_rows: float = 0.0

    @property
    def design_effect(self) -> float:
        """How many times larger the variance of a window's mean loss is than that of independent rows, at least 1."""
        sampling = self.total - self.beyond
        return max(self.total / sampling, 1.0) if self.beyond > 0.0 and sampling > 0.0 else 1.0


class LossTest(msgspec.Struct, frozen=True, kw_only=True):
    """The change in mean loss, in the loss's own unit (see `PerformanceSketch.sums`).

    Attributes
    ----------
    effect: the size of the change without what chance makes of it, over the loss before; infinite where that was 0.
    p_value: of "the same mean loss", two-sided. NaN below two rows on a side.
    """

    loss_before: float
    loss_now: float
    n_before: int
    n_now: int
    effect: float
    p_value: float


def loss_spread(reference: PerformanceReference) -> Spread | None:
    """What the reference's windows show of the metric that is the loss."""
    return reference.spread.get(_METRIC[reference.sketch.space.loss])


def between_windows(reference: PerformanceReference) -> Between:
    """What the windows of a reference show of its loss; nothing below three."""
    n, _, variance = _mean(reference.sketch)
    return _between(loss_spread(reference), n, variance, loss_unit(reference.sketch.space))


def between_errors(reference: PerformanceReference) -> Between:
    """What the windows of a classifier's reference show of its error rate, whatever its loss is."""
    accuracy = reference.metrics.get("accuracy")
    if accuracy is None or not math.isfinite(accuracy.value):
        return Between()
    return _between(reference.spread.get("accuracy"), accuracy.n, accuracy.value * (1.0 - accuracy.value), 1.0)


def loss_deviation(reference: PerformanceReference) -> float:
    """The standard deviation of a row's loss; NaN without rows."""
    n, _, variance = _mean(reference.sketch)
    return math.sqrt(variance) if n > 1 else math.nan


def loss_test(before: PerformanceSketch, now: PerformanceSketch, between: Between) -> LossTest | None:
    """Test a window's mean loss against the reference's.

    Parameters
    ----------
    before, now: the reference's sketch, or its segment's, and the window's.
    between: `between_windows` of the whole reference: a segment is taken to vary as the whole does.

    Returns
    -------
    None where a side has no row with a loss, or is not settled. Welch's test, with the variance between windows beside
    that of rows, and degrees of freedom after Satterthwaite; of a loss that is 0 or 1 with Agresti and Caffo's two rows
    more a side.

    >>> import numpy as np
    >>> from detectors.performance.examples import binary_sketch, binary_space
    >>> rng = np.random.default_rng(7)
    >>> score = rng.uniform(size=20_000)
    >>> label, space = rng.uniform(size=20_000) < score, binary_space(score)
    >>> reference = binary_sketch(score, label, space=space)
    >>> window = binary_sketch(score, np.where(score > 0.9, ~label, label), space=space)
    >>> found = loss_test(reference, window, Between())
    >>> round(found.loss_before, 2), round(found.loss_now, 2), found.p_value < 0.001
    (0.5, 0.8, True)
    """
    if not (before.settled and now.settled):
        return None
    return _tested(_mean(before), _mean(now), between)


def error_test(before: PerformanceSketch, now: PerformanceSketch, between: Between) -> LossTest | None:
    """The same of the error rate of a classifier, whatever its loss is; `between` is `between_errors`.

    Labels of a class that no probability is of have no log loss; here they are errors, as the world has it.
    """
    if not (before.settled and now.settled):
        return None
    return _tested(_errors(before), _errors(now), between)


def _tested(before: tuple[int, float, float], now: tuple[int, float, float], between: Between) -> LossTest | None:
    (m, old, old_variance), (n, new, new_variance) = before, now
    if m <= 0 or n <= 0:
        return None
    parts = [(old_variance / m, m - 1.0), (new_variance / n, n - 1.0)]
    variance = sum(own for own, _ in parts)
    if between.windows:  # the reference's mean is one of so many windows, too
        variance += between.beyond * (1.0 + 1.0 / between.windows)
    change = new - old
    p = math.nan
    if m > 1 and n > 1:
        uncertain = sum(own**2 / freedom for own, freedom in parts)
        if between.windows > 1:
            uncertain += between.total**2 / (between.windows - 1.0)
        p = _student(change, variance, variance**2 / uncertain if uncertain > 0.0 else math.inf)
    size = math.sqrt(max(change**2 - variance, 0.0))
    return LossTest(loss_before=old, loss_now=new, n_before=m, n_now=n, effect=relative_size(size, old), p_value=p)


class RelationTest(msgspec.Struct, frozen=True, kw_only=True):
    """Whether the relation of inputs to labels changed; see `LossTest`."""

    effect: float
    p_value: float


def relation_test(found: Split, spread: Spread | None) -> RelationTest:
    """Test the changed relation's part of a split.

    Parameters
    ----------
    found: over the score's cells, of the loss.
    spread: `loss_spread` of the whole reference. That part is the error of the loss's estimate, so by how much the
        interval of the estimate must be wider in the reference's own windows, its own must be, too.

    Returns
    -------
    Student's t with as many degrees of freedom as windows, less one; normal where there are none.
    """
    relation = found.relation
    deviation = (relation.ci_high - relation.value) / Z * (spread.inflation if spread else 1.0)
    freedom = spread.n - 1.0 if spread and spread.n > 1 and spread.inflation > 1.0 else math.inf
    size = math.sqrt(max(relation.value**2 - deviation**2, 0.0))
    return RelationTest(
        effect=relative_size(size, found.loss_before), p_value=_student(relation.value, deviation**2, freedom)
    )


def relative_size(size: float, before: float) -> float:
    """A change in loss over the loss before; infinite where that was 0."""
    return size / before if before > 0.0 else (math.inf if size > 0.0 else 0.0)


def loss_unit(space: PerformanceSpace) -> float:
    """What a loss is multiplied by, to be in the unit of the target."""
    return space.scale if space.loss == "absolute" else 1.0


def _between(found: Spread | None, n: int, variance: float, unit: float) -> Between:
    if found is None or found.n < LEAST_WINDOWS or not math.isfinite(found.std) or n <= 0:
        return Between()
    total, rows = (found.std / unit) ** 2, n / found.n
    return Between(total=total, beyond=max(total - variance / rows, 0.0), windows=found.n, n_rows=rows)


def _student(change: float, variance: float, freedom: float) -> float:
    from scipy import special

    if not variance > 0.0:
        return float(change == 0.0)
    t = -abs(change) / math.sqrt(variance)
    return 2.0 * float(special.stdtr(freedom, t) if math.isfinite(freedom) else special.ndtr(t))


def _mean(sketch: PerformanceSketch) -> tuple[int, float, float]:
    """Rows with a loss, their mean, and a row's variance, never 0 of losses that are 0 or 1."""
    losses = sketch.losses.tolist()
    n = losses[N]
    if n <= 0:
        return 0, math.nan, math.nan
    mean, square = losses[LOSS] * UNIT / n, losses[SQUARE] * UNIT / n
    if sketch.space.loss == "zero_one":
        return n, mean, _of_share(mean, n)
    return n, mean, max(square - mean**2, 0.0) * n / max(n - 1, 1)


def _errors(sketch: PerformanceSketch) -> tuple[int, float, float]:
    """The same of the errors of the rows of which a class was said."""
    said = sketch.confusion[:, :-1]
    n = int(said.sum())
    if n <= 0:
        return 0, math.nan, math.nan
    k = len(sketch.space.classes)  # two unknown classes may still be two
    mean = 1.0 - int(said.diagonal()[:k].sum()) / n
    return n, mean, _of_share(mean, n)


def _of_share(mean: float, n: int) -> float:
    smoothed = (mean * n + 1.0) / (n + 2.0)
    return smoothed * (1.0 - smoothed)
