"""Commands that show results: by statement, by state, as a report, as a page."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.arguments import ConfigArgument

commands = typer.Typer()


@commands.command()
def query(
    config: ConfigArgument,
    statement: Annotated[str, typer.Argument(metavar="SQL", help="The statement; - reads it from standard input.")],
    destination: Annotated[
        str, typer.Option(metavar="NAME", help="Which destination to ask, if several can answer.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a row.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="CSV, with the names first.")] = False,
) -> None:
    """Ask the results, while roles run and after: of the last session of `up` if there was one, else where they go.

    Tables and columns are in docs/records.md.

    Example: driftline query driftline.yaml "SELECT * FROM drift_verdicts_latest WHERE drifted"
    """
    from monitor.cli.query import query as start

    start(config, statement, destination, "json" if as_json else "csv" if as_csv else "table")


@commands.command()
def status(
    config: ConfigArgument,
    once: Annotated[bool, typer.Option("--once", help="Print it once, also to a terminal.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show each role, how far it is behind, rejects, the newest windows and what drifted in them.

    Example: driftline status driftline.yaml
    """
    from monitor.cli.status import show_status

    show_status(config, once=once, as_json=as_json)


@commands.command()
def report(
    config: ConfigArgument,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="An .html file; or .md or .json, a section for the model's card.")
    ],
    model: Annotated[str, typer.Option(metavar="NAME", help="Which model, when the configuration has several.")] = "",
    version: Annotated[str | None, typer.Option(help="Which version; default: that of the newest window.")] = None,
    since: Annotated[str, typer.Option(help="From when on: 2013-03-01, or 30d before the newest window.")] = "",
    until: Annotated[str, typer.Option(help="Until when; default: the newest window.")] = "",
    from_: Annotated[
        Path | None, typer.Option("--from", metavar="FOLDER", help="What `replay --out FOLDER` wrote, not a database.")
    ] = None,
) -> None:
    """Write what was found about a model into one file that holds all it shows.

    Example: driftline report driftline.yaml --model flight-delay --since 30d -o report.html
    """
    from monitor.api.reporting import write_report

    write_report(config, output=output, model=model, version=version, since=since, until=until, folder=from_)


@commands.command()
def ui(
    config: ConfigArgument,
    listen: Annotated[
        str, typer.Option(metavar="HOST:PORT", help="Where to serve, in place of ui.listen; port 0 takes a free one.")
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", help="Do not say where; whoever started it has.")] = False,
) -> None:
    """Serve the page and the JSON API over the results, while roles run and after, until stopped.

    Addresses other than the loopback's want ui.token.

    Example: driftline ui driftline.yaml
    """
    from monitor.api.serve import serve

    serve(config, listen, quiet=quiet)
