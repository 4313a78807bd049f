"""The report for people."""

from rich.console import Console
from rich.table import Table

from monitor.bench.report import Report, Result


def show(console: Console, report: Report) -> None:
    """Print the report: of each result its median, its range and its target, and below it that of its yardstick."""
    machine = report.machine
    pinned = "not pinned" if machine.pinned_to is None else f"measured processes on CPU {machine.pinned_to}"
    console.print(f"{machine.cpu}, {machine.cores} cores, Python {machine.python}; {pinned}", highlight=False)
    console.print(f"Clock: {machine.clock}. Load before: {machine.busy:.2f} a core.", highlight=False)
    if machine.broker:
        console.print(f"Kafka: {machine.broker}", highlight=False)
    for result in report.results:
        console.print(f"\n{result.name}", style="bold", markup=False, highlight=False)
        console.print(_figures(result))
    for note in machine.notes:
        console.print(f"\n{note}", style="yellow", markup=False)


def _figures(result: Result) -> Table:
    unit, yardstick = result.unit, result.yardstick
    table = Table.grid(padding=(0, 2))
    table.add_column(justify="right", no_wrap=True, min_width=22)  # the widest figure, so that all stand in one column
    table.add_column()
    table.add_row(
        f"{_figure(result.value, unit)} {unit}",
        f"{_figure(result.min, unit)} to {_figure(result.max, unit)}{_target(result, 'value')}",
    )
    table.add_row(
        f"{_figure(yardstick.value, unit)} {unit}",
        f"{yardstick.name}: ratio {result.ratio:.3g}{_target(result, 'ratio')}",
    )
    return table


def _figure(value: float, unit: str) -> str:
    return f"{value:.4f}" if unit == "s" else f"{value:,.0f}"


def _target(result: Result, of: str) -> str:
    """What to reach, beside the figure that it is of."""
    if result.target is None or result.target.of != of:
        return ""
    wanted = _figure(result.target.value, result.unit) if of == "value" else f"{result.target.value:g}"
    colour, word = ("green", "reached") if result.reached else ("red", "not reached")
    return f"; target {wanted} [{colour}]{word}[/{colour}]"
