"""How far an Arrow IPC stream reaches, and what it takes to decode: known from its frames, before Arrow reads it.

Arrow decompresses a whole record batch before anyone can ask for its rows, so that a few kilobytes may become
gigabytes. Each frame says what is in it: its rows, and before each compressed buffer its size without compression.

Source: Apache Arrow Columnar Format, "Serialization and Interprocess Communication"; `format/Message.fbs`. The offsets
below are those of FlatBuffers, and of the fields in the order of that file.
"""

import mmap
import struct
from collections import Counter
from functools import lru_cache
from typing import Final, NamedTuple

_CONTINUATION: Final = -1
_SCHEMA, _DICTIONARY, _BATCH = 1, 2, 3  # what a message may be
_HEADER_TYPE, _HEADER, _BODY_LENGTH = 1, 2, 3  # fields of a message
_ID, _DATA, _IS_DELTA = 0, 1, 2  # of a dictionary
_LENGTH, _NODES, _BUFFERS, _COMPRESSION = 0, 1, 2, 3  # of a record batch
_OLD_COMPRESSION: Final = b"ARROW:experimental_compression"  # of Arrow 0.17 alone, told elsewhere
_MOST_KEPT: Final = 16 * 1024  # bytes of metadata

Raw = bytes | mmap.mmap
"""The bytes of a message, or of a file that stays where it is."""


class Extent(NamedTuple):
    """Of one stream.

    Attributes
    ----------
    stop
        where it ends: after its end mark, or where another begins, or the bytes end.
    n_rows
        of all its record batches.
    n_bytes
        of its buffers once they are decoded, and one for each value: some have no buffer.
    n_unpacked
        the most that must be made at once: a record batch's values, its compressed buffers once they are not, and
        likewise all dictionaries.
    """

    stop: int
    n_rows: int
    n_bytes: int
    n_unpacked: int


def extent(raw: Raw, start: int, end: int) -> Extent:
    """Measure the stream that begins at `start`; nothing from `end` on is part of it.

    Raises
    ------
    ValueError, struct.error
        These are no frames of Arrow, or they are cut off.
    """
    at, n_rows, n_bytes, n_unpacked = start, 0, 0, 0
    dictionaries, unpacked = Counter[int](), Counter[int]()
    while at < end:
        begin, size = at + 4, _int32(raw, at)
        if size == _CONTINUATION:
            begin, size = at + 8, _int32(raw, at + 4)
        if size == 0:
            return Extent(begin, n_rows, n_bytes, n_unpacked)
        body = begin + size
        if size < 0 or body > end:
            raise ValueError("a message that is cut off")
        meta = raw[begin:body]
        frame = _frame(meta) if size > _MOST_KEPT else _kept_frame(meta)
        if frame.kind == _SCHEMA and at > start:
            break
        stop = body + frame.body_length
        if not body <= stop <= end:
            raise ValueError("a body that is cut off")
        if frame.kind == _BATCH:
            own = _unpacked(frame, raw, body)
            n_rows += frame.n_rows
            n_bytes += own + _in_place(frame, body, stop)
            n_unpacked = max(n_unpacked, unpacked.total() + own)
        elif frame.kind == _DICTIONARY:
            own = _unpacked(frame, raw, body)
            unpacked[frame.name] = own + (unpacked[frame.name] if frame.is_delta else 0)
            n_unpacked = max(n_unpacked, unpacked.total())
            # What is added to a dictionary makes a new one; the batches before it keep the old.
            own += _in_place(frame, body, stop)
            dictionaries[frame.name] = own + (dictionaries[frame.name] if frame.is_delta else 0)
            n_bytes += dictionaries[frame.name]
        at = stop
    return Extent(at, n_rows, n_bytes, n_unpacked)


class _Frame(NamedTuple):
    """What the metadata of one message say.

    Attributes
    ----------
    kind, body_length
        of the message.
    n_rows
        of a record batch.
    name, is_delta
        of a dictionary.
    n_values
        of a record batch, or of a dictionary.
    buffers
        offset and length of each buffer in the body, one after another, where they are compressed; else None.
    """

    kind: int
    body_length: int
    n_rows: int = 0
    name: int = 0
    is_delta: bool = False
    n_values: int = 0
    buffers: tuple[int, ...] | None = None


