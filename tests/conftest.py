"""What tests in every folder share: a broker, its topics, free ports."""

import logging
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NoReturn, Protocol

import pytest
import stamina
import structlog
from confluent_kafka.admin import AdminClient, NewTopic
from stamina.instrumentation import set_on_retry_hooks
from support.brokers import ApacheKafka, Broker, NoBroker, find_broker
from support.environments import build_wheel
from support.jars import NoJars
from support.ports import free_port as _free_port

_USED = pytest.StashKey[set[str]]()
_PASSED_OVER = pytest.StashKey[str]()
_REQUIRE = "DRIFTLINE_REQUIRE_TRANSACTIONS"


class Topics(Protocol):
    """Makes a topic and returns its name, which begins with `name` and is unique."""

    def __call__(self, name: str = "topic", partitions: int = 1, config: Mapping[str, str] | None = None) -> str: ...


@pytest.fixture(autouse=True)
def logging_as_it_was() -> Iterator[None]:
    """Commands set up the logging of their process, which here is that of all tests."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:], root.level = handlers, level
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    set_on_retry_hooks(None)


@pytest.fixture(scope="session")
def kafka(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A real broker: the first that answers (see `support.brokers`). Its transactions may be none: `transactional`."""
    directory = tmp_path_factory.mktemp("kafka")
    try:
        broker, reasons = find_broker(directory)
    except NoBroker as reason:
        _skip(f"no Kafka: {reason}")
    request.config.stash[_PASSED_OVER] = passed_over = "; ".join(reasons)
    said = broker.kind + (", with transactions" if broker.transactional else ", no transactions")
    request.config.stash[_USED].add(f"{said} (passed over: {passed_over})" if passed_over else said)
    yield broker
    broker.stop()
    shutil.rmtree(directory / "data", ignore_errors=True)


@pytest.fixture(scope="session")
def transactional_kafka(kafka: Broker, request: pytest.FixtureRequest) -> Broker:
    """The same broker, where its transactions are real; else the test is skipped, with the reason."""
    if not kafka.transactional:
        _skip(f"needs real transactions, and {kafka.kind} has none: {request.config.stash[_PASSED_OVER]}")
    return kafka


@pytest.fixture
def apache_kafka(tmp_path: Path) -> Iterator[ApacheKafka]:
    """An Apache Kafka of the test's own, started, to be killed and started again as it likes."""
    try:
        broker = ApacheKafka(tmp_path / "kafka")
    except NoJars as reason:
        _skip(f"needs an Apache Kafka to kill: {reason}")
    broker.start()
    yield broker
    broker.remove()


@pytest.fixture
def topics(kafka: Broker) -> Iterator[Topics]:
    """Makes uniquely named topics on `kafka`."""
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    made: list[str] = []

    def make(name: str = "topic", partitions: int = 1, config: Mapping[str, str] | None = None) -> str:
        unique = f"{name}-{uuid.uuid4().hex[:8]}"
        new = NewTopic(unique, num_partitions=partitions, replication_factor=1, config=dict(config or {}))
        admin.create_topics([new], operation_timeout=30)[unique].result(timeout=40)
        made.append(unique)
        return unique

    yield make
    if made and kafka.kind == "KAFKA_BOOTSTRAP_SERVERS":  # somebody's own broker is left as it was found
        for deleted in admin.delete_topics(made, operation_timeout=30).values():
            deleted.result(timeout=40)


@pytest.fixture
def free_port() -> Callable[[], int]:
    """Gives a port of 127.0.0.1 that nothing listens on, another one at each call."""
    return _free_port


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this tree."""
    return build_wheel(Path(__file__).parents[1], tmp_path_factory.mktemp("wheel"))


def pytest_configure(config: pytest.Config) -> None:
    """Nothing is known yet of the Kafka that tests will have."""
    config.stash[_USED] = set()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs real transactions, so that `-m "not kafka"` leaves it out; files with a broker come first.

    Those wait much and compute little, so that with two workers (`make test`) the others fill the gaps.
    """
    for item in items:
        if {"transactional_kafka", "apache_kafka"} & set(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.kafka)
    waiting = {item.path for item in items if {"kafka", "apache_kafka"} & set(getattr(item, "fixturenames", ()))}
    items.sort(key=lambda item: item.path not in waiting)


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A worker of pytest-xdist hands over which Kafka it had."""
    output = getattr(session.config, "workeroutput", None)
    if output is not None:
        output["kafka"] = sorted(session.config.stash[_USED])


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Take over which Kafka a worker of pytest-xdist had."""
    node.config.stash[_USED].update(getattr(node, "workeroutput", {}).get("kafka", ()))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which Kafka the tests had: what was proved depends on it."""
    for used in sorted(config.stash[_USED]):
        terminalreporter.write_line(f"Kafka for the tests: {used}")


def _skip(reason: str) -> NoReturn:
    if os.environ.get(_REQUIRE):
        pytest.fail(f"{_REQUIRE} is set, but: {reason}", pytrace=False)
    pytest.skip(reason)


@pytest.fixture
def no_waiting() -> Iterator[None]:
    """Retries do not wait, and end after a few."""
    stamina.set_testing(True, attempts=4)
    yield
    stamina.set_testing(False)
