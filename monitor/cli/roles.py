"""Commands that run until they are stopped: single roles, `run`, `up`."""

import contextlib
import importlib.util
import os
import signal
import tempfile
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import structlog

from monitor import telemetry
from monitor.cli.preflight import check_files, check_ports, check_services
from monitor.config.addresses import Address
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.errors import InputError, KilledError, StoppedError
from monitor.process.children import terminable
from monitor.process.garbage import freeze_start_up
from monitor.process.health import Health
from monitor.process.health_server import HealthServer
from monitor.process.logs import configure_logging
from monitor.process.stderr import say
from monitor.process.supervisor import RESTARTS_VARIABLE, RoleCommand, Supervisor

if TYPE_CHECKING:
    from monitor.embedded.profile import EmbeddedProfile
    from monitor.kafka.lag import Lag

log = structlog.get_logger()


def ingest(config_path: Path, worker: str, port_offset: int, *, verbose: bool) -> None:
    """Run one ingest worker until SIGTERM or SIGINT."""
    from monitor import wiring
    from monitor.kafka.clients import wait_for_broker

    with _role("ingest", config_path, port_offset, verbose=verbose) as (config, health):
        role = wiring.ingest_role(config, worker, health)
        wait_for_broker(config.kafka, health)
        wiring.prepare_topics(config)
        freeze_start_up()
        with stopping(role.stop), _watching(config, health, role.lag):
            role.run()


def evaluate(config_path: Path, worker: str, port_offset: int, *, verbose: bool) -> None:
    """Run one score worker until SIGTERM or SIGINT."""
    from monitor import wiring
    from monitor.kafka.clients import wait_for_broker
    from monitor.kafka.faust.worker import EvaluateWorker

    with _role("evaluate", config_path, port_offset, verbose=verbose) as (config, health):
        app = wiring.evaluate_role(config, worker, health)  # first: a reference that is missing shows at once
        wait_for_broker(config.kafka, health)
        wiring.prepare_topics(config)
        freeze_start_up()
        with _watching(config, health):
            EvaluateWorker(app).execute_from_commandline()


def join(config_path: Path, worker: str, port_offset: int, *, verbose: bool) -> None:
    """Run one join worker until SIGTERM or SIGINT."""
    from monitor import wiring
    from monitor.kafka.clients import wait_for_broker
    from monitor.kafka.faust.worker import EvaluateWorker

    with _role("join", config_path, port_offset, verbose=verbose) as (config, health):
        app = wiring.join_role(config, worker, health)
        wait_for_broker(config.kafka, health)
        wiring.prepare_topics(config)
        freeze_start_up()
        with _watching(config, health):
            EvaluateWorker(app).execute_from_commandline()


def deliver(config_path: Path, name: str, worker: str, port_offset: int, *, verbose: bool) -> None:
    """Write to one destination until SIGTERM or SIGINT; without a name, to the only one."""
    from monitor import wiring
    from monitor.kafka.clients import wait_for_broker
    from monitor.reference.opened import open_references

    with _role("deliver", config_path, port_offset, verbose=verbose) as (config, health):
        name = name or only_destination(config)
        destination = wiring.open_destination(config, name)
        references = open_references(config)
        first, renewed = wiring.first_rows(references), wiring.renewed_rows(config, references)
        wait_for_broker(config.kafka, health)
        wiring.prepare_topics(config)
        role = wiring.deliver_role(config, name, destination, worker, health, first_rows=first, renewed=renewed)
        freeze_start_up()
        with stopping(role.stop), _watching(config, health, role.lag):
            role.run()


def only_destination(config: Config) -> str:
    """The name of the only destination; `InputError` where there are several, or none."""
    if len(config.destinations) != 1:
        names = ", ".join(config.destinations) or "none"
        raise InputError(f"the configuration has {len(config.destinations)} destinations", hint=f"name one of: {names}")
    return next(iter(config.destinations))


def run_supervised(config_path: Path, *, ingest_workers: int, evaluate_workers: int) -> None:
    """Run all roles under one supervisor until stopped."""
    configure_logging("run")
    config = _check(config_path)
    commands = role_commands(config_path, config.destinations, ingest_workers, evaluate_workers, int(config.joins))
    check_ports(_metrics_of(config, commands))
    with terminable() as ending:
        check_services(config_path, config, ending.check)
    supervisor = Supervisor(commands)
    with stopping(supervisor.stop), supervisor:
        supervisor.run()
    _expect_none_killed(supervisor)


