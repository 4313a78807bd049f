"""An alert: one row of the record `alert`."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from sinks.messages.event import Event, read_row

RECORD: Final = "alert"
TYPE: Final = "io.driftline.alert.v1"


class ColumnChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one column of one segment; `segment` "" is the whole, `before` and `after` may not be known."""

    column: str
    segment: str = ""
    direction: str = ""
    quantity: str = ""
    before: float | None = None
    after: float | None = None
    effect: float | None = None


class Alert(Event, frozen=True, kw_only=True):
    """One transition of one alert.

    Attributes
    ----------
    columns
        Those that say most first.
    onset_ms
        Since when, in event time.
    """

    state: Literal["raised", "updated", "resolved"]
    cause: str
    severity: Literal["warning", "critical"]
    columns: tuple[ColumnChange, ...] = ()
    onset_ms: int
    recommendation: str = ""

    @property
    def id(self) -> str:
        """Its key, its state and its revision."""
        return f"{self.dedupe_key}/{self.state}/{self.revision}"

    @property
    def type(self) -> str:
        """Of the CloudEvent."""
        return TYPE

    def data(self) -> dict[str, Any]:
        """As in `docs/alert.schema.json`."""
        return {
            "model": self.model,
            "version": self.version,
            "state": self.state,
            "cause": self.cause,
            "severity": self.severity,
            "columns": [
                {
                    "column": change.column,
                    "segment": change.segment,
                    "direction": change.direction,
                    "before": change.before,
                    "after": change.after,
                    "effect": change.effect,
                }
                for change in self.columns
            ],
            "onset_ms": self.onset_ms,
            "summary": self.summary,
            "recommendation": self.recommendation,
            "dedupe_key": self.dedupe_key,
            "evidence": self.evidence,
            **({"test": True} if self.test else {}),
        }


def read_alert(row: Mapping[str, Any]) -> Alert:
    """A row of the record `alert`. Raises `BadRecord`."""
    return read_row(row, Alert, frozenset({"columns", "evidence"}))
