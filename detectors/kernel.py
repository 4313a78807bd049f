"""The compiled loops under `accumulate`. `accumulate_numpy` is their specification; change both or neither.

1. `group` orders the rows by slot once a batch, so that everything a slot sums stays in the first-level cache.
2. Each slot packs its valid values of a column side by side, without a branch, and finds their cells (`search`; see
   `detectors.lookup`), level by level over a tile, so that the loads of different values overlap.
3. It counts the cells and takes the moments: two passes, the second correcting the mean of the first (Chan, Golub &
   LeVeque 1983), so that a million equal values lose nothing.
4. `add_up` makes the slots that are totals of others from those, without looking at a row again.

Indices are unsigned: a signed one is compared with 0 at every access, as Python counts negative ones from the end.
"""

from functools import partial
from typing import Any, Final

import numpy as np

from detectors.compiled import compiled
from detectors.lookup import PARTS

_TILE: Final = 512  # values; a tile and its cells stay in the first-level cache


@compiled
def group(slots: Any, n_slots: int) -> Any:
    """Counting sort of (n_dimensions, n) int32 slots: (starts (n_slots + 1,), rows by slot, in their order)."""
    starts = np.zeros(n_slots + 1, np.int64)
    for dimension in range(slots.shape[0]):
        for i in range(slots.shape[1]):
            if slots[dimension, i] >= 0:
                starts[slots[dimension, i] + 1] += 1
    for slot in range(n_slots):
        starts[slot + 1] += starts[slot]
    rows = np.empty(starts[n_slots], np.uint32)
    place = starts[:n_slots].copy()
    for dimension in range(slots.shape[0]):
        for i in range(slots.shape[1]):
            slot = slots[dimension, i]
            if slot >= 0:
                rows[place[slot]] = i
                place[slot] += 1
    return starts, rows


@compiled
def search(values: Any, edges: Any, low: float, scale: float, first: Any, steps: int, cells: Any) -> None:
    """cells[i] = the number of edges below values[i], all finite; the others are the column's `Lookup`."""
    for start in range(0, values.size, _TILE):
        width = min(_TILE, values.size - start)
        tile = values[start : start + width]
        found = cells[start : start + width]
        for i in range(width):
            part = (tile[i] - low) * scale
            part = part if part > 0.0 else 0.0
            part = part if part < PARTS - 1.0 else PARTS - 1.0
            found[i] = np.int32(part)
        for i in range(width):
            found[i] = first[found[i]]
        half = (1 << steps) >> 1
        while half > 0:
            beyond = edges[half - 1 :]
            for i in range(width):
                found[i] += np.uint32(half) * np.uint32(beyond[found[i]] < tile[i])
            half >>= 1


@compiled
def _pack(row: Any, taken: Any, packed: Any, others: Any) -> Any:
    """Values of the rows `taken`, the finite ones into `packed` and the rest into `others`; how many are finite."""
    n_valid = np.uint64(0)
    for k in range(np.uint64(taken.size)):
        x = row[taken[k]]
        packed[n_valid] = x  # both: the wrong one is overwritten by the next
        others[k - n_valid] = x
        n_valid += np.uint64(x - x == 0.0)
    return np.int64(n_valid)


@partial(compiled, fastmath={"nnan", "nsz", "reassoc"})
def _extremes(x: Any) -> Any:
    """Minimum and maximum of finite values, compared in any order. Of 0.0 and -0.0 it is either; `accumulate` makes
    both 0.0."""
    low, high = np.inf, -np.inf
    for i in range(x.size):
        a = x[i]
        low = a if a < low else low
        high = a if a > high else high
    return low, high


@partial(compiled, fastmath={"reassoc"})
def _sums(x: Any, origin: float) -> Any:
    """Sum of the deviations from `origin`, and of their squares.

    Added in any order, which is several partial sums: a single one waits for itself at every value, and is less exact.
    """
    deviations = squares = 0.0
    for i in range(x.size):  # not `for value in x`, which does not become vector code
        a = x[i] - origin
        deviations += a
        squares += a * a
    return deviations, squares


@compiled
def _moments(x: Any) -> Any:
    """Minimum, maximum, mean and M2 of finite values."""
    low, high = _extremes(x)
    if low >= high:  # all equal, exact whatever a sum loses; or none at all
        return low, high, high if x.size else 0.0, 0.0
    mean = _sums(x, 0.0)[0] / x.size
    deviations, squares = _sums(x, mean)
    correction = deviations / x.size
    return low, high, mean + correction, max(squares - correction * correction * x.size, 0.0)