def _expect_none_killed(supervisor: Supervisor) -> None:
    if supervisor.killed:
        raise KilledError(f"did not stop in time and had to be killed: {', '.join(supervisor.killed)}")


def role_commands(
    config_path: Path,
    destinations: Iterable[str],
    ingest_workers: int = 1,
    evaluate_workers: int = 1,
    join_workers: int = 0,
) -> list[RoleCommand]:
    """The processes of a whole installation on one machine, upstream first."""
    roles: list[tuple[str, list[str]]] = [(f"ingest-{n}", ["ingest", str(config_path)]) for n in range(ingest_workers)]
    roles += [(f"join-{n}", ["join", str(config_path)]) for n in range(join_workers)]
    roles += [(f"evaluate-{n}", ["evaluate", str(config_path)]) for n in range(evaluate_workers)]
    roles += [(f"deliver-{name}", ["deliver", str(config_path), name]) for name in destinations]
    return [
        RoleCommand(name=name, arguments=[*arguments, "--worker", name, "--port-offset", str(offset)])
        for offset, (name, arguments) in enumerate(roles)
    ]


def page_command(config_path: Path, config: Config) -> tuple[RoleCommand, Address] | None:
    """The process that serves the page, and where: as ui.listen says, on a free port where that one is taken.

    None where the configuration says `off`, or what the page needs is not installed.
    """
    from monitor.embedded.ports import free_port, is_free

    listen = config.ui.listen
    if listen is None or any(importlib.util.find_spec(name) is None for name in ("starlette", "jinja2", "uvicorn")):
        return None
    if listen.is_loopback and not (listen.port and is_free(listen.port)):
        listen = Address(host=listen.host, port=free_port())
    return RoleCommand(name="ui", arguments=["ui", str(config_path), "--listen", str(listen), "--quiet"]), listen


def role_addresses(config: Config) -> dict[str, str]:
    """Where each role of an installation on one machine serves its metrics, by its name; empty where none does."""
    listen = config.metrics.listen
    if listen is None or not listen.port:
        return {}
    commands = role_commands(Path(), config.destinations, 1, 1, int(config.joins))
    return {command.name: str(_shifted(listen, offset)) for offset, command in enumerate(commands)}


def up(config_path: Path, port: int, *, own_kafka: bool) -> None:
    """Run everything on this machine's own destinations, and the embedded broker or the user's own, until stopped."""
    from monitor import wiring
    from monitor.embedded.broker import EmbeddedBroker
    from monitor.embedded.own_kafka import OwnKafka
    from monitor.embedded.preparation import prepare_destinations
    from monitor.embedded.profile import embedded_profile

    configure_logging("up")
    config = _check(config_path)
    page_at = config.ui.listen  # of the loopback another port is taken
    check_ports(
        {
            "the broker, --port": None if own_kafka else Address(host="127.0.0.1", port=port),
            "ui.listen": None if page_at is None or page_at.is_loopback else page_at,
            **_metrics_of(config, role_commands(config_path, config.destinations, 1, 1, int(config.joins))),
        }
    )
    name = f"{datetime.now(UTC):%Y-%m-%dT%H-%M-%S}"
    with (
        terminable() as ending,
        OwnKafka(config.kafka, name) if own_kafka else EmbeddedBroker(port) as broker,
        tempfile.TemporaryDirectory(prefix="driftline-up-") as state,
    ):
        ending.check()
        session = config.state_dir.resolve() / "up" / name
        if isinstance(broker, OwnKafka):
            profile = embedded_profile(config_path, None, Path(state), session, kafka=broker.changes)
        else:
            profile = embedded_profile(config_path, broker.bootstrap_servers, Path(state), session)
        running = load(profile.path)
        topics = config.kafka.topics
        labels = topics.labels if config.joins_labels else ()
        sources = dict.fromkeys((*topics.predictions, *topics.features, *labels), 3)
        wiring.prepare_topics(running, None if own_kafka else sources)
        ending.check()
        commands = role_commands(profile.path, running.destinations, 1, 1, int(running.joins))
        page = page_command(profile.path, running)
        supervisor = Supervisor([*commands, *([page[0]] if page else [])], environment=profile.environment)
        with contextlib.ExitStack() as servers:
            for server in profile.servers.values():
                servers.enter_context(server)
                ending.check()
            prepare_destinations(profile.path, ending.check)
            servers.enter_context(stopping(supervisor.stop))
            ending.check()  # from here on a signal calls `stop`
            with supervisor, noted_session(config.state_dir, profile):
                _announce(running, broker.bootstrap_servers, commands, page[1] if page else None, reads=own_kafka)
                supervisor.run(_while(broker.check, *(server.check for server in profile.servers.values())))
            _expect_none_killed(supervisor)


