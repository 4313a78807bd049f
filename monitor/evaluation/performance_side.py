"""The two sides of a window's performance: what its labelled reference says, and how much of it has labels."""

import functools
from dataclasses import dataclass
from typing import Final

import numpy as np

from detectors.arrays import Ints
from detectors.performance.classes import said_codes
from detectors.performance.reference import PerformanceReference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace
from detectors.reference import WHOLE, Reference
from detectors.sketch import Sketch
from monitor.evaluation.performance_window import PerformanceWindow
from monitor.evaluation.watched import Watched

LEAST_OWN: Final = 1_000
"""Labelled rows from which on a segment of the reference has an estimate by its own relation; else by the whole's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Labelled:
    """How much of one segment has a label.

    Attributes
    ----------
    n_labelled, n_total: predictions.
    provisional: of the window; see the record `performance`.
    """

    n_labelled: int
    n_total: int
    provisional: bool

    @property
    def maturity(self) -> float:
        """The share with a label; NaN without predictions."""
        return self.n_labelled / self.n_total if self.n_total else float("nan")


def labelled(model: Watched, window: PerformanceWindow) -> dict[str, Labelled]:
    """By segment, those with predictions or matches, in sorted order; the whole is always there."""
    names = sorted({WHOLE, *window.predicted, *window.matched})
    counts = {}
    for name in names:
        sketch, matches = window.predicted.get(name), window.matched.get(name)
        n_labelled = max(matches.n, 0) if matches else 0
        # A prediction too late for its window may still be joined.
        counts[name] = (n_labelled, max(sketch.with_prediction if sketch else 0, n_labelled))
    n_labelled, n_total = counts[WHOLE]
    over = model.label_horizon_ms is not None and window.label_ms >= window.window.end_ms + model.label_horizon_ms
    provisional = not over and n_labelled < model.mature_at * n_total
    return {name: Labelled(n_labelled=own[0], n_total=own[1], provisional=provisional) for name, own in counts.items()}


def before(window: PerformanceWindow, segment: str) -> PerformanceSketch | None:
    """The matches of the reference's segment; None where it has none, or was counted in other cells."""
    reference = window.reference
    if reference.performance is None:
        return None
    found = reference.performance.sketch if segment == WHOLE else reference.segment_performance.get(segment)
    if found is None or not (found.space is window.space or found.space == window.space):
        return None
    return found


def reference_of(window: PerformanceWindow, segment: str = WHOLE) -> PerformanceReference | None:
    """What the reference says of a segment, with the spread of the whole's windows of about this length; None where it
    says nothing, or was counted in other cells."""
    if before(window, segment) is None:
        return None
    return _reference_of(window.reference, segment, window.window.end_ms - window.window.start_ms)


def relation_of(window: PerformanceWindow, segment: str) -> PerformanceReference | None:
    """By which relation of labels to scores a segment is estimated; None without a labelled reference."""
    own = reference_of(window, segment)
    return own if own is not None and own.sketch.n >= LEAST_OWN else reference_of(window)


@functools.lru_cache(maxsize=256)
def _reference_of(reference: Reference, segment: str, length_ms: int) -> PerformanceReference:
    """Kept, for its metrics are computed once."""
    whole = reference.performance
    assert whole is not None  # `before` has looked
    whole = whole.for_length(length_ms)
    return whole if segment == WHOLE else PerformanceReference(reference.segment_performance[segment], whole.spread)


def live_scores(space: PerformanceSpace, sketch: Sketch) -> list[Ints]:
    """(n_cells,) each: the counts of all predictions by the cells of each score column."""
    layout = sketch.layout
    counts = sketch.counts
    return [counts[layout.cells(layout.index(column.name))] for column in space.scores]


def live_classes(space: PerformanceSpace, sketch: Sketch) -> Ints | None:
    """(n_classes + 2,) the counts of the classes that all predictions said, of any other, and of none; None where the
    reference has no classes of predictions."""
    layout = sketch.layout
    index = next((index for index in layout.prediction if layout.columns[index].name == "@label"), None)
    if not space.classes or index is None:
        return None
    own = sketch.counts[layout.cells(index)]
    codes = _said_codes(space, layout.columns[index])[: own.size]
    found = np.bincount(codes, weights=own, minlength=len(space.classes) + 2).astype(np.int64)
    found[-1] = max(sketch.with_prediction - int(own.sum()), 0)
    return found


_said_codes = functools.lru_cache(maxsize=64)(said_codes)
