"""A policy over verdicts that are there already: what it would have told, and when. Pure.

The same `decide` as on a stream, a window after the other. Stored verdicts are those of the last revisions, so that
what late events changed afterwards is known from the start here.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import msgspec
import pyarrow as pa

from monitor.decisions.alert import Alert
from monitor.decisions.decide import Decisions, Inputs, decide
from monitor.decisions.gather import closed_windows, performance_windows
from monitor.decisions.policy import Policy
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.words import safe


class Backtest(msgspec.Struct, frozen=True, kw_only=True):
    """What one policy would have told, in the order of time."""

    name: str
    n_windows: int
    alerts: tuple[Alert, ...]
    requests: tuple[RetrainingRequest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """What happened at the end of one window, a text a policy; "" where one told nothing."""

    at_ms: int
    told: tuple[str, ...]


def backtest(
    name: str,
    policies: Iterable[Policy],
    batches: Sequence[pa.RecordBatch],
    *,
    since_ms: int | None = None,
    until_ms: int | None = None,
) -> Backtest:
    """Run policies, one a model, over batches of `drift_verdict`, `window` and, where there are, `performance`.

    Parameters
    ----------
    since_ms, until_ms: windows that lie in `[since_ms, until_ms)` count; None: all.
    """
    alerts: list[Alert] = []
    requests: list[RetrainingRequest] = []
    n_windows = 0

    def inside(one: "msgspec.Struct") -> bool:
        start_ms, end_ms = one.start_ms, one.end_ms  # type: ignore[attr-defined]  # of windows of either kind
        return (since_ms is None or start_ms >= since_ms) and (until_ms is None or end_ms <= until_ms)

    for policy in policies:
        windows = [
            one
            for one in closed_windows(
                batches,
                model=policy.model,
                tiling=policy.tiling,
                compare=policy.compare,
                alpha=policy.alpha,
                hysteresis=policy.alerts.hysteresis,
            )
            if inside(one)
        ]
        measured = [
            one for one in performance_windows(batches, model=policy.model, tiling=policy.tiling) if inside(one)
        ]
        state = Decisions()
        for end_ms, own in groupby(windows, key=lambda one: one.end_ms):
            known = [one for one in measured if one.end_ms == end_ms]
            n_windows += 1
            decided = decide(policy, state, Inputs(windows=list(own), performance=known), end_ms)
            state = decided.state
            alerts += decided.alerts
            requests += decided.requests
    return Backtest(
        name=name,
        n_windows=n_windows,
        alerts=tuple(sorted(alerts, key=lambda one: one.at_ms)),
        requests=tuple(sorted(requests, key=lambda one: one.at_ms)),
    )


def timeline(runs: Sequence[Backtest]) -> list[Line]:
    """What the policies told, side by side: a line a moment in which any told something."""
    told: dict[int, list[list[str]]] = {}
    for number, run in enumerate(runs):
        for alert in run.alerts:
            columns = list(dict.fromkeys(safe(one.column) for one in alert.columns))
            more = f" and {len(columns) - 2:,} more" if len(columns) > 2 else ""
            text = f"{alert.state} {alert.cause} [{alert.severity}]: {', '.join(columns[:2])}{more}"
            told.setdefault(alert.at_ms, [[] for _ in runs])[number].append(text)
        for request in run.requests:
            why = f": {', '.join(one.code for one in request.held_because)}" if request.held_because else ""
            text = f"retraining {request.status.replace('_', ' ')}{why}"
            told.setdefault(request.at_ms, [[] for _ in runs])[number].append(text)
    return [Line(at_ms=at_ms, told=tuple("\n".join(own) for own in told[at_ms])) for at_ms in sorted(told)]
