"""Commands about decisions: what a policy would have told, what it is told by people, and why a metric dropped."""

from pathlib import Path
from typing import Annotated

import typer

from monitor.cli.arguments import ConfigArgument

commands = typer.Typer()
retraining = typer.Typer(help="Requests to retrain: what came of them.", no_args_is_help=True)
commands.add_typer(retraining, name="retraining")


@commands.command()
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


@commands.command()
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


@commands.command()
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


@commands.command()
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


@retraining.command("report")
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


@retraining.command("list")
def retraining_list(
    config: ConfigArgument,
    model: Annotated[str, typer.Option(help="Only those of this model.")] = "",
) -> None:
    """Show the requests to retrain, what holds them back, and what came of them.

    Example: driftline retraining list driftline.yaml
    """
    from monitor.cli.controls import list_retraining

    list_retraining(config, model=model)


@commands.command()
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


@commands.command()
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
