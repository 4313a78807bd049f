"""Whether a model got worse, and its relation changed, from rows of `performance` and `performance_part`. Pure."""

import math
from collections.abc import Sequence
from typing import Final

import msgspec

from detectors.performance.direction import direction
from monitor.wording import counted, instant

METRICS: Final = ("roc_auc", "log_loss", "mae", "accuracy", "macro_f1", "f1", "rmse", "brier", "r2", "pr_auc")
"""The first of these that is there is looked at."""
_LAST: Final = 8
"""Windows of which half must be worse."""


class MeasuredMetric(msgspec.Struct, frozen=True, kw_only=True):
    """One figure of the whole in one window; names as in the record `performance`."""

    metric: str
    start_ms: int
    end_ms: int
    value: float
    ci_low: float
    ci_high: float
    reference_value: float
    spread_low: float
    spread_high: float
    n_labelled: int
    n: int
    estimated: bool = False

    @property
    def worse(self) -> bool:
        """Worse than the reference beyond chance, and than the reference's windows usually are, where that is known."""
        if not math.isfinite(self.reference_value):
            return False
        if direction(self.metric) == "more":
            edge = self.ci_high if math.isfinite(self.ci_high) else self.value
            usual = self.spread_low if math.isfinite(self.spread_low) else math.inf
            return edge < self.reference_value and self.value < usual
        edge = self.ci_low if math.isfinite(self.ci_low) else self.value
        usual = self.spread_high if math.isfinite(self.spread_high) else -math.inf
        return edge > self.reference_value and self.value > usual


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """What inputs or the relation explain of one window's change in loss; names as in `performance_part`."""

    part: str
    start_ms: int
    end_ms: int
    contribution: float
    ci_low: float
    ci_high: float
    n_now: int


class PerformanceFound(msgspec.Struct, frozen=True, kw_only=True):
    """Whether it fell, and since when."""

    fell: bool
    estimated: bool
    since_ms: int | None
    sentence: str


class Relation(msgspec.Struct, frozen=True, kw_only=True):
    """Whether a changed relation explains most of a loss."""

    changed: bool
    sentence: str


def performance_found(rows: Sequence[MeasuredMetric]) -> PerformanceFound | None:
    """From the windows of one metric, measured where any is, else estimated; None of none."""
    measured = [one for one in rows if not one.estimated and one.n_labelled] or [one for one in rows if one.estimated]
    names = {one.metric for one in measured if math.isfinite(one.value)}
    metric = next((name for name in METRICS if name in names), None)
    if metric is None:
        return None
    own = sorted((one for one in measured if one.metric == metric), key=lambda one: one.end_ms)
    own = [one for one in own if math.isfinite(one.value)]
    estimated = own[0].estimated
    last = own[-_LAST:]
    worse = [one for one in last if one.worse]
    fell = 2 * len(worse) >= len(last) and bool(worse)
    since_ms = _since(own) if fell else None
    chosen = [one for one in own if since_ms is None or one.start_ms >= since_ms]
    weights = [max(one.n_labelled if not estimated else one.n, 1) for one in chosen]
    value = math.fsum(one.value * n for one, n in zip(chosen, weights, strict=True)) / sum(weights)
    before = chosen[-1].reference_value
    was = f", {before:.4g} in the reference" if math.isfinite(before) else ", and the reference has no labels"
    kind = "Estimated" if estimated else "Measured"
    of = "" if estimated else f" on {counted(sum(weights), 'label')}"
    when = f" since {instant(since_ms)}" if since_ms is not None else ""
    sentence = (
        f"{kind} {metric} {value:.4g}{when}{of}{was}; worse than usual in {len(worse)} of the last "
        f"{counted(len(last), 'window')}."
    )
    return PerformanceFound(fell=fell, estimated=estimated, since_ms=since_ms, sentence=sentence)


def relation_found(rows: Sequence[Part], measured: PerformanceFound | None) -> Relation | None:
    """What the relation explains of the change in loss, over the windows since it fell; None of no rows."""
    since_ms = (measured.since_ms if measured is not None else None) or 0
    relation, inputs = (
        [one for one in rows if one.part == name and one.start_ms >= since_ms and math.isfinite(one.contribution)]
        for name in ("relation", "inputs")
    )
    if not relation:
        return None
    own, low = _mean(relation), sum(one.ci_low > 0.0 for one in relation)
    others = _mean(inputs) if inputs else 0.0
    changed = 2 * low >= len(relation) and own > 0.0 and own >= others
    sentence = (
        f"Of the change in loss the relation explains {own:+.4g}, moved inputs {others:+.4g}; the relation is worse "
        f"beyond chance in {low} of {counted(len(relation), 'window')}."
    )
    return Relation(changed=changed, sentence=sentence)


def _mean(rows: Sequence[Part]) -> float:
    return math.fsum(one.contribution * max(one.n_now, 1) for one in rows) / sum(max(one.n_now, 1) for one in rows)


def _since(rows: Sequence[MeasuredMetric]) -> int:
    """The start of the last run of worse windows, in which one that is not may lie between two that are."""
    first = len(rows) - 1
    while first > 0 and not rows[first].worse:
        first -= 1
    place = first
    while place > 0 and (rows[place - 1].worse or (place > 1 and rows[place - 2].worse)):
        place -= 1
        first = place if rows[place].worse else first
    return rows[first].start_ms
