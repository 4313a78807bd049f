"""An alert: one row of the record `alert`."""

from collections.abc import Mapping
from typing import Any, Final, Literal

import msgspec

from sinks.messages.event import Event, read_row
from sinks.messages.identity import digest

RECORD: Final = "alert"
TYPE: Final = "io.driftline.alert.v1"


class ColumnChange(msgspec.Struct, frozen=True, kw_only=True):
    """What became of one column of one segment, as the record `drift_verdict` says it.

    The segment "" is the whole; `before` and `after` are null where they are not known; `effect` and `threshold` are in
    the method's own unit; `since_ms` is where its change is placed.
    """

    column: str
    segment: str = ""
    direction: str = ""
    quantity: str = ""
    before: float | None = None
    after: float | None = None
    effect: float | None = None
    threshold: float | None = None
    method: str = ""
    since_ms: int | None = None
    importance: float = 1.0
    follows: bool = False


class Alert(Event, frozen=True, kw_only=True):
    """One transition of one alert.

    Attributes
    ----------
    sequence
        From 1, counts the transitions of one alert.
    columns
        Those that say most first.
    onset_ms
        Since when, in event time.
    summary, recommendation
        Sentences for people.
    acknowledged_by
        Who has it in hand; "" for nobody.
    """

    state: Literal["raised", "updated", "resolved"]
    cause: str
    severity: Literal["warning", "critical"]
    sequence: int = 1
    columns: tuple[ColumnChange, ...] = ()
    onset_ms: int
    summary: str
    recommendation: str = ""
    acknowledged_by: str = ""

    @property
    def id(self) -> str:
        """Of its key and which transition it is."""
        return digest(self.dedupe_key, self.sequence, self.state)

    @property
    def type(self) -> str:
        """Of the CloudEvent."""
        return TYPE


def read_alert(row: Mapping[str, Any]) -> Alert:
    """A row of the record `alert`. Raises `BadRecord`."""
    return read_row(row, Alert, json_fields=frozenset({"evidence"}))
