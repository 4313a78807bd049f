"""The public output contract: the rows of `drift.results`, the rejects of `drift.rejects`, the rows of a reference.

On the wire a `ResultBatch` is MessagePack, a map with field names, so that a reader in any language needs no schema.
Readers ignore fields they do not know; a field that changes its meaning raises `schema_version`.

Conventions: times are integer milliseconds UTC, intervals are half-open `[start_ms, end_ms)`. A float that cannot be
told is NaN (MessagePack carries it). The segment `""` is the whole. `revision` starts at 1 and grows with each
correction of the same row; what a row is about is its key, the figures are not.
"""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Final

import msgspec
from msgspec import Meta, Struct

from sinks.errors import BadRecord

SCHEMA_VERSION: Final = 1
# What ClickHouse's DateTime64(3) can hold: 1900-01-01T00:00:00Z to 2299-12-31T23:59:59.999Z. Events are never before
# 1970, but a window that holds one of that year's first days may begin earlier.
FIRST_MS: Final = -2_208_988_800_000
LAST_MS: Final = 10_413_791_999_999

TimeMs = Annotated[int, Meta(ge=FIRST_MS, le=LAST_MS)]
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Revision = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Partition = Annotated[int, Meta(ge=-(2**31), le=2**31 - 1)]
Offset = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]
Cell = Annotated[int, Meta(ge=0, le=2**16 - 1)]


class DriftScore(Struct, frozen=True, kw_only=True, tag_field="type", tag="drift_score"):
    """One method's verdict on one column of one segment in one window.

    Attributes
    ----------
    reference
        The digest of the reference that the window was compared with.
    statistic, p_value, q_value
        NaN where there are none; `q_value` is corrected over the window's columns.
    drifted
        `statistic >= threshold` and significant after correction.
    insufficient
        Too few rows for a verdict; `drifted` is then False.
    n_reference, n_current
        The values compared.
    error_bound
        How far the statistic may be from that of the raw values; 0 where it is exact.
    """

    model: str
    version: str
    reference: str
    segment: str
    column: str
    method: str
    window_start_ms: TimeMs
    window_end_ms: TimeMs
    statistic: float
    p_value: float
    q_value: float
    threshold: float
    drifted: bool
    insufficient: bool
    n_reference: Count
    n_current: Count
    error_bound: float
    revision: Revision


class ColumnProfile(Struct, frozen=True, kw_only=True, tag_field="type", tag="column_profile"):
    """What one column of one segment held in one pane. Panes add up: `counts` of several give those of any time range.

    Attributes
    ----------
    kind
        `numeric` or `categorical`.
    n
        Valid values; nulls and invalid values come on top.
    minimum, maximum, mean, std
        Of a numeric column's valid values, else NaN.
    quantiles
        (5,) at 0.05, 0.25, 0.5, 0.75 and 0.95; empty for a categorical column.
    counts
        (n_cells,) of the reference's grid. Categorical: its categories, then `other`, then `unseen`.
    frequent_unseen
        (value, count, error): the most frequent values that the reference lacks; the true count lies
        in `[count, count + error]`. For people to read: no statistic rests on it.
    """

    model: str
    version: str
    reference: str
    segment: str
    column: str
    kind: str
    pane_start_ms: TimeMs
    pane_end_ms: TimeMs
    n: Count
    nulls: Count
    invalid: Count
    minimum: float
    maximum: float
    mean: float
    std: float
    quantiles: list[float]
    counts: list[Count]
    frequent_unseen: list[tuple[str, Count, Count]]
    revision: Revision


class LateDropped(Struct, frozen=True, kw_only=True, tag_field="type", tag="late_dropped"):
    """Events that came after the retention of their pane, by the message (of `drift.sketches`) that brought them."""

    model: str
    version: str
    pane_start_ms: TimeMs
    n: Count
    source_topic: str
    source_partition: Partition
    source_offset: Offset


class ResultBatch(Struct, frozen=True, kw_only=True):
    """One message of `drift.results`: what one message of `drift.sketches` gave rise to.

    Attributes
    ----------
    source_topic, source_partition, source_offset
        That message. The rows are a pure function of it, so that a repeated message is equal to the byte.
    """

    schema_version: int = SCHEMA_VERSION
    source_topic: str
    source_partition: Partition
    source_offset: Offset
    scores: list[DriftScore] = []
    profiles: list[ColumnProfile] = []
    late: list[LateDropped] = []

    @property
    def rows(self) -> "list[Row]":
        """All rows, ready for `Sink.write`."""
        return [*self.scores, *self.profiles, *self.late]


