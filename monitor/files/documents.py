"""JSON that is written over several lines: one array of objects, or objects one after another."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

import msgspec

from monitor.events.json.forgiving import Refused, parse

_RAW: Final = msgspec.json.Decoder(msgspec.Raw)
_TOKENS: Final = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["{}\[\]]', re.DOTALL)
"""A text, a bracket, or the beginning of a text that the part's end cuts off."""
_BETWEEN: Final = b" \t\r\n,"
_CLOSING: Final = re.compile(rb'(?:[^"\\]++|\\.)*+"', re.DOTALL)
_KEY: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"\s*:')


def is_document(first: bytes = b"", second: bytes = b"", third: bytes = b"") -> bool:
    """Whether what begins with these lines, none of them blank, is no JSON lines, but goes on from line to line.

    A broken first line is none: an array or an object that is written over several lines goes on as one does.
    """
    start, following = first.strip(), second.strip()
    if not start.startswith((b"[", b"{")) or _is_whole(start):
        return False
    if start.endswith(b"{"):
        return _KEY.match(following) is not None or following.startswith(b"}")
    if not start.startswith(b"[") or not following.startswith((b"{", b"[", b"]")):
        return False
    return not _is_whole(following) or third.strip().startswith(b"]")


def _is_whole(line: bytes) -> bool:
    try:
        _RAW.decode(line)  # makes no objects, which would be tens of times the line
    except (msgspec.MsgspecError, RecursionError):
        pass
    else:
        return True
    try:
        parse(line)
    except Refused:
        return False
    return True


def elements(parts: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """The elements of arrays and the other values at the top, each on a line of its own.

    One longer than `most_bytes` is cut off there, and so is what the end of the file cuts off: those beside it lose
    nothing. No more than such a one lies in memory.
    """
    document = _Document(most_bytes)
    for part in parts:
        yield from document.take(part)
    yield from document.end()


class _Document:
    """Where a document is between two of its parts."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._depth, self._own = 0, 0  # of brackets, and that at which the element began
        self._inside = self._in_text = False
        self._held = bytearray()  # of the element, or of what stands between two
        self._backslash = b""  # that ends a part inside a text: what it escapes is in the next one

    def take(self, part: bytes) -> Iterator[bytes]:
        """What ends in the next part."""
        part, self._backslash = self._backslash + part, b""
        at = begin = 0  # what is before `at` has been taken
        if self._in_text:
            closing = _CLOSING.match(part)
            self._in_text = closing is None
            begin = len(part) if closing is None else closing.end()
            if closing is not None and not self._inside:
                yield self._line(part[:begin])
                at = begin
        for token in _TOKENS.finditer(part, begin):
            start, end, mark = token.start(), token.end(), token[0]
            if mark == b'"':  # the part's end cuts it off
                self._in_text = True
                if not self._inside:
                    yield from self._between(part[at:start])
                    at = start
                break
            is_text = mark[:1] == b'"'
            if self._inside:
                if mark in b"{[":
                    self._depth += 1
                elif not is_text:
                    self._depth -= 1
                    if self._depth == self._own:
                        yield self._line(part[at:end])
                        at, self._inside = end, False
                continue
            yield from self._between(part[at:start])
            at = end
            if is_text:
                yield self._line(mark)
            elif mark == b"{" or (mark == b"[" and self._depth):
                at, self._own, self._inside = start, self._depth, True
            self._depth = max(self._depth + (0 if is_text else 1 if mark in b"{[" else -1), 0)
        if self._in_text and (len(part) - len(part.rstrip(b"\\"))) % 2:
            part, self._backslash = part[:-1], b"\\"
        if self._inside or self._in_text:
            self._hold(part[at:])
            return
        numbers, comma, rest = part[at:].rpartition(b",")
        if comma:  # of numbers there may be more than an element may be long
            yield from self._between(numbers)
        self._hold(rest)

    def end(self) -> Iterator[bytes]:
        """What the end of the file cuts off."""
        return self._between(self._backslash)

    def _hold(self, more: bytes) -> None:
        self._held += more[: max(self._most_bytes - len(self._held), 0)]

    def _line(self, more: bytes) -> bytes:
        self._hold(more)
        found = bytes(self._held).replace(b"\r", b" ").replace(b"\n", b" ")
        self._held.clear()
        return found

    def _between(self, more: bytes) -> Iterator[bytes]:
        """Whatever stands between elements: numbers, words, what is no JSON; nothing for commas and spaces."""
        found = self._line(more).strip(_BETWEEN)
        for piece in found.split(b",") if found[:1] not in (b"{", b"[", b'"') else [found]:
            if piece.strip():
                yield piece
