"""Commands that run until they are stopped: everything on this machine, or one role."""

from typing import Annotated

import typer

from monitor.cli.arguments import ConfigArgument, VerboseOption, WorkerOption, default_worker

commands = typer.Typer()


@commands.command()
def up(
    config: ConfigArgument,
    port: Annotated[int, typer.Option(min=0, max=65535, help="The embedded broker's port; 0 takes a free one.")] = 9092,
    own_kafka: Annotated[
        bool, typer.Option("--own-kafka", help="Read the Kafka that the configuration names, from its beginning on.")
    ] = False,
) -> None:
    """Run all roles on the embedded broker and on this machine's own destinations until stopped.

    With --own-kafka they read your topics; the session has topics and consumer groups of its own beside them, whose
    names have `-up-` in them, and deletes them when it stops.

    Each session starts from nothing: the broker forgets, and results go to a folder of the session's own in state_dir,
    or to where the configuration says if that is on this machine already (a chdb:/// DSN), which must not hold any yet.
    Addresses of services in the configuration are not used, but for destinations that this machine cannot take the
    place of.

    Example: driftline up driftline.yaml
    """
    from monitor.cli.roles import up as start

    start(config, port, own_kafka=own_kafka)


@commands.command()
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


run_all_command = commands.registered_commands[-1]
run_all_command.name = "run"


@commands.command()
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

    start(config, worker or default_worker(), port_offset, verbose=verbose)


@commands.command()
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

    start(config, worker or default_worker(), port_offset, verbose=verbose)


@commands.command()
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

    start(config, worker or default_worker(), port_offset, verbose=verbose)


@commands.command()
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

    return start(config, destination, worker or default_worker(), port_offset, verbose=verbose)
