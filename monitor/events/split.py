"""Which events a JSON message holds: one, the elements of an array, or the lines of NDJSON."""

import re
from typing import Final

import msgspec

from monitor.events.forgiving import Refused, parse
from monitor.events.reasons import Reason

_ELEMENTS: Final = msgspec.json.Decoder(list[msgspec.Raw])
_SPACE: Final = b" \t\r\n"
_TOKEN: Final = re.compile(rb'"(?:[^"\\]|\\.)*+"|["\[\]{},]', re.DOTALL)


def split(message: bytes) -> list[bytes]:
    """The bytes of each event. An element that is no JSON by itself is given too: it is rejected by itself.

    Raises
    ------
    Refused
        the message cannot be divided, and so is one bad event.
    """
    if is_array(message):
        return elements(message)
    if b"\n" not in message.strip(_SPACE):
        return [message]
    try:
        parse(message)
    except Refused:
        lines = [line for line in message.split(b"\n") if line.strip(_SPACE)]
        if any(map(_is_object, lines)):
            return lines
    return [message]


def is_array(message: bytes) -> bool:
    """Whether the first character says that this is an array."""
    return message.lstrip(_SPACE)[:1] == b"["


def elements(message: bytes) -> list[bytes]:
    """The elements' own bytes.

    Raises
    ------
    Refused
        the brackets do not close.
    """
    try:
        return [bytes(element) for element in _ELEMENTS.decode(message)]
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return _scan(message)


def _is_object(line: bytes) -> bool:
    try:
        return isinstance(parse(line), dict)
    except Refused:
        return False


def _scan(message: bytes) -> list[bytes]:
    """Divide at the commas outside all brackets and strings, whatever lies between: one element may hold a NaN."""
    depth, start, found = 0, 0, list[bytes]()
    end = -1
    for match in _TOKEN.finditer(message):
        token = match.group()[:1]
        if end >= 0 or (token == b'"' and match.end() - match.start() == 1):
            break
        if token in b"[{":
            depth += 1
            start = match.end() if depth == 1 else start
        elif token in b"]}":
            depth -= 1
            if depth == 0:
                found.append(message[start : match.start()])
                end = match.end()
        elif token == b"," and depth == 1:
            found.append(message[start : match.start()])
            start = match.end()
    if end < 0 or message[end:].strip(_SPACE):
        raise Refused(Reason.UNDECODABLE, "an array that is not closed, or is followed by something else")
    if len(found) == 1 and not found[0].strip(_SPACE):
        return []
    return found
