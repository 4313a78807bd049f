"""What is stored of results, as batches of their records: the folder that a replay wrote, or a destination."""

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from monitor.config import forms
from monitor.errors import InputError
from sinks.records import RECORDS, Record
from sinks.records.record import Field
from sinks.records.wire import plain
from sinks.settings import FormError

if TYPE_CHECKING:
    from sinks.destination import Queryable


def from_folder(
    folder: Path, names: Sequence[str], config_path: Path, optional: Sequence[str] = ()
) -> list[pa.RecordBatch]:
    """The records of these names that a replay wrote; of `optional` those that are there.

    Raises `InputError` where a file is none of this release's.
    """
    hint = f"driftline replay {config_path} --predictions FILE --out {folder} writes it"
    batches: list[pa.RecordBatch] = []
    for name in names:
        record = RECORDS[name]
        path = folder / record.file
        if name in optional and not path.exists():
            continue
        try:
            table = pq.read_table(path)
        except (OSError, pa.ArrowException) as error:
            raise InputError(f"{path} cannot be read as the Parquet file of a replay", hint=hint) from error
        missing = [field.name for field in record.fields if field.name not in table.column_names]
        if missing:
            raise InputError(f"{path} lacks {', '.join(missing)}: another release wrote it", hint=hint)
        schema = record.schema
        batches += table.select(schema.names).cast(schema).to_batches()
    return batches


def from_destination(
    source: "Queryable", names: Sequence[str], model: str, since_ms: int | None, days: int
) -> list[pa.RecordBatch]:
    """The last revisions of the rows of a model whose windows end after `since_ms`; None: of its last `days`."""
    from monitor.cli.query import ask
    from sinks.clickhouse.ddl import column_name, latest

    text = quoted(model)
    since = (
        f"fromUnixTimestamp64Milli(toInt64({since_ms}))"
        if since_ms is not None
        else f"(SELECT max(window_end) FROM windows_latest WHERE model = {text}) - toIntervalDay({days})"  # noqa: S608 - quoted
    )
    batches = []
    for name in names:
        record = RECORDS[name]
        fields = ", ".join(_selected(field, column_name(field)) for field in record.fields)
        statement = f"SELECT {fields} FROM {latest(record)} WHERE model = {text} AND window_end > {since}"  # noqa: S608 - quoted
        rows = [msgspec.json.decode(line) for line in ask(source, statement, "json").splitlines() if line.strip()]
        if rows:
            batches.append(_batch(record, rows))
    return batches


def quoted(text: str) -> str:
    """A literal of ClickHouse's SQL."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"


def instant_of(text: str, option: str) -> int | None:
    """The time that an option gives; None of none."""
    if not text:
        return None
    try:
        return forms.instant(text)
    except FormError:
        raise InputError(
            f"{option} is no time", hint=f"give a day, {option} 2026-03-01, or a time with its offset"
        ) from None


def _selected(field: Field, column: str) -> str:
    return f"toUnixTimestamp64Milli({column}) AS {field.name}" if field.is_time else f"`{column}` AS {field.name}"


def _batch(record: Record, rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    arrays = []
    for field in record.fields:
        values = [row[field.name] for row in rows]
        if pa.types.is_floating(field.type):
            values = [math.nan if value is None else float(value) for value in values]
        elif pa.types.is_integer(field.type):
            values = [int(value) for value in values]
        arrays.append(pa.array(values, plain(field.type)).cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=record.schema)
