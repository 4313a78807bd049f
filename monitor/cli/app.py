"""The `driftline` command: its options and help. Each command imports what it needs when it is called.

Exit codes: 0 done, 1 an unexpected error (the supervisor starts a role again), 2 wrong configuration, file or usage,
3 a service is out of reach, 4 stopped by something that needs a person, 5 the process must be started again, 6 a role
did not stop in time and was killed, 7 nothing could be read or scored, 8 something drifted and `--fail-on drift` was
given, 130 interrupted.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console

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
retraining_app = typer.Typer(help="Requests to retrain: what came of them.", no_args_is_help=True)
app.add_typer(retraining_app, name="retraining")

ConfigArgument = Annotated[Path, typer.Argument(metavar="CONFIG", help="The configuration file (YAML).")]
WorkerOption = Annotated[
    str,
    typer.Option(
        "--worker",
        help="This worker's name: unique among the role's workers, the same after a restart.",
        metavar="NAME",
    ),
]
VerboseOption = Annotated[bool, typer.Option("--verbose", "-v", help="Log in detail.")]


def _default_worker() -> str:
    import socket

    return socket.gethostname()


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
        Path | None, typer.Option(metavar="FILE", help="Parquet, CSV or JSONL with predictions, a folder or a pattern.")
    ] = None,
    topic: Annotated[str, typer.Option(metavar="NAME", help="Or a topic of JSON events.")] = "",
    bootstrap_servers: Annotated[str, typer.Option(metavar="HOST:PORT", help="The topic's broker.")] = "localhost:9092",
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The configuration; it must not exist.")
    ] = Path("driftline.yaml"),
    name: Annotated[str, typer.Option(help="The model's name; default: as the rows say, or the file.")] = "",
    messages: Annotated[int, typer.Option(min=1, max=1_000_000, help="How many messages are looked at.")] = 2_000,
) -> None:
    """Write a first configuration from your own data, and say what was guessed and what comes next.

    Example: driftline init --data january.csv
    """
    from monitor.cli.init import init as start

    start(data, topic, bootstrap_servers, output, name, messages)


@reference_app.command("build")
def reference_build(
    config: ConfigArgument,
    data: Annotated[Path, typer.Option(help="Parquet, CSV or JSONL with the reference period's predictions.")],
    version: Annotated[str, typer.Option(help="A label for this reference; default: the data's own version.")] = "",
    model: Annotated[str, typer.Option(help="Which model, when the configuration has several.")] = "",
    labels: Annotated[
        Path | None,
        typer.Option(help="Parquet, CSV or JSONL with what was true of them, joined by prediction_id."),
    ] = None,
) -> None:
    """Build a model's reference profile from a file, and say what was inferred.

    With --labels, or a column that mapping.target names, it also holds how good the model was.

    Example: driftline reference build driftline.yaml --data january.parquet --labels arrivals.parquet
    """
    from monitor.cli.reference import build

    build(config, data, version, model, labels)


@app.command()
def check(
    config: ConfigArgument,
    data: Annotated[
        Path | None,
        typer.Option(help="Also read these predictions, and say what became of them."),
    ] = None,
) -> None:
    """Validate a configuration and its reference files; errors name the path in the file.

    Example: driftline check driftline.yaml --data march.parquet
    """
    from monitor.cli.offline import check_config

    check_config(config, data)


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
    predictions: Annotated[Path, typer.Option(help="Parquet, CSV or JSONL with predictions, in any order.")],
    out: Annotated[Path, typer.Option(help="The folder that drift.parquet and its like are written to.")],
    close: Annotated[
        bool, typer.Option("--close", help="Also score the windows that are not over at the end.")
    ] = False,
    labels: Annotated[
        Path | None, typer.Option(help="Parquet, CSV or JSONL with labels of the predictions, in any order.")
    ] = None,
    features: Annotated[
        Path | None, typer.Option(help="Parquet, CSV or JSONL with features logged apart, in any order.")
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
        html=html,
        fail_on=fail_on,
        force=force,
        as_json=as_json,
    )


@app.command()
def backtest(
    config: ConfigArgument,
    scores: Annotated[
        str,
        typer.Option(
            metavar="DIR|clickhouse", help="The folder that `driftline replay` wrote its verdicts to, or the database."
        ),
    ],
    since: Annotated[str, typer.Option(help="First day or time, such as 2026-03-01; default: all.")] = "",
    until: Annotated[str, typer.Option(help="End, exclusive; default: all.")] = "",
    policy: Annotated[
        Path | None,
        typer.Option(help="A YAML file with keys alerts and retraining, to run beside."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Show which alerts and requests to retrain a policy would have led to, and a second one beside it.

    Example: driftline backtest driftline.yaml --scores march/ --policy stricter.yaml
    """
    from monitor.cli.backtest import run_backtest

    run_backtest(config, scores, since=since, until=until, policy=policy, as_json=as_json)


