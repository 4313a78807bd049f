"""What confluent-kafka's clients are given, what their errors ask for, and the topics they are used on."""

import socket
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic
from structlog.testing import capture_logs
from support.brokers import Broker
from support.events import model_section
from support.memory import Memory

from monitor import wiring
from monitor.config.load import parse
from monitor.config.schema import Kafka
from monitor.errors import ConfigError, DriftlineError, RestartError, StoppedError, Unavailable
from monitor.kafka import clients, topics
from monitor.kafka.clients import classify, consumer_settings, producer_settings, reach_broker, wait_for_broker
from monitor.kafka.topics import ensure_topics, partition_of_model
from monitor.kafka.watch import BrokerWatch
from monitor.process.health import Health


def kafka_of(**settings: Any) -> Kafka:
    document = {"models": [{"name": "m", "reference": "m.ref"}], "kafka": settings}
    return parse(msgspec.yaml.encode(document).decode(), environ={"KEY": "geheim"}).kafka


WRONG_SETTINGS = [
    ({"security.protocl": "geheim"}, "kafka.client.security.protocl: librdkafka has no such setting"),
    ({"security.protocol": "geheim"}, "kafka.client.security.protocol: librdkafka takes no such value"),
    ({"security.protocol": "SSL", "ssl.ca.location": "/geheim.pem"}, "kafka.client.ssl.ca.location: librdkafka"),
    ({"security.protocol": "SSL", "ssl.key.pem": "${KEY}"}, "kafka.client.ssl.key.pem: librdkafka takes no such"),
    ({"security.protocol": "SASL_SSL", "sasl.mechanisms": "geheim"}, "kafka.client: librdkafka takes no such value"),
    ({"socket.timeout.ms": 987654321}, "kafka.client.socket.timeout.ms: librdkafka takes no such value"),
    ({"error_cb": "geheim"}, "kafka.client: librdkafka takes no such value"),
    ({"max.in.flight": 987654321}, "kafka.client.max.in.flight: librdkafka takes no such value"),
]


@pytest.mark.parametrize(("client", "text"), WRONG_SETTINGS)
def test_a_setting_that_librdkafka_refuses_is_one_readable_line_without_its_value(
    client: dict[str, Any], text: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        clients.check_settings(kafka_of(client=client))
    assert str(caught.value).startswith(f"configuration: {text}")
    shown = "".join(traceback.format_exception(caught.value)) + caught.value.hint
    assert "geheim" not in shown
    assert "987654321" not in shown


def test_settings_are_checked_without_a_broker() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        clients.check_settings(kafka_of(bootstrap_servers=f"127.0.0.1:{server.getsockname()[1]}"))
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("session_timeout", ["6s", "5m", "30m"])
def test_without_settings_of_the_user_librdkafka_takes_every_session_timeout(session_timeout: str) -> None:
    """So `driftline check` need not ask librdkafka where `kafka.client` is empty."""
    clients.check_settings(kafka_of(session_timeout=session_timeout))


def test_no_role_starts_with_a_setting_that_librdkafka_refuses(tmp_path: Path) -> None:
    section = {"models": [model_section(tmp_path)], "kafka": {"client": {"security.protocl": "ssl"}}}
    config = parse(msgspec.yaml.encode(section).decode(), environ={})
    roles = [
        wiring.ingest_role(config, "w", Health("ingest")).run,
        wiring.deliver_role(config, "clickhouse", Memory(), "w", Health("deliver")).run,
        lambda: wait_for_broker(config.kafka, Health("evaluate")),
        lambda: ensure_topics(config.kafka),
    ]
    for run in roles:
        with pytest.raises(ConfigError, match=r"kafka\.client\.security\.protocl"):
            run()


CARELESS = {
    "enable.auto.commit": True,
    "enable.auto.offset.store": True,
    "isolation.level": "read_uncommitted",
    "enable.idempotence": False,
    "group.id": "mine",
    "transactional.id": "mine",
    "auto.offset.reset": "latest",
    "partition.assignment.strategy": "cooperative-sticky",
    "group.instance.id": "mine",
    "message.max.bytes": 1_000_000,
    "acks": 1,
}


def test_no_setting_of_the_users_can_take_a_guarantee_away() -> None:
    # Past the check of the configuration, which refuses them: the last line of defence.
    kafka = Kafka(client={key: _Plain(value) for key, value in CARELESS.items()})  # type: ignore[misc]
    consumer = consumer_settings(kafka, "ingest")
    assert consumer["enable.auto.commit"] is False
    assert consumer["enable.auto.offset.store"] is False
    assert consumer["isolation.level"] == "read_committed"
    assert consumer["group.id"] == "driftline-ingest"
    assert consumer_settings(kafka, "ingest", instance="worker-0")["group.instance.id"] == "worker-0"
    assert consumer["auto.offset.reset"] == "earliest"
    assert consumer["partition.assignment.strategy"] == "roundrobin"
    producer = producer_settings(kafka, transactional_id="worker-0")
    assert (producer["message.max.bytes"], producer["acks"]) == (16 * 1024 * 1024, "all")
    assert producer["enable.idempotence"] is True
    assert producer["transactional.id"] == "worker-0"


class _Plain:
    def __init__(self, value: object) -> None:
        self._value = value

    def reveal(self) -> object:
        return self._value


def test_settings_of_the_users_reach_every_client() -> None:
    kafka = kafka_of(client={"security.protocol": "SASL_SSL", "socket.timeout.ms": 1_000})
    for settings in (consumer_settings(kafka, "ingest"), producer_settings(kafka)):
        assert (settings["security.protocol"], settings["socket.timeout.ms"]) == ("SASL_SSL", 1_000)


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (KafkaError._TRANSPORT, Unavailable),
        (KafkaError._ALL_BROKERS_DOWN, Unavailable),
        (KafkaError._TIMED_OUT, Unavailable),
        (KafkaError.NOT_ENOUGH_REPLICAS, Unavailable),
        (KafkaError.REBALANCE_IN_PROGRESS, Unavailable),
        (KafkaError._AUTHENTICATION, StoppedError),
        (KafkaError.TOPIC_AUTHORIZATION_FAILED, StoppedError),
        (KafkaError.GROUP_AUTHORIZATION_FAILED, StoppedError),
        (KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, StoppedError),
        (KafkaError._FENCED, RestartError),
        (KafkaError.PRODUCER_FENCED, RestartError),
        (KafkaError.INVALID_PRODUCER_EPOCH, RestartError),
        (KafkaError.FENCED_INSTANCE_ID, RestartError),
        (KafkaError._FATAL, RestartError),
        (KafkaError.MSG_SIZE_TOO_LARGE, StoppedError),
    ],
)
def test_an_error_of_kafkas_passes_by_itself_or_needs_a_new_process_or_a_person(
    code: int, kind: type[DriftlineError]
) -> None:
    kafka = Kafka(bootstrap_servers="here:9092")
    for error in (KafkaError(code), KafkaException(KafkaError(code))):
        found = classify(error, kafka)
        assert type(found) is kind
        assert found.message.startswith("Kafka at here:9092")
        assert found.hint


