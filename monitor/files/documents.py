"""JSON that is written over several lines: one array of objects, or objects one after another."""

import re
from collections.abc import Iterable, Iterator
from typing import Final

from monitor.events.json.forgiving import Refused, parse

_TOKENS: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|["{}\[\]]', re.DOTALL)
"""A text, a bracket, or the beginning of a text that the part's end cuts off."""
_BETWEEN: Final = b" \t\r\n,"


def is_document(first: bytes) -> bool:
    """Whether what begins with this line is no JSON lines: its value goes on in the next, as an array of all does."""
    start = first.strip()
    if start == b"{":
        return True
    if not start.startswith(b"["):
        return False
    try:
        parse(start)
    except Refused:
        return True
    return False


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
