"""Alerts and requests to retrain in a few lines: which were raised, and which requests followed or were held back."""

from collections.abc import Sequence
from typing import Final

import msgspec
from rich.console import Console

from monitor.decisions.alert import Alert
from monitor.decisions.request import RetrainingRequest
from monitor.wording import counted, instant

MOST_LINES: Final = 20


class ToldAlert(msgspec.Struct, frozen=True, kw_only=True):
    """Of a row of `alerts` what a line needs; the fields are those of `Alert`."""

    state: str
    dedupe_key: str
    at_ms: int
    severity: str
    summary: str


class ToldRequest(msgspec.Struct, frozen=True, kw_only=True):
    """Of a row of `retraining` what a line needs; the fields are those of `RetrainingRequest`."""

    status: str
    at_ms: int
    reason: str
    dry_run: bool


def show_decisions(
    console: Console,
    alerts: Sequence[Alert | ToldAlert],
    requests: Sequence[RetrainingRequest | ToldRequest],
    *,
    none: str = "No alert would have been raised.",
) -> None:
    """Print what was told, or would have been, a line an alert, in the order of time; `none` where there is none."""
    raised = [one for one in alerts if one.state == "raised"]
    ended = {one.dedupe_key: one.at_ms for one in alerts if one.state == "resolved"}
    if not raised:
        console.print(none)
    else:
        n_open = sum(one.dedupe_key not in ended for one in raised)
        n_critical = sum(one.severity == "critical" for one in raised)
        console.print(f"{counted(len(raised), 'alert')} raised, {n_critical:,} critical, {n_open:,} still open:")
    for one in raised[:MOST_LINES]:
        until = f" to {instant(ended[one.dedupe_key])}" if one.dedupe_key in ended else ", open"
        console.print(f"  {instant(one.at_ms)}{until}: [{one.severity}] {one.summary}", markup=False, soft_wrap=True)
    if len(raised) > MOST_LINES:
        console.print(f"  and {len(raised) - MOST_LINES:,} more")
    asked = [one for one in requests if one.status == "requested"]
    held = [one for one in requests if one.status == "held_back"]
    if asked or held:
        console.print(f"{counted(len(asked), 'request')} to retrain, {len(held):,} held back:")
    for request in sorted((*asked, *held), key=lambda one: one.at_ms)[:MOST_LINES]:
        dry = " (dry run)" if request.dry_run else ""
        console.print(f"  {instant(request.at_ms)}: {request.reason}{dry}", markup=False, soft_wrap=True)
    if len(asked) + len(held) > MOST_LINES:
        console.print(f"  and {len(asked) + len(held) - MOST_LINES:,} more")