@app.command()
def silence(
    config: ConfigArgument,
    model: Annotated[str, typer.Option(help="Whose alerts.")],
    until: Annotated[
        str, typer.Option(help="End: 2026-03-01T12:00:00Z, a day, or how long, such as 4h; in event time.")
    ] = "4h",
    reason: Annotated[str, typer.Option(help="Why; others will read it.")] = "",
    column: Annotated[str, typer.Option(help="Only this column.")] = "",
    segment: Annotated[
        str | None, typer.Option(metavar="NAME=VALUE", help="Only this segment; empty: only all rows.")
    ] = None,
    cause: Annotated[str, typer.Option(help="Only this cause, such as data_drift.")] = "",
    since: Annotated[str, typer.Option("--from", help="Begin, in event time; default: now.")] = "",
    remove: Annotated[str, typer.Option(metavar="ID", help="End the silence with this id.")] = "",
) -> None:
    """Raise no alerts of a model, a column, a segment or a cause until a time.

    Example: driftline silence driftline.yaml --model flight-delay --column distance --until 12h --reason "new feed"
    """
    from monitor.cli.controls import silence as say

    say(
        config, model=model, column=column, segment=segment, cause=cause, since=since, until=until, reason=reason,
        remove=remove,
    )  # fmt: skip


@app.command()
def acknowledge(
    config: ConfigArgument,
    alert: Annotated[str, typer.Argument(metavar="ID|KEY", help="The alert's dedupe key, or the id of its event.")],
    by: Annotated[str, typer.Option(help="Who has it in hand; default: you.")] = "",
    reason: Annotated[str, typer.Option(help="What is being done.")] = "",
) -> None:
    """Say that somebody has an alert in hand: it is told again only when it becomes critical, or is resolved.

    Example: driftline acknowledge driftline.yaml 5f2c1d7e90ab --by ada
    """
    from monitor.cli.controls import acknowledge as say

    say(config, alert, by=by, reason=reason)


