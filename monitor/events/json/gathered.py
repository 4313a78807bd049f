"""The texts of many messages in one buffer, as the compiled scan reads them.

`b"\\0".join` and a look at each length touch every message several times, and a message that has just come lies in no
cache: that took a third of all decoding. Here compiled loops read the pointers of the list themselves. They know how
CPython lays out a list and a bytes object; where that is not certain, Python does the same.
"""

import sys
import sysconfig
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from detectors.arrays import Bools
from detectors.compiled import compiled
from monitor.events.words import MASKS, PADDING, word_at

# Of an object: count of references, type. Of a list: length, pointer to its items. Of bytes: length, hash, text, zero.
_TYPE, _ITEMS, _LENGTH, _TEXT = np.uint64(8), np.uint64(24), np.uint64(16), np.uint64(32)
_LAID_OUT_SO: Final = (
    sys.implementation.name == "cpython"
    and not sysconfig.get_config_var("Py_GIL_DISABLED")
    and (sys.maxsize, list.__basicsize__, bytes.__basicsize__) == (2**63 - 1, 40, 33)
)
_0, _1, _8 = np.uint64(0), np.uint64(1), np.uint64(8)
_HIGH_BITS: Final = np.uint64(0x8080_8080_8080_8080)


class Gathered:
    """Texts one after another, a zero byte after each, and `PADDING`.

    Parameters
    ----------
    raws
        the texts; None is an empty one, and so is one of more than `longest` bytes.

    Attributes
    ----------
    data
        (n_bytes,) uint8.
    starts, ends
        (n,) uint64: where each begins, and its zero byte.
    is_ascii
        (n,) whether it has no byte of 128 or more.
    """

    def __init__(self, raws: Sequence[bytes | None], longest: int) -> None:
        at, lengths, _firsts = _look(raws)
        lengths[lengths > longest] = 0
        self.ends = np.cumsum(lengths + _1) - _1
        self.starts = self.ends - lengths
        self.data: Any = np.empty(int(lengths.sum()) + lengths.size + len(PADDING), dtype=np.uint8)
        self.data[self.data.size - len(PADDING) :] = 0
        if at is not None:
            _copy(at, self.starts, self.ends, self.data)
        else:
            for raw, start, end in zip(raws, self.starts.tolist(), self.ends.tolist(), strict=True):
                self.data[start:end] = np.frombuffer(raw or b"", dtype=np.uint8)[: end - start]
        self.is_ascii: Bools = np.empty(len(raws), dtype=np.bool_)
        _end(self.data, self.starts, self.ends, self.is_ascii)

    def text(self, begin: int, end: int) -> bytes:
        """The bytes in [begin, end)."""
        found: bytes = self.data[begin:end].tobytes()
        return found


def measure(raws: Sequence[bytes | None]) -> tuple[Any, Any]:
    """(n,) uint64 lengths, and (n,) uint8 first bytes; 0 of None, and of what is empty."""
    _, lengths, firsts = _look(raws)
    return lengths, firsts


def _look(raws: Sequence[bytes | None]) -> tuple[Any, Any, Any]:
    """The address of the list's pointers, None where they cannot be read so; lengths and first bytes."""
    lengths, firsts = np.empty(len(raws), dtype=np.uint64), np.empty(len(raws), dtype=np.uint8)
    at = _items_of(raws)
    if at is not None and _measure(at, np.uint64(id(bytes)), np.uint64(id(None)), lengths, firsts):
        return at, lengths, firsts
    lengths[:] = [len(raw or b"") for raw in raws]
    firsts[:] = [raw[0] if raw else 0 for raw in raws]
    return None, lengths, firsts


def _items_of(raws: Sequence[bytes | None]) -> Any:
    """The address of a list's pointers; None where they cannot be read so."""
    if not (_LAID_OUT_SO and type(raws) is list and raws):
        return None
    return _pointer(np.uint64(id(raws)) + _ITEMS)


def _load(_context: Any, address: Any) -> Any:
    """The eight bytes at an address, as a uint64."""

    def build(_context: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.load(builder.inttoptr(arguments[0], cgutils.intp_t.as_pointer()))

    return types.uint64(address), build


def _copy_bytes(_context: Any, data: Any, at: Any, address: Any, n: Any) -> Any:
    """Copy `n` bytes from an address into a (n,) uint8 array, to offset `at`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        array = context.make_array(signature.args[0])(context, builder, arguments[0])
        place = builder.gep(array.data, [arguments[1]])
        source = builder.inttoptr(arguments[2], cgutils.voidptr_t)
        cgutils.raw_memcpy(builder, place, source, arguments[3], 1)  # type: ignore[no-untyped-call]  # Numba's own

    return types.none(data, at, address, n), build


_at: Any = intrinsic(_load)
_copied: Any = intrinsic(_copy_bytes)


@compiled
def _pointer(address: Any) -> Any:
    return _at(address)


@compiled
def _measure(items: Any, bytes_type: Any, none: Any, lengths: Any, firsts: Any) -> Any:
    """The length and the first byte of each bytes object, 0 of None; False if there is anything else."""
    for i in range(lengths.size):
        one = _at(items + _8 * np.uint64(i))
        lengths[i], firsts[i] = _0, 0
        if one != none:
            if _at(one + _TYPE) != bytes_type:
                return False
            lengths[i] = _at(one + _LENGTH)
            firsts[i] = np.uint8(_at(one + _TEXT) & np.uint64(0xFF))  # of an empty one the zero at its end
    return True


@compiled
def _copy(items: Any, starts: Any, ends: Any, data: Any) -> None:
    """The texts of bytes objects to where they belong. One of no length may be anything."""
    for i in range(starts.size):
        if ends[i] > starts[i]:
            _copied(data, starts[i], _at(items + _8 * np.uint64(i)) + _TEXT, ends[i] - starts[i])


@compiled
def _end(data: Any, starts: Any, ends: Any, is_ascii: Any) -> None:
    """The zero bytes after the texts, and whether each is ASCII."""
    for i in range(starts.size):
        data[ends[i]] = 0
        found, at = _0, starts[i]
        while at + _8 <= ends[i]:
            found |= word_at(data, at)
            at += _8
        found |= word_at(data, at) & MASKS[ends[i] - at, 0]
        is_ascii[i] = (found & _HIGH_BITS) == _0
