"""The compiled loop that turns decoded events into columns.

Reading the attributes of structs from Python takes as long as msgspec needs to parse their JSON (25 columns: 1.5 us an
event). So the structs are written out again as MessagePack, at memory speed, and this loop walks the bytes: the fields
of a struct come in a fixed order, and a short program (one row a leaf field) says how many bytes to skip and what to do
with the value. Together 0.9 us.
"""

from collections.abc import Callable
from typing import Any, Final

import numba
import numpy as np

SKIP: Final = 0
NUMERIC: Final = 1
CODE: Final = 2
TIME: Final = 3
VERSION: Final = 4
FLAG: Final = 5

MAX_VERSIONS: Final = 16
"""Distinct versions told apart in one call; rows with further ones get the code -9 (`lookup.ASK`)."""


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile without the GIL; keep the machine code on disk where any cache directory is writable."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "no locator available": a read-only installation without a writable home
        return numba.njit(nogil=True)(function)


def _inlined(function: Callable[..., Any]) -> Callable[..., Any]:
    """Part of its caller: passing five arrays costs more than what these functions do."""
    return numba.njit(nogil=True, inline="always")(function)


# Offsets are unsigned: for a signed index the compiler must allow for Python's counting from the end, at every byte.
_1, _2, _3, _4, _5 = (np.uint64(i) for i in range(1, 6))
_6, _7, _8, _9 = (np.uint64(i) for i in range(6, 10))


@_inlined
def _wide(data: Any, at: Any, width: Any) -> Any:
    """The unsigned big-endian integer in `width` bytes."""
    value = np.uint64(0)
    for i in range(width):
        value = (value << _8) | np.uint64(data[at + np.uint64(i)])
    return value


@_inlined
def _eight(data: Any, at: Any) -> Any:
    return (
        (np.uint64(data[at]) << np.uint64(56))
        | (np.uint64(data[at + _1]) << np.uint64(48))
        | (np.uint64(data[at + _2]) << np.uint64(40))
        | (np.uint64(data[at + _3]) << np.uint64(32))
        | (np.uint64(data[at + _4]) << np.uint64(24))
        | (np.uint64(data[at + _5]) << np.uint64(16))
        | (np.uint64(data[at + _6]) << np.uint64(8))
        | np.uint64(data[at + _7])
    )


@_inlined
def _length(data: Any, at: Any) -> Any:
    """Bytes of the scalar value at `at`, header included; of a map or array, of its header alone."""
    head = np.uint64(data[at])
    if np.uint64(0xA0) <= head < np.uint64(0xC0):  # short text
        return head - np.uint64(0x9F)
    if head <= np.uint64(0xC3) or head >= np.uint64(0xE0):  # small integers, nil, booleans; small maps and arrays
        return _1
    if head == np.uint64(0xCB) or head == np.uint64(0xCF) or head == np.uint64(0xD3):
        return _9
    if head == np.uint64(0xCA) or head == np.uint64(0xCE) or head == np.uint64(0xD2):
        return _5
    if head == np.uint64(0xCD) or head == np.uint64(0xD1):
        return _3
    if head == np.uint64(0xCC) or head == np.uint64(0xD0):
        return _2
    if head == np.uint64(0xD9) or head == np.uint64(0xC4):
        return _2 + np.uint64(data[at + _1])
    if head == np.uint64(0xDA) or head == np.uint64(0xC5):
        return _3 + _wide(data, at + _1, 2)
    if head == np.uint64(0xDB) or head == np.uint64(0xC6):
        return _5 + _wide(data, at + _1, 4)
    if head == np.uint64(0xC7):
        return _3 + np.uint64(data[at + _1])
    if np.uint64(0xD4) <= head <= np.uint64(0xD8):
        return _2 + (_1 << (head - np.uint64(0xD4)))
    if head == np.uint64(0xDC) or head == np.uint64(0xDE):
        return _3
    return _5


@_inlined
def _pairs(data: Any, at: Any) -> Any:
    """The number of pairs in the map at `at`."""
    head = data[at]
    if head == 0xDE:
        return _wide(data, at + _1, 2)
    if head == 0xDF:
        return _wide(data, at + _1, 4)
    return np.uint64(head) - np.uint64(0x80)


@_inlined
def _same(data: Any, at: Any, other: Any, start: Any, width: Any) -> Any:
    for i in range(width):  # noqa: SIM110 - numba compiles loops
        if data[at + np.uint64(i)] != other[start + np.uint64(i)]:
            return False
    return True


