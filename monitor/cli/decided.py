"""Alerts and requests to retrain in a few lines: which were raised, and which requests followed or were held back."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from monitor.decisions.alert import Alert
from monitor.decisions.request import RetrainingRequest
from monitor.wording import counted, instant

MOST_LINES: Final = 20


def show_decisions(console: Console, alerts: Sequence[Alert], requests: Sequence[RetrainingRequest]) -> None:
    """Print what would have been told, a line an alert, in the order of time."""
    raised = [one for one in alerts if one.state == "raised"]
    ended = {one.dedupe_key: one.at_ms for one in alerts if one.state == "resolved"}
    if not raised:
        console.print("No alert would have been raised.")
    else:
        n_open = sum(one.dedupe_key not in ended for one in raised)
        n_critical = sum(one.severity == "critical" for one in raised)
        console.print(f"{counted(len(raised), 'alert')} raised, {n_critical:,} critical, {n_open:,} still open:")
    for one in raised[:MOST_LINES]:
        until = f" to {instant(ended[one.dedupe_key])}" if one.dedupe_key in ended else ", open"
        console.print(f"  {instant(one.at_ms)}{until}: [{one.severity}] {one.summary}")
    if len(raised) > MOST_LINES:
        console.print(f"  and {len(raised) - MOST_LINES:,} more")
    asked = [one for one in requests if one.status == "requested"]
    held = [one for one in requests if one.status == "held_back"]
    if asked or held:
        console.print(f"{counted(len(asked), 'request')} to retrain, {len(held):,} held back:")
    for request in sorted((*asked, *held), key=lambda one: one.at_ms)[:MOST_LINES]:
        dry = " (dry run)" if request.dry_run else ""
        console.print(f"  {instant(request.at_ms)}: {request.reason}{dry}")
