"""The lines of a JSON file, some megabytes at a time; of a document, such as an array, its elements."""

import contextlib
import sys
from codecs import BOM_UTF8
from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Final

from monitor.events.json.forgiving import Refused
from monitor.events.json.split import elements as divided
from monitor.events.json.split import is_array
from monitor.files.documents import elements, is_document
from monitor.files.source import open_lines
from monitor.files.table import Progress, reading, unwatched

MAX_LINE_BYTES: Final = 64 * 1024 * 1024
_BLOCK_BYTES: Final = 4 * 1024 * 1024
_PART_BYTES: Final = 256 * 1024
_LOOKED: Final = 3

Lines = Callable[[Progress], Iterator[list[bytes]]]
"""What gives the lines of a file, some at a time."""


def read_lines(path: Path, progress: Progress = unwatched) -> Iterator[list[bytes]]:
    """The lines of a file, compressed or not, that hold anything, some megabytes at a time.

    A line longer than `MAX_LINE_BYTES` is cut off there.

    Raises
    ------
    InputError
        No such file, or it is corrupt.
    """
    with reading(path):
        total = max(path.stat().st_size, 1)
        file, raw = open_lines(path)
        with raw, file:
            source = _events_of(file)
            while lines := _block(source):
                progress(min(raw.tell() / total, 1.0))
                yield lines


def _block(lines: Iterator[bytes]) -> list[bytes]:
    block, size = list[bytes](), 0
    for line in lines:
        block.append(line)
        size += len(line)
        if size >= _BLOCK_BYTES:
            break
    return block


def _events_of(file: IO[bytes]) -> Iterator[bytes]:
    """The lines that hold anything, of arrays the elements; of a document, its elements."""

    def read() -> bytes:
        return file.readline(MAX_LINE_BYTES)

    looked: list[bytes] = []
    while len(looked) < _LOOKED and (line := read()):
        looked += [line.removeprefix(BOM_UTF8)] if line.removeprefix(BOM_UTF8).strip() else []
        if _is_cut(line):
            break
    if is_document(*looked) or (looked and _is_cut(looked[0]) and is_array(looked[0])):
        yield from map(_alone, elements(chain(looked, iter(lambda: file.read(_PART_BYTES), b"")), MAX_LINE_BYTES))
        return
    for line in chain(looked, iter(read, b"")):
        if not _is_cut(line):
            yield from _events_in(line)
        elif is_array(line):
            yield from map(_alone, elements(_rest_of(line, read), MAX_LINE_BYTES))
        else:
            yield line
            for _ in _rest_of(line, read):
                pass  # passed over


def _events_in(line: bytes) -> Iterable[bytes]:
    """A line; of an array its elements: it may have more of them than a message may. One that is broken gives those
    that are whole, and what is left of it.
    """
    if not line.removeprefix(BOM_UTF8).strip():
        return ()
    if is_array(line):
        with contextlib.suppress(Refused):
            return map(_alone, divided(line.strip(), sys.maxsize))
        if line.lstrip()[1:].lstrip().startswith(b"{"):  # else it is a line of a log, as "[warn] ..."
            return map(_alone, elements([line], MAX_LINE_BYTES))
    return (line,)


def _alone(element: bytes) -> bytes:
    """An element of an array as a line: one that is an array itself is one event, that is none, and not several."""
    return b"[%s]" % element if is_array(element) else element


def _rest_of(line: bytes, read: Callable[[], bytes]) -> Iterator[bytes]:
    """A line that is cut, and what comes of it up to its end."""
    yield line
    while _is_cut(line) and (line := read()):
        yield line


def _is_cut(line: bytes) -> bool:
    return len(line) == MAX_LINE_BYTES and not line.endswith(b"\n")