@_inlined
def _find(data: Any, at: Any, width: Any, table: Any, info: Any, slots: Any, entries: Any, blob: Any) -> Any:
    """The code of the value in `width` bytes at `at`."""
    if data[at] == 0xC0:
        return info[table, 3]
    if width > np.uint64(info[table, 2]):
        return info[table, 4]
    value = np.uint64(14_695_981_039_346_656_037)
    for i in range(width):
        value = (value ^ np.uint64(data[at + np.uint64(i)])) * np.uint64(1_099_511_628_211)
    value ^= value >> np.uint64(32)
    first, mask = np.uint64(info[table, 0]), np.uint64(info[table, 1])
    place = value & mask
    while True:
        entry = slots[first + place]
        if entry < 0:
            return info[table, 4]
        if np.uint64(entries[entry, 1]) == width and _same(data, at, blob, np.uint64(entries[entry, 0]), width):
            return entries[entry, 2]
        place = (place + _1) & mask


@_inlined
def _milliseconds(data: Any, at: Any) -> Any:
    """The time at `at`: a non-negative integer as it is, or MessagePack's timestamp extension in its three widths."""
    head = data[at]
    if head == 0xCF:
        return np.int64(_eight(data, at + _1))
    if head < 0x80:
        return np.int64(head)
    if head == 0xCC:
        return np.int64(data[at + _1])
    if head == 0xCD:
        return np.int64(_wide(data, at + _1, 2))
    if head == 0xCE:
        return np.int64(_wide(data, at + _1, 4))
    if head == 0xD6:
        return np.int64(_wide(data, at + _2, 4)) * 1000
    if head == 0xD7:
        both = _eight(data, at + _2)
        return np.int64(both & np.uint64(0x3_FFFF_FFFF)) * 1000 + np.int64(both >> np.uint64(34)) // 1_000_000
    return np.int64(_eight(data, at + _7)) * 1000 + np.int64(_wide(data, at + _3, 4)) // 1_000_000


@_compiled
def unpack(
    data: Any,  # (n_bytes,) uint8
    first: int,  # where the first event begins
    program: Any,  # (n_leaves, 6) int64: bytes to skip, action, row, table, second row, second table (-1: none)
    tail: int,  # bytes to skip after the last leaf
    info: Any,  # PackedTables
    slots: Any,
    entries: Any,
    blob: Any,
    numeric: Any,  # (n_rows, n) float64, filled where the program says
    codes: Any,  # (n_rows, n) int32, likewise
    times: Any,  # (n,) int64, milliseconds
    versions: Any,  # (n,) int32: index into version_rows, or -9
    version_rows: Any,  # (MAX_VERSIONS,) int64: the first row of each distinct version
    flags: Any,  # (n,) bool: whether a FLAG leaf is not null
) -> Any:
    """Read n events; returns where the last one ends and the number of distinct versions."""
    at = np.uint64(first)
    n_versions = 0
    starts = np.empty(MAX_VERSIONS, np.uint64)
    widths = np.empty(MAX_VERSIONS, np.uint64)
    bits = np.empty(1, np.uint64)
    floats = bits.view(np.float64)
    for row in range(times.size):
        for leaf in range(program.shape[0]):
            at += np.uint64(program[leaf, 0])
            action = program[leaf, 1]
            if action == NUMERIC:
                if data[at] == 0xCB:
                    bits[0] = _eight(data, at + _1)
                    numeric[program[leaf, 2], row] = floats[0]
                    at += _9
                else:
                    numeric[program[leaf, 2], row] = np.nan
                    at += _1
                continue
            width = _length(data, at)
            if action == CODE:
                codes[program[leaf, 2], row] = _find(data, at, width, program[leaf, 3], info, slots, entries, blob)
                if program[leaf, 5] >= 0:
                    codes[program[leaf, 4], row] = _find(data, at, width, program[leaf, 5], info, slots, entries, blob)
            elif action == TIME:
                times[row] = _milliseconds(data, at)
            elif action == VERSION:
                found = -9
                for known in range(n_versions):
                    if widths[known] == width and _same(data, at, data, starts[known], width):
                        found = known
                        break
                if found < 0 and n_versions < MAX_VERSIONS:
                    found = n_versions
                    starts[found], widths[found], version_rows[found] = at, width, row
                    n_versions += 1
                versions[row] = found
            elif action == FLAG and data[at] != 0xC0:
                flags[row] = True
                remaining = _2 * _pairs(data, at)
                for _ in range(remaining):
                    at += width
                    width = _length(data, at)
            at += width
        at += np.uint64(tail)
    return np.int64(at), n_versions
