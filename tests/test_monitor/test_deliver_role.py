"""The deliver role on a real broker: several destinations, parts of a write, a later release's messages, its end."""

import contextlib
import os
import signal
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer
from support.apache_kafka import ApacheKafka
from support.batches import batch_of
from support.brokers import Broker
from support.events import MODEL, START_MS, model_section
from support.installation import Installation
from support.memory import Memory
from support.plugins import JSON_LINES, install_plugin

from monitor import wiring
from monitor.errors import RestartError, StoppedError
from monitor.kafka.progress import GroupProgress
from monitor.process.health import Health
from sinks.destination import Destination
from sinks.records import RECORDS, Source, encode
from sinks.records.record import VERSION_KEY

N = 200
TYPE = {"type": "json-lines", "folder": "files"}
FREEZES = '''
"""Writes like `acme_lines`, and freezes a process at once: the broker, before the rows' offsets are committed."""

import os
import signal

import acme_lines


class Settings(acme_lines.Settings, frozen=True, kw_only=True):
    """Which process."""

    pid: int

    def open(self):
        return Freezes(self)


class Freezes(acme_lines.JsonLines):
    def __init__(self, settings):
        super().__init__(settings)
        self._pid = settings.pid

    def write(self, batches):
        written = super().write(batches)
        os.kill(self._pid, signal.SIGSTOP)
        return written
'''


