"""From a batch of columns to sketches, one for each slot.

References
----------
Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37(3),
242-247: mean and M2 by two passes over the batch, merged between batches.
"""

from collections.abc import Mapping

import numpy as np

from detectors import kernel
from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.columns import ABSENT, CODE_ABSENT, CODE_INVALID, CODE_NULL
from detectors.frequent import EMPTY, Frequent
from detectors.grid import locate
from detectors.layout import Layout
from detectors.sketch import Sketch

Unseen = Mapping[int, list[tuple[int, str]]]

# Beyond this the sum of a batch could overflow, or lose everything else: such a column is summed again, scaled.
_LARGE = 1e150


def accumulate(
    layout: Layout,
    *,
    numeric: Floats,
    codes: Codes,
    slots: Codes,
    n_slots: int,
    unseen: Unseen,
    totals: Codes | None = None,
) -> list[Sketch]:
    """Count a batch into one sketch a slot. Releases the GIL while it counts.

    Parameters
    ----------
    layout: the reference's.
    numeric: (n_numeric, n) float64, C order; see `detectors.columns` for null, invalid and absent.
    codes: (n_categorical, n) int32, a cell of the column or a negative code.
    slots: (n_dimensions, n) int32: the slot that row i adds to for dimension d; a negative one adds nowhere.
        A slot belongs to one dimension, or a row counts in it more than once.
    n_slots: the number of slots; every one gets a sketch, also when no row adds to it. Takes
        `n_slots * layout.n_cells * 8` bytes: with very many slots the caller divides the batch.
    unseen: by position in `layout.categorical`, the rows with the code `unseen` and what they held.
    totals: (n_slots,) int32: the slot that takes in all rows of slot s besides its own, or a negative number; a total
        is part of no other. Costs an addition of sketches, and not another count of the rows.

    Raises
    ------
    ValueError: the shapes do not fit, or a slot, a total or a code is out of range.
    """
    totals = np.full(n_slots, -1, dtype=np.int32) if totals is None else totals
    _check(layout, numeric, codes, slots, n_slots, totals)
    # One memory order and one type, or the kernel is compiled again for another.
    numeric = np.ascontiguousarray(numeric, dtype=np.float64)
    codes, slots = np.ascontiguousarray(codes, dtype=np.int32), np.ascontiguousarray(slots, dtype=np.int32)
    totals = np.ascontiguousarray(totals, dtype=np.int32)
    counts = np.zeros((n_slots, layout.n_cells), dtype=np.int64)
    starts, rows = kernel.group(slots, n_slots)
    tallies = np.empty((3, n_slots, len(layout.numeric)), dtype=np.int64)
    sums = np.empty((4, n_slots, len(layout.numeric)))
    tables = layout.lookup
    kernel.fill_numeric(
        *(numeric, starts, rows),
        *(tables.edges, tables.offsets, tables.low, tables.scale, tables.first, tables.steps),
        *(layout.offsets[layout.numeric_indices], counts, tallies, sums),
    )
    code_tallies = np.empty((2, n_slots, len(layout.categorical)), dtype=np.int64)
    kernel.fill_codes(codes, starts, rows, layout.offsets[layout.categorical_indices], counts, code_tallies)
    n = np.diff(starts)
    if totals.max(initial=-1) >= 0:
        kernel.add_up(totals, n, counts, tallies, code_tallies, sums)
    minimum, maximum, mean, m2 = sums
    for slot, position in np.argwhere((minimum <= maximum) & (np.maximum(-minimum, maximum) > _LARGE)):
        own = [slot, *np.flatnonzero(totals == slot)]
        values = numeric[position, np.concatenate([rows[starts[part] : starts[part + 1]] for part in own])]
        mean[slot, position], m2[slot, position] = moments(values[np.isfinite(values)])
    sums += 0.0  # -0.0 + 0.0 is 0.0: the moments do not tell which of two zeros came first
    nulls, invalid = (_by_column(layout, *both) for both in zip(tallies[1:], code_tallies, strict=True))
    frequent = _frequent(unseen, slots, totals, len(layout.categorical))
    n_both = _n_both(layout, numeric, codes, slots, totals, n)
    return [
        Sketch(
            layout=layout,
            n=int(n[slot]),
            n_both=int(n_both[slot]),
            counts=counts[slot],
            nulls=nulls[slot],
            invalid=invalid[slot],
            minimum=minimum[slot],
            maximum=maximum[slot],
            mean=mean[slot],
            m2=m2[slot],
            frequent=frequent[slot],
        )
        for slot in range(n_slots)
    ]


def accumulate_numpy(
    layout: Layout,
    *,
    numeric: Floats,
    codes: Codes,
    slots: Codes,
    n_slots: int,
    unseen: Unseen,
    totals: Codes | None = None,
) -> list[Sketch]:
    """The specification of `accumulate`: one slot, one column at a time, in plain NumPy."""
    totals = np.full(n_slots, -1, dtype=np.int32) if totals is None else totals
    _check(layout, numeric, codes, slots, n_slots, totals)
    sketches = []
    frequent = _frequent(unseen, slots, totals, len(layout.categorical))
    for slot in range(n_slots):
        sketch = Sketch.empty(layout)
        own = [slot, *np.flatnonzero(totals == slot)]
        rows = np.concatenate([np.flatnonzero(np.isin(dimension, own)) for dimension in slots])
        sketch.n = rows.size
        both = _speaks(layout.features, layout, numeric, codes) & _speaks(layout.prediction, layout, numeric, codes)
        sketch.n_both = int(both[rows].sum())
        sketch.frequent = frequent[slot]
        for position, index in enumerate(layout.numeric):
            values = numeric[position, rows]
            finite = values[np.isfinite(values)]
            cells = locate(layout.column_edges(position), finite)
            sketch.counts[layout.cells(index)] = np.bincount(cells, minlength=layout.columns[index].n_cells)
            sketch.nulls[index] = np.isnan(values).sum()
            sketch.invalid[index] = np.isposinf(values).sum()
            sketch.minimum[position] = finite.min(initial=np.inf) + 0.0
            sketch.maximum[position] = finite.max(initial=-np.inf) + 0.0
            sketch.mean[position], sketch.m2[position] = moments(finite)
        for position, index in enumerate(layout.categorical):
            column = codes[position, rows]
            sketch.counts[layout.cells(index)] = np.bincount(
                column[column >= 0], minlength=layout.columns[index].n_cells
            )
            sketch.nulls[index] = (column == CODE_NULL).sum()
            sketch.invalid[index] = (column == CODE_INVALID).sum()
        sketches.append(sketch)
    return sketches