class Reject(Struct, frozen=True, kw_only=True, tag_field="type", tag="reject"):
    """One event that could not be used.

    Attributes
    ----------
    model
        `""` if the event does not say.
    reason
        One of undecodable, schema, unknown_model, bad_timestamp, missing_id, oversize.
    index
        Which event of its message, from 0.
    detail
        One line for people.
    time_ms
        Kafka's timestamp of the message that held it: when it was sent. Brought into ClickHouse's range.
    raw
        The event's bytes, whole.
    """

    model: str
    reason: str
    source_topic: str
    source_partition: Partition
    source_offset: Offset
    index: Annotated[int, Meta(ge=0, le=2**32 - 1)]
    detail: str
    time_ms: TimeMs
    raw: bytes


class ReferenceColumn(Struct, frozen=True, kw_only=True, tag_field="type", tag="reference_column"):
    """One column of one segment of a reference: what SQL needs to compare `ColumnProfile.counts` with it.

    Attributes
    ----------
    reference
        The reference's digest; `version` is a label.
    n
        Valid values.
    edges
        (n_cells - 1,) of a numeric column, else empty.
    categories
        (n_cells - 2,) of a categorical column, else empty.
    counts
        (n_cells,) like `ColumnProfile.counts`, nulls apart.
    decile
        (n_cells,) the coarse cell of each cell, from 0; of the whole's, so it is the same in every segment. A
        categorical column's cells are their own: 0, 1, 2, ...
    """

    reference: str
    model: str
    version: str
    segment: str
    column: str
    kind: str
    n: Count
    nulls: Count
    edges: list[float]
    categories: list[str]
    counts: list[Count]
    decile: list[Cell]


Row = DriftScore | ColumnProfile | LateDropped | Reject | ReferenceColumn

_encoder: Final = msgspec.msgpack.Encoder()
_decoder: Final = msgspec.msgpack.Decoder(ResultBatch)


def encode_results(batch: ResultBatch) -> bytes:
    """The bytes of a message. Equal batches give equal bytes.

    A lone surrogate, which has no UTF-8 form, becomes U+FFFD: a strange category must not stop its window's results.

    Raises
    ------
    BadRecord
        An integer beyond 64 bits.
    """
    try:
        return _encoder.encode(batch)
    except UnicodeEncodeError:
        return _encoder.encode(_well_formed(msgspec.to_builtins(batch)))
    except OverflowError as error:
        raise BadRecord(f"a result holds an integer beyond 64 bits: {error}") from error


def encoded_bytes(row: Row) -> int:
    """How many bytes a row takes in a message.

    Raises
    ------
    BadRecord
        As `encode_results`.
    """
    try:
        return len(_encoder.encode(row))
    except UnicodeEncodeError:
        return len(_encoder.encode(_well_formed(msgspec.to_builtins(row))))
    except OverflowError as error:
        raise BadRecord(f"a result holds an integer beyond 64 bits: {error}") from error


def decode_results(data: bytes) -> ResultBatch:
    """The batch in the bytes of a message.

    Raises
    ------
    BadRecord
        No MessagePack, a missing or wrong field, a count or time out of range, or an unknown schema version.
    """
    try:
        batch = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise BadRecord(f"no result batch: {error}") from error
    if batch.schema_version != SCHEMA_VERSION:
        raise BadRecord(f"schema version {batch.schema_version} of a result batch; this release reads {SCHEMA_VERSION}")
    return batch


_HEADERS: Final = ("model", "reason", "source_topic", "source_partition", "source_offset", "index", "detail", "time_ms")


def encode_reject(reject: Reject) -> tuple[list[tuple[str, bytes]], bytes]:
    """Headers and body of a message of `drift.rejects`: the body is the event's raw bytes, untouched."""
    headers = [(name, str(getattr(reject, name)).encode("utf-8", "replace")) for name in _HEADERS]
    return headers, reject.raw


def decode_reject(headers: Iterable[tuple[str, bytes | None]] | None, body: bytes | None) -> Reject:
    """The reject in a message's headers and body. Other headers are ignored; of a repeated one the last counts.

    Raises
    ------
    BadRecord
        A header is missing, is no UTF-8, or is no number in range where one belongs.
    """
    texts: dict[str, Any] = {}
    for name, value in headers or ():
        if name in _HEADERS and value is not None:
            try:
                texts[name] = value.decode("utf-8")
            except UnicodeDecodeError as error:
                raise BadRecord(f"the header {name!r} of a reject is no UTF-8") from error
    return _reject(texts, body or b"")


def _reject(texts: Mapping[str, Any], raw: bytes) -> Reject:
    try:
        # strict=False reads integers from text.
        return msgspec.convert({**texts, "type": "reject", "raw": raw}, Reject, strict=False)
    except msgspec.ValidationError as error:
        raise BadRecord(f"no reject: {error}") from error


def _well_formed(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list | tuple):
        return [_well_formed(item) for item in value]
    if isinstance(value, dict):
        return {key: _well_formed(item) for key, item in value.items()}
    return value
