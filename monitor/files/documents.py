"""JSON that is written over several lines: one array of objects, or objects one after another."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from monitor.events.json.forgiving import Refused, parse

_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
"""A text, a bracket, or the beginning of a text that the part's end cuts off."""
_BETWEEN: Final = b" \t\r\n,"
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
        parse(line)
    except Refused:
        return False
    return True


def elements(parts: Iterable[bytes], most_bytes: int) -> Iterator[bytes]:
    """The elements of arrays and the other values at the top, each on a line of its own.

    One longer than `most_bytes` is cut off there, and so is what the end of the file cuts off.
    """
    depth, own = 0, 0  # of brackets, and that at which the element began
    inside = False
    held, begun = bytearray(), b""
    for more in parts:
        part, begun = begun + more, b""
        at = 0  # what is before it has been taken
        for token in _TOKENS.finditer(part):
            start, end, mark = token.start(), token.end(), token[0]
            if mark == b'"' and len(part) - start < most_bytes:
                part, begun = part[:start], part[start:]
                break
            is_text = mark[:1] == b'"'
            if inside:
                if mark in b"{[":
                    depth += 1
                elif not is_text:
                    depth -= 1
                    if depth == own:
                        yield _line(held, part[at:end], most_bytes)
                        at, inside = end, False
                continue
            yield from _between(held, part[at:start])
            at = end
            if is_text:
                yield mark
            elif mark == b"{" or (mark == b"[" and depth):
                at, own, inside = start, depth, True
            depth = max(depth + (0 if is_text else 1 if mark in b"{[" else -1), 0)
        if len(held) < most_bytes:
            held += part[at:]
    yield from _between(held, begun)


def _between(held: bytearray, more: bytes) -> Iterator[bytes]:
    """Whatever stands between elements: numbers, words, what is no JSON; nothing for commas and spaces."""
    held += more
    found = bytes(held).strip(_BETWEEN)
    held.clear()
    for piece in found.split(b",") if found[:1] not in (b"{", b"[", b'"') else [found]:
        if piece.strip():
            yield piece.replace(b"\r", b" ").replace(b"\n", b" ")


def _line(held: bytearray, more: bytes, most_bytes: int) -> bytes:
    held += more
    found = bytes(held[:most_bytes]).replace(b"\r", b" ").replace(b"\n", b" ")
    held.clear()
    return found