@app.command()
def rollout(
    config: ConfigArgument,
    model: Annotated[str, typer.Option(help="Which model.")],
    until: Annotated[str, typer.Option(help="End: a time with its offset, a day, or how long, such as 2d.")],
    version: Annotated[str, typer.Option(help="What is being rolled out.")] = "",
    since: Annotated[str, typer.Option("--from", help="Begin, in event time; default: now.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Mark that a version is being rolled out: no retraining is asked for meanwhile.

    Example: driftline rollout driftline.yaml --model flight-delay --version 4 --until 2d
    """
    from monitor.cli.controls import rollout as say

    say(config, model=model, version=version, since=since, until=until, reason=reason)


@retraining_app.command("report")
def retraining_report(
    config: ConfigArgument,
    request: Annotated[str, typer.Argument(metavar="ID|KEY", help="The request's dedupe key, or the id of its event.")],
    status: Annotated[str, typer.Option(help="succeeded, failed or cancelled.")],
    version: Annotated[str, typer.Option(help="The new model's version.")] = "",
    model: Annotated[str, typer.Option(help="Which model; then the request is not looked up.")] = "",
    reason: Annotated[str, typer.Option(help="Why.")] = "",
) -> None:
    """Report what became of a request to retrain; pipelines end with this.

    Example: driftline retraining report driftline.yaml 5f2c1d7e90ab --status succeeded --version 4
    """
    from monitor.cli.controls import report_retraining

    report_retraining(config, request, status=status, version=version, model=model, reason=reason)


@retraining_app.command("list")
def retraining_list(
    config: ConfigArgument,
    model: Annotated[str, typer.Option(help="Only those of this model.")] = "",
) -> None:
    """Show the requests to retrain, what holds them back, and what came of them.

    Example: driftline retraining list driftline.yaml
    """
    from monitor.cli.controls import list_retraining

    list_retraining(config, model=model)


@app.command()
def calibrate(
    config: ConfigArgument,
    data: Annotated[Path, typer.Option(help="Predictions of a quiet period: the reference's own, or any other.")],
    model: Annotated[str, typer.Option(help="Which model, when the configuration has several.")] = "",
    months: Annotated[int, typer.Option(min=15, max=3_000, help="How many months are drawn from the period.")] = 60,
    seed: Annotated[int, typer.Option(help="Of the resampling: the same seed tells the same.")] = 1,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """Say how many false alarms the alert policy gives on quiet data, what keeps its budget, and what it would find.

    Example: driftline calibrate driftline.yaml --data january.parquet
    """
    from monitor.cli.calibrate import calibrate as start

    start(config, data, model_name=model, seed=seed, months=months, as_json=as_json)


@app.command()
def diagnose(
    config: ConfigArgument,
    model: Annotated[str, typer.Option(help="Which model, when the configuration has several.")] = "",
    since: Annotated[str, typer.Option(help="First day or time, such as 2026-03-01; default: all, or 30 days.")] = "",
    scores: Annotated[
        Path | None,
        typer.Option(help="The folder that `driftline replay` wrote; default: ask a destination."),
    ] = None,
    destination: Annotated[
        str, typer.Option(metavar="NAME", help="Which destination to ask, if several can answer.")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object on standard output.")] = False,
) -> None:
    """The metric dropped, why? Data, inputs, predictions, performance, relation, in this order, and what to do.

    Example: driftline diagnose driftline.yaml --scores march/ --since 2026-03-01
    """
    from monitor.cli.diagnose import run_diagnosis

    run_diagnosis(config, model, since=since, scores=scores, destination=destination, as_json=as_json)


@app.command()
def up(
    config: ConfigArgument,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The embedded broker's port; 0 takes a free one.")] = 9092,
) -> None:
    """Run all roles on the embedded broker and on this machine's own destinations until stopped.

    Each session starts from nothing: the broker forgets, and results go to a folder of the session's own in state_dir,
    or to where the configuration says if that is on this machine already (a chdb:/// DSN), which must not hold any yet.
    Addresses of services in the configuration are not used, but for destinations that this machine cannot take the
    place of.

    Example: driftline up driftline.yaml
    """
    from monitor.cli.roles import up as start

    start(config, port)


@app.command()
def run_all(
    config: ConfigArgument,
    ingest_workers: Annotated[int, typer.Option(min=1, max=256, help="One a core; each is a process.")] = 1,
    evaluate_workers: Annotated[
        int, typer.Option(min=1, max=256, help="At most kafka.sketch_partitions have work.")
    ] = 1,
) -> None:
    """Run all roles under one supervisor, against your own Kafka and destinations; one `deliver` a destination.

    The first role serves its metrics on metrics.listen, each further one on the next port.

    Example: driftline run driftline.yaml --ingest-workers 2
    """
    from monitor.cli.roles import run_supervised

    run_supervised(config, ingest_workers=ingest_workers, evaluate_workers=evaluate_workers)


run_all_command = app.registered_commands[-1]
run_all_command.name = "run"


@app.command()
def ingest(
    config: ConfigArgument,
    worker: WorkerOption = "",
    port_offset: Annotated[int, typer.Option(hidden=True)] = 0,
    verbose: VerboseOption = False,
) -> None:
    """Run one ingest worker: events to sketches.

    Example: driftline ingest driftline.yaml --worker ingest-0
    """
    from monitor.cli.roles import ingest as start

    start(config, worker or _default_worker(), port_offset, verbose=verbose)


@app.command()
def evaluate(
    config: ConfigArgument,
    worker: WorkerOption = "",
    port_offset: Annotated[int, typer.Option(hidden=True)] = 0,
    verbose: VerboseOption = False,
) -> None:
    """Run one score worker: sketches to windows and scores.

    Example: driftline evaluate driftline.yaml --worker evaluate-0
    """
    from monitor.cli.roles import evaluate as start

    start(config, worker or _default_worker(), port_offset, verbose=verbose)


@app.command()
def join(
    config: ConfigArgument,
    worker: WorkerOption = "",
    port_offset: Annotated[int, typer.Option(hidden=True)] = 0,
    verbose: VerboseOption = False,
) -> None:
    """Join late labels with the predictions they belong to.

    Example: driftline join driftline.yaml
    """
    from monitor.cli.roles import join as start

    start(config, worker or _default_worker(), port_offset, verbose=verbose)


@app.command()
def deliver(
    config: ConfigArgument,
    destination: Annotated[
        str, typer.Argument(metavar="[NAME]", help="Its name under `destinations:`; not needed if it is the only one.")
    ] = "",
    worker: WorkerOption = "",
    test: Annotated[
        bool, typer.Option("--test", help="Send one alert, or request, that is marked as a test, and end.")
    ] = False,
    port_offset: Annotated[int, typer.Option(hidden=True)] = 0,
    verbose: VerboseOption = False,
) -> None:
    """Write results, rejects, alerts and requests to retrain to one destination: those that it takes.

    Before alerts go there, `driftline deliver CONFIG NAME --test` shows that they arrive.

    Example: driftline deliver driftline.yaml clickhouse
    """
    if test:
        from monitor.cli.destination_test import test_destination

        return test_destination(config, destination)
    from monitor.cli.roles import deliver as start

    return start(config, destination, worker or _default_worker(), port_offset, verbose=verbose)


@app.command()
def migrate(config: ConfigArgument) -> None:
    """Bring the schema of every destination up to date. Safe to repeat.

    Example: driftline migrate driftline.yaml
    """
    from monitor.cli.offline import migrate_destinations

    migrate_destinations(config)


@app.command()
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


@app.command()
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


@app.command()
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


@app.command()
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
