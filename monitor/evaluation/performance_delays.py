"""When the labels of a window came, which are missing, and whether those that came are like the others."""

import math
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Ints
from detectors.grid import coarse_cells
from detectors.performance.censoring import Censoring, censoring
from detectors.performance.delay import (
    BINS,
    EDGES_MS,
    DelayDrift,
    MissingLabels,
    delay_psi,
    delay_quantile,
    missing_labels,
)
from detectors.performance.intervals import Metric
from detectors.performance.reference import rows_by_cell
from detectors.reference import WHOLE
from monitor.evaluation.performance_parts import segments_in
from monitor.evaluation.performance_side import Labelled, live_classes, live_scores
from monitor.evaluation.performance_window import PerformanceWindow

_A_PANE: Final = 64  # ages of its predictions; a power of two, so that the shares add up to all
QUANTILES: Final = (0.5, 0.95)
"""Of the delay; their metrics are named `label_delay_ms:0.5` and so on."""


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Whether labels come alike over the cells of one thing.

    `by` is "@score", "@label" or a segment dimension.
    """

    by: str
    found: Censoring


class Delays(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the labels' coming, of one window. `drift` and `missing` need a reference with delays.

    `median_before` and `median_now` are in milliseconds, of delays as long as those that `drift` compares, so that a
    young window does not look quick; NaN where there are no labels.
    """

    drift: DelayDrift | None
    missing: MissingLabels | None
    selections: tuple[Selection, ...]
    median_before: float
    median_now: float
    figures: tuple[tuple[Metric, float], ...]


def delays_of(window: PerformanceWindow, side: Labelled) -> Delays:
    """The figures of a window, each with the reference's own.

    Labelled and unlabelled predictions are compared once the window is no longer provisional: before, those with labels
    are those whose labels come quickly.
    """
    figures: list[tuple[Metric, float]] = []
    curve = window.reference.delay
    counts_before: Ints = np.zeros(window.delays.size, dtype=np.int64) if curve is None else np.array(curve.counts)
    n_now = max(int(window.delays.sum()), 0)
    medians = (delay_quantile(counts_before, 0.5)[0], delay_quantile(window.delays, 0.5)[0])
    for q in QUANTILES if n_now else ():
        value, bound = delay_quantile(window.delays, q)
        metric = Metric(name=f"label_delay_ms:{q:g}", value=value, n=n_now, error_bound=bound)
        figures.append((metric, delay_quantile(counts_before, q)[0]))
    drift = missing = None
    if curve is not None and curve.n > 0 and window.labels_reached:
        missing = _missing(window, side)
        figures.append((Metric(name="labels_due", value=missing.expected, n=missing.n), math.nan))
        figures.append((Metric(name="labels_missing", value=missing.missing, n=missing.n), 0.0))
        if n_now:
            drift = delay_psi(counts_before, window.delays, float(window.label_ms - window.window.end_ms))
            figures.append((Metric(name="label_delay_psi", value=drift.psi, n=drift.n_now), 0.0))
            seen = np.append(EDGES_MS, math.inf) <= drift.until_ms
            medians = (
                delay_quantile(np.where(seen, counts_before, 0), 0.5)[0],
                delay_quantile(np.where(seen, window.delays, 0), 0.5)[0],
            )
    selections = () if side.provisional else tuple(_selections(window))
    for one in selections:
        metric = Metric(name=f"labelled_unlike:{one.by}", value=one.found.effect, n=side.n_total)
        figures.append((metric, math.nan))
    return Delays(
        drift=drift, missing=missing, selections=selections, median_before=medians[0], median_now=medians[1],
        figures=tuple(figures),
    )  # fmt: skip


def _missing(window: PerformanceWindow, side: Labelled) -> MissingLabels:
    assert window.reference.delay is not None
    panes = np.array(window.panes, dtype=np.int64).reshape(-1, 2)
    # Spread evenly over its pane: by its middle, what came at the end of a day would be taken for half a day old.
    steps = (np.arange(_A_PANE) + 0.5) * (window.pane_ms / _A_PANE)
    ages_ms = np.maximum(window.label_ms - panes[:, :1] - steps, 0.0).ravel()
    return missing_labels(window.reference.delay, ages_ms, np.repeat(panes[:, 1] / _A_PANE, _A_PANE), side.n_labelled)


def _selections(window: PerformanceWindow) -> Iterator[Selection]:
    total, matches = window.predicted.get(WHOLE), window.matched.get(WHOLE)
    if total is None or matches is None:
        return
    space = window.space
    if len(space.scores) == 1:
        group = _deciles(window)
        live, own = live_scores(space, total)[0], rows_by_cell(matches, 0).astype(np.int64)
        yield from _selection("@score", *(np.bincount(group, weights=side) for side in (live, own)))
    elif (said := live_classes(space, total)) is not None:
        yield from _selection("@label", said, matches.confusion.sum(axis=0))
    for dimension in window.reference.dimensions:
        names = [name for name in segments_in(window.reference, dimension) if name in window.predicted]
        sides = (
            [window.predicted[name].with_prediction for name in names],
            [window.matched[name].n if name in window.matched else 0 for name in names],
        )
        yield from _selection(dimension, *(np.array(side, dtype=np.int64) for side in sides))


def _selection(by: str, total: Sequence[float] | Ints, labelled: Sequence[float] | Ints) -> Iterator[Selection]:
    counts: Ints = np.asarray(total).astype(np.int64)
    # More labels than predictions in a cell: some predictions came too late to be counted, and were joined.
    there: Ints = np.minimum(np.asarray(labelled).astype(np.int64), counts)
    if counts.size > 1 and counts.any():
        found = censoring(counts, there)
        if not math.isfinite(found.p_value):  # all have a label, or none has: nobody was left out
            found = msgspec.structs.replace(found, effect=0.0, p_value=1.0)
        yield Selection(by=by, found=found)


def _deciles(window: PerformanceWindow) -> Ints:
    """(n_cells,) the reference's decile that each cell of the score lies in."""
    layout, name = window.reference.layout, window.space.scores[0].name
    counts = window.reference.sketches[WHOLE].counts[layout.cells(layout.index(name))]
    return coarse_cells(window.space.single(0), counts, BINS)
