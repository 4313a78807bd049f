"""Rows of record batches as rejects."""

import json
import math
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
import pyarrow as pa

from monitor.events.arrow.places import Seen
from monitor.events.batch import Rejected
from monitor.events.json.forgiving import Refused

_ROOM_BYTES: Final = 64 * 1024
_ROOM_RATIO: Final = 8
"""The rejects of a message may hold so many bytes, and so many times its own. A row's text may lie in the message once
for all rows, so that without a bound they fill the memory."""

_WRAPPED: Final = (pa.DictionaryScalar, pa.RunEndEncodedScalar, pa.ExtensionScalar, pa.UnionScalar)


_ENCODER: Final = msgspec.json.Encoder(enc_hook=repr, decimal_format="number")


class Room:
    """What the rejects of one message, of so many bytes, may still hold."""

    def __init__(self, n_bytes: int) -> None:
        self._left = _ROOM_BYTES + _ROOM_RATIO * n_bytes

    def holds(self, sizes: Iterator[int]) -> bool:
        """Whether there is room for all of these; no more of them are looked at than there is room for."""
        total = 0
        for size in sizes:
            total += size
            if total > self._left:
                return False
        return True

    def take(self, n_bytes: int) -> None:
        """Use some of it."""
        self._left -= n_bytes


class Piece(NamedTuple):
    """A record batch of a message.

    Attributes
    ----------
    batch
        it must have passed `validate(full=True)`, or come from a reader that makes none but valid ones.
    message, first
        index of its message, and the row of the message that is its first.
    base
        position of its first row among all events.
    seen
        its schema.
    room
        of its message.
    """

    batch: Any
    message: int
    first: int
    base: int
    seen: Seen
    room: Room

    def metadata(self, name: str) -> str | None:
        """What its schema's metadata say under a name."""
        value = (self.batch.schema.metadata or {}).get(name.encode())
        return None if value is None else value.decode(errors="replace")


def rejected(piece: Piece, row: int, refused: Refused) -> Rejected:
    """A row as a reject, with the row as JSON; where there is no more room, with its number in the message."""
    values = [piece.batch.column(place)[row] for place in range(piece.batch.num_columns)]
    raw = b""
    if piece.room.holds(size for value in values for size in sizes(value)):
        raw = msgspec.json.encode(dict(zip(piece.batch.schema.names, map(_raw, values), strict=True)))
    if not raw or not piece.room.holds(iter([len(raw)])):
        raw = b'{"row":%d,"omitted":"the rejected rows of this message hold too much"}' % (piece.first + row)
    piece.room.take(len(raw))
    return Rejected(
        message=piece.message,
        index=piece.first + row,
        reason=refused.reason,
        detail=refused.detail,
        model=refused.model,
        raw=raw,
        time_ms=refused.time_ms,
        foreign=refused.foreign,
    )


def sizes(value: Any) -> Iterator[int]:
    """At least the bytes of a value as Python would have it, part by part: it may repeat what Arrow holds once."""
    yield 1
    if not value.is_valid:
        return
    if isinstance(value, _WRAPPED):
        yield from sizes(value.value)
    elif isinstance(value, pa.StructScalar):
        for place in range(value.type.num_fields):  # by name it fails where two have one
            yield from sizes(value[place])  # type: ignore[index]  # not in the stubs
    elif isinstance(value, pa.ListScalar):  # of any kind, and maps
        for part in value.values or ():
            yield from sizes(part)
    elif isinstance(value, pa.BinaryScalar):  # text too
        yield value.as_buffer().size


def as_json(value: Any) -> bytes:
    """A value as JSON, or what Python takes for it: NaN. A time that Python cannot hold is given as its integer."""
    try:
        found = value.as_py()
        if isinstance(found, float) and not math.isfinite(found):
            return json.dumps(found).encode()
        return _ENCODER.encode(found)
    # What is raised depends on the type: an unknown time zone, an exponent no decimal has, text that is not UTF-8, ...
    # A row that is shown to people, or read as JSON, may lack a value, but must not end ingest.
    except Exception:  # noqa: BLE001
        ticks = getattr(value, "value", None)
        return msgspec.json.encode(ticks if isinstance(ticks, int) else None)


def _raw(value: Any) -> msgspec.Raw:
    return msgspec.Raw(as_json(value))