@pytest.fixture
def plugins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path of this process and of its children, with a destination of another package."""
    folder = tmp_path / "plugins"
    install_plugin(folder, "acme-lines", {"acme_lines": JSON_LINES}, {"json-lines": "acme_lines:Settings"})
    monkeypatch.syspath_prepend(folder)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(folder), os.environ.get("PYTHONPATH", "")]))
    return folder


Install = Callable[..., Installation]


@pytest.fixture
def install(tmp_path: Path, plugins: Path) -> Iterator[Install]:
    made: list[Installation] = []

    def installed(broker: Broker, **destinations: dict[str, Any]) -> Installation:
        name = f"d{uuid.uuid4().hex[:8]}"
        section = model_section(tmp_path / "model")
        made.append(Installation(tmp_path / name, broker.bootstrap_servers, name, [section], destinations=destinations))
        made[-1].prepare(1)
        return made[-1]

    yield installed
    for installation in made:
        installation.close()


class Worker:
    """One deliver worker in a thread of this process."""

    def __init__(self, installation: Installation, name: str, destination: Destination) -> None:
        self.health = Health("deliver")
        self.error: Exception | None = None
        self.role = wiring.deliver_role(installation.config, name, destination, "0", self.health)
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        try:
            self.role.run()
        except (StoppedError, AssertionError) as error:
            self.error = error

    @property
    def has_ended(self) -> bool:
        return not self._thread.is_alive()

    def stop(self) -> None:
        self.role.stop()
        self._thread.join()


@contextlib.contextmanager
def working(installation: Installation, **destinations: Destination) -> Iterator[dict[str, Worker]]:
    workers = {name: Worker(installation, name, destination) for name, destination in destinations.items()}
    try:
        yield workers
    finally:
        for worker in workers.values():
            worker.stop()


def late(source_offset: int) -> pa.RecordBatch:
    source = {"source_topic": "s", "source_partition": 0, "source_offset": source_offset}
    return batch_of(
        RECORDS["late_dropped"], [{"model": MODEL, "version": "1", "pane_start_ms": START_MS, "n": 1, **source}]
    )


def send(installation: Installation, offsets: range, partition: int = 0) -> None:
    """A message a row on our results."""
    producer = Producer({"bootstrap.servers": installation.config.kafka.bootstrap_servers})
    topic = installation.config.kafka.own_topic("results")
    for offset in offsets:
        producer.produce(
            topic, encode(late(offset), Source(topic="s", partition=0, offset=offset)), partition=partition
        )
    assert producer.flush(60) == 0


def caught_up(installation: Installation, name: str) -> bool:
    kafka = installation.config.kafka
    group = f"{kafka.consumer_group}-deliver-{name}"
    with contextlib.closing(GroupProgress(kafka, group, kafka.own_topic("results"))) as progress:
        return progress.caught_up()


def test_two_destinations_do_not_wait_for_each_other_when_one_is_down(kafka: Broker, install: Install) -> None:
    installation = install(kafka, up=TYPE, down=TYPE)
    door = threading.Event()
    up, down = Memory(), Memory(accepts=lambda row: door.is_set())
    send(installation, range(N))
    expected = {(offset,): 1 for offset in range(N)}
    with working(installation, up=up, down=down) as workers:
        installation.wait_for(lambda: down.refused > 2, "the one that is down to be tried")
        installation.wait_for(lambda: up.times("late_dropped", "source_offset") == expected, "the other to have all")
        installation.wait_for(lambda: caught_up(installation, "up"), "the other to commit")
        assert down.times("late_dropped", "source_offset") == {}
        assert not caught_up(installation, "down")
        assert "down is out of reach" in workers["down"].health.not_ready_because
        assert workers["up"].health.not_ready_because == ""
        door.set()
        installation.wait_for(lambda: caught_up(installation, "down"), "the one that was down to commit")
        assert down.times("late_dropped", "source_offset") == expected
        installation.wait_for(lambda: not workers["down"].health.not_ready_because, "it to be ready")


def test_a_write_that_was_accepted_in_part_is_not_sent_twice(kafka: Broker, install: Install) -> None:
    installation = install(kafka, partly=TYPE)
    door = threading.Event()
    partly = Memory(accepts=lambda row: row["source_offset"] % 3 != 0 or door.is_set())
    send(installation, range(N))
    with working(installation, partly=partly):
        installation.wait_for(lambda: partly.refused > 3, "the rest to be sent again")
        assert not caught_up(installation, "partly")
        door.set()
        installation.wait_for(lambda: caught_up(installation, "partly"), "all of it to be committed")
    assert partly.times("late_dropped", "source_offset") == {(offset,): 1 for offset in range(N)}


def test_a_destination_is_given_the_records_that_it_takes_and_no_other(kafka: Broker, install: Install) -> None:
    installation = install(kafka, scores=TYPE)
    send(installation, range(3))
    scores = Memory(takes=["drift_score"])
    with working(installation, scores=scores):
        installation.wait_for(lambda: caught_up(installation, "scores"), "what is of no interest to be committed")
    assert scores.times("late_dropped", "source_offset") == {}


def test_a_message_of_a_later_release_stops_the_role_and_stays_unread(kafka: Broker, install: Install) -> None:
    installation = install(kafka, here=TYPE)
    send(installation, range(3))
    topic = installation.config.kafka.own_topic("results")
    batch = late(3)
    later = pa.BufferOutputStream()
    with pa.ipc.new_stream(later, batch.schema.with_metadata({**batch.schema.metadata, VERSION_KEY: b"99"})) as writer:
        writer.write_batch(batch)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(topic, later.getvalue().to_pybytes(), partition=0)
    assert producer.flush(60) == 0
    here = Memory()
    with working(installation, here=here) as workers:
        installation.wait_for(lambda: workers["here"].has_ended, "the role to stop")
        error = workers["here"].error
        assert isinstance(error, StoppedError)
        assert f"{topic}, partition 0, offset 3" in error.message
        assert "version 99" in error.message
        assert "upgrade this worker" in error.hint
    assert here.times("late_dropped", "source_offset") == {(offset,): 1 for offset in range(3)}
    assert not caught_up(installation, "here")


def test_a_member_that_another_took_the_place_of_ends_instead_of_idling(
    transactional_kafka: Broker, install: Install
) -> None:
    installation = install(transactional_kafka, here=TYPE)
    send(installation, range(3))
    kafka = installation.config.kafka
    with working(installation, here=Memory()) as workers:
        installation.wait_for(lambda: caught_up(installation, "here"), "the role to work")
        foreign = Consumer(
            {
                "bootstrap.servers": kafka.bootstrap_servers,
                "group.id": f"{kafka.consumer_group}-deliver-here",
                "group.instance.id": f"{kafka.consumer_group}-deliver-here-0",
                "partition.assignment.strategy": "roundrobin",
            }
        )
        foreign.subscribe([kafka.own_topic("results")])
        installation.wait_for(lambda: foreign.poll(0.1) is None and bool(foreign.assignment()), "it to be taken over")
        foreign.close()
        installation.wait_for(lambda: workers["here"].has_ended, "the role to end")
        assert isinstance(workers["here"].error, RestartError)


@pytest.mark.parametrize("where", ["idle", "between writing and committing"])
def test_sigterm_is_heard_while_the_broker_is_frozen(
    apache_kafka: ApacheKafka, install: Install, plugins: Path, where: str
) -> None:
    assert apache_kafka.pid is not None
    install_plugin(plugins, "acme-freezes", {"acme_freezes": FREEZES}, {"freezes": "acme_freezes:Settings"})
    kind = TYPE if where == "idle" else {**TYPE, "type": "freezes", "pid": apache_kafka.pid}
    installation = install(apache_kafka, here={**kind, "records": ["late_dropped"]})
    send(installation, range(3))
    installation.start("deliver", "deliver-0", "here")
    written = installation.folder / "files" / "late_dropped.jsonl"
    try:
        installation.wait_for(written.exists, "the role to work")
        if where == "idle":
            installation.wait_for(lambda: caught_up(installation, "here"), "the role to commit")
        os.kill(apache_kafka.pid, signal.SIGSTOP)
        process = installation.processes["deliver-0"]
        process.send_signal(signal.SIGTERM)
        started_s = time.monotonic()
        assert process.wait(timeout=20) == 0, installation.tail()
        assert time.monotonic() - started_s < 20
    finally:
        os.kill(apache_kafka.pid, signal.SIGCONT)
