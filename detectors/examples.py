"""Raw values in, scores out: the shortest way to try a method, used by the examples in docstrings."""

from collections.abc import Mapping

import numpy as np

from detectors.accumulate import accumulate
from detectors.arrays import Floats
from detectors.columns import Column, Kind
from detectors.dependence import DesignEffect
from detectors.layout import Layout
from detectors.reference import WHOLE, Reference, categorical_column, numeric_column
from detectors.registry import Scores, get
from detectors.score import comparison_of
from detectors.sketch import Sketch
from detectors.stack import stacked
from detectors.tables import compare_events


def sketch_values(layout: Layout, values: Floats) -> Sketch:
    """The sketch of one numeric column's values, (n,)."""
    return accumulate(
        layout,
        numeric=values.reshape(1, -1).astype(np.float64),
        codes=np.empty((0, values.size), dtype=np.int32),
        slots=np.zeros((1, values.size), dtype=np.int32),
        n_slots=1,
        unseen={},
    )[0]


def reference_of(values: Floats) -> Reference:
    """A reference of one numeric column, "x"."""
    column, means = numeric_column("x", values)
    layout = Layout([column])
    return Reference(
        model="example",
        version="1",
        layout=layout,
        dimensions={},
        sketches={WHOLE: sketch_values(layout, values)},
        cell_means=means,
    )


def compare(method: str, reference: Floats, current: Floats, bins: int = 10) -> Scores:
    """Score one window of one numeric column: arrays of one row."""
    pinned = reference_of(reference)
    live = {WHOLE: sketch_values(pinned.layout, current)}
    return get(method).score(comparison_of(pinned, live, get(method).grid, bins=bins), DesignEffect.none(1))


def compare_categories(method: str, reference: Mapping[str, int], current: Mapping[str, int], nulls: int = 0) -> Scores:
    """Score one window of one categorical column from counts by value: arrays of one row. `nulls` are the live
    side's."""
    column = categorical_column("x", reference)
    layout = Layout([column])
    codes = column.codes()
    sides = []
    for counts, missing in ((reference, 0), (current, nulls)):
        sketch = Sketch.empty(layout)
        for value, count in counts.items():
            sketch.counts[codes.get(value, column.unseen)] += count
        sketch.nulls[0] = missing
        sketch.n = int(sketch.counts.sum()) + missing
        sides.append(sketch)
    pinned = Reference(
        model="example",
        version="1",
        layout=layout,
        dimensions={},
        sketches={WHOLE: sides[0]},
        cell_means=np.full(layout.n_cells, np.nan),
    )
    found = get(method)
    comparison = comparison_of(pinned, {WHOLE: sides[1]}, found.grid, kind=Kind.CATEGORICAL)
    return found.score(comparison, DesignEffect.none(1))


def compare_coverage(reference: tuple[int, int, int], current: tuple[int, int, int]) -> Scores:
    """Score one window's events with both, with features alone and with predictions alone: arrays of one row."""
    layout = Layout([Column(name=name, kind=Kind.NUMERIC) for name in ("x", "@score")])
    sides = []
    for both, features, predictions in (reference, current):
        sketch = Sketch.empty(layout)
        sketch.n, sketch.n_both = both + features + predictions, both
        sketch.nulls[:] = both + features, both + predictions
        sides.append(sketch)
    events = stacked(sides[0].layout, {"before": sides[0], "now": sides[1]}).events
    return get("coverage").score(compare_events(events[:1], events[1:]), DesignEffect.none(1))