@compiled
def fill_numeric(
    values: Any,  # (n_numeric, n) float64
    starts: Any,  # (n_slots + 1,) and
    rows: Any,  # as `group` made them
    edges: Any,  # and
    edge_offsets: Any,  # and
    low: Any,  # and
    scale: Any,  # and
    first: Any,  # and
    steps: Any,  # the layout's `Lookup`
    cell_offsets: Any,  # (n_numeric,) int64: first cell of the column
    counts: Any,  # (n_slots, n_cells) int64, added to
    tallies: Any,  # (3, n_slots, n_numeric) int64: valid, null, invalid, written
    moments: Any,  # (4, n_slots, n_numeric) float64: minimum, maximum, mean, M2, written
) -> None:
    """Cells and moments of every numeric column and slot. Trusts every index: `accumulate` checks them."""
    most = 0
    for slot in range(starts.size - 1):
        most = max(most, starts[slot + 1] - starts[slot])
    packed, others, cells = np.empty(most), np.empty(most), np.empty(most, np.uint32)
    for column in range(values.shape[0]):
        own_edges = edges[edge_offsets[column] : edge_offsets[column + 1]]
        for slot in range(starts.size - 1):
            n = starts[slot + 1] - starts[slot]
            if n == 0:
                tallies[:, slot, column] = 0
                moments[0, slot, column], moments[1, slot, column] = np.inf, -np.inf
                moments[2:, slot, column] = 0.0
                continue
            n_valid = _pack(values[column], rows[starts[slot] : starts[slot + 1]], packed, others)
            valid, found = packed[:n_valid], cells[:n_valid]
            search(valid, own_edges, low[column], scale[column], first[column], steps[column], found)
            own = counts[slot, cell_offsets[column] :]
            for k in range(n_valid):
                own[found[k]] += 1
            n_nulls = n_invalid = 0
            for x in others[: n - n_valid]:
                n_nulls += x != x  # NaN
                n_invalid += x > 0.0
            tallies[0, slot, column] = n_valid
            tallies[1, slot, column] = n_nulls
            tallies[2, slot, column] = n_invalid
            minimum, maximum, mean, m2 = _moments(valid)
            moments[0, slot, column] = minimum
            moments[1, slot, column] = maximum
            moments[2, slot, column] = mean
            moments[3, slot, column] = m2


@compiled
def fill_codes(
    codes: Any,  # (n_categorical, n) int32
    starts: Any,  # (n_slots + 1,) and
    rows: Any,  # as `group` made them
    cell_offsets: Any,  # (n_categorical,) int64
    counts: Any,  # (n_slots, n_cells) int64, added to
    tallies: Any,  # (2, n_slots, n_categorical) int64: null, invalid, written
) -> None:
    """Cells of every categorical column and slot. Trusts every index: `accumulate` checks them."""
    for column in range(codes.shape[0]):
        row = codes[column]
        for slot in range(starts.size - 1):
            own = counts[slot, cell_offsets[column] :]
            n_nulls = n_invalid = 0
            for i in rows[starts[slot] : starts[slot + 1]]:
                code = row[i]
                if code >= 0:
                    own[code] += 1
                elif code == -1:  # CODE_NULL
                    n_nulls += 1
                elif code == -2:  # CODE_INVALID
                    n_invalid += 1
            tallies[0, slot, column] = n_nulls
            tallies[1, slot, column] = n_invalid


@compiled
def add_up(
    totals: Any,  # (n_slots,) int32: the slot that takes in each one besides its own, or negative
    n_rows: Any,  # (n_slots,) int64, added to
    counts: Any,  # and
    tallies: Any,  # and
    code_tallies: Any,  # and
    moments: Any,  # as filled, added to
) -> None:
    """Add each slot to its total. Trusts every index: `accumulate` checks them."""
    _merge_moments(totals, tallies[0], moments)
    for slot in range(totals.size):
        total = totals[slot]
        if total < 0 or n_rows[slot] == 0:
            continue
        n_rows[total] += n_rows[slot]
        _add(counts[total], counts[slot])
        for kind in range(3):
            _add(tallies[kind, total], tallies[kind, slot])
        for kind in range(2):
            _add(code_tallies[kind, total], code_tallies[kind, slot])


@compiled
def _add(into: Any, own: Any) -> None:
    for i in range(own.size):
        into[i] += own[i]


@compiled
def _merge_moments(totals: Any, valid: Any, moments: Any) -> None:
    """Chan's merge of each slot's moments into its total's; `valid` (n_slots, n_numeric), not yet added up.

    All parts of a total at once, and as for values: the mean of the parts' means, corrected by a second pass.
    """
    minimum, maximum, mean, m2 = moments
    n_numeric = valid.shape[1]
    n, sums = np.zeros(valid.shape), np.zeros(valid.shape)
    is_total = np.zeros(totals.size, np.bool_)
    for slot in range(totals.size):
        if totals[slot] >= 0:
            is_total[totals[slot]] = True
    for slot in range(totals.size):
        into = totals[slot] if totals[slot] >= 0 else slot
        for i in range(n_numeric):
            minimum[into, i] = min(minimum[into, i], minimum[slot, i])
            maximum[into, i] = max(maximum[into, i], maximum[slot, i])
            n[into, i] += valid[slot, i]
            sums[into, i] += valid[slot, i] * mean[slot, i]
    origin = sums / np.maximum(n, 1.0)
    deviations, squares = np.zeros(valid.shape), np.zeros(valid.shape)
    for slot in range(totals.size):
        into = totals[slot] if totals[slot] >= 0 else slot
        for i in range(n_numeric):
            a = mean[slot, i] - origin[into, i]
            deviations[into, i] += valid[slot, i] * a
            squares[into, i] += m2[slot, i] + valid[slot, i] * a * a
    for slot in range(totals.size):
        if is_total[slot]:
            for i in range(n_numeric):
                if minimum[slot, i] >= maximum[slot, i]:  # all equal, or none at all
                    mean[slot, i] = maximum[slot, i] if n[slot, i] else 0.0
                    m2[slot, i] = 0.0
                else:
                    correction = deviations[slot, i] / n[slot, i]
                    mean[slot, i] = origin[slot, i] + correction
                    m2[slot, i] = max(squares[slot, i] - correction * correction * n[slot, i], 0.0)
