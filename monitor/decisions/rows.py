"""Alerts and requests as batches of the public output contract (`sinks.records`)."""

import math
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import pyarrow as pa

from monitor.decisions.alert import Alert
from monitor.decisions.request import RetrainingRequest
from sinks.records import RECORDS, Record
from sinks.records.wire import plain

_ALERT: Final = RECORDS["alert"]
_RETRAINING: Final = RECORDS["retraining"]
_MOVED: Final = tuple(field.name for field in _ALERT.schema.field("columns").type.value_type)


def alerts_batch(alerts: Sequence[Alert]) -> pa.RecordBatch:
    """Alerts as one batch of the record `alert`."""
    columns: dict[str, list[Any]] = {
        "columns": [
            [{name: _present(getattr(column, name)) for name in _MOVED} for column in one.columns] for one in alerts
        ],
        "evidence": [msgspec.json.encode(one.evidence).decode() for one in alerts],
    }
    return _batch(_ALERT, alerts, columns)


def requests_batch(requests: Sequence[RetrainingRequest]) -> pa.RecordBatch:
    """Requests as one batch of the record `retraining`."""
    columns: dict[str, list[Any]] = {
        "causes": [list(one.causes) for one in requests],
        "held_because": [[held.code for held in one.held_because] for one in requests],
        "training_start_ms": [one.training_window.start_ms for one in requests],
        "training_end_ms": [one.training_window.end_ms for one in requests],
        "evidence": [msgspec.json.encode(one.evidence).decode() for one in requests],
    }
    return _batch(_RETRAINING, requests, columns)


def _batch(record: Record, rows: Sequence[Any], columns: dict[str, list[Any]]) -> pa.RecordBatch:
    arrays = [
        pa.array(columns.get(field.name, [getattr(one, field.name, None) for one in rows]), plain(field.type)).cast(
            field.type
        )
        for field in record.fields
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=record.schema)


def _present(value: object) -> object:
    return math.nan if value is None else value
