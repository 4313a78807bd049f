"""The ingest role on a real broker: what it does when that freezes, takes it for another, or has nothing for it."""

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Producer
from support.apache_kafka import ApacheKafka
from support.brokers import Broker
from support.events import model_section

from monitor import wiring
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.errors import DriftlineError, RestartError
from monitor.kafka.clients import consumer_settings
from monitor.kafka.progress import GroupProgress
from monitor.process.health import Health
from monitor.process.supervisor import RoleCommand, Supervisor
from monitor.roles.ingest import Ingest
from monitor.sketching.ingest_step import IngestStep

PARTITIONS = 2
GIVE_UP_S = 120.0
SIGTERM_IS_HEARD_WITHIN_S = 20.0


def configure(folder: Path, broker: Broker | ApacheKafka, **kafka: Any) -> Path:
    """A configuration with names of its own on this broker, and its topics."""
    name = f"i{uuid.uuid4().hex[:8]}"
    section = {
        "bootstrap_servers": broker.bootstrap_servers,
        "topics": {"predictions": [f"{name}-predictions"], "features": [], "labels": []},
        "consumer_group": name,
        "topic_prefix": f"{name}.drift",
        "sketch_partitions": 1,
        "session_timeout": "6s",
        **kafka,
    }
    document = {"models": [model_section(folder / "model")], "kafka": section, "metrics": {"listen": "off"}}
    path = folder / "driftline.yaml"
    path.write_bytes(msgspec.yaml.encode(document))
    config = load(path)
    wiring.prepare_topics(config, {config.kafka.topics.predictions[0]: PARTITIONS})
    return path


def send(config: Config, n: int, *, transactional: bool = False) -> None:
    """Messages to both partitions; that they are no events is of no account here."""
    settings = {"bootstrap.servers": config.kafka.bootstrap_servers}
    producer = Producer({**settings, "transactional.id": "sender"} if transactional else settings)
    if transactional:
        producer.init_transactions(30)
        producer.begin_transaction()
    for number in range(n):
        producer.produce(config.kafka.topics.predictions[0], b"no event", partition=number % PARTITIONS)
    if transactional:
        producer.commit_transaction(30)
    assert producer.flush(30) == 0


def wait_for(condition: Callable[[], bool], what: str) -> None:
    deadline_s = time.monotonic() + GIVE_UP_S
    while not condition():
        assert time.monotonic() < deadline_s, f"waited too long for {what}"
        time.sleep(0.05)  # between two looks at the condition


class Running:
    """A role in a thread, and what became of it."""

    def __init__(self, role: Ingest) -> None:
        self.role = role
        self.error: DriftlineError | None = None
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.role.run()
        except DriftlineError as error:
            self.error = error

    @property
    def ended(self) -> bool:
        return not self._thread.is_alive()

    def stopped_within(self, seconds: float) -> bool:
        """Tell it to stop, as SIGTERM does, and wait."""
        self.role.stop()
        self._thread.join(seconds)
        return self.ended


@contextlib.contextmanager
def running(config: Config, health: Health) -> Iterator[Running]:
    """An ingest worker that has its partitions."""
    role = Running(wiring.ingest_role(config, "w", health))
    try:
        wait_for(lambda: not health.not_ready_because or role.ended, "an assignment")
        yield role
    finally:
        assert role.stopped_within(GIVE_UP_S)


def join_once(config: Config) -> None:
    """Another process takes the worker's place in its group, and leaves."""
    instance = f"{config.kafka.consumer_group}-ingest-w"
    settings = consumer_settings(config.kafka, "ingest", instance=instance)
    joined: list[object] = []
    with contextlib.closing(Consumer(settings)) as consumer:
        consumer.subscribe(list(config.kafka.topics.predictions), on_assign=lambda *_: joined.append(1))

        def polled() -> bool:
            consumer.poll(0.1)
            return bool(joined)

        wait_for(polled, "the place to be taken")


def caught_up(config: Config) -> Callable[[], bool]:
    (topic,) = config.kafka.topics.predictions

    def look() -> bool:
        with contextlib.closing(GroupProgress(config.kafka, f"{config.kafka.consumer_group}-ingest", topic)) as group:
            return group.caught_up()

    return look


