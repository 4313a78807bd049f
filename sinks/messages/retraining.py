"""A retraining request: one row of the record `retraining`."""

from collections.abc import Mapping
from typing import Any, Final

from sinks.messages.event import Event, read_row

RECORD: Final = "retraining"
TYPE: Final = "io.driftline.retraining.v1"


class Retraining(Event, frozen=True, kw_only=True):
    """One request.

    Attributes
    ----------
    state
        Only of `requested` is a pipeline told; what was held back, or has its outcome, is for tables.
    reason
        The cause that was confirmed.
    train_start_ms, train_end_ms
        The window proposed to train on, `[start, end)` in event time.
    reference, reference_version
        The digest and the label of the reference that the drift was measured against.
    dry_run
        Nothing is to act on it.
    """

    reason: str
    state: str = "requested"
    train_start_ms: int = 0
    train_end_ms: int = 0
    reference: str = ""
    reference_version: str = ""
    dry_run: bool = False

    @property
    def type(self) -> str:
        """Of the CloudEvent."""
        return TYPE

    @property
    def asks(self) -> bool:
        """Whether a pipeline is to act on it."""
        return self.state == "requested" and not self.dry_run

    def data(self) -> dict[str, Any]:
        """As in `docs/retraining.schema.json`."""
        return {
            "model": self.model,
            "version": self.version,
            "reason": self.reason,
            "summary": self.summary,
            "train_start_ms": self.train_start_ms,
            "train_end_ms": self.train_end_ms,
            "reference": self.reference,
            "reference_version": self.reference_version,
            "dedupe_key": self.dedupe_key,
            "dry_run": self.dry_run,
            "evidence": self.evidence,
            **({"test": True} if self.test else {}),
        }


def read_retraining(row: Mapping[str, Any]) -> Retraining:
    """A row of the record `retraining`. Raises `BadRecord`."""
    return read_row(row, Retraining, frozenset({"evidence"}))
