"""A retraining request: one row of the record `retraining`."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sinks.messages.event import Event, read_row
from sinks.messages.identity import digest

RECORD: Final = "retraining"
TYPE: Final = "io.driftline.retraining.v1"


class TrainingWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What to train on, `[start_ms, end_ms)` in event time."""

    start_ms: int
    end_ms: int


class Retraining(Event, frozen=True, kw_only=True):
    """One transition of one request.

    Attributes
    ----------
    status
        Only of `requested` is a pipeline told; what was held back, or has its outcome, is for tables.
    reason
        A sentence.
    causes
        Of the alerts that ask.
    reference_version
        The label of the reference that the evidence was found with.
    attempt
        From 1, of the same alert.
    dry_run
        Nothing is to act on it.
    """

    status: str = "requested"
    reason: str
    causes: tuple[str, ...] = ()
    training_window: TrainingWindow
    reference_version: str = ""
    attempt: int = 1
    dry_run: bool = False

    @property
    def id(self) -> str:
        """Of its key and what became of it."""
        return digest(self.dedupe_key, self.status)

    @property
    def type(self) -> str:
        """Of the CloudEvent."""
        return TYPE

    @property
    def asks(self) -> bool:
        """Whether a pipeline is to act on it."""
        return self.status == "requested" and not self.dry_run


def read_retraining(row: Mapping[str, Any]) -> Retraining:
    """A row of the record `retraining`. Raises `BadRecord`."""
    window = {"start_ms": row.get("training_start_ms"), "end_ms": row.get("training_end_ms")}
    return read_row({**row, "training_window": window}, Retraining, json_fields=frozenset({"evidence"}))
