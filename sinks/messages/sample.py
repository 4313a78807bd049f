"""What `driftline deliver --test` sends: an alert that is raised and resolved at once, or a request, marked so."""

from collections.abc import Sequence

from sinks.messages.alert import Alert, ColumnChange
from sinks.messages.event import Event
from sinks.messages.retraining import Retraining, TrainingWindow

_HOUR_MS = 3_600_000


def sample_alert(key: str, now_ms: int) -> Sequence[Event]:
    """Raised, then resolved, so that nothing stays open."""
    raised = Alert(
        model="driftline-test",
        version="1",
        dedupe_key=key,
        at_ms=now_ms,
        sequence=1,
        state="raised",
        cause="data_drift",
        severity="critical",
        columns=(ColumnChange(column="example", direction="up", quantity="mean", before=1.0, after=1.5, effect=0.5),),
        onset_ms=now_ms - _HOUR_MS,
        summary="This is a test of Driftline: nothing happened, and nothing is to be done",
        recommendation="Nothing: whoever ran `driftline deliver --test` wanted to see this message arrive",
        evidence={},
        test=True,
    )
    resolved = Alert(
        **{name: getattr(raised, name) for name in raised.__struct_fields__ if name not in ("state", "sequence")},
        state="resolved",
        sequence=2,
    )
    return raised, resolved


def sample_retraining(key: str, now_ms: int) -> Sequence[Event]:
    """A request whose data say `test`, for the pipeline to look at before it trains."""
    return (
        Retraining(
            model="driftline-test",
            version="1",
            dedupe_key=key,
            at_ms=now_ms,
            reason="This is a test of Driftline: nothing is to be trained",
            training_window=TrainingWindow(start_ms=now_ms - _HOUR_MS, end_ms=now_ms),
            evidence={},
            test=True,
        ),
    )
