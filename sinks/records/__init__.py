"""The public output contract: one file a record, from which Arrow, ClickHouse, Parquet and documentation are derived.

- `record`: what a record and its fields are, and the conventions they share. `registry`: how they are found.
- `wire`: a batch of rows as a message of `drift.results`. `reject_messages`: rejects as those of `drift.rejects`.
- `rows`: the rows as Python objects, until evaluate, deliver and the sink work on batches.
"""

from sinks.records.record import FIRST_MS, LAST_MS, Field, Record
from sinks.records.registry import record_of, records
from sinks.records.reject_messages import rejects_batch
from sinks.records.rows import (
    ColumnProfile,
    DriftScore,
    LateDropped,
    ReferenceColumn,
    Reject,
    ResultBatch,
    Row,
    decode_reject,
    decode_results,
    encode_reject,
    encode_results,
    encoded_bytes,
)
from sinks.records.wire import Source, decode, encode, source_of

RECORDS = records()

__all__ = [
    "FIRST_MS",
    "LAST_MS",
    "RECORDS",
    "ColumnProfile",
    "DriftScore",
    "Field",
    "LateDropped",
    "Record",
    "ReferenceColumn",
    "Reject",
    "ResultBatch",
    "Row",
    "Source",
    "decode",
    "decode_reject",
    "decode_results",
    "encode",
    "encode_reject",
    "encode_results",
    "encoded_bytes",
    "record_of",
    "rejects_batch",
    "source_of",
]