def test_an_error_that_is_fatal_to_its_client_ends_the_process_whatever_its_code() -> None:
    assert type(classify(KafkaError(KafkaError._TRANSPORT, fatal=True), Kafka())) is RestartError
    refused = classify(KafkaError(KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED, fatal=True), Kafka())
    assert type(refused) is StoppedError, "a new process would be refused as well"


def test_a_broker_that_refuses_is_known_soon_and_the_cause_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
    # An hour would be waited out if the refusal were not noticed.
    with pytest.raises(Unavailable, match="Connection refused"):
        reach_broker(Kafka(bootstrap_servers=address), timeout_s=3600.0)


def test_a_broker_that_says_nothing_is_given_up_in_time() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(Unavailable, match="does not answer"):
        reach_broker(Kafka(bootstrap_servers=f"127.0.0.1:{server.getsockname()[1]}"), timeout_s=0.3)


def told(*codes: int) -> list[KafkaError]:
    return [KafkaError(code) for code in codes]


def test_of_many_errors_the_one_that_needs_a_person_is_the_cause() -> None:
    down, refused, transport = KafkaError._ALL_BROKERS_DOWN, KafkaError._AUTHENTICATION, KafkaError._TRANSPORT
    for codes, cause in [
        ((transport, refused, transport, down), refused),
        ((transport, down), transport),
        ((KafkaError._RESOLVE, transport), transport),
    ]:
        found = clients._cause(told(*codes))
        assert found is not None
        assert found.code() == cause
    assert clients._cause(told(down)) is None
    assert clients._cause([]) is None


@pytest.mark.usefixtures("no_waiting")
def test_waiting_for_the_broker_is_no_stalling(monkeypatch: pytest.MonkeyPatch) -> None:
    now_s, seen = 1_000.0, []
    monkeypatch.setattr("monitor.process.health.time.monotonic", lambda: now_s)
    health = Health("ingest", stall_s=60.0)

    def ask(_kafka: Kafka) -> None:
        nonlocal now_s
        seen.append((health.not_ready_because, health.stalled_s()))
        now_s += 50.0
        if len(seen) < 4:
            raise Unavailable("Kafka at here does not answer")

    monkeypatch.setattr(clients, "reach_broker", ask)
    wait_for_broker(Kafka(), health)
    assert seen == [("starting", 0.0)] + [("Kafka at here does not answer", 0.0)] * 3


