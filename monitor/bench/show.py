"""The report for people."""

from rich.console import Console
from rich.table import Table

from monitor.bench.report import Report, Result


def show(console: Console, report: Report) -> None:
    """Print the report as a table."""
    machine = report.machine
    pinned = "not pinned" if machine.pinned_to is None else f"measured processes on CPU {machine.pinned_to}"
    console.print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; {pinned}", highlight=False)
    console.print(f"Clock: {machine.clock}. Load before: {machine.busy:.2f} a core.", highlight=False)
    if machine.broker:
        console.print(f"Kafka: {machine.broker}", highlight=False)
    table = Table(show_edge=False, pad_edge=False)
    table.add_column("what, and beside it its yardstick")
    for title in ("median", "least to most", "ratio", "target"):
        table.add_column(title, justify="right", no_wrap=True)
    for result in report.results:
        unit = result.unit
        table.add_row(
            result.name,
            f"{_figure(result.value, unit)} {unit}",
            f"{_figure(result.min, unit)} to {_figure(result.max, unit)}",
            "",
            _target(result),
        )
        table.add_row(
            f"  {result.yardstick.name}", f"{_figure(result.yardstick.value, unit)} {unit}", "", f"{result.ratio:.3g}"
        )
    console.print(table)
    for note in machine.notes:
        console.print(note, style="yellow", markup=False)


def _figure(value: float, unit: str) -> str:
    return f"{value:.4f}" if unit == "s" else f"{value:,.0f}"


def _target(result: Result) -> str:
    if result.target is None:
        return ""
    colour, word = ("green", "yes") if result.reached else ("red", "no")
    return f"{_figure(result.target, result.unit)} [{colour}]{word}[/{colour}]"
