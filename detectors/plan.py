"""Where the scorer finds each column's cells: index matrices drawn once per reference."""

import weakref
from typing import Final, Literal

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import Kind
from detectors.grid import coarse_cells, single_valued
from detectors.layout import Layout
from detectors.reference import WHOLE, Reference
from detectors.selection import excess

MAX_CELLS: Final = 100
"""Categories that are compared one by one."""
MIN_ROWS: Final = 20
"""Of the whole reference, for a category to be a cell of its own,"""
FEW: Final = 20
"""unless there are no more categories than this."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """How the counts of some columns of one kind become the rows of a matrix.

    `index` picks from one vector: the groups' counts, then the nulls by column, then one zero for padding.

    Attributes
    ----------
    kind: of all its columns.
    columns: (n_rows,) indices into the layout's columns.
    starts: (n_groups,) first fine cell of each group, over the whole layout; empty when every cell is a group.
    index: (n_rows, width).
    with_nulls: whether nulls are a cell.
    single_valued: (n_rows, width); in "bins" of a categorical column the first that is False is the tail.
    chosen: (2, n_rows) see `detectors.selection`; zeros but for "bins" of categorical columns.
    edges: (n_rows, width + 1) for "cells", else (n_rows, 0).
    cell_means: (n_rows, width) for "cells", else (n_rows, 0).
    """

    kind: Kind
    columns: Ints
    starts: Ints
    index: Ints
    with_nulls: bool = False
    single_valued: Bools
    chosen: Floats
    edges: Floats
    cell_means: Floats

    def pick(self, counts: Ints, nulls: Ints) -> Ints:
        """(segments, n_rows, width) from the counts (segments, n_cells) and nulls (segments, n_columns)."""
        groups = np.add.reduceat(counts, self.starts, axis=1) if self.starts.size else counts
        zero = np.zeros((counts.shape[0], 1), dtype=np.int64)
        return np.take(np.concatenate([groups, nulls, zero], axis=1), self.index, axis=1)


Grid = Literal["bins", "cells", "rates", "events"]
PlanKey = tuple[Kind, Grid, tuple[int, ...], int]
"""Kind, grid, the columns as indices in the layout, and the bins of a method on "bins"."""
_plans: "weakref.WeakKeyDictionary[Reference, dict[PlanKey, Plan]]" = weakref.WeakKeyDictionary()


def plan_of(reference: Reference, key: PlanKey) -> Plan:
    """A plan, drawn once."""
    plans = _plans.setdefault(reference, {})
    if key not in plans:
        kind, grid, columns, bins = key
        chosen = np.array(columns, dtype=np.int64)
        if grid == "bins":
            plans[key] = plan_bins(reference, kind, chosen, bins)
        elif grid == "cells":
            plans[key] = plan_cells(reference, chosen)
        else:
            plans[key] = plan_rates(reference.layout, kind, chosen)
    return plans[key]


def plan_bins(reference: Reference, kind: Kind, columns: Ints, bins: int) -> Plan:
    """Coarse cells of numeric columns; of categorical ones the largest categories, the tail, and the nulls.

    The tail is all other categories of the reference, with what it never held. A category is a cell of its own if it is
    one of the `MAX_CELLS` largest and holds `MIN_ROWS` rows of the whole: those that are the largest by chance are
    smaller in the next sample, by about a row each, and of many together the tail would seem to grow.
    """
    layout = reference.layout
    counts = reference.sketches[WHOLE].counts
    categorical = kind is Kind.CATEGORICAL
    chosen = set(columns.tolist())
    starts: list[Ints] = []
    rows = []
    excesses = []
    n_groups = 0
    for column in range(len(layout.columns)):
        cells = layout.cells(column)
        first = np.zeros(1, dtype=np.int64)  # a column that is not asked for is one group
        if column in chosen:
            if categorical:
                n_own = _n_own_cells(counts[cells][:-2])
                first = np.arange(n_own + 1)
                excesses.append(excess(counts[cells][:-2], n_own))
            else:
                group = coarse_cells(single_valued(layout.columns[column]), counts[cells], bins)
                first = np.flatnonzero(np.diff(group, prepend=-1))
            rows.append(np.arange(n_groups, n_groups + first.size))
        starts.append(first + cells.start)
        n_groups += first.size
    if categorical:
        rows = [np.append(row, n_groups + column) for row, column in zip(rows, columns, strict=True)]
    return _plan(layout, kind, columns, rows, starts=np.concatenate(starts), with_nulls=categorical, excesses=excesses)


def _n_own_cells(counts: Ints) -> int:
    """How many of the categories, largest first, are cells of their own."""
    return counts.size if counts.size <= FEW else min(int(np.sum(counts >= MIN_ROWS)), MAX_CELLS)


def plan_cells(reference: Reference, columns: Ints) -> Plan:
    """Every cell of numeric columns."""
    layout = reference.layout
    plan = _plan(layout, Kind.NUMERIC, columns, _cells(layout, columns))
    single = plan.single_valued
    edges = np.full((columns.size, plan.index.shape[1] + 1), np.inf)
    means = np.full(plan.index.shape, np.nan)
    for i, column in enumerate(columns.tolist()):
        own = np.array(layout.columns[column].edges)
        single[i, : own.size + 1] = single_valued(layout.columns[column])
        edges[i, 0] = -np.inf
        edges[i, 1 : own.size + 1] = own
        means[i, : own.size + 1] = reference.cell_means[layout.cells(column)]
    return Plan(
        kind=plan.kind,
        columns=columns,
        starts=plan.starts,
        index=plan.index,
        single_valued=single,
        chosen=plan.chosen,
        edges=edges,
        cell_means=means,
    )


def plan_rates(layout: Layout, kind: Kind, columns: Ints) -> Plan:
    """No cells: rates need the tallies only."""
    return _plan(layout, kind, columns, [np.empty(0, dtype=np.int64)] * columns.size)


def _plan(
    layout: Layout,
    kind: Kind,
    columns: Ints,
    rows: list[Ints],
    *,
    starts: Ints | None = None,
    with_nulls: bool = False,
    excesses: list[tuple[float, float]] | None = None,
) -> Plan:
    n_groups = layout.n_cells if starts is None else starts.size
    index = np.full((len(rows), max((row.size for row in rows), default=0)), n_groups + len(layout.columns))
    single = np.zeros(index.shape, dtype=np.bool_)
    for i, row in enumerate(rows):
        index[i, : row.size] = row
        if with_nulls:
            single[i, : row.size] = True
            single[i, row.size - 2] = False
    none = np.empty((columns.size, 0))
    return Plan(
        kind=kind,
        columns=columns,
        starts=np.empty(0, dtype=np.int64) if starts is None else starts,
        index=index.astype(np.int64),
        with_nulls=with_nulls,
        single_valued=single,
        chosen=np.array(excesses).T if excesses else np.zeros((2, columns.size)),
        edges=none,
        cell_means=none,
    )


def _cells(layout: Layout, columns: Ints) -> list[Ints]:
    return [np.arange(layout.offsets[column], layout.offsets[column + 1]) for column in columns.tolist()]
