"""Rows that come one by one as a batch of their record."""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from sinks.records.record import Record
from sinks.records.wire import plain


def rows_batch(record: Record, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """The rows, each with all fields of the record, in its own schema."""
    columns = [
        pa.array([row[field.name] for row in rows], plain(field.type)).cast(field.type) for field in record.fields
    ]
    return pa.RecordBatch.from_arrays(columns, schema=record.schema)
