"""Five destinations of alerts: one never answers and one refuses all, and the other three get every message."""

import contextlib
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer, Message, Producer
from prometheus_client import REGISTRY
from support.alerts import alert_row, alerts
from support.brokers import Broker
from support.destinations import ENVIRON, keys_of
from support.events import model_section
from support.http_server import Asked, LocalServer, Reply, serving
from support.installation import Installation

from monitor import wiring
from monitor.cli.app import run
from monitor.process.health import Health
from monitor.roles.undelivered import BECAUSE_HEADER, DESTINATION_HEADER
from sinks.records import Source, decode, encode, record_of

N = 40
WELL = ("pager", "hook", "team")
TYPES = {"pager": "pagerduty", "hook": "webhook", "team": "slack", "silent": "webhook", "refusing": "teams"}


def section(name: str, url: str) -> dict[str, Any]:
    timing = {"timeout": "300ms", "max_retry_wait": "200ms", "retry_window": "1s" if name == "silent" else "1h"}
    return {"type": TYPES[name], **keys_of(TYPES[name], url), **timing}


@pytest.fixture(autouse=True)
def secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRON.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def servers() -> Iterator[dict[str, LocalServer]]:
    replies = {**dict.fromkeys(WELL, Reply()), "silent": Reply(fault="silent"), "refusing": Reply(400, b"nothing")}
    with contextlib.ExitStack() as stack:
        yield {name: stack.enter_context(serving(_always(reply))) for name, reply in replies.items()}


def _always(reply: Reply) -> Callable[[Asked], Reply]:
    return lambda asked: reply


@pytest.fixture
def installation(kafka: Broker, servers: dict[str, LocalServer], tmp_path: Path) -> Iterator[Installation]:
    destinations = {name: section(name, server.url) for name, server in servers.items()}
    name = f"i{uuid.uuid4().hex[:8]}"
    models = [model_section(tmp_path / "model")]
    made = Installation(tmp_path / name, kafka.bootstrap_servers, name, models, destinations=destinations)
    made.prepare(1)
    yield made
    made.close()


def send(installation: Installation, keys: list[str]) -> None:
    producer = Producer({"bootstrap.servers": installation.config.kafka.bootstrap_servers})
    for offset, key in enumerate(keys):
        body = encode(alerts(alert_row(dedupe_key=key, summary=key)), Source(topic="s", partition=0, offset=offset))
        producer.produce(installation.config.kafka.own_topic("results"), body, partition=0)
    assert producer.flush(60) == 0


def messages_of(installation: Installation, topic: str) -> list[Message]:
    """All that lies in a topic of ours."""
    kafka = installation.config.kafka
    group = {"group.id": uuid.uuid4().hex, "auto.offset.reset": "earliest", "enable.partition.eof": True}
    consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, **group})
    consumer.subscribe([kafka.own_topic(topic)])
    found: list[Message] = []
    ended = 0
    for _ in range(600):
        for message in consumer.consume(500, timeout=0.1):
            ended += message.error() is not None
            found += [message] if message.error() is None else []
        if ended >= kafka.sketch_partitions:
            break
    consumer.close()
    return found


def undelivered(installation: Installation) -> list[tuple[str, str, str]]:
    """Destination, reason and dedupe key of all that is there."""
    found = []
    for message in messages_of(installation, "undelivered"):
        headers = {name: value.decode() for name, value in message.headers() or ()}
        for row in decode(message.value() or b"").to_pylist():
            found.append((headers[DESTINATION_HEADER], headers[BECAUSE_HEADER], row["dedupe_key"]))
    return found


def audited(installation: Installation) -> list[dict[str, Any]]:
    batches = [decode(message.value() or b"") for message in messages_of(installation, "results")]
    return [row for batch in batches if record_of(batch).name == "delivery" for row in batch.to_pylist()]


def times(server: LocalServer, keys: list[str]) -> dict[str, int]:
    return {key: sum(key.encode() in asked.body for asked in server.asked) for key in keys}


def test_one_that_is_silent_and_one_that_refuses_all_delay_nobody(
    installation: Installation, servers: dict[str, LocalServer]
) -> None:
    keys = [f"key-{uuid.uuid4().hex}" for _ in range(N)]
    send(installation, keys)
    roles = {}
    for name in TYPES:
        destination = wiring.open_destination(installation.config, name)
        roles[name] = wiring.deliver_role(installation.config, name, destination, "0", Health("deliver"))
    threads = [threading.Thread(target=role.run) for role in roles.values()]
    for thread in threads:
        thread.start()
    try:
        for name in WELL:
            installation.wait_for(lambda n=name: len(servers[n].asked) >= N, f"{name} to have all")
        installation.wait_for(lambda: len(servers["refusing"].asked) >= N, "all to be refused")
        installation.wait_for(lambda: _counted("silent") >= N, "the silent one's window to be over")
    finally:
        for role in roles.values():
            role.stop()
        for thread in threads:
            thread.join()
    for name in WELL:
        assert times(servers[name], keys) == dict.fromkeys(keys, 1)
    left = undelivered(installation)
    assert sorted(key for name, _, key in left if name == "refusing") == sorted(keys)
    assert {key for name, _, key in left if name == "silent"} == set(keys)
    assert {because for name, because, _ in left if name == "refusing"} == {
        f"POST {servers['refusing'].url}: 400 nothing"
    }
    assert all("no answer in time" in because for name, because, _ in left if name == "silent")
    assert not {name for name, _, _ in left} & set(WELL)
    assert _counted("refusing") == N
    tried = audited(installation)
    for name in WELL:
        own = [row for row in tried if row["destination"] == name]
        assert sorted(row["dedupe_key"] for row in own) == sorted(keys)
        assert {(row["outcome"], row["status"], row["attempt"]) for row in own} == {("accepted", 200, 1)}
    assert {(row["outcome"], row["status"]) for row in tried if row["destination"] == "refusing"} == {("refused", 400)}
    assert {(row["outcome"], row["status"]) for row in tried if row["destination"] == "silent"} == {("retried", 0)}
    assert max(row["attempt"] for row in tried if row["destination"] == "silent") > 1


def _counted(name: str) -> float:
    return REGISTRY.get_sample_value("driftline_undelivered_total", {"destination": name}) or 0.0


@pytest.mark.parametrize(
    ("reply", "code", "said"),
    [(Reply(), 0, "Sent an alert, raised and resolved"), (Reply(503), 3, "503"), (Reply(400), 4, "400")],
    ids=["well", "away", "refusing"],
)
def test_a_test_alert_says_what_was_answered(
    reply: Reply, code: int, said: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "driftline.yaml"
    with serving(lambda asked: reply) as server:
        document = {"models": [model_section(tmp_path)], "destinations": {"hook": section("hook", server.url)}}
        path.write_bytes(msgspec.yaml.encode(document))
        assert run(["deliver", str(path), "--test"]) == code
    out = "".join(capfd.readouterr())
    assert said in out
    assert "hunter2" not in out


def test_a_destination_of_tables_has_no_test_message(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "driftline.yaml"
    path.write_bytes(msgspec.yaml.encode({"models": [model_section(tmp_path)]}))
    assert run(["deliver", str(path), "--test"]) == 2
    assert "takes tables, no messages" in "".join(capfd.readouterr())
