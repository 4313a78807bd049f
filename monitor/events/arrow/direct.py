"""Compiled loops from the memory of a record batch straight into the rows of a batch.

They read the Arrow C data interface: one export gives the addresses of all columns, where asking pyarrow for each
column's buffers takes longer than to read them. `numbers`, `texts` and `milliseconds` of `monitor.events.arrow.arrays`
are their specification, and the way of every type that is not in `KINDS`.

Addresses are trusted: a batch must have passed `validate`. Dictionary indices are not.
"""

import ctypes
from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from numba.core import types
from numba.extending import intrinsic
from numba.np.numpy_support import carray

from detectors.columns import INVALID, NULL
from detectors.compiled import compiled
from monitor.events.json.instant import clock_of, of_integer
from monitor.events.times import TimeRule

KINDS: Final[Mapping[pa.DataType, Any]] = {
    pa.int8(): np.empty(0, np.int8),
    pa.int16(): np.empty(0, np.int16),
    pa.int32(): np.empty(0, np.int32),
    pa.int64(): np.empty(0, np.int64),
    pa.uint8(): np.empty(0, np.uint8),
    pa.uint16(): np.empty(0, np.uint16),
    pa.uint32(): np.empty(0, np.uint32),
    pa.uint64(): np.empty(0, np.uint64),
    pa.float32(): np.empty(0, np.float32),
    pa.float64(): np.empty(0, np.float64),
}
"""The types that are read as numbers, and, the integers, as indices of a dictionary.

Each by an array of its kind: the loops are compiled when a type is first met, and an array names one the fastest.
"""

_BAD_TIME: Final = -1

_address_in: Any = ctypes.pythonapi.PyCapsule_GetPointer
_address_in.restype = ctypes.c_void_p
_address_in.argtypes = [ctypes.py_object, ctypes.c_char_p]


class Exported:
    """A record batch as C sees it. `address`, of its ArrowArray, holds as long as this object lives."""

    def __init__(self, batch: Any) -> None:
        _, self._capsule = batch.__arrow_c_array__()
        self.address: int = _address_in(self._capsule, b"arrow_array")


def clock_for(kind: pa.DataType, rule: TimeRule) -> Any:
    """The clock by which `read_times` reads a type (see `monitor.events.json.instant`); None if it cannot."""
    if kind == pa.int64():
        return clock_of(rule)
    if not pa.types.is_timestamp(kind) or (kind.tz is None and not rule.is_utc):
        return None
    return clock_of(msgspec.structs.replace(rule, unit=kind.unit))


def _to_pointer(_context: Any, _address: Any) -> Any:
    """An integer as a pointer."""

    def generate(context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.inttoptr(arguments[0], context.get_value_type(types.voidptr))

    return types.voidptr(types.int64), generate


_pointer: Any = intrinsic(_to_pointer)


@compiled
def _values(address: Any, offset: Any, n: Any, kind: Any) -> Any:
    """(n,) the values of a buffer from `offset` on."""
    return carray(_pointer(address), (offset + n,), kind)[offset:]


@compiled
def _column(batch: Any, column: Any) -> Any:
    """(offset, address of the validity bitmap or 0, address of the values) of a column without children."""
    # An ArrowArray: length, null_count, offset, n_buffers, n_children, buffers, children, dictionary, ...
    children = _values(batch, 6, 1, np.int64)[0]
    own = _values(_values(children, column, 1, np.int64)[0], 0, 6, np.int64)
    buffers = _values(own[5], 0, 2, np.int64)
    return own[2], buffers[0], buffers[1]


@compiled
def _set_nulls(bitmap: Any, offset: Any, out: Any, null: Any) -> None:
    """Write `null` wherever the bit is 0. Eight rows at a time are passed over: few bytes hold a null."""
    if bitmap == 0:
        return
    bits = _values(bitmap, 0, (offset + out.size + 7) // 8, np.uint8)
    i = 0
    while i < out.size:
        at = offset + i
        byte = bits[at >> 3]
        if byte == 0xFF:
            i += 8 - (at & 7)
            continue
        last = min(out.size, i + 8 - (at & 7))
        while i < last:
            if not (byte >> ((offset + i) & 7)) & 1:
                out[i] = null
            i += 1


@compiled
def _set_numbers(values: Any, out: Any) -> None:
    for i in range(out.size):
        x = np.float64(values[i])
        out[i] = x if x - x == 0.0 else INVALID  # infinity less itself is NaN


@compiled
def _set_codes(values: Any, table: Any, out: Any) -> Any:
    """Whether all indices lie in the dictionary; where they do not, the code is that of null."""
    size = np.uint64(table.size - 1)  # the last is null's
    outside = 0
    for i in range(out.size):
        index = np.uint64(values[i])  # a negative one becomes a very large one
        inside = index < size
        out[i] = table[index if inside else size]
        outside += not inside
    return outside == 0


@compiled
def read_numbers(batch: Any, kind: Any, places: Any, numeric: Any, start: Any, stop: Any) -> None:
    """Write columns of one type into numeric[:, start:stop], float64.

    Parameters
    ----------
    batch
        the address of its ArrowArray; it has `stop - start` rows.
    kind
        the type; see `KINDS`.
    places
        (n_columns, 2) int64: the column in the batch, the row of `numeric`.
    """
    for step in range(places.shape[0]):
        offset, bitmap, values = _column(batch, places[step, 0])
        out = numeric[places[step, 1], start:stop]
        _set_numbers(_values(values, offset, out.size, kind.dtype), out)
        _set_nulls(bitmap, offset, out, NULL)


@compiled
def read_codes(batch: Any, kind: Any, column: Any, table: Any, out: Any) -> Any:
    """Write out[i] = table[index of row i]; `kind` is the type of the indices, the table's last code is null's.

    False, and nothing of worth in `out`, if an index lies outside the dictionary: a null row's may.
    """
    offset, bitmap, values = _column(batch, column)
    inside = _set_codes(_values(values, offset, out.size, kind.dtype), table, out)
    _set_nulls(bitmap, offset, out, table[table.size - 1])
    return inside


@compiled
def read_times(batch: Any, column: Any, clock: Any, out: Any) -> None:
    """Write the milliseconds of int64 times; BAD_TIME where there is none within the clock's bounds."""
    offset, bitmap, values = _column(batch, column)
    raw = _values(values, offset, out.size, np.int64)
    for i in range(out.size):
        out[i] = of_integer(raw[i], clock)
    _set_nulls(bitmap, offset, out, _BAD_TIME)
