"""A message of `drift.results`: an Arrow IPC stream of one batch of one record.

The schema's metadata names the record and its version, and where the message of `drift.sketches` stands that the rows
came from. The rows are a pure function of that message, so a repeated message is equal to the byte. Readers ignore
fields they do not know and fill missing ones with the field's default.
"""

from typing import Any, Final

import msgspec
import pyarrow as pa

from sinks.errors import BadRecord, NewerRecord
from sinks.records.check import broken_rows
from sinks.records.record import RECORD_KEY, VERSION_KEY, Field, Record
from sinks.records.registry import record_of, records

_TOPIC: Final = b"driftline.source.topic"
_PARTITION: Final = b"driftline.source.partition"
_OFFSET: Final = b"driftline.source.offset"
_END_OF_STREAM: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
_OPTIONS: Final = pa.ipc.IpcWriteOptions(compression="zstd")


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Where a message of `drift.sketches` stands."""

    topic: str
    partition: int
    offset: int


def encode(batch: pa.RecordBatch, source: Source) -> bytes:
    """The bytes of a message. Equal batches give equal bytes.

    Parameters
    ----------
    batch
        In its record's own schema.
    source
        Of the rows.
    """
    metadata = {
        **(batch.schema.metadata or {}),
        _TOPIC: source.topic.encode("utf-8", "replace"),
        _PARTITION: str(source.partition).encode(),
        _OFFSET: str(source.offset).encode(),
    }
    sink = pa.BufferOutputStream()
    batch = batch.replace_schema_metadata(metadata)
    with pa.ipc.new_stream(sink, batch.schema, options=_OPTIONS) as writer:
        writer.write_batch(batch)
    return sink.getvalue().to_pybytes()


def decode(data: bytes) -> pa.RecordBatch:
    """The batch in the bytes of a message, in the schema that this release has of its record, and the source kept.

    Raises
    ------
    BadRecord
        No Arrow stream, a missing field or one of another type, a null, or a time out of range: drop the message.
    NewerRecord
        A later release wrote it, in a version or of a record that this one does not know: stop, and leave it unread.
    """
    try:
        with pa.ipc.open_stream(data) as reader:
            record = _record(reader.schema)
            batch = reader.read_next_batch()
            batch.validate(full=True)
            if not data.endswith(_END_OF_STREAM) or any(True for _ in reader):
                raise BadRecord(f"a message of {record.name} that is not one whole batch")
    except (pa.ArrowException, StopIteration, OSError, ValueError, UnicodeDecodeError, MemoryError) as error:
        raise BadRecord(f"no Arrow stream: {error}") from error
    return pa.RecordBatch.from_arrays(
        [_column(batch, record, field) for field in record.fields],
        schema=record.schema.with_metadata({**batch.schema.metadata, **(record.schema.metadata or {})}),
    )


def record_in(data: bytes) -> Record:
    """The record whose rows a message holds, without reading them: a destination of alerts passes over all others.

    Raises
    ------
    BadRecord, NewerRecord
        As `decode`.
    """
    try:
        with pa.ipc.open_stream(data) as reader:
            return _record(reader.schema)
    except (pa.ArrowException, OSError, ValueError, UnicodeDecodeError, MemoryError) as error:
        raise BadRecord(f"no Arrow stream: {error}") from error


def source_of(batch: pa.RecordBatch) -> Source:
    """Where the rows of a decoded batch came from.

    Raises
    ------
    BadRecord
        The batch does not say.
    """
    metadata = batch.schema.metadata or {}
    try:
        return Source(
            topic=metadata[_TOPIC].decode(), partition=int(metadata[_PARTITION]), offset=int(metadata[_OFFSET])
        )
    except (KeyError, ValueError) as error:
        raise BadRecord(f"a batch of {record_of(batch).name} without its source: {error}") from error


def _record(schema: pa.Schema) -> Record:
    metadata = schema.metadata or {}
    try:
        name, version = metadata[RECORD_KEY].decode(), int(metadata[VERSION_KEY])
    except (KeyError, ValueError) as error:
        raise BadRecord(f"an Arrow stream that is no record of ours: {error}") from error
    record = records().get(name)
    if record is None:
        raise NewerRecord(f"a record {name!r}, version {version}, that this release does not know", version=version)
    if version > record.version:
        raise NewerRecord(
            f"version {version} of the record {name!r}; this release reads up to {record.version}", version=version
        )
    return record


def _column(batch: pa.RecordBatch, record: Record, field: Field) -> "pa.Array[Any]":
    if batch.schema.get_field_index(field.name) < 0:
        if field.default is None:
            raise BadRecord(f"a message of {record.name} without {field.name!r}")
        return default_column(field, batch.num_rows)
    column = batch.column(field.name)
    if column.type != field.type:
        raise BadRecord(f"{record.name}.{field.name} is {column.type}, not {field.type}")
    broken = broken_rows(field, column)
    if broken is not None:
        raise BadRecord(f"{record.name}.{field.name} has nulls, or lies outside the years 1900 to 2299")
    return column


def default_column(field: Field, n: int) -> "pa.Array[Any]":
    """`n` rows of a field's default."""
    values: pa.Array[Any] = pa.array([field.default] * n, plain(field.type))
    return values if values.type == field.type else values.dictionary_encode().cast(field.type)


def plain(kind: pa.DataType) -> pa.DataType:
    """The type of the values, without the dictionary that may hold them."""
    return kind.value_type if isinstance(kind, pa.DictionaryType) else kind
