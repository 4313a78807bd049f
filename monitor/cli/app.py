"""The `driftline` command: its options and help. Each command imports what it needs when it is called.

Exit codes: 0 done, 1 an unexpected error (the supervisor starts a role again), 2 wrong configuration, file or usage,
3 a service is out of reach, 4 stopped by something that needs a person, 5 the process must be started again, 6 a role
did not stop in time and was killed, 7 nothing could be read or scored, 8 something drifted and `--fail-on drift` was
given, 130 interrupted.
"""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

from monitor.cli import decision_commands, reading_commands, running_commands
from monitor.cli.arguments import ConfigArgument
from monitor.errors import ConfigError, DriftlineError
from monitor.process.stderr import is_json, write_json


def _say_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"driftline {version('driftline')}")
        raise typer.Exit


app = typer.Typer(
    name="driftline",
    help="Watches machine-learning models in production for drift: Kafka in, scores out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
reference_app = typer.Typer(help="Reference profiles: what live windows are compared with.", no_args_is_help=True)
app.add_typer(reference_app, name="reference")
for further in (decision_commands, running_commands, reading_commands):
    app.add_typer(further.commands)


@app.callback()
def driftline(
    _version: Annotated[
        bool, typer.Option("--version", help="Show the version and exit.", callback=_say_version, is_eager=True)
    ] = False,
) -> None:
    """Watches machine-learning models in production for drift: Kafka in, scores out."""


@app.command()
def demo(
    months: Annotated[int, typer.Option(min=1, max=11, help="How many months to stream, from February on.")] = 11,
    plain: Annotated[bool, typer.Option("--plain", help="No colours and no progress bar.")] = False,
    keep: Annotated[Path | None, typer.Option(help="Keep configuration, data and database in this folder.")] = None,
) -> None:
    """Find real drift in real flights: embedded broker and database, the whole path, one command.

    Example: driftline demo
    """
    from monitor.demo.run import run_demo

    run_demo(months=months, console=Console(no_color=plain, force_terminal=False if plain else None), keep=keep)


@app.command()
def init(
    data: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Parquet, Arrow, CSV or JSONL with predictions, a folder or a pattern."),
    ] = None,
    topic: Annotated[str, typer.Option(metavar="NAME", help="Or a topic of JSON events.")] = "",
    bootstrap_servers: Annotated[str, typer.Option(metavar="HOST:PORT", help="The topic's broker.")] = "localhost:9092",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The configuration; it must not exist.")
    ] = Path("driftline.yaml"),
    name: Annotated[str, typer.Option(help="The model's name; default: as the rows say, or the file.")] = "",
    messages: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many messages are looked at.")] = 2_000,
    keep: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Where a topic's messages are kept; default: NAME.jsonl.")
    ] = None,
) -> None:
    """Write a first configuration from your own data, and say what was guessed and what comes next.

    Example: driftline init --data january.csv
    """
    from monitor.cli.init import init as start

    start(data, topic, bootstrap_servers, output, name, messages, keep)