def _frame(meta: bytes) -> _Frame:
    if _OLD_COMPRESSION in meta:
        raise ValueError("compressed as by Arrow 0.17")
    message = _Table(meta, _follow(meta, 0))
    kind, body_length = message.number(_HEADER_TYPE, "B"), message.number(_BODY_LENGTH, "q")
    header, name, is_delta = message.table(_HEADER), 0, False
    if kind == _DICTIONARY:
        name, is_delta = header.number(_ID, "q"), bool(header.number(_IS_DELTA, "?"))
        header = header.table(_DATA)
    elif kind != _BATCH:
        return _Frame(kind, body_length)
    values = header.pairs(_NODES)[::2]
    n_rows = header.number(_LENGTH, "q")
    if min(values, default=0) < 0 or (kind == _BATCH and n_rows < 0):
        raise ValueError("a negative length")
    buffers = header.pairs(_BUFFERS) if header.place(_COMPRESSION) else None
    if min(buffers or (), default=0) < 0:
        raise ValueError("a negative length")
    return _Frame(kind, body_length, n_rows, name, is_delta, sum(values), buffers)


_kept_frame: Final = lru_cache(maxsize=64)(_frame)
"""A producer sends one schema and the same dictionaries with every message; to read them takes longer than the rows."""


def _in_place(frame: _Frame, body: int, stop: int) -> int:
    """The bytes of a body [body, stop) that Arrow reads where they lie."""
    return stop - body if frame.buffers is None else 0


def _unpacked(frame: _Frame, raw: Raw, body: int) -> int:
    """The values of a record batch whose body begins at `body`, and the bytes that must be made of it."""
    n_bytes = frame.n_values
    buffers = frame.buffers or ()
    for offset, length in zip(buffers[::2], buffers[1::2], strict=True):
        if length:
            (plain,) = struct.unpack_from("<q", raw, body + offset)
            n_bytes += max(plain, length)  # -1: not compressed
    return n_bytes


class _Table:
    """A table of a FlatBuffer: the fields it has, by their number."""

    def __init__(self, data: bytes, at: int) -> None:
        if at < 0:
            raise ValueError("an offset before the message")
        self._data = data
        self._at = at
        fields = at - _int32(data, at)
        if fields < 0:
            raise ValueError("an offset before the message")
        (size,) = struct.unpack_from("<H", data, fields)
        self._offsets = struct.unpack_from(f"<{max(size - 4, 0) // 2}H", data, fields + 4)

    def place(self, field: int) -> int:
        """Where a field lies; 0 for one that is not there."""
        offset = self._offsets[field] if field < len(self._offsets) else 0
        return self._at + offset if offset else 0

    def number(self, field: int, kind: str) -> int:
        """A scalar, 0 if it is not there."""
        place = self.place(field)
        return int(struct.unpack_from(f"<{kind}", self._data, place)[0]) if place else 0

    def table(self, field: int) -> "_Table":
        """Another table."""
        place = self.place(field)
        if not place:
            raise ValueError("a message without its header")
        return _Table(self._data, _follow(self._data, place))

    def pairs(self, field: int) -> tuple[int, ...]:
        """A vector of two 64-bit integers each, one after another."""
        place = self.place(field)
        if not place:
            return ()
        begin = _follow(self._data, place)
        (n,) = struct.unpack_from("<I", self._data, begin)
        if begin + 4 + 16 * n > len(self._data):
            raise ValueError("a vector that is cut off")
        return struct.unpack_from(f"<{2 * n}q", self._data, begin + 4)


def _follow(data: bytes, at: int) -> int:
    """Where the offset at `at` leads."""
    return at + int(struct.unpack_from("<I", data, at)[0])


def _int32(data: Raw, at: int) -> int:
    return int(struct.unpack_from("<i", data, at)[0])
