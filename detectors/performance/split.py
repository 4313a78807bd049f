"""Why a loss changed: other inputs, or another relation of inputs to labels.

Over the cells b of a column, with the shares r_b and l_b of the reference and the live rows and their mean losses
L_r(b) and L_l(b), the change in loss is exactly

    sum((l_b - r_b) L_r(b))          what moved inputs explain
  + sum(l_b (L_l(b) - L_r(b)))       what a changed relation explains: concept drift

Inputs that move within a cell count as a changed relation, so the score's own fine cells say most, and a column's
coarse cells say what that column explains by itself.

References
----------
Oaxaca (1973), Male-female wage differentials in urban labor markets, International Economic Review 14(3), 693-709, and
Kitagawa (1955), Components of a difference between two rates, Journal of the American Statistical Association 50(272),
1168-1194: the decomposition. Cai, Namkoong & Yadlowsky (2023), Diagnosing model performance under distribution shift,
arXiv:2303.02011.
"""

import math
from collections.abc import Mapping, Sequence

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.errors import ConfigurationError, LayoutMismatch
from detectors.performance.intervals import Z
from detectors.performance.sketch import LOSS, SQUARE, UNIT, N, PerformanceSketch
from detectors.performance.space import Task


class Change(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a change in loss, with its 95 % interval (delta method) and two-sided p-value of "no change"."""

    value: float
    ci_low: float
    ci_high: float
    p_value: float

    @classmethod
    def of(cls, value: float, variance: float) -> "Change":
        """From a value and the variance of its estimate; without variance, 0 is certain and all else certainly not."""
        half = Z * math.sqrt(max(variance, 0.0))
        p = math.erfc(abs(value) / math.sqrt(2.0 * variance)) if variance > 0.0 else float(value == 0.0)
        return cls(value=value, ci_low=value - half, ci_high=value + half, p_value=p)


class Split(msgspec.Struct, frozen=True, kw_only=True):
    """The split of a change in loss over the cells of one column.

    Attributes
    ----------
    column: a score column, a monitored one, "@truth" (the true class: then `inputs` is the label prior's part),
        "@scores", all score columns together, or "@segments".
    loss_before, loss_now: the mean losses, of rows that have one; see `PerformanceSketch.sums`.
    change: their difference.
    inputs, relation: its two parts.
    n_before, n_now: rows.
    uncovered: the share of live rows in cells that the reference has no row in. They are joined to the cell below (of
        the score) or taken to have had the mean loss.
    by_inputs, by_relation: (n_cells,) what each cell adds to the two.
    """

    column: str
    loss_before: float
    loss_now: float
    change: Change
    inputs: Change
    relation: Change
    n_before: int
    n_now: int
    uncovered: float
    by_inputs: tuple[float, ...] = ()
    by_relation: tuple[float, ...] = ()

    @property
    def relation_share(self) -> float:
        """The changed relation's part of both, in [0, 1], by their sizes; NaN where nothing changed."""
        both = abs(self.inputs.value) + abs(self.relation.value)
        return abs(self.relation.value) / both if both > 0.0 else math.nan


def split(before: PerformanceSketch, now: PerformanceSketch, column: str) -> Split | None:
    """Split the change in loss from the reference to a window over the cells of a column.

    Parameters
    ----------
    before, now: the reference's sketch and the window's, in one space.
    column: a name that `PerformanceSpace.block` knows.

    Returns
    -------
    None where either side has no row with a loss, or is not settled. Intervals are the delta method's, of independent
    rows: they count the noise of both sides in the shares and in the losses.

    Raises
    ------
    LayoutMismatch: the two were counted in different cells.
    ConfigurationError: there is no such column.

    >>> import numpy as np
    >>> from detectors.performance.examples import binary_sketch, binary_space
    >>> rng = np.random.default_rng(7)
    >>> score, live = rng.uniform(size=50_000), rng.beta(3.0, 3.0, size=10_000)
    >>> space = binary_space(score)
    >>> reference = binary_sketch(score, rng.uniform(size=50_000) < score, space=space)
    >>> window = binary_sketch(live, rng.uniform(size=10_000) < live, space=space)
    >>> found = split(reference, window, "@score")
    >>> round(found.change.value, 3), round(found.inputs.value, 3), round(found.relation.value, 3)
    (0.118, 0.115, 0.003)
    """
    space = before.space
    if space != now.space:
        raise LayoutMismatch("performance sketches of different references cannot be compared")
    cells = space.block(column)
    is_score = any(column == score.name for score in space.scores)
    return _split(column, before.sums[cells], now.sums[cells], is_score)


def split_scores(before: PerformanceSketch, now: PerformanceSketch) -> Split | None:
    """The split over the score's own cells; over all classes' probabilities, it is the sum of theirs.

    Of several classes the parts' standard errors are added, as if they were one: the intervals are at least as wide as
    they should be.

    Raises
    ------
    ConfigurationError: the model has no scores.
    """
    space = before.space
    if not space.scores:
        raise ConfigurationError("a model without scores has no score cells; split over a column")
    found = [split(before, now, score.name) for score in space.scores]
    known = [own for own in found if own is not None]
    if len(known) < len(found):
        return None
    if len(known) == 1 or space.loss != "log_loss":  # the loss of the row is in each of the columns
        return known[0]
    return Split(
        column="@scores",
        loss_before=sum(own.loss_before for own in known),
        loss_now=sum(own.loss_now for own in known),
        change=_sum([own.change for own in known]),
        inputs=_sum([own.inputs for own in known]),
        relation=_sum([own.relation for own in known]),
        n_before=known[0].n_before,
        n_now=known[0].n_now,
        uncovered=max(own.uncovered for own in known),
    )


def split_columns(before: PerformanceSketch, now: PerformanceSketch) -> tuple[Split, ...]:
    """The split over each monitored column; the one whose moved cells explain most of the change is first."""
    found = [split(before, now, part.column) for part in before.space.parts]
    known = [own for own in found if own is not None]
    sign = 1.0 if not known or known[0].change.value >= 0.0 else -1.0
    return tuple(sorted(known, key=lambda own: -sign * own.inputs.value))


def split_segments(before: Mapping[str, PerformanceSketch], now: Mapping[str, PerformanceSketch]) -> Split | None:
    """The split over the segments of one dimension, in sorted order: one that a side lacks has no rows there.

    Parameters
    ----------
    before, now: by segment, in one space. Every row should be in one segment of the dimension: rows in none take no
        part.
    """
    names = sorted({*before, *now})
    zero = np.zeros(4, dtype=np.int64)
    sides = [
        np.array([side[name].losses if name in side else zero for name in names]).reshape(-1, 4)
        for side in (before, now)
    ]
    return _split("@segments", sides[0], sides[1], is_score=False)


class LabelPrior(msgspec.Struct, frozen=True, kw_only=True):
    """Whether P(y) itself moved, and what that explains.

    Attributes
    ----------
    p_value: of "the true classes are as frequent as they were" (chi-square), or "the targets have the same mean"
    (Welch). before, now: the shares of the classes, any other last; of regression, the mean target alone.
    split: over the true classes: `inputs` is what other label shares explain. None for regression.
    """

    p_value: float
    before: tuple[float, ...]
    now: tuple[float, ...]
    split: Split | None


def label_prior(before: PerformanceSketch, now: PerformanceSketch) -> LabelPrior | None:
    """Compare the labels alone. None where either side has none, or is not settled."""
    from scipy import stats

    if not (before.settled and now.settled):
        return None
    if before.space.task is Task.REGRESSION:
        old, new = before.moment("target"), now.moment("target")
        if old.n < 2 or new.n < 2:
            return None
        difference, variance = new.mean - old.mean, old.standard_error**2 + new.standard_error**2
        p = Change.of(difference, variance).p_value
        return LabelPrior(p_value=p, before=(old.mean,), now=(new.mean,), split=None)
    counts = np.stack([before.confusion.sum(axis=1), now.confusion.sum(axis=1)])
    n = counts.sum(axis=1, keepdims=True)
    if not (n > 0).all():
        return None
    filled = counts[:, counts.sum(axis=0) > 0]
    p = float(stats.chi2_contingency(filled, correction=False).pvalue) if filled.shape[1] > 1 else 1.0
    shares = counts / n
    return LabelPrior(
        p_value=p, before=tuple(shares[0].tolist()), now=tuple(shares[1].tolist()), split=split(before, now, "@truth")
    )


def _split(column: str, before: Ints, now: Ints, is_score: bool) -> Split | None:
    n_before, n_now = int(before[:, N].sum()), int(now[:, N].sum())
    unsettled = any(side.size and int(side[:, [N, LOSS, SQUARE]].min()) < 0 for side in (before, now))
    if n_before <= 0 or n_now <= 0 or unsettled:
        return None
    uncovered = float(now[before[:, N] == 0, N].sum()) / n_now
    group = np.arange(before.shape[0])
    if is_score:  # a cell without a reference row is one with the cell below, the first ones with the cell above
        group = np.maximum(np.cumsum(before[:, N] > 0) - 1, 0)
    n_groups = int(group[-1]) + 1
    r, mean_r, var_r = _cells(before, group, n_groups)
    l, mean_l, var_l = _cells(now, group, n_groups)  # noqa: E741  # the design's letters
    loss_before, loss_now = float(r @ mean_r), float(l @ mean_l)
    mean_r = np.where(r > 0.0, mean_r, loss_before)
    mean_l = np.where(l > 0.0, mean_l, mean_r)
    ratio = np.divide(l, r, out=np.zeros(n_groups), where=r > 0.0)
    by_inputs, by_relation = (l - r) * mean_r, l * (mean_l - mean_r)
    inputs, relation = float(by_inputs.sum()), float(by_relation.sum())
    # Influence of one row with the loss x in b. Reference, on the inputs' part: (l_b/r_b)(x - L_r(b)) - (x - mean);
    # on the relation's: -(l_b/r_b)(x - L_r(b)). Live: L_r(b), and x - L_r(b), each about its mean.
    off = mean_r - loss_before
    inputs_variance = float(r @ ((ratio - 1.0) ** 2 * var_r + off**2)) / n_before
    inputs_variance += float(l @ (mean_r - float(l @ mean_r)) ** 2) / n_now
    relation_variance = float(r @ (ratio**2 * var_r)) / n_before
    relation_variance += float(l @ (var_l + (mean_l - mean_r - relation) ** 2)) / n_now
    total_variance = float(r @ (var_r + off**2)) / n_before + float(l @ (var_l + (mean_l - loss_now) ** 2)) / n_now
    return Split(
        column=column,
        loss_before=loss_before,
        loss_now=loss_now,
        change=Change.of(loss_now - loss_before, total_variance),
        inputs=Change.of(inputs, inputs_variance),
        relation=Change.of(relation, relation_variance),
        n_before=n_before,
        n_now=n_now,
        uncovered=uncovered,
        by_inputs=tuple(by_inputs.tolist()),
        by_relation=tuple(by_relation.tolist()),
    )


def _cells(sums: Ints, group: Ints, n_groups: int) -> tuple[Floats, Floats, Floats]:
    """(n_groups,) shares, mean losses and variances of the loss within."""
    n, loss, square = (np.bincount(group, weights=sums[:, column], minlength=n_groups) for column in (N, LOSS, SQUARE))
    rows = np.maximum(n, 1.0)
    mean = loss * UNIT / rows
    return n / n.sum(), mean, np.maximum(square * UNIT / rows - mean**2, 0.0)


def _sum(parts: Sequence[Change]) -> Change:
    error = sum((part.ci_high - part.value) / Z for part in parts)
    return Change.of(sum(part.value for part in parts), error**2)