def moments(values: Floats) -> tuple[float, float]:
    """Mean and M2 of finite values by two passes; (0, 0) of none.

    Values are scaled by a power of two, which is exact, so that the mean never overflows. M2 may: it is then +inf. The
    mean is never -0.0.
    """
    if not values.size:
        return 0.0, 0.0
    low, high = float(values.min()), float(values.max())
    if low == high:
        return high + 0.0, 0.0
    _, exponent = np.frexp(np.abs(values).max())
    shift = int(exponent) if exponent > 400 else 0
    scaled = np.ldexp(values, -shift)
    mean = float(scaled.mean())
    deviation = scaled - mean
    with np.errstate(over="ignore"):
        m2 = float(np.ldexp(deviation @ deviation, 2 * shift))
        return min(max(float(np.ldexp(mean, shift)), low), high) + 0.0, m2


def _n_both(layout: Layout, numeric: Floats, codes: Codes, slots: Codes, totals: Codes, n: Ints) -> Ints:
    """(n_slots,) the rows of each slot that speak of features and of a prediction; `n`: all of its rows."""
    both = _speaks(layout.features, layout, numeric, codes) & _speaks(layout.prediction, layout, numeric, codes)
    if both.all():
        return n
    counted = np.zeros(totals.size, dtype=np.int64)
    if both.any():
        for dimension in slots:
            own = dimension[both & (dimension >= 0)]
            counted += np.bincount(own, minlength=totals.size)
        own = np.flatnonzero(totals >= 0)
        np.add.at(counted, totals[own], counted[own])
    return counted


def _speaks(columns: tuple[int, ...], layout: Layout, numeric: Floats, codes: Codes) -> Bools:
    """(n,) the rows in which these columns are not absent. They are absent together: one stands for all."""
    there: Bools = np.zeros(numeric.shape[1], dtype=np.bool_)
    for row, index in enumerate(layout.numeric):
        if index in columns:
            np.not_equal(numeric[row], ABSENT, out=there)
            return there
    for row, index in enumerate(layout.categorical):
        if index in columns:
            np.not_equal(codes[row], CODE_ABSENT, out=there)
            return there
    return there


def _by_column(layout: Layout, numeric: Ints, categorical: Ints) -> Ints:
    """(n_slots, n_columns) in the layout's order."""
    tally = np.empty((len(numeric), len(layout.columns)), dtype=np.int64)
    tally[:, layout.numeric_indices] = numeric
    tally[:, layout.categorical_indices] = categorical
    return tally


def _frequent(unseen: Unseen, slots: Codes, totals: Codes, n_categorical: int) -> list[tuple[Frequent, ...]]:
    """Of a total from its rows, like any other: summaries of parts would add up to another summary."""
    empty = (EMPTY,) * n_categorical
    if not any(unseen.values()):
        return [empty] * totals.size
    tallies: dict[tuple[int, int], dict[str, int]] = {}
    for position, values in unseen.items():
        for row, value in values:
            own = [slot for slot in slots[:, row].tolist() if slot >= 0]
            for slot in (*own, *(total for total in totals[own].tolist() if total >= 0)):
                tally = tallies.setdefault((slot, position), {})
                tally[value] = tally.get(value, 0) + 1
    frequent = [list(empty) for _ in range(totals.size)]
    for (slot, position), tally in tallies.items():
        frequent[slot][position] = Frequent.of(tally)
    return [tuple(row) for row in frequent]


def _check(layout: Layout, numeric: Floats, codes: Codes, slots: Codes, n_slots: int, totals: Codes) -> None:
    """The kernel trusts its indices; everything that could reach outside an array is refused here."""
    n = slots.shape[1]
    if numeric.shape != (len(layout.numeric), n) or codes.shape != (len(layout.categorical), n):
        raise ValueError(f"numeric {numeric.shape}, codes {codes.shape}, slots {slots.shape} do not fit {layout!r}")
    if slots.size and int(slots.max()) >= n_slots:
        raise ValueError(f"slot {int(slots.max())} where there are {n_slots}")
    if totals.shape != (n_slots,) or (n_slots and int(totals.max()) >= n_slots):
        raise ValueError(f"totals {totals.shape} up to {int(totals.max(initial=-1))} where there are {n_slots} slots")
    if np.any(totals[totals[totals >= 0]] >= 0):
        raise ValueError("a total is part of another")
    if codes.size:
        cells: Ints = np.array([layout.columns[i].n_cells for i in layout.categorical], dtype=np.int64)
        if np.any(codes.max(axis=1) >= cells) or int(codes.min()) < -3:
            raise ValueError("a code is no cell of its column")
