"""The counts of some segments as arrays over (segment, column): what comparisons are cut from."""

from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import Kind
from detectors.comparison import Comparison, Side
from detectors.layout import Layout
from detectors.plan import Grid, Plan
from detectors.reference import WHOLE, Reference
from detectors.sketch import Sketch
from detectors.stack import Stack

_RULE_OF_THREE: Final = 3.0
_ROUNDING: Final = 1e-12
"""More than rounding leaves of a share, and less than a row of any reference is."""


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """Several sketches stacked.

    Attributes
    ----------
    names: (segments,) as the stack's.
    counts: (segments, n_cells) int64.
    valid, nulls, invalid, unseen, outside, outer: (segments, n_columns) int64.
    minimum, maximum, mean, m2: (segments, n_columns) float64; NaN for categorical columns.
    """

    names: tuple[str, ...]
    counts: Ints
    valid: Ints
    nulls: Ints
    invalid: Ints
    unseen: Ints
    outside: Ints
    outer: Ints
    minimum: Floats
    maximum: Floats
    mean: Floats
    m2: Floats

    @property
    def spoken(self) -> Ints:
        """(segments, n_columns) the rows that speak of the column: valid, null and invalid ones."""
        spoken: Ints = self.valid + self.nulls + self.invalid
        return spoken

    def part(self, segments: Ints) -> "Table":
        """The segments at these places, which may repeat."""
        if np.array_equal(segments, np.arange(len(self.names))):
            return self
        names = tuple(self.names[place] for place in segments.tolist())
        tallies = {name: getattr(self, name)[segments] for name in self.__struct_fields__ if name != "names"}
        return Table(names=names, **tallies)

    def side(self, plan: Plan, grid: Grid) -> Side:
        """The rows of a plan, segment by segment."""
        columns = plan.columns

        def rows(tally: NDArray[Any]) -> NDArray[Any]:
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
            outer=rows(self.outer),
            minimum=rows(self.minimum),
            maximum=rows(self.maximum),
            mean=rows(self.mean),
            m2=rows(self.m2),
        )


def tabulate(layout: Layout, stack: Stack) -> Table:
    """What comparisons are cut from."""
    counts = stack.counts
    shape = (len(stack.names), len(layout.columns))
    numeric, categorical = layout.numeric_indices, layout.categorical_indices
    unseen, outside, outer = np.zeros((3, *shape), dtype=np.int64)
    first, last = layout.offsets[:-1], layout.offsets[1:] - 1
    unseen[:, categorical] = counts[:, last[categorical]]
    ranged = [i for i in numeric if layout.columns[i].edges]  # a reference without values has no range to be out of
    outside[:, ranged] = counts[:, first[ranged]] + counts[:, last[ranged]]
    wide = [i for i in ranged if layout.columns[i].n_cells > 3]  # a constant has one cell between the ends
    outer[:, ranged] = outside[:, ranged]
    outer[:, wide] += counts[:, first[wide] + 1] + counts[:, last[wide] - 1]
    moments = np.full((4, *shape), np.nan)
    moments[:, :, numeric] = stack.minimum, stack.maximum, stack.mean, stack.m2
    minimum, maximum, mean, m2 = moments
    return Table(
        names=stack.names,
        counts=counts,
        valid=np.add.reduceat(counts, first, axis=1) if shape[1] else np.zeros(shape, dtype=np.int64),
        nulls=stack.nulls,
        invalid=stack.invalid,
        unseen=unseen,
        outside=outside,
        outer=outer,
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        m2=m2,
    )


class Pinned(msgspec.Struct, frozen=True, kw_only=True):
    """The half of a comparison that no live window changes: what `Comparison` has of the reference, row by row."""

    side: Side
    expected: Floats
    singles: Floats
    doubles: Floats
    chosen: Floats
    single_valued: Bools
    edges: Floats
    cell_means: Floats
    range_minimum: Floats
    range_maximum: Floats
    range_std: Floats

    def part(self, segments: Ints, n_columns: int) -> "Pinned":
        """The rows of the segments at these places, which may repeat; each has `n_columns`."""
        rows = (segments[:, None] * n_columns + np.arange(n_columns)).reshape(-1)
        side = Side(**{name: getattr(self.side, name)[rows] for name in Side.__struct_fields__})
        others = {name: getattr(self, name)[rows] for name in self.__struct_fields__ if name not in ("side", "chosen")}
        return Pinned(side=side, chosen=self.chosen[:, rows], **others)