@pytest.mark.parametrize("commits", [True, False])
def test_a_worker_whose_place_another_took_ends_and_does_not_idle_as_if_all_were_well(
    transactional_kafka: Broker, tmp_path: Path, commits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not commits:  # or its next commit may be refused before its consumer says that it has been given up
        monkeypatch.setattr(IngestStep, "take", lambda *_: None)
    config = load(configure(tmp_path, transactional_kafka))
    with running(config, Health("ingest")) as worker:
        join_once(config)
        wait_for(lambda: worker.ended, "the role to end")
        assert type(worker.error) is RestartError
        assert "--worker" in worker.error.hint


def test_a_worker_whose_place_another_took_is_started_again_and_goes_on(
    transactional_kafka: Broker, tmp_path: Path
) -> None:
    path = configure(tmp_path, transactional_kafka)
    config, done = load(path), caught_up(load(path))
    with Supervisor([RoleCommand(name="ingest", arguments=["ingest", str(path), "--worker", "w"])]) as supervisor:

        def works(what: str) -> None:
            send(config, 10)
            deadline_s = time.monotonic() + GIVE_UP_S
            until = iter(lambda: done() or time.monotonic() > deadline_s, True)
            supervisor.run(lambda: next(until, True) is False)
            assert done(), what

        works("the worker reads")
        join_once(config)
        works("a new process reads on")


def test_the_lag_after_a_restart_on_a_quiet_source_is_0_and_ends_with_the_worker(
    transactional_kafka: Broker, tmp_path: Path
) -> None:
    config, health = load(configure(tmp_path, transactional_kafka)), _Noting()
    send(config, 10, transactional=True)  # what it leaves at the end is a marker, which nobody can read
    with running(config, health):
        wait_for(caught_up(config), "the events to be committed")
    with running(config, health) as worker:
        health.lags.clear()
        worker.role.lag.refresh()
        assert health.lags[-1] <= PARTITIONS, "whole partitions were told"
        wait_for(lambda: _refreshed(worker, health) == 0, "the ends to be found")
    send(config, 6)
    assert _refreshed(worker, health) == 0, "a worker that has let go of its partitions has no lag"


def test_a_worker_that_is_stuck_has_a_lag_that_grows_and_is_not_ready(
    transactional_kafka: Broker, tmp_path: Path
) -> None:
    config, health = load(configure(tmp_path, transactional_kafka)), _Noting(stuck_s=0.0)
    send(config, 10)
    with running(config, health) as worker:
        wait_for(lambda: _refreshed(worker, health) == 0, "everything to be read")
        stands = worker.role.lag.noted
    health.ready()
    send(config, 6)
    worker.role.lag.note(stands)  # as a worker does that reads no more
    assert _refreshed(worker, health) == 6
    send(config, 2)
    assert _refreshed(worker, health) == 8
    assert "while 8 messages wait" in health.not_ready_because
    assert health.stalled_s() == 0.0


class _Noting(Health):
    """Notes the lags that it is told."""

    def __init__(self, stuck_s: float = 30.0) -> None:
        super().__init__("ingest", stuck_s=stuck_s)
        self.lags: list[int] = []

    def progress(self, lag: int, done: object) -> None:
        super().progress(lag, done)
        self.lags.append(lag)


def _refreshed(worker: Running, health: _Noting) -> int:
    worker.role.lag.refresh()
    return health.lags[-1]


def test_what_is_read_is_committed_when_nothing_more_is_waiting_however_long_the_interval(
    transactional_kafka: Broker, tmp_path: Path
) -> None:
    config = load(configure(tmp_path, transactional_kafka, commit_interval="1h"))
    with running(config, Health("ingest")):
        for _ in range(3):
            send(config, 10)
            wait_for(caught_up(config), "a commit")


@pytest.mark.parametrize("where", ["idle", "between reading and committing", "taking its id over"])
def test_a_worker_stops_in_time_also_while_the_broker_is_frozen(
    apache_kafka: ApacheKafka, tmp_path: Path, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load(configure(tmp_path, apache_kafka))
    frozen = threading.Event()

    def freeze() -> None:
        assert apache_kafka.pid is not None
        os.kill(apache_kafka.pid, signal.SIGSTOP)
        frozen.set()

    step = wiring.ingest_step(config)
    if where == "between reading and committing":
        take = step.take

        def freeze_and_take(*arguments: Any) -> Any:
            if len(arguments[0]):
                freeze()
            return take(*arguments)

        monkeypatch.setattr(step, "take", freeze_and_take)
        send(config, 10)
    if where == "taking its id over":
        freeze()
    health = Health("ingest")
    worker = Running(Ingest(config.kafka, step, worker="w", health=health))
    try:
        if where == "idle":
            wait_for(lambda: not health.not_ready_because, "an assignment")
            freeze()
        assert frozen.wait(GIVE_UP_S)
        assert worker.stopped_within(SIGTERM_IS_HEARD_WITHIN_S)
        assert worker.error is None, "nothing is lost: what was in hand is read again"
    finally:
        assert apache_kafka.pid is not None
        os.kill(apache_kafka.pid, signal.SIGCONT)
        worker.stopped_within(GIVE_UP_S)
    if where == "between reading and committing":
        with running(config, Health("ingest")):
            wait_for(caught_up(config), "what was in hand to be read again")
