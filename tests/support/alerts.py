"""Rows of alerts and of retraining requests, and batches of them."""

import json
from typing import Any

import pyarrow as pa
from support.batches import batch_of

from sinks.records import RECORDS

DAY_MS = 86_400_000
NAN = float("nan")


def moved(column: str = "distance", **values: Any) -> dict[str, Any]:
    return {
        "column": column, "segment": "", "direction": "up", "quantity": "mean", "before": 1000.0, "after": 1250.0,
        "effect": 0.4, "threshold": 0.1, "method": "location", "since_ms": 10 * DAY_MS, "follows": False, **values,
    }  # fmt: skip


def alert_row(**values: Any) -> dict[str, Any]:
    """One raised alert, with anything else as given; evidence as an object."""
    row = {
        "model": "flights", "dedupe_key": "alert/flights/data_drift/10", "sequence": 1, "version": "3",
        "reference": "abc", "state": "raised", "cause": "data_drift", "severity": "warning", "at_ms": 12 * DAY_MS,
        "onset_ms": 10 * DAY_MS, "columns": [moved()],
        "summary": "flights (version 3): distance is up, mean from 1000 to 1250, since 1970-01-11.",
        "recommendation": "Mend its source, or retrain.", "evidence": {"rule": "budget"}, "acknowledged_by": "",
        **values,
    }  # fmt: skip
    return {**row, "evidence": json.dumps(row["evidence"])}


def request_row(**values: Any) -> dict[str, Any]:
    """One request to retrain."""
    row = {
        "model": "flights", "dedupe_key": "retraining/flights/3/10", "status": "requested", "at_ms": 12 * DAY_MS,
        "version": "3", "reason": "The model got worse since 1970-01-11.", "causes": ["performance"],
        "held_because": [], "attempt": 1, "dry_run": False, "training_start_ms": 10 * DAY_MS,
        "training_end_ms": 12 * DAY_MS, "reference": "abc", "reference_version": "2013-01", "new_version": "",
        "evidence": {"n_labels": 5000}, **values,
    }  # fmt: skip
    return {**row, "evidence": json.dumps(row["evidence"])}


def alerts(*rows: dict[str, Any]) -> pa.RecordBatch:
    return batch_of(RECORDS["alert"], rows or (alert_row(),))


def requests(*rows: dict[str, Any]) -> pa.RecordBatch:
    return batch_of(RECORDS["retraining"], rows or (request_row(),))
