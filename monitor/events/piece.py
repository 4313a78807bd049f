"""Rows of record batches as rejects."""

from typing import Any, NamedTuple

import msgspec
import pyarrow as pa

from monitor.events.batch import Rejected
from monitor.events.forgiving import Refused
from monitor.events.places import Seen


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
    """

    batch: Any
    message: int
    first: int
    base: int
    seen: Seen

    def metadata(self, name: str) -> str | None:
        """What its schema's metadata say under a name."""
        value = (self.batch.schema.metadata or {}).get(name.encode())
        return None if value is None else value.decode(errors="replace")


def rejected(piece: Piece, row: int, refused: Refused) -> Rejected:
    """A row as a reject, with the row as JSON."""
    return Rejected(
        message=piece.message,
        index=piece.first + row,
        reason=refused.reason,
        detail=refused.detail,
        model=refused.model,
        raw=_as_json(piece.batch, row),
    )


def _as_json(batch: Any, row: int) -> bytes:
    """One row as a JSON object. A time that Python cannot hold is given as its integer."""
    fields = {}
    for place, name in enumerate(batch.schema.names):
        value = batch.column(place)[row]
        try:
            fields[name] = value.as_py()
        except (ValueError, OverflowError, pa.ArrowException):
            fields[name] = getattr(value, "value", None)  # the integer below a time
    return msgspec.json.encode(fields, enc_hook=repr)
