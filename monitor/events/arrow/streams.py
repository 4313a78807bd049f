"""Where the Arrow IPC streams in some bytes lie: of a message, or of a whole file."""

import re
import struct
from collections.abc import Iterator
from typing import Final

import pyarrow as pa

from monitor.events.arrow.extent import Extent, Raw, extent

FILE_MAGIC: Final = b"ARROW1"
CONTINUATION: Final = b"\xff\xff\xff\xff"
"""What begins every message of a stream since Arrow 0.15."""

_FILE_START: Final = 8  # the magic, padded
_ZEROS: Final = re.compile(rb"\0*")

REFUSALS: Final = (
    pa.ArrowException,
    struct.error,
    ValueError,
    KeyError,
    TypeError,
    OverflowError,
    OSError,
    EOFError,
    MemoryError,
)
"""What pyarrow raises on bytes that are no Arrow; it has no common base."""


def streams(raw: Raw) -> Iterator[tuple[int, Extent]]:
    """Where each stream begins, and its extent: one after another, as whoever appends to a file writes them.

    Raises
    ------
    ValueError, struct.error
        These are no streams of Arrow, or they are cut off.
    """
    start, end = _ends(raw)
    while start < end:
        found = extent(raw, start, end)
        yield start, found
        start = _after_zeros(raw, found.stop, end)


def _after_zeros(raw: Raw, start: int, end: int) -> int:
    """Where the next stream may begin: zeros are padding, four at a time as an old stream's first length may be."""
    stop = _ZEROS.match(raw, start, end).end()  # type: ignore[union-attr]  # it always matches
    return stop if stop == end else start + (stop - start) // 4 * 4


def _ends(raw: Raw) -> tuple[int, int]:
    """Where the streams begin and end. A file is a stream between its magic and its footer."""
    if raw[: len(FILE_MAGIC)] != FILE_MAGIC:
        return 0, len(raw)
    end = len(raw) - len(FILE_MAGIC) - 4
    if raw[-len(FILE_MAGIC) :] != FILE_MAGIC or end < _FILE_START:
        raise ValueError("a file that is cut off")
    end -= int.from_bytes(raw[end : end + 4], "little", signed=True)
    if not _FILE_START <= end < len(raw):
        raise ValueError("a file whose footer is not where it says")
    return _FILE_START, end
