"""The counts of some segments as arrays over (segment, column): what comparisons are cut from."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Bools, Floats, Ints
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


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """What scoring needs of several segments' sketches, one below the other.

    Attributes
    ----------
    names: (segments,) sorted.
    counts: (segments, n_cells) int64.
    nulls, invalid: (segments, n_columns) int64.
    minimum, maximum: (segments, n_numeric) float64; +inf and -inf without values.
    events: (segments, 4) int64: all, those with features, with a prediction, and with both.
    """

    names: tuple[str, ...]
    events: Ints
    counts: Ints
    nulls: Ints
    invalid: Ints
    minimum: Floats
    maximum: Floats

    @property
    def nbytes(self) -> int:
        """What the arrays take."""
        arrays = (self.events, self.counts, self.nulls, self.invalid, self.minimum, self.maximum)
        return sum(array.nbytes for array in arrays)

    def part(self, start: int, end: int) -> "Stack":
        """Some of the segments."""
        own = slice(start, end)
        return Stack(
            names=self.names[own],
            events=self.events[own],
            counts=self.counts[own],
            nulls=self.nulls[own],
            invalid=self.invalid[own],
            minimum=self.minimum[own],
            maximum=self.maximum[own],
        )


def stacked(layout: Layout, sketches: Mapping[str, Sketch]) -> Stack:
    """Sketches by segment name as a stack."""
    names = tuple(sorted(sketches))
    parts = [sketches[name] for name in names]

    def array(attribute: str, width: int, kind: type) -> NDArray[Any]:
        return np.array([getattr(part, attribute) for part in parts], dtype=kind).reshape(len(parts), width)

    n_columns, n_numeric = len(layout.columns), len(layout.numeric)
    events = [(part.n, part.with_features, part.with_prediction, part.n_both) for part in parts]
    return Stack(
        names=names,
        events=np.array(events, dtype=np.int64).reshape(len(parts), 4),
        counts=array("counts", layout.n_cells, np.int64),
        nulls=array("nulls", n_columns, np.int64),
        invalid=array("invalid", n_columns, np.int64),
        minimum=array("minimum", n_numeric, np.float64),
        maximum=array("maximum", n_numeric, np.float64),
    )


def added(stacks: Sequence[Stack]) -> Stack:
    """The panes of a window, one stack each, as one: the same to the bit in any order. There is at least one."""
    first = stacks[0]
    if len(stacks) == 1:
        return first
    names = first.names
    if any(stack.names != names for stack in stacks):
        names = tuple(sorted({name for stack in stacks for name in stack.names}))
    place = {name: position for position, name in enumerate(names)}
    n = len(names)
    total = Stack(
        names=names,
        events=np.zeros((n, 4), dtype=np.int64),
        counts=np.zeros((n, first.counts.shape[1]), dtype=np.int64),
        nulls=np.zeros((n, first.nulls.shape[1]), dtype=np.int64),
        invalid=np.zeros((n, first.invalid.shape[1]), dtype=np.int64),
        minimum=np.full((n, first.minimum.shape[1]), np.inf),
        maximum=np.full((n, first.maximum.shape[1]), -np.inf),
    )
    for stack in stacks:
        own = slice(None) if stack.names == names else np.array([place[name] for name in stack.names])
        total.events[own] += stack.events
        total.counts[own] += stack.counts
        total.nulls[own] += stack.nulls
        total.invalid[own] += stack.invalid
        total.minimum[own] = np.minimum(total.minimum[own], stack.minimum)
        total.maximum[own] = np.maximum(total.maximum[own], stack.maximum)
    return total


def tabulate(layout: Layout, stack: Stack) -> Table:
    """What comparisons are cut from."""
    counts = stack.counts
    shape = (len(stack.names), len(layout.columns))
    numeric, categorical = layout.numeric_indices, layout.categorical_indices
    unseen, outside = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    first, last = layout.offsets[:-1], layout.offsets[1:] - 1
    unseen[:, categorical] = counts[:, last[categorical]]
    ranged = [i for i in numeric if layout.columns[i].edges]  # a reference without values has no range to be out of
    outside[:, ranged] = counts[:, first[ranged]] + counts[:, last[ranged]]
    minimum, maximum = np.full(shape, np.nan), np.full(shape, np.nan)
    minimum[:, numeric] = stack.minimum
    maximum[:, numeric] = stack.maximum
    return Table(
        counts=counts,
        valid=np.add.reduceat(counts, first, axis=1) if shape[1] else np.zeros(shape, dtype=np.int64),
        nulls=stack.nulls,
        invalid=stack.invalid,
        unseen=unseen,
        outside=outside,
        minimum=minimum,
        maximum=maximum,
    )


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """The half of a comparison that no live window changes: what `Comparison` has of the reference, row by row."""

    side: Side
    n_categories: Ints
    singletons: Ints
    single_valued: Bools
    edges: Floats
    cell_means: Floats
    range_minimum: Floats
    range_maximum: Floats
    range_std: Floats


def pin(reference: Reference, plan: Plan, grid: Grid, pinned: Table) -> Pinned:
    """The rows of a plan for every segment of a table of the reference's own."""
    whole = reference.sketches[WHOLE]
    per_column = np.full((3, len(reference.layout.columns)), np.nan)
    if plan.kind is Kind.NUMERIC:
        numeric = reference.layout.numeric_indices
        filled = whole.minimum <= whole.maximum
        moments = np.stack([whole.minimum, whole.maximum, whole.std])
        per_column[:, numeric] = np.where(filled, moments, np.nan)
    segments = pinned.counts.shape[0]
    columns = [reference.layout.columns[index] for index in plan.columns.tolist()]
    n_categories = np.array([len(column.categories) for column in columns], dtype=np.int64)
    count_single = grid == "rates" and plan.kind is Kind.CATEGORICAL
    none = np.zeros(plan.columns.size * segments, dtype=np.int64)
    minimum, maximum, std = np.tile(per_column[:, plan.columns], (1, segments))
    return Pinned(
        side=pinned.side(plan, grid),
        n_categories=np.tile(n_categories, segments),
        singletons=_singletons(reference, pinned)[:, plan.columns].reshape(-1) if count_single else none,
        single_valued=np.tile(plan.single_valued, (segments, 1)),
        edges=np.tile(plan.edges, (segments, 1)),
        cell_means=np.tile(plan.cell_means, (segments, 1)),
        range_minimum=minimum,
        range_maximum=maximum,
        range_std=std,
    )


def compare(pinned: Pinned, plan: Plan, grid: Grid, live: Table, min_samples: int = 1) -> Comparison:
    """The rows of a plan for every segment: row `segment * plan.columns.size + k` is its column k."""
    return Comparison(
        kind=plan.kind,
        reference=pinned.side,
        current=live.side(plan, grid),
        n_categories=pinned.n_categories,
        singletons=pinned.singletons,
        single_valued=pinned.single_valued,
        edges=pinned.edges,
        cell_means=pinned.cell_means,
        range_minimum=pinned.range_minimum,
        range_maximum=pinned.range_maximum,
        range_std=pinned.range_std,
        min_samples=min_samples,
    )


def compare_events(reference: Ints, live: Ints, min_samples: int = 1) -> Comparison:
    """One row: the events with both features and a prediction, with features alone, and with a prediction alone.

    `reference` and `live` are (4,), as `Stack.events`. A side is empty that holds events of one kind alone.
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


def _events(events: Ints) -> Side:
    _, features, prediction, both = events.tolist()
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
