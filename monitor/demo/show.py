"""The demo's findings on a terminal."""

import calendar

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from monitor.demo.findings import Findings

_BAR_CELLS = 5


def show_findings(console: Console, findings: Findings, n_open: int, elapsed_s: float) -> None:
    """Print totals, then a row and a bar a month."""
    rate = findings.n_events / elapsed_s
    console.print()
    console.print(
        f"[bold]{findings.n_events + n_open:,}[/] events in: {findings.n_events:,} counted, {findings.n_rejects:,} "
        f"rejected, {findings.n_late:,} too late, {n_open:,} in a day that is not over"
    )
    console.print(
        f"[bold]{findings.n_windows:,}[/] windows scored: {findings.n_verdicts:,} verdicts by {findings.n_scores:,} "
        f"scores, {findings.n_drifted:,} drifted; {findings.n_columns_unscored:,} columns not scored, in "
        f"{findings.n_unscored:,} windows of segments with too few flights"
    )
    console.print(
        f"[bold]{rate:,.0f}[/] events/s from the first event sent to the last row in ClickHouse ({elapsed_s:.0f} s)"
    )
    console.print()
    title = "Drift against January: 7-day windows of all flights, by the month they end in"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("month")
    table.add_column("flights", justify="right")
    table.add_column("drifted in half of them or more; most of all", overflow="fold")
    table.add_column("score", justify="right")
    table.add_column("PSI", justify="right")
    most = max((month.columns_drifted for month in findings.months), default=1)
    for month in findings.months:
        top = ", ".join(f"{name} {direction}" for name, direction, _ in month.top)
        table.add_row(
            calendar.month_abbr[month.month],
            f"{month.n:,}",
            f"{_bar(month.columns_drifted, most)} {month.columns_drifted}  {top}",
            f"{month.score_drifted} of {month.windows}",
            f"{month.score_psi:.2f}",
        )
    console.print(table)
    for one in findings.segments:
        console.print(
            f"  the score moved most in [bold]{one.segment}[/]: {one.quantity} {one.direction}, {one.before:.2f} -> "
            f"{one.after:.2f} in the week to {one.week_end}"
        )
    if findings.performance:
        console.print()
    for line in findings.performance:
        console.print(Text(line), soft_wrap=True)


def _bar(value: int, highest: int) -> str:
    """`_BAR_CELLS` wide."""
    eighths = round(value / highest * _BAR_CELLS * 8) if highest > 0 else 0
    full, rest = divmod(eighths, 8)
    return ("█" * full + " ▏▎▍▌▋▊▉"[rest]).strip().ljust(_BAR_CELLS)
