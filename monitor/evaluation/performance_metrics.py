"""Metrics of a window, measured and estimated, as rows of the record `performance`."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from detectors.performance.estimate import estimate
from detectors.performance.intervals import Metric
from detectors.performance.measure import measure
from detectors.performance.reference import PerformanceReference
from detectors.performance.space import PerformanceSpace
from detectors.reference import WHOLE
from monitor.evaluation.performance_side import (
    Labelled,
    live_classes,
    live_scores,
    reference_of,
    relation_of,
)
from monitor.evaluation.performance_window import PerformanceWindow

MOST_CLASSES: Final = 20
"""Classes whose recall is a row: the first of the space's, which are the reference's most frequent."""

Row = Mapping[str, Any]


def metric_rows(
    window: PerformanceWindow, sides: Mapping[str, Labelled], least: int, common: Row, *, selective: bool = False
) -> tuple[list[Row], list[str]]:
    """Rows of all segments with at least `least` matches (measured) or predictions (estimated), and of the whole; and
    the segments that were measured.

    `selective`: labels came for some predictions rather than for others. What was measured is then of those alone, and
    no error of an estimate, which is of all.
    """
    rows: list[Row] = []
    measured = []
    for segment, side in sides.items():
        now: Mapping[str, Metric] = {}
        if side.n_labelled >= (1 if segment == WHOLE else least):
            now = _kept(measure(window.matched[segment]), window.space)
        if now:
            measured.append(segment)
        told = estimated(window, segment) if side.n_total >= least else {}
        known = reference_of(window, segment) if now or told else None
        rows += [_row(common, segment, side, metric, known, estimated=False) for metric in now.values()]
        for name, metric in told.items():
            error = math.nan
            if name in now and not side.provisional and not selective:
                error = now[name].value - metric.value
            rows.append(_row(common, segment, side, metric, known, estimated=True, error=error))
    return rows, measured


def estimated(window: PerformanceWindow, segment: str) -> Mapping[str, Metric]:
    """What the labels of all predictions of a segment would probably say; nothing without a labelled reference."""
    reference, sketch = relation_of(window, segment), window.predicted.get(segment)
    if reference is None or sketch is None:
        return {}
    said = live_classes(window.space, sketch)
    if not window.space.scores and said is None:
        return {}
    return _kept(estimate(reference, live_scores(window.space, sketch), said), window.space)


def figure_rows(side: Labelled, figures: Iterable[tuple[Metric, float]], common: Row) -> list[Row]:
    """Rows of the whole's other figures, each with the reference's value of it."""
    return [
        {
            **common, **_counts(side), "segment": WHOLE, **_figures(metric), "estimated": False,
            "reference_value": value, "spread_low": math.nan, "spread_high": math.nan, "estimate_error": math.nan,
        }
        for metric, value in figures
    ]  # fmt: skip


def _row(
    common: Row,
    segment: str,
    side: Labelled,
    metric: Metric,
    known: PerformanceReference | None,
    *,
    estimated: bool,
    error: float = math.nan,
) -> Row:
    own = known.metrics.get(metric.name) if known else None
    spread = known.spread.get(metric.name) if known and segment == WHOLE else None
    return {
        **common,
        **_counts(side),
        **_figures(metric),
        "segment": segment,
        "estimated": estimated,
        "reference_value": own.value if own else math.nan,
        "spread_low": spread.low if spread else math.nan,
        "spread_high": spread.high if spread else math.nan,
        "estimate_error": error,
    }


def _figures(metric: Metric) -> Row:
    return {
        "metric": metric.name, "value": metric.value, "ci_low": metric.ci_low, "ci_high": metric.ci_high,
        "error_bound": metric.error_bound, "n": metric.n,
    }  # fmt: skip


def _counts(side: Labelled) -> Row:
    return {
        "n_labelled": side.n_labelled, "n_total": side.n_total, "maturity": side.maturity,
        "provisional": side.provisional,
    }  # fmt: skip


def _kept(found: Mapping[str, Metric], space: PerformanceSpace) -> Mapping[str, Metric]:
    """Without the recalls of classes beyond the first: rows are bounded, whatever the number of classes."""
    left_out: Sequence[str] = space.classes[MOST_CLASSES:] if len(space.classes) > MOST_CLASSES else ()
    if not left_out:
        return found
    dropped = {f"recall:{name}" for name in left_out}
    return {name: metric for name, metric in found.items() if name not in dropped}
