"""A Kafka for the tests: the first that answers of those this machine can offer."""

import contextlib
import importlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Protocol

from confluent_kafka import Consumer, Message, TopicPartition
from support.apache_kafka import SETTINGS, ApacheKafka
from support.jars import NoJars
from support.ports import free_port
from support.readiness import wait_until_answers

__all__ = ["ApacheKafka", "Broker", "NoBroker", "consumed", "find_broker"]

_IMAGE = "apache/kafka:3.9.1"


class Broker(Protocol):
    """A broker that runs."""

    bootstrap_servers: str
    """`host:port`"""
    transactional: bool
    """Whether aborted transactions stay hidden from `read_committed`, as Apache Kafka hides them."""
    kind: str
    """What it is, for people."""

    def stop(self) -> None:
        """Stop it, if it is ours."""


class NoBroker(Exception):
    """A kind of broker cannot be had here; the message says why."""


def consumed(kafka: Broker, topic: str, n: int) -> list[Message]:
    """The first `n` messages of a topic of one partition."""
    settings = {"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic, "log_level": 0}
    with contextlib.closing(Consumer(settings)) as consumer:
        consumer.assign([TopicPartition(topic, 0, 0)])
        found: list[Message] = consumer.consume(n, timeout=30)
    assert len(found) == n, f"{len(found)} messages of {n} came"
    return found


class _Running:
    def __init__(self, kind: str, bootstrap_servers: str, *, transactional: bool, stop: Callable[[], object]) -> None:
        self.kind, self.bootstrap_servers, self.transactional = kind, bootstrap_servers, transactional
        self._stop = stop

    def stop(self) -> None:
        self._stop()


def find_broker(directory: Path) -> tuple[Broker, list[str]]:
    """The first broker that answers, and why those before it did not.

    `directory` takes the log and data of one that is started here. Raises `NoBroker` with all reasons.
    """
    reasons: list[str] = []
    for candidate in (_named, _in_docker, _by_maven, _embedded):
        try:
            return candidate(directory), reasons
        except NoBroker as reason:
            reasons.append(str(reason))
    raise NoBroker("; ".join(reasons))


def _named(directory: Path) -> Broker:
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    if not servers:
        raise NoBroker("KAFKA_BOOTSTRAP_SERVERS is not set")
    why_not = wait_until_answers(servers, timeout_s=15)
    if why_not:
        raise NoBroker(f"KAFKA_BOOTSTRAP_SERVERS does not answer ({why_not})")
    return _Running("KAFKA_BOOTSTRAP_SERVERS", servers, transactional=True, stop=lambda: None)


def _in_docker(directory: Path) -> Broker:
    if shutil.which("docker") is None:
        raise NoBroker("docker is not installed")
    with _no_broker("docker does not answer", subprocess.SubprocessError):
        if subprocess.run(["docker", "info"], capture_output=True, timeout=15, check=False).returncode:
            raise NoBroker("no Docker engine runs")
    with _no_broker("testcontainers", ImportError):
        containers = importlib.import_module("testcontainers.core.container")
    # Clients come back to the address that the broker advertises, so the port must be known before it starts.
    port = free_port()
    settings = {
        **SETTINGS,
        "controller.quorum.voters": "1@localhost:29093",
        "listeners": f"PLAINTEXT://0.0.0.0:{port},CONTROLLER://localhost:29093",
        "advertised.listeners": f"PLAINTEXT://localhost:{port}",
    }
    container = containers.DockerContainer(_IMAGE).with_bind_ports(port, port)
    for key, value in {**settings, "heap.opts": "-Xmx512m"}.items():
        container = container.with_env("KAFKA_" + key.upper().replace(".", "_"), value)
    # Docker's own errors form no tree that can be named without importing it: whatever fails, the next kind is tried.
    with _no_broker(f"{_IMAGE} does not start", Exception):
        container.start()
    why_not = wait_until_answers(f"localhost:{port}", timeout_s=90)
    if why_not:
        container.stop()
        raise NoBroker(f"{_IMAGE} does not answer ({why_not})")
    return _Running(f"{_IMAGE} in Docker", f"localhost:{port}", transactional=True, stop=container.stop)


def _by_maven(directory: Path) -> Broker:
    with _no_broker("no Apache Kafka", NoJars, RuntimeError, subprocess.SubprocessError):
        broker = ApacheKafka(directory)
        broker.start()
    return broker


def _embedded(directory: Path) -> Broker:
    with _no_broker("no embedded broker", Exception):
        module: Any = importlib.import_module("monitor.embedded.broker")
        broker = module.EmbeddedBroker()
        broker.__enter__()
    return _Running(
        "the embedded broker",
        broker.bootstrap_servers,
        transactional=False,
        stop=lambda: broker.__exit__(None, None, None),
    )


@contextlib.contextmanager
def _no_broker(what: str, *errors: type[Exception]) -> Iterator[None]:
    try:
        yield
    except errors as error:
        detail = str(error).strip().splitlines()
        raise NoBroker(f"{what} ({detail[0] if detail else type(error).__name__})") from error
