"""The compiled loops under `accumulate`. `accumulate_numpy` is their specification; change both or neither.

1. `group` orders the rows by slot once a batch, so that everything a slot sums stays in registers.
2. The search of a value takes two steps and no branch: it is compared with every sixteenth edge (vector code, no
   look-up), then four binary steps inside the block of sixteen, level by level over a tile, so that the loads of
   different values overlap. It is paid once for any number of dimensions.
3. Each slot counts its cells and sums its moments: two passes over the batch, the second correcting the mean of the
   first (Chan, Golub & LeVeque 1983), so that a million equal values lose nothing.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np

BLOCK: Final = 16  # edges; `Layout.tiles` pads each column to a multiple of it
_TILE: Final = 512  # values; a tile and its cells stay in the first-level cache


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile without the GIL; keep the machine code on disk where any cache directory is writable."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "no locator available": a read-only installation without a writable home
        return numba.njit(nogil=True)(function)


@_compiled
def group(slots: Any, n_slots: int) -> Any:
    """Counting sort of (n_dimensions, n) int32 slots: (starts (n_slots + 1,), rows by slot, in their order)."""
    starts = np.zeros(n_slots + 1, np.int64)
    for dimension in range(slots.shape[0]):
        for i in range(slots.shape[1]):
            if slots[dimension, i] >= 0:
                starts[slots[dimension, i] + 1] += 1
    for slot in range(n_slots):
        starts[slot + 1] += starts[slot]
    rows = np.empty(starts[n_slots], np.int32)
    place = starts[:n_slots].copy()
    for dimension in range(slots.shape[0]):
        for i in range(slots.shape[1]):
            slot = slots[dimension, i]
            if slot >= 0:
                rows[place[slot]] = i
                place[slot] += 1
    return starts, rows


@_compiled
def search(values: Any, edges: Any, cells: Any) -> None:
    """cells[i] = the number of edges below values[i]; `edges` padded with +inf to whole blocks. Not for +inf, NaN."""
    n_blocks = edges.size // BLOCK
    for start in range(0, values.size, _TILE):
        width = min(_TILE, values.size - start)
        tile = values[start : start + width]
        found = cells[start : start + width]
        for i in range(width):
            found[i] = 0
        block = 0
        while block + 4 < n_blocks:  # the last block's own last edge is +inf: nothing lies beyond it
            a, b = edges[block * BLOCK + 15], edges[block * BLOCK + 31]
            c, d = edges[block * BLOCK + 47], edges[block * BLOCK + 63]
            for i in range(width):
                x = tile[i]
                found[i] += np.int64(a < x) + np.int64(b < x) + np.int64(c < x) + np.int64(d < x)
            block += 4
        while block + 1 < n_blocks:
            a = edges[block * BLOCK + 15]
            for i in range(width):
                found[i] += np.int64(a < tile[i])
            block += 1
        for i in range(width):
            found[i] *= BLOCK
        half = BLOCK // 2
        while half > 0:
            for i in range(width):
                found[i] += half * np.int64(edges[found[i] + half - 1] < tile[i])
            half //= 2


@_compiled
def _moments(x: Any) -> Any:
    """Minimum, maximum, mean and M2. Two partial sums each: a single one waits for itself at every value."""
    low, high, even, odd = np.inf, -np.inf, 0.0, 0.0
    pairs = x.size - x.size % 2
    for i in range(0, pairs, 2):
        a, b = x[i], x[i + 1]
        even += a
        odd += b
        low = min(low, a, b)
        high = max(high, a, b)
    if pairs < x.size:
        even += x[pairs]
        low = min(low, x[pairs])
        high = max(high, x[pairs])
    if low >= high:  # all equal, exact whatever a sum loses; or none at all
        return low, high, high if x.size else 0.0, 0.0
    mean = (even + odd) / x.size
    rest_even = rest_odd = square_even = square_odd = 0.0
    for i in range(0, pairs, 2):
        a, b = x[i] - mean, x[i + 1] - mean
        rest_even += a
        rest_odd += b
        square_even += a * a
        square_odd += b * b
    if pairs < x.size:
        a = x[pairs] - mean
        rest_even += a
        square_even += a * a
    correction = (rest_even + rest_odd) / x.size
    m2 = square_even + square_odd - correction * correction * x.size
    return low, high, mean + correction, max(m2, 0.0)


@_compiled
def fill_numeric(
    values: Any,  # (n_numeric, n) float64
    starts: Any,  # (n_slots + 1,) and
    rows: Any,  # as `group` made them
    tiles: Any,  # (total,) float64: padded edges of all columns
    tile_offsets: Any,  # (n_numeric + 1,) int64
    cell_offsets: Any,  # (n_numeric,) int64: first cell of the column
    counts: Any,  # (n_slots, n_cells) int64, added to
    nulls: Any,  # (n_slots, n_numeric) int64, written
    invalid: Any,  # (n_slots, n_numeric) int64, written
    moments: Any,  # (4, n_slots, n_numeric) float64: minimum, maximum, mean, M2, written
) -> None:
    """Cells and moments of every numeric column and slot. Trusts every index: `accumulate` checks them."""
    cells = np.empty(values.shape[1], np.int32)
    packed = np.empty(values.shape[1])  # one slot's valid values, side by side
    for column in range(values.shape[0]):
        row = values[column]
        search(row, tiles[tile_offsets[column] : tile_offsets[column + 1]], cells)
        for slot in range(starts.size - 1):
            taken = rows[starts[slot] : starts[slot + 1]]
            own = counts[slot, cell_offsets[column] :]
            n_valid = n_nulls = n_invalid = 0
            for k in range(taken.size):
                i = taken[k]
                x = row[i]
                if x - x == 0.0:  # finite
                    own[cells[i]] += 1
                    packed[n_valid] = x
                    n_valid += 1
                elif x != x:  # NaN
                    n_nulls += 1
                elif x > 0.0:
                    n_invalid += 1
            low, high, mean, m2 = _moments(packed[:n_valid])
            nulls[slot, column] = n_nulls
            invalid[slot, column] = n_invalid
            moments[0, slot, column] = low
            moments[1, slot, column] = high
            moments[2, slot, column] = mean
            moments[3, slot, column] = m2


@_compiled
def fill_codes(
    codes: Any,  # (n_categorical, n) int32
    starts: Any,  # (n_slots + 1,) and
    rows: Any,  # as `group` made them
    cell_offsets: Any,  # (n_categorical,) int64
    counts: Any,  # (n_slots, n_cells) int64, added to
    nulls: Any,  # (n_slots, n_categorical) int64, written
    invalid: Any,  # (n_slots, n_categorical) int64, written
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
            nulls[slot, column] = n_nulls
            invalid[slot, column] = n_invalid
