"""The demo's findings on a terminal."""

import calendar

from rich import box
from rich.console import Console
from rich.table import Table

from monitor.demo.findings import Findings, MonthFinding

_BAR_CELLS = 12


def show_findings(console: Console, findings: Findings, n_open: int, elapsed_s: float) -> None:
    """Print totals, then a row and a bar a month."""
    rate = findings.n_events / elapsed_s
    console.print()
    console.print(
        f"[bold]{findings.n_events + n_open:,}[/] events in: {findings.n_events:,} counted, {findings.n_rejects:,} "
        f"rejected, {findings.n_late:,} too late, {n_open:,} in a day that is not over"
    )
    console.print(
        f"[bold]{findings.n_windows:,}[/] windows scored: {findings.n_scores:,} scores, "
        f"{findings.n_insufficient:,} of them insufficient (too few flights to tell)"
    )
    console.print(
        f"[bold]{rate:,.0f}[/] events/s from the first event sent to the last row in ClickHouse ({elapsed_s:.0f} s)"
    )
    console.print()
    title = "Drift against January by month (PSI; drift from 0.2), and 7-day windows with drift"
    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    table.add_column("month")
    table.add_column("flights", justify="right")
    table.add_column("drifted most", no_wrap=True)
    table.add_column("", min_width=_BAR_CELLS)
    table.add_column("score", justify="right")
    table.add_column("weeks", justify="right")
    highest = max((month.top[0][1] for month in findings.months if month.top), default=1.0)
    for month in findings.months:
        table.add_row(
            calendar.month_abbr[month.month],
            f"{month.n:,}",
            ", ".join(f"{name} {psi:.2f}" for name, psi in month.top),
            _bar(month, highest),
            f"{month.score_psi:.2f}",
            f"{month.drifted} of {month.windows}",
        )
    console.print(table)
    for segment, column, statistic in findings.segments:
        console.print(f"  {column} moved most in [bold]{segment}[/]: PSI up to {statistic:.2f} in a week")


def _bar(month: MonthFinding, highest: float) -> str:
    value = month.top[0][1] if month.top else 0.0
    eighths = round(value / highest * _BAR_CELLS * 8) if highest > 0 else 0
    full, rest = divmod(eighths, 8)
    return "█" * full + (" ▏▎▍▌▋▊▉"[rest] if rest else "")