def pin(reference: Reference, plan: Plan, grid: Grid, table: Table, rare: Floats, own: bool) -> Pinned:
    """The rows of a plan for every segment of the side that is compared with.

    Parameters
    ----------
    reference: drew the grid.
    table: the reference's own counts, or those of live panes in its cells.
    rare: (2, segments, n_columns) as `Reference.rare_rows` gives them; zeros of live panes.
    own: whether the counts are the reference's own.
    """
    whole = reference.sketches[WHOLE]
    per_column = np.full((3, len(reference.layout.columns)), np.nan)
    if plan.kind is Kind.NUMERIC:
        numeric = reference.layout.numeric_indices
        filled = whole.minimum <= whole.maximum
        moments = np.stack([whole.minimum, whole.maximum, whole.std])
        per_column[:, numeric] = np.where(filled, moments, np.nan)
    segments = table.counts.shape[0]
    count_rare = grid == "rates" and plan.kind is Kind.CATEGORICAL
    none = np.zeros(plan.columns.size * segments)
    singles, doubles = rare[:, :, plan.columns].reshape(2, -1) if count_rare else (none, none)
    minimum, maximum, std = np.tile(per_column[:, plan.columns], (1, segments))
    side = table.side(plan, grid)
    return Pinned(
        side=side,
        expected=_expected(side, table, plan, whole if own else None) if grid == "bins" else np.empty((side.n.size, 0)),
        singles=singles,
        doubles=doubles,
        chosen=np.tile(plan.chosen, (1, segments)) * (side.n / max(whole.n, 1) if own else 0.0),
        single_valued=np.tile(plan.single_valued, (segments, 1)),
        edges=np.tile(plan.edges, (segments, 1)),
        cell_means=np.tile(plan.cell_means, (segments, 1)),
        range_minimum=minimum,
        range_maximum=maximum,
        range_std=std,
    )


def _expected(side: Side, table: Table, plan: Plan, whole: Sketch | None) -> Floats:
    """(rows, cells) `null_proportions`; `whole` is the reference's, of which the side is a part. What it lacks itself,
    as the hours of a window do, the whole reference may have. Without it the whole of the side itself."""
    shape = (len(table.names), plan.columns.size, side.counts.shape[1])
    if whole is not None:
        counts = plan.pick(whole.counts[None], whole.nulls[None])
    elif WHOLE in table.names:
        counts = side.counts.reshape(shape)[table.names.index(WHOLE)]
    else:
        counts = side.counts.reshape(shape)
    return null_proportions(side.counts, np.broadcast_to(counts.reshape(-1, *shape[1:]), shape).reshape(-1, shape[2]))


