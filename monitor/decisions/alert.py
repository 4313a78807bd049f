"""An alert: what one cause has come to. What leaves in `drift.alerts` and `alerts.jsonl`."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from monitor.config.decisions import Cause

State = Literal["raised", "updated", "resolved"]
Severity = Literal["warning", "critical"]
Millis = Annotated[int, Meta(description="milliseconds since 1970-01-01 UTC")]
MOST_COLUMNS = 50


class MovedColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column of one segment that moved.

    Attributes
    ----------
    column, segment: as in the record `drift_verdict`; the segment "" is the whole.
    direction, quantity, before, after: what it did, and from what to what; null where that is not known.
    effect, threshold, method: in the method's own unit.
    since_ms: where its change is placed.
    importance: of the feature.
    follows: whether it moved because others did.
    """

    column: str
    segment: str
    direction: str
    quantity: str
    before: float | None
    after: float | None
    effect: float
    threshold: float
    method: str
    since_ms: Millis
    importance: float = 1.0
    follows: bool = False

    @property
    def strength(self) -> float:
        """The effect in thresholds."""
        return self.effect / self.threshold if self.threshold > 0.0 else self.effect


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What an alert rests on.

    Attributes
    ----------
    rule: `budget`, `verdicts, 2 of 3`, or `at once`: one window that left no doubt.
    value, level: evidence over time in windows, and from which on it raises.
    chance_once_in_ms: unchanged data gives as much at most once in so long, on average; null where that is not known.
    window_start_ms, window_end_ms: the window that decided.
    n_windows: in which the first column drifted.
    p_value: the first column's, in the last of them.
    compare: what the windows were compared with.
    n_columns: columns and segments that moved, listed or not.
    """

    rule: str
    value: float
    level: float
    chance_once_in_ms: int | None
    window_start_ms: Millis
    window_end_ms: Millis
    n_windows: int
    p_value: float
    compare: str
    n_columns: int


class Alert(msgspec.Struct, frozen=True, kw_only=True):
    """One transition of one alert.

    Attributes
    ----------
    model, version, reference: whose; the version and reference of the first column.
    state: `raised` and `resolved` alternate, with any number of `updated` between.
    cause: there is one open alert a model and cause.
    sequence: from 1, counts the transitions of one alert.
    at_ms: event time of the decision.
    onset_ms: where the change is placed.
    columns: the first `MOST_COLUMNS`, the largest effect times importance first.
    summary, recommendation: for people.
    dedupe_key: the same for all transitions of one alert.
    acknowledged_by: who has it in hand; "" for nobody.
    """

    model: str
    version: str
    reference: str
    state: State
    cause: Cause
    severity: Severity
    sequence: Annotated[int, Meta(ge=1)]
    at_ms: Millis
    onset_ms: Millis
    columns: Annotated[tuple[MovedColumn, ...], Meta(max_length=MOST_COLUMNS)]
    summary: str
    recommendation: str
    dedupe_key: str
    evidence: Evidence
    acknowledged_by: str = ""
