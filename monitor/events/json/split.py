"""Which events a JSON message holds: one, the elements of an array, or the lines of NDJSON."""

from itertools import islice
from typing import Final

import msgspec
import numpy as np

from monitor.events.json import brackets
from monitor.events.json.forgiving import Refused, parse
from monitor.events.reasons import Reason

_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SPACE: Final = b" \t\r\n"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"

_TRIED: Final = 1_000
"""Lines that are looked at for one that is an object: each that is none takes some ten microseconds."""


def split(message: bytes, most: int) -> list[bytes]:
    """The bytes of each event, at most so many. An element or a line that is no JSON is one too: it is rejected alone.

    Raises
    ------
    Refused
        the message cannot be divided, or has too many events, and so is one bad event.
    """
    message = message.removeprefix(_BYTE_ORDER_MARK)
    if is_array(message):
        try:
            return elements(message, most)
        except Refused as refused:
            # A line of NDJSON may be garbage that begins with a bracket, as "[warn] ..." does.
            if refused.reason is not Reason.UNDECODABLE:
                raise
            lines = _lines(message, most)
            if 2 * sum(map(_may_be_object, lines)) < len(lines) or not _has_object(lines):
                raise
            return lines
    if b"\n" not in message.strip(_SPACE):
        return [message]
    try:
        parse(message)
    except Refused:
        lines = _lines(message, most)
        if _has_object(lines):
            return lines
    return [message]


def is_array(message: bytes) -> bool:
    """Whether the first character says that this is an array."""
    return message.lstrip(_SPACE)[:1] == b"["


def elements(message: bytes, most: int) -> list[bytes]:
    """The elements' own bytes.

    Raises
    ------
    Refused
        the brackets do not close, or there are too many elements.
    """
    try:
        found = [bytes(element) for element in _ELEMENTS.decode(message)]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _scan(message, most)
    if len(found) > most:
        raise _too_many(len(found), most)
    return found


def _lines(message: bytes, most: int) -> list[bytes]:
    lines = [line for line in message.split(b"\n") if line.strip(_SPACE)]
    if len(lines) > most:
        raise _too_many(len(lines), most)
    return lines


def _has_object(lines: list[bytes]) -> bool:
    return any(map(_is_object, islice(filter(_may_be_object, lines), _TRIED)))


def _may_be_object(line: bytes) -> bool:
    line = line.strip(_SPACE)
    return line.startswith(b"{") and line.endswith(b"}")  # an element of an array that is cut off ends with a comma


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(parse(line), dict)
    except Refused:
        return False


def _scan(message: bytes, most: int) -> list[bytes]:
    """Divide at the commas outside all brackets and strings, whatever lies between: one element may hold a NaN."""
    spans = np.empty((min(message.count(b",") + 1, most), 2), dtype=np.int64)
    n = brackets.elements(np.frombuffer(message, dtype=np.uint8), spans)
    if n == brackets.TOO_MANY:
        raise _too_many(message.count(b",") + 1, most)
    if n == brackets.NOT_CLOSED:
        raise Refused(Reason.UNDECODABLE, "an array that is not closed, or is followed by something else")
    found = [message[begin:end] for begin, end in spans[:n].tolist()]
    return [] if len(found) == 1 and not found[0].strip(_SPACE) else found


def _too_many(n: int, most: int) -> Refused:
    return Refused(Reason.OVERSIZE, f"{n} events; at most {most}")
