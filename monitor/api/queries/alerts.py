"""Alerts and requests to retrain. Ask only where the tables are there."""

from typing import Final

import msgspec

from monitor.api.source import Source

_ALERTS: Final = """
SELECT * FROM
(
    SELECT model, dedupe_key, sequence, version, state, cause, severity, toUnixTimestamp64Milli(at) AS at_ms,
        toUnixTimestamp64Milli(onset) AS onset_ms, arrayMap(x -> x.column, columns) AS names,
        arrayDistinct(arrayMap(x -> x.segment, columns)) AS segments, summary, recommendation,
        acknowledged_by
    FROM alerts_latest WHERE model = {model:String} OR {model:String} = ''
    ORDER BY sequence DESC LIMIT 1 BY model, dedupe_key
)
ORDER BY state = 'resolved', at_ms DESC, model, dedupe_key LIMIT {limit:UInt32}
"""
_OPEN: Final = """
SELECT model, count() AS n FROM
(SELECT model, dedupe_key, state FROM alerts_latest ORDER BY sequence DESC LIMIT 1 BY model, dedupe_key)
WHERE state != 'resolved' GROUP BY model
"""
_RETRAINING: Final = """
SELECT model, version, status, toUnixTimestamp64Milli(at) AS at_ms, reason, held_because, dry_run, new_version
FROM retraining_latest WHERE model = {model:String} OR {model:String} = ''
ORDER BY at DESC, model, dedupe_key, status LIMIT {limit:UInt32}
"""


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """Where an alert stands; the fields are those of the record `alert`, `names` and `segments` of its columns."""

    model: str
    dedupe_key: str
    sequence: int
    version: str
    state: str
    cause: str
    severity: str
    at_ms: int
    onset_ms: int
    names: list[str]
    segments: list[str]
    summary: str
    recommendation: str
    acknowledged_by: str


class Retraining(msgspec.Struct, frozen=True, kw_only=True):
    """A transition of a request; the fields are those of the record `retraining`."""

    model: str
    version: str
    status: str
    at_ms: int
    reason: str
    held_because: list[str]
    dry_run: bool
    new_version: str


class _Open(msgspec.Struct):
    model: str
    n: int


def last_alerts(source: Source, model: str = "", limit: int = 100) -> list[Alert]:
    """Each alert as its last transition left it: open ones first, then the newest."""
    return source.rows(_ALERTS, Alert, {"model": model, "limit": limit})


def open_alerts(source: Source) -> dict[str, int]:
    """How many are open, by model."""
    return {row.model: row.n for row in source.rows(_OPEN, _Open)}


def last_retraining(source: Source, model: str = "", limit: int = 100) -> list[Retraining]:
    """The newest first."""
    return source.rows(_RETRAINING, Retraining, {"model": model, "limit": limit})
