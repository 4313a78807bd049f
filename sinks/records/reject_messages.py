"""A message of `drift.rejects`: the event's raw bytes whole, everything else in headers."""

from collections.abc import Iterable, Sequence
from typing import Annotated, Any, Final

import msgspec
import pyarrow as pa
from msgspec import Meta

from sinks.errors import BadRecord, NewerRecord
from sinks.records.record import FIRST_MS, LAST_MS
from sinks.records.reject import RECORD
from sinks.records.rows import rows_batch

_VERSION: Final = "schema_version"


class Reject(msgspec.Struct, frozen=True, kw_only=True):
    """One event that could not be used; the fields are those of the record `reject`."""

    source_topic: str
    source_partition: Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
    source_offset: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
    event_index: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    model: str
    reason: str
    detail: str
    time_ms: Annotated[int, Meta(ge=FIRST_MS, le=LAST_MS)]
    raw: bytes


_HEADERS: Final = tuple(field.name for field in RECORD.fields if field.name != "raw")


def encode_reject(reject: Reject) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and body of a message: the body is the event's raw bytes, untouched."""
    headers = [(name, str(getattr(reject, name)).encode("utf-8", "replace")) for name in _HEADERS]
    return [(_VERSION, str(RECORD.version).encode()), *headers], reject.raw


def decode_reject(headers: Iterable[tuple[str, bytes | None]] | None, body: bytes | None) -> Reject:
    """The reject in a message's headers and body. Other headers are ignored; of a repeated one the last counts.

    Raises
    ------
    BadRecord
        A header is missing, is no UTF-8, or is no number in range where one belongs: drop the message.
    NewerRecord
        A later release wrote it: stop, and leave it unread.
    """
    texts: dict[str, Any] = {}
    for name, value in headers or ():
        if value is not None and (name in _HEADERS or name == _VERSION):
            try:
                texts[name] = value.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadRecord(f"the header {name!r} of a reject is no UTF-8") from error
    try:
        version = int(texts.pop(_VERSION))
    except (KeyError, ValueError) as error:
        raise BadRecord("a reject whose headers do not say its schema version") from error
    if version > RECORD.version:
        raise NewerRecord(
            f"version {version} of the record 'reject'; this release reads up to {RECORD.version}", version=version
        )
    try:
        # strict=False reads integers from text.
        return msgspec.convert({**texts, "raw": body or b""}, Reject, strict=False)
    except msgspec.ValidationError as error:
        raise BadRecord(f"no reject: {error}") from error


def rejects_batch(rejects: Sequence[Reject]) -> pa.RecordBatch:
    """Rejects as one batch of the record `reject`."""
    return rows_batch(RECORD, [msgspec.structs.asdict(reject) for reject in rejects])