def null_proportions(counts: Ints, whole: Ints) -> Floats:
    """The cells' proportions under "nothing has changed", told from one side's counts and from its whole's.

    A few hundred rows of a segment, or of some hours, tell the shares of a hundred categories badly: by their own
    shares alone two to five times as many unchanged windows are rejected as should be. So they are drawn to the
    whole's, as far as they differ from them by no more than chance: with X^2, Pearson's statistic of the rows against
    the whole's shares, and B cells, the whole's shares weigh min(1, (B - 1) / X^2).

    And a cell that the segment's reference lacks and the whole has is not impossible. Good and Turing's estimate of
    what a sample has not met is the share of its cells with one row; such cells have together that much, at most a
    row each, or by its weight what the whole says, up to two standard errors above the estimate, or up to three rows,
    which is what a sample without any leaves possible (the rule of three); dealt by the whole's shares.

    Parameters
    ----------
    counts: (rows, cells) of a segment.
    whole: (rows, cells) of the whole, in the same cells.

    Returns
    -------
    (rows, cells) that add up to 1; zeros in a row without values.

    Sources: Morris (1983), Parametric empirical Bayes inference, Journal of the American Statistical Association
    78(381), 47-55: the weight, which estimates that of a Dirichlet prior. Good (1953), The population frequencies of
    species and the estimation of population parameters, Biometrika 40(3-4), 237-264; Esty (1983), A normal limit law
    for a nonparametric estimator of the coverage of a random sample, Annals of Statistics 11(3), 905-912: its error.
    Hanley & Lippman-Hand (1983), If nothing goes wrong, is everything all right?, JAMA 249(13), 1743-1745: the rule.
    """
    n = np.maximum(np.sum(counts, axis=1, keepdims=True), 1)
    shares = whole / np.maximum(np.sum(whole, axis=1, keepdims=True), 1)
    weight = _weight_of_whole(counts, n, shares)
    lacking = np.where(counts == 0, shares, 0.0)
    held = np.sum(lacking, axis=1, keepdims=True)
    once, twice = (np.sum(counts == k, axis=1, keepdims=True) for k in (1, 2))
    room = np.sum(lacking > 0.0, axis=1, keepdims=True) / n
    by_whole = np.minimum(weight * held, np.maximum(once + 2.0 * np.sqrt(once + 2.0 * twice), _RULE_OF_THREE) / n)
    mass = np.maximum(np.minimum(np.minimum(once / n, held), room), by_whole)
    dealt = np.divide(lacking * mass, held, out=np.zeros(counts.shape), where=held > 0.0)
    met = np.where(counts > 0, shares, 0.0) / np.maximum(1.0 - held, 1e-9)
    proportions: Floats = (1.0 - mass) * (weight * met + (1.0 - weight) * counts / n) + dealt
    # Where one cell has all, nothing is free to differ: what rounding leaves of 1 - 1 would be divided by.
    return np.where(proportions > 1.0 - _ROUNDING, 1.0, proportions)


def _weight_of_whole(counts: Ints, n: Ints, shares: Floats) -> Floats:
    """(rows, 1) min(1, (B - 1) / X^2); 0 of a row that has what the whole lacks, and of one without values."""
    expected = n * shares
    there = shares > 0.0
    squares = np.sum(np.divide((counts - expected) ** 2, expected, out=np.zeros(counts.shape), where=there), axis=1)
    free = np.sum(there, axis=1) - 1.0
    no_part = np.any((counts > 0) & ~there, axis=1) | ~np.any(counts > 0, axis=1)
    weight: Floats = np.where(no_part, 0.0, free / np.maximum(squares, np.maximum(free, 1e-9)))
    return weight[:, None]


def compare(pinned: Pinned, plan: Plan, grid: Grid, live: Table, min_samples: int = 1) -> Comparison:
    """The rows of a plan for every segment: row `segment * plan.columns.size + k` is its column k."""
    fields = {name: getattr(pinned, name) for name in Pinned.__struct_fields__ if name != "side"}
    return Comparison(
        kind=plan.kind,
        reference=pinned.side,
        current=live.side(plan, grid),
        min_samples=min_samples,
        **fields,
    )


def compare_events(reference: Ints, live: Ints, min_samples: int = 1) -> Comparison:
    """A row for each window: the events with both features and a prediction, with features alone, and with a prediction
    alone.

    `reference` and `live` are (windows, 4), as `Stack.events`. A side is empty that holds events of one kind alone.
    """
    rows = live.shape[0]
    none, unknown = np.empty((rows, 0)), np.full(rows, np.nan)
    return Comparison(
        kind=Kind.NUMERIC,
        reference=_events(reference),
        current=_events(live),
        expected=none,
        singles=np.zeros(rows),
        doubles=np.zeros(rows),
        chosen=np.zeros((2, rows)),
        single_valued=np.ones((rows, 3), dtype=np.bool_),
        edges=none,
        cell_means=none,
        range_minimum=unknown,
        range_maximum=unknown,
        range_std=unknown,
        min_samples=min_samples,
    )


def _events(events: Ints) -> Side:
    _, features, prediction, both = events.T
    counts = np.stack([both, features - both, prediction - both], axis=1)
    zero, unknown = np.zeros(len(events), dtype=np.int64), np.full(len(events), np.nan)
    n = np.where((features > 0) & (prediction > 0), counts.sum(axis=1), zero)
    return Side(
        counts=counts, n=n, nulls=zero, invalid=zero, unseen=zero, outside=zero, outer=zero,
        minimum=unknown, maximum=unknown, mean=unknown, m2=unknown,
    )  # fmt: skip
