"""The counts of some segments as arrays over (segment, column): what comparisons are cut from."""

from collections.abc import Sequence
from typing import Literal

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.columns import Kind
from detectors.comparison import Comparison, Side
from detectors.layout import Layout
from detectors.plan import Plan
from detectors.reference import WHOLE, Reference
from detectors.sketch import Sketch

Grid = Literal["bins", "cells", "rates", "events"]


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Several sketches stacked.

    Attributes
    ----------
    counts: (segments, n_cells) int64.
    valid, nulls, invalid, unseen, outside: (segments, n_columns) int64.
    minimum, maximum: (segments, n_columns) float64; NaN for categorical columns.
    """

    counts: Ints
    valid: Ints
    nulls: Ints
    invalid: Ints
    unseen: Ints
    outside: Ints
    minimum: Floats
    maximum: Floats

    def side(self, plan: Plan, grid: Grid) -> Side:
        """The rows of a plan, segment by segment."""
        columns = plan.columns

        def rows(tally: Ints) -> Ints:
            return tally[:, columns].reshape(-1)

        n = rows(self.valid)
        if grid == "rates":
            n = n + rows(self.nulls) + rows(self.invalid)
        elif plan.with_nulls:
            n = n + rows(self.nulls)
        return Side(
            counts=plan.pick(self.counts, self.nulls).reshape(n.size, plan.index.shape[1]),
            n=n,
            nulls=rows(self.nulls),
            invalid=rows(self.invalid),
            unseen=rows(self.unseen),
            outside=rows(self.outside),
            minimum=self.minimum[:, columns].reshape(-1),
            maximum=self.maximum[:, columns].reshape(-1),
        )


def tabulate(layout: Layout, sketches: Sequence[Sketch]) -> Table:
    """Stack the sketches of one layout."""
    counts = np.stack([sketch.counts for sketch in sketches])
    shape = (len(sketches), len(layout.columns))
    numeric, categorical = layout.numeric_indices, layout.categorical_indices
    unseen, outside = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    first, last = layout.offsets[:-1], layout.offsets[1:] - 1
    unseen[:, categorical] = counts[:, last[categorical]]
    ranged = [i for i in numeric if layout.columns[i].edges]  # a reference without values has no range to be out of
    outside[:, ranged] = counts[:, first[ranged]] + counts[:, last[ranged]]
    minimum, maximum = np.full(shape, np.nan), np.full(shape, np.nan)
    minimum[:, numeric] = np.stack([sketch.minimum for sketch in sketches])
    maximum[:, numeric] = np.stack([sketch.maximum for sketch in sketches])
    return Table(
        counts=counts,
        valid=np.add.reduceat(counts, first, axis=1) if shape[1] else np.zeros(shape, dtype=np.int64),
        nulls=np.stack([sketch.nulls for sketch in sketches]),
        invalid=np.stack([sketch.invalid for sketch in sketches]),
        unseen=unseen,
        outside=outside,
        minimum=minimum,
        maximum=maximum,
    )


def compare(
    reference: Reference, plan: Plan, grid: Grid, pinned: Table, live: Table, min_samples: int = 1
) -> Comparison:
    """The rows of a plan for every segment: row `segment * plan.columns.size + k` is its column k."""
    whole = reference.sketches[WHOLE]
    per_column = np.full((3, len(reference.layout.columns)), np.nan)
    if plan.kind is Kind.NUMERIC:
        numeric = reference.layout.numeric_indices
        filled = whole.minimum <= whole.maximum
        moments = np.stack([whole.minimum, whole.maximum, whole.std])
        per_column[:, numeric] = np.where(filled, moments, np.nan)
    segments = live.counts.shape[0]
    columns = [reference.layout.columns[index] for index in plan.columns.tolist()]
    n_categories = np.array([len(column.categories) for column in columns], dtype=np.int64)
    count_single = grid == "rates" and plan.kind is Kind.CATEGORICAL
    none = np.zeros(plan.columns.size * segments, dtype=np.int64)
    minimum, maximum, std = np.tile(per_column[:, plan.columns], (1, segments))
    return Comparison(
        kind=plan.kind,
        reference=pinned.side(plan, grid),
        current=live.side(plan, grid),
        n_categories=np.tile(n_categories, segments),
        singletons=_singletons(reference, pinned)[:, plan.columns].reshape(-1) if count_single else none,
        single_valued=np.tile(plan.single_valued, (segments, 1)),
        edges=np.tile(plan.edges, (segments, 1)),
        cell_means=np.tile(plan.cell_means, (segments, 1)),
        range_minimum=minimum,
        range_maximum=maximum,
        range_std=std,
        min_samples=min_samples,
    )


def compare_events(reference: Sketch, live: Sketch, min_samples: int = 1) -> Comparison:
    """One row: the events with both features and a prediction, with features alone, and with a prediction alone.

    Its sides are empty where either holds events of one kind alone.
    """
    none = np.empty((1, 0))
    one = np.full(1, np.nan)
    return Comparison(
        kind=Kind.NUMERIC,
        reference=_events(reference),
        current=_events(live),
        n_categories=np.zeros(1, dtype=np.int64),
        singletons=np.zeros(1, dtype=np.int64),
        single_valued=np.ones((1, 3), dtype=np.bool_),
        edges=none,
        cell_means=none,
        range_minimum=one,
        range_maximum=one,
        range_std=one,
        min_samples=min_samples,
    )


def _events(sketch: Sketch) -> Side:
    features, prediction, both = sketch.with_features, sketch.with_prediction, sketch.n_both
    counts = np.array([[both, features - both, prediction - both]], dtype=np.int64)
    zero, nan = np.zeros(1, dtype=np.int64), np.full(1, np.nan)
    n = counts.sum(axis=1) if features and prediction else zero
    return Side(counts=counts, n=n, nulls=zero, invalid=zero, unseen=zero, outside=zero, minimum=nan, maximum=nan)


def _singletons(reference: Reference, pinned: Table) -> Ints:
    """(segments, n_columns) the pinned rows whose category is the whole reference's only one of its kind."""
    layout, whole = reference.layout, reference.sketches[WHOLE].counts
    single = whole == 1
    for index in layout.categorical:
        column, first = layout.columns[index], int(layout.offsets[index])
        # Of the categories beyond the kept ones only their sum is known: whether each has one row.
        single[first + column.other] = 0 < whole[first + column.other] == len(column.others)
        single[first + column.unseen] = False
    return np.asarray(np.add.reduceat(pinned.counts * single, layout.offsets[:-1], axis=1), dtype=np.int64)
