"""Closed windows of a day with the cells that moved, and what a policy makes of them."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from monitor.config.decisions import AlertSettings, RetrainingSettings
from monitor.decisions.alert import Alert
from monitor.decisions.cause import cause_of
from monitor.decisions.controls import Control
from monitor.decisions.decide import Decisions, Inputs, decide
from monitor.decisions.moved import ClosedWindow, MovedCell, PerformanceWindow
from monitor.decisions.policy import Policy
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.tiling import Tiling
from monitor.eventtime.windows import FixedShape

DAY_MS = 86_400_000
HOUR_MS = 3_600_000
TILING = Tiling(FixedShape(size_ms=DAY_MS, every_ms=DAY_MS))


def cell(column: str = "x", segment: str = "", *, strength: float = 2.0, p: float = 1e-6, **more: Any) -> MovedCell:
    """A cell whose effect is `strength` thresholds; it drifted where that is at least 1 and `p` is small."""
    threshold = more.pop("threshold", 0.1)
    holds = p <= 0.05 and strength >= 0.8
    drifted = holds and strength >= 1.0
    own = {
        "method": "location", "direction": "up" if drifted else "none", "quantity": "mean" if drifted else "",
        "before": 1.0, "after": 2.0, "n": 1_000, **more,
    }  # fmt: skip
    return MovedCell(
        segment=segment,
        column=column,
        cause=cause_of(
            column=column, segment=segment, method=own["method"], direction=own["direction"], after=own["after"]
        ),
        drifted=drifted,
        holds=holds,
        p_value=p,
        effect=strength * threshold,
        threshold=threshold,
        **own,
    )


def gone(column: str = "x", segment: str = "") -> MovedCell:
    """A column of which everything is missing."""
    return cell(
        column, segment, strength=99.0, threshold=0.01, p=0.0, method="missing", direction="more missing",
        quantity="share missing", before=0.01, after=1.0,
    )  # fmt: skip


def day(number: int, *moved: MovedCell, n_events: int | None = 1_000, **more: Any) -> ClosedWindow:
    """The window of a day, counted from 1970-01-01."""
    own = {"version": "1", "reference": "ab" * 32, "n_whole": 10, "n_segments": 0, **more}
    return ClosedWindow(
        start_ms=number * DAY_MS,
        end_ms=(number + 1) * DAY_MS,
        moved=tuple(sorted(moved, key=lambda one: one.place)),
        n_events=n_events,
        **own,
    )


def judged(number: int, *moved: MovedCell) -> ClosedWindow:
    """The verdicts of a day that rest on labels, which come later than the others."""
    return msgspec.structs.replace(day(number, *moved, n_events=None, n_whole=3), family="labels")


def labels(number: int, n: int = 1_000, maturity: float = 1.0) -> PerformanceWindow:
    """What labels of a day say."""
    return PerformanceWindow(
        start_ms=number * DAY_MS, end_ms=(number + 1) * DAY_MS, version="1", n_labelled=n, maturity=maturity
    )


def policy(alerts: AlertSettings | None = None, retraining: RetrainingSettings | None = None, **more: Any) -> Policy:
    """Of the model `m`."""
    return Policy(
        model="m",
        tiling=TILING,
        alerts=alerts or AlertSettings(),
        retraining=retraining or RetrainingSettings(),
        **more,
    )


class Run:
    """Feeds a policy, and keeps what it told."""

    def __init__(self, own: Policy | None = None) -> None:
        self.policy = own or policy()
        self.state = Decisions()
        self.alerts: list[Alert] = []
        self.requests: list[RetrainingRequest] = []

    def feed(
        self,
        *windows: ClosedWindow,
        controls: Sequence[Control] = (),
        performance: Sequence[PerformanceWindow] = (),
        now_ms: int | None = None,
        **more: Any,
    ) -> list[Alert]:
        """Decide on these; returns the alerts that were told now."""
        now = max([self.state.last_end_ms or 0, *(one.end_ms for one in windows)]) if now_ms is None else now_ms
        inputs = Inputs(windows=windows, controls=controls, performance=performance, **more)
        decided = decide(self.policy, self.state, inputs, now)
        self.state = decided.state
        self.alerts += decided.alerts
        self.requests += decided.requests
        return list(decided.alerts)

    def days(self, windows: Iterable[ClosedWindow]) -> "Run":
        """One after the other."""
        for window in windows:
            self.feed(window)
        return self

    @property
    def told(self) -> list[tuple[str, str]]:
        """State and cause of all alerts."""
        return [(one.state, one.cause) for one in self.alerts]