@reference_app.command("build")
def reference_build(
    config: ConfigArgument,
    data: Annotated[Path, typer.Option(help="Parquet, Arrow, CSV or JSONL with the reference period's predictions.")],
    version: Annotated[str, typer.Option(help="A label for this reference; default: the data's own version.")] = "",
    model: Annotated[str, typer.Option(help="Which model, when the configuration has several.")] = "",
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Parquet, Arrow, CSV or JSONL with what was true of them: prediction_id, label and, for their delay, "
            "timestamp, or as label_mapping says."
        ),
    ] = None,
    importance: Annotated[
        Path | None,
        typer.Option(help="JSON or CSV: how much each feature matters; default: alerts.importance."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Build a model's reference profile from a file, and say what was inferred.

    With --labels, or a column that mapping.target names, it also holds how good the model was.

    Example: driftline reference build driftline.yaml --data january.parquet --labels arrivals.parquet
    """
    from monitor.cli.reference import build

    build(config, data, version, model, labels, importance, as_json=as_json)


@app.command()
def check(
    config: ConfigArgument,
    data: Annotated[
        Path | None,
        typer.Option(help="Also read these predictions, and say what became of them."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Validate a configuration and its reference files; errors name the path in the file.

    Example: driftline check driftline.yaml --data march.parquet
    """
    from monitor.cli.offline import check_config

    check_config(config, data, as_json=as_json)


@app.command()
def schema(
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Write it here; default: standard output.")
    ] = None,
) -> None:
    """Print the JSON Schema of the configuration, for editors that complete and check YAML.

    The first line of a configuration tells them: # yaml-language-server: $schema=driftline.schema.json

    Example: driftline schema -o driftline.schema.json
    """
    from monitor.cli.schema import write_schema

    write_schema(output)


@app.command()
def replay(
    config: ConfigArgument,
    predictions: Annotated[Path, typer.Option(help="Parquet, Arrow, CSV or JSONL with predictions, in any order.")],
    out: Annotated[Path, typer.Option(help="The folder that drift.parquet and its like are written to.")],
    close: Annotated[
        bool, typer.Option("--close", help="Also score the windows that are not over at the end.")
    ] = False,
    labels: Annotated[
        Path | None,
        typer.Option(
            help="Parquet, Arrow, CSV or JSONL with labels of the predictions, in any order: prediction_id, timestamp "
            "and label, or as label_mapping says."
        ),
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Parquet, Arrow, CSV or JSONL with features logged apart, in any order.")
    ] = None,
    controls: Annotated[
        Path | None,
        typer.Option(
            help="JSON lines as on drift.controls: silences, outcomes and the like, taken in when they were said."
        ),
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", metavar="FILE", help="Also write a report to look at, and to send.")
    ] = None,
    fail_on: Annotated[
        str, typer.Option(metavar="drift", help="End with exit code 8 when anything drifted: for CI.")
    ] = "",
    force: Annotated[
        bool, typer.Option("--force", help="Write to a folder that is not empty, over what is there.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="One JSON object on standard output, in place of text.")
    ] = False,
) -> None:
    """Run the same logic over a file, with no broker, to see what a configuration would have found.

    Example: driftline replay driftline.yaml --predictions march.parquet --out march/
    """
    from monitor.cli.offline import replay_file

    replay_file(
        config,
        predictions,
        out,
        close=close,
        labels=labels,
        features=features,
        controls=controls,
        html=html,
        fail_on=fail_on,
        force=force,
        as_json=as_json,
    )


@app.command()
def migrate(config: ConfigArgument) -> None:
    """Bring the schema of every destination up to date. Safe to repeat.

    Example: driftline migrate driftline.yaml
    """
    from monitor.cli.offline import migrate_destinations

    migrate_destinations(config)


@app.command()
def bench(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
    peers: Annotated[bool, typer.Option("--peers", help="Also measure whylogs, Evidently and NannyML.")] = False,
    rounds: Annotated[int, typer.Option(min=1, max=50, help="Rounds; medians are shown.")] = 5,
    ui: Annotated[
        bool,
        typer.Option("--ui", help="Instead: what the page asks, over 200 models, 100 columns, 90 days by the hour."),
    ] = False,
) -> None:
    """Measure speed and memory on one core, each figure beside a yardstick run in alternation.

    Example: driftline bench --json
    """
    if ui:
        from monitor.bench.ui import run_ui_bench

        run_ui_bench(as_json=as_json, rounds=rounds)
        return
    from monitor.bench.run import run_bench

    run_bench(as_json=as_json, peers=peers, rounds=rounds)


def run(arguments: Sequence[str]) -> int:
    """Run the command line; every error that is ours becomes one readable line with the way out."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # names and values may have what no encoding has: a lone surrogate
            stream.reconfigure(errors="backslashreplace")
    console = Console(stderr=True, highlight=False, emoji=False)
    command: Any = typer.main.get_command(app)
    try:
        code = command.main(args=list(arguments), prog_name="driftline", standalone_mode=False)
    except DriftlineError as error:
        return _report(console, error)
    except typer.TyperException as error:
        return _report_usage(console, error)
    except (KeyboardInterrupt, typer.Abort):
        code = 130
    if code == 130:  # Typer turns Ctrl-C into this code
        if is_json():
            write_json("interrupted", "warning", exit_code=130)
        else:
            console.print("interrupted", style="dim")
    return code if isinstance(code, int) else 0


def _report(console: Console, error: DriftlineError) -> int:
    lines = str(error).splitlines() if isinstance(error, ConfigError) else [error.message]
    _print_error(console, lines, error.hint, error.exit_code)
    return error.exit_code


def _report_usage(console: Console, error: typer.TyperException) -> int:
    """An unknown command or option, a missing argument. Without any argument at all the help was shown instead."""
    message = " ".join(error.format_message().split())
    context = getattr(error, "ctx", None)
    if message:
        hint = f"{context.command_path if context else 'driftline'} --help"
        _print_error(console, [message], hint, error.exit_code)
    return error.exit_code


def _print_error(console: Console, lines: Sequence[str], hint: str, exit_code: int) -> None:
    if is_json():
        for line in lines:
            write_json(line, "error", hint=hint, exit_code=exit_code)
        return
    for line in lines:
        console.print("error: ", style="bold red", end="")
        console.print(line, markup=False, soft_wrap=True)
    if hint:
        console.print(f"  try: {hint}", markup=False, soft_wrap=True)