@contextlib.contextmanager
def noted_session(state_dir: Path, profile: "EmbeddedProfile") -> Iterator[None]:
    """Let other commands find what runs here."""
    from monitor.embedded.session import Session, write_session

    places = dict(profile.places)
    write_session(state_dir, Session(pid=os.getpid(), config=str(profile.path), destinations=places))
    try:
        yield
    finally:
        write_session(state_dir, Session(pid=0, config="", destinations=places))


def _while(*checks: Callable[[], None]) -> Callable[[], bool]:
    """A tick that goes on until one of `checks` raises."""

    def tick() -> bool:
        for check in checks:
            check()
        return True

    return tick


def _announce(
    config: Config, bootstrap_servers: str, commands: list[RoleCommand], page: Address | None, *, reads: bool
) -> None:
    """Say where events go, or come from (`reads`), where results and metrics are, and how to stop."""
    lines = []
    what = "Reads" if reads else "Send events to"
    lines.append(f"{what} topic {', '.join(config.kafka.topics.predictions)} at {bootstrap_servers}")
    for name, destination in config.destinations.items():
        if where := destination.where():
            lines.append(f"Results of {name}: {where}")
    listen = config.metrics.listen
    for offset, command in enumerate(commands if listen and listen.port else ()):
        lines.append(f"Metrics of {command.name}: http://{_shifted(listen, offset)}/metrics")
    if page is not None:
        lines.append(f"The page: http://{page}/")
    elif config.ui.listen is not None:
        lines.append("The page is not served: it needs Starlette, Jinja2 and uvicorn (install driftline[ui])")
    lines.append('Ask them in another shell: driftline query CONFIG "SELECT ..."; driftline status CONFIG')
    lines.append("Stop with Ctrl-C")
    say(lines)


def _check(config_path: Path) -> Config:
    """Load the configuration and its references, so that errors show before anything is started."""
    from monitor.reference.opened import open_references

    config = load(config_path)
    check_files(config, state=True)
    open_references(config)
    return config


@contextlib.contextmanager
def _role(name: str, config_path: Path, port_offset: int, *, verbose: bool) -> Iterator[tuple[Config, Health]]:
    """A role's surroundings: logging, configuration, health server."""
    configure_logging(name, verbose=verbose)
    config = load(config_path)
    check_files(config, state=name in ("evaluate", "join"))
    listen = _shifted(config.metrics.listen, port_offset)
    health = Health(name)
    telemetry.begin_at_zero(name, (model.name for model in config.models))
    telemetry.ROLE_RESTARTS.labels(name).inc(int(os.environ.get(RESTARTS_VARIABLE) or 0))
    server = HealthServer(health, listen)
    try:
        yield config, health
    except StoppedError as error:
        log.error("cannot go on", because=error.message, hint=error.hint)
        raise
    finally:
        server.close()


def _metrics_of(config: Config, commands: Iterable[RoleCommand]) -> dict[str, Address | None]:
    """Where the metrics of each of the processes are served."""
    listen = config.metrics.listen
    return {f"metrics of {command.name}": _shifted(listen, offset) for offset, command in enumerate(commands)}


def _shifted(listen: Address | None, offset: int) -> Address | None:
    """The address that the role in this place listens on: one port further for each role; 0 is any free port."""
    return Address(host=listen.host, port=listen.port + offset) if listen is not None and listen.port else listen


@contextlib.contextmanager
def _watching(config: Config, health: Health, lag: "Lag | None" = None) -> Iterator[None]:
    from monitor.kafka.watch import BrokerWatch

    watch = BrokerWatch(config.kafka, health, lag)
    try:
        yield
    finally:
        watch.close()


@contextlib.contextmanager
def stopping(stop: Callable[[], None]) -> Iterator[None]:
    """SIGTERM and SIGINT call `stop`; a second one interrupts."""

    def handle(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.default_int_handler)
        stop()

    before = {number: signal.signal(number, handle) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
