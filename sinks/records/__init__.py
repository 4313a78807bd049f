"""The public output contract: one file a record, from which Arrow, ClickHouse, Parquet and documentation are derived.

- `record`: what a record and its fields are, and the conventions they share. `registry`: how they are found.
- `wire`: a batch of rows as a message of `drift.results`. `reject_messages`: rejects as those of `drift.rejects`.
- `split`: a batch in pieces. `check`: which rows break the contract.
"""

from sinks.records.record import FIRST_MS, LAST_MS, Field, Record
from sinks.records.registry import record_of, records
from sinks.records.reject_messages import Reject, decode_reject, encode_reject, rejects_batch
from sinks.records.rows import rows_batch
from sinks.records.wire import Source, decode, encode, record_in, source_of

RECORDS = records()

__all__ = [
    "FIRST_MS",
    "LAST_MS",
    "RECORDS",
    "Field",
    "Record",
    "Reject",
    "Source",
    "decode",
    "decode_reject",
    "encode",
    "encode_reject",
    "record_in",
    "record_of",
    "records",
    "rejects_batch",
    "rows_batch",
    "source_of",
]
