"""A retraining request: one row of the record `retraining`."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from sinks.messages.event import Event, read_row

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
    dry_run
        Nothing is to act on it.
    """

    status: str = "requested"
    reason: str
    causes: tuple[str, ...] = ()
    training_window: TrainingWindow
    reference_version: str = ""
    dry_run: bool = False

    @property
    def id(self) -> str:
        """Its key and what became of it."""
        return f"{self.dedupe_key}/{self.status}"

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
    window = {name: row.get(f"training_{name}") for name in ("start_ms", "end_ms")}
    if "training_window" not in row and None not in window.values():
        row = {**row, "training_window": window}
    names = {"time_ms": "at_ms", "state": "status"}
    return read_row(
        row, Retraining, json_fields=frozenset({"causes", "training_window", "evidence"}), names=names
    )
