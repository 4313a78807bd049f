"""The rows that a backtest needs, out of a database that answers statements."""

from io import BytesIO
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.cli.query import ask, asked
from monitor.config.load import load
from monitor.errors import InputError
from sinks.clickhouse.ddl import column_name, latest
from sinks.records import RECORDS
from sinks.records.record import Record

NEEDED: Final = ("drift_verdict", "window", "performance")


def stored_batches(
    config_path: Path, *, destination: str = "", since_ms: int | None = None, until_ms: int | None = None
) -> list[pa.RecordBatch]:
    """The last revisions of the windows that lie in `[since_ms, until_ms)`; None: all.

    Raises `InputError` where no destination answers, or it answers in another form.
    """
    batches: list[pa.RecordBatch] = []
    with asked(load(config_path), destination) as source:
        for record in map(RECORDS.__getitem__, NEEDED):
            answer = ask(source, statement(record, since_ms, until_ms), "parquet")
            batches += _batches(record, answer)
    return batches


def statement(record: Record, since_ms: int | None, until_ms: int | None) -> str:
    """What asks for a record's rows, under the names that its fields have."""
    columns = [
        f"toUnixTimestamp64Milli(`{column_name(field)}`) AS `{field.name}`" if field.is_time else f"`{field.name}`"
        for field in record.fields
    ]
    bounds = [] if since_ms is None else [f"window_start >= fromUnixTimestamp64Milli({since_ms})"]
    bounds += [] if until_ms is None else [f"window_end <= fromUnixTimestamp64Milli({until_ms})"]
    where = f" WHERE {' AND '.join(bounds)}" if bounds else ""
    return f"SELECT {', '.join(columns)} FROM {latest(record)}{where}"  # noqa: S608 - names of ours, and numbers


def _batches(record: Record, answer: bytes) -> list[pa.RecordBatch]:
    if not answer:
        return []
    try:
        table = pq.read_table(BytesIO(answer)).select(record.schema.names)
        arrays = [_as(table.column(field.name), field.type) for field in record.schema]
        return pa.Table.from_arrays(arrays, schema=record.schema).to_batches()
    except (pa.ArrowException, KeyError) as error:
        raise InputError(f"{latest(record)} is of another release: {error}", hint="driftline migrate CONFIG") from error


def _as(column: pa.ChunkedArray[Any], kind: pa.DataType) -> pa.ChunkedArray[Any]:
    if pa.types.is_dictionary(kind) and not pa.types.is_dictionary(column.type):
        return column.cast(kind.value_type).dictionary_encode().cast(kind)
    return column.cast(kind)