@pytest.mark.usefixtures("no_waiting")
def test_a_broker_that_refuses_for_good_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def ask(_kafka: Kafka) -> None:
        asked.append(1)
        raise StoppedError("the broker refused the credentials")

    monkeypatch.setattr(clients, "reach_broker", ask)
    with pytest.raises(StoppedError):
        wait_for_broker(Kafka(), Health("ingest"))
    assert len(asked) == 1


def test_a_broker_that_is_lost_shows_once_and_so_does_its_return(monkeypatch: pytest.MonkeyPatch) -> None:
    health = Health("ingest")
    health.ready()
    answers = threading.Event()
    asked = 0

    def ask(_kafka: Kafka, timeout_s: float) -> None:
        nonlocal asked
        asked += 1
        if not answers.is_set():
            raise Unavailable("Kafka at here does not answer")

    monkeypatch.setattr("monitor.kafka.watch.reach_broker", ask)
    with capture_logs() as logs:
        watch = BrokerWatch(Kafka(), health, every_s=0.01)
        try:
            _wait_for(lambda: asked >= 3)
            assert health.not_ready_because == "Kafka at here does not answer"
            answers.set()
            _wait_for(lambda: health.not_ready_because == "")
            after = asked
            _wait_for(lambda: asked >= after + 3)
        finally:
            watch.close()
    assert [entry["event"] for entry in logs] == ["Kafka at here does not answer", "broker is back"]


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline_s = time.monotonic() + 10.0
    while not condition():
        assert time.monotonic() < deadline_s, "waited too long"
        time.sleep(0.005)  # between two looks at the condition


@pytest.mark.parametrize(
    ("text", "digest"), [("", 0xCBF29CE484222325), ("a", 0xAF63DC4C8601EC8C), ("foobar", 0x85944171F73967E8)]
)
def test_the_partition_of_a_model_is_the_published_fnv_1a(text: str, digest: int) -> None:
    # Test vectors of the authors: Fowler, Noll & Vo, http://www.isthe.com/chongo/tech/comp/fnv/
    for n in (1, 7, 8, 2**63):
        assert partition_of_model(text, n) == digest % n


def test_own_topics_are_made_once_and_another_number_of_partitions_is_refused(kafka: Broker) -> None:
    prefix = f"w{time.monotonic_ns()}.drift"
    settings = {"bootstrap_servers": kafka.bootstrap_servers, "topic_prefix": prefix}
    two = kafka_of(**settings, sketch_partitions=2)
    for _ in range(2):
        ensure_topics(two, sources={f"{prefix}.source": 3}, compacted=(f"{prefix}.state",))
    made = reach_broker(two).topics
    names = [two.own_topic(name) for name in (topics.SKETCHES, topics.RESULTS, topics.REJECTS)]
    assert [len(made[name].partitions) for name in (*names, f"{prefix}.state", f"{prefix}.source")] == [2, 2, 2, 2, 3]
    with pytest.raises(StoppedError, match=r"has 2 partitions, kafka\.sketch_partitions says 4") as caught:
        ensure_topics(kafka_of(**settings, sketch_partitions=4))
    assert caught.value.hint == "set kafka.sketch_partitions to 2: it is fixed once the topics exist"


def test_a_message_that_no_topic_takes_is_told_with_the_setting_that_helps() -> None:
    assert "max.message.bytes" in classify(KafkaError(KafkaError.MSG_SIZE_TOO_LARGE), Kafka()).hint


def test_a_topic_made_with_kafkas_default_size_is_warned_of_and_our_own_are_not(kafka: Broker) -> None:
    if not kafka.transactional:
        pytest.skip(f"{kafka.kind} tells no settings of topics")
    prefix = f"w{time.monotonic_ns()}.drift"
    own = kafka_of(bootstrap_servers=kafka.bootstrap_servers, topic_prefix=prefix, sketch_partitions=1)
    admin = AdminClient(clients.common_settings(own))
    name = own.own_topic(topics.REJECTS)
    made = admin.create_topics([NewTopic(name, 1, 1, config={"max.message.bytes": "1048588"})])
    made[name].result()
    for _ in range(2):
        with capture_logs() as logs:
            ensure_topics(own)
        warnings = [(entry["topic"], entry["hint"]) for entry in logs if entry["log_level"] == "warning"]
        assert warnings == [(name, "set its max.message.bytes to 16777216; it is 1048588")]
