"""Settings of the confluent-kafka clients, and what an error of theirs asks for."""

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import stamina
import structlog
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._metadata import ClusterMetadata

from monitor.config.schema import Kafka
from monitor.errors import ConfigError, Problem, RestartError, StoppedError, Unavailable
from monitor.process.health import Health

log = structlog.get_logger()

Client = TypeVar("Client")

# Driftline's own messages carry many sketches or rows at once, and a reject carries its event whole.
OWN_MESSAGE_BYTES = 16 * 1024 * 1024
# Between two tries of a role that starts and finds no broker.
MAX_WAIT_S = 15.0
_LOGGER = logging.getLogger("driftline.kafka")

_STOP = {
    KafkaError._AUTHENTICATION: "the broker refused the credentials",
    KafkaError.SASL_AUTHENTICATION_FAILED: "the broker refused the credentials",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "no right to use a topic",
    KafkaError.GROUP_AUTHORIZATION_FAILED: "no right to use the consumer group",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "no right to write transactions",
    KafkaError.TRANSACTIONAL_ID_AUTHORIZATION_FAILED: "no right to use the transactional id",
    KafkaError.MSG_SIZE_TOO_LARGE: "a message of Driftline's is larger than its topic takes",
}
_HINTS = {
    KafkaError.MSG_SIZE_TOO_LARGE: f"set max.message.bytes of Driftline's own topics to {OWN_MESSAGE_BYTES}",
}
_HINT = "give each worker a name of its own (--worker), or mend kafka.client in the configuration"
# The broker has given this client's identity to another one: a new process of this name takes it back.
_FENCED = {
    KafkaError._FENCED,
    KafkaError.PRODUCER_FENCED,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError.FENCED_INSTANCE_ID,
}
_RESTART_HINT = "start it again (`driftline run` does); if that repeats, give each worker a name of its own (--worker)"


def common_settings(kafka: Kafka) -> dict[str, Any]:
    """What every client needs. The user's `kafka.client` settings come last but for those that guarantees rest on."""
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "log_level": 3,
        "logger": _LOGGER,
        # The most that a call can hang on a broker that is connected and answers nothing, where the call's own timeout
        # does not count: `send_offsets_to_transaction` waited for librdkafka's default of 60 s. Asking again is safe.
        "socket.timeout.ms": 10_000,
        **kafka.client_settings(),
    }


def consumer_settings(kafka: Kafka, group: str, *, instance: str = "") -> dict[str, Any]:
    """A consumer that never commits by itself and never sees what a transaction rolled back."""
    return {
        "fetch.message.max.bytes": OWN_MESSAGE_BYTES,
        "queued.max.messages.kbytes": 65_536,
        # A partition whose queue was full is asked again after this, not after a whole second: a worker that empties
        # the queue faster than that would stand still for the rest of it.
        "fetch.queue.backoff.ms": 50,
        "session.timeout.ms": kafka.session_timeout_ms,
        # librdkafka refuses a session that is longer than this, and its default is five minutes.
        "max.poll.interval.ms": max(300_000, kafka.session_timeout_ms),
        "heartbeat.interval.ms": max(500, kafka.session_timeout_ms // 6),
        # How soon a new topic or partition is found.
        "topic.metadata.refresh.interval.ms": 30_000,
        **common_settings(kafka),
        # All events count, from the first on. And a new assignment is told whole: `Partitions` starts afresh with it.
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "roundrobin",
        **({"group.instance.id": instance} if instance else {}),
        "group.id": f"{kafka.consumer_group}-{group}",
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "isolation.level": "read_committed",
    }


def producer_settings(kafka: Kafka, *, transactional_id: str = "") -> dict[str, Any]:
    """A producer that neither loses nor repeats, transactional when it has an id."""
    return {
        "compression.type": "lz4",
        "linger.ms": 5,
        # What waits for the broker: rejects are the events themselves.
        "queue.buffering.max.kbytes": 131_072,
        **common_settings(kafka),
        "message.max.bytes": OWN_MESSAGE_BYTES,
        "acks": "all",
        "enable.idempotence": True,
        **({"transactional.id": transactional_id} if transactional_id else {}),
    }


def built(make: Callable[[dict[str, Any]], Client], settings: dict[str, Any], kafka: Kafka) -> Client:
    """A client of these settings. It reads files (certificates) and connects in the background only.

    Raises `ConfigError` where librdkafka refuses a setting of the user's. Its own words are left out: they repeat the
    value, which may be a secret.
    """
    try:
        return make(settings)
    except (KafkaException, OSError, TypeError, ValueError) as error:
        problem = _wrong_setting(str(error), kafka)
    raise ConfigError([problem], hint="mend kafka.client; its keys are those of librdkafka's CONFIGURATION.md")


def _wrong_setting(text: str, kafka: Kafka) -> Problem:
    # The longest: the name of one setting may lie in another's. What has no dot may be half a secret.
    key = max((key for key in kafka.client_settings() if "." in key and key in text), key=len, default="")
    what = (
        "librdkafka has no such setting"
        if "No such configuration property" in text
        else "librdkafka takes no such value, cannot use the file it names, or not together with the other settings"
    )
    return Problem(path=f"kafka.client.{key}" if key else "kafka.client", message=what)


def check_settings(kafka: Kafka) -> None:
    """Raise `ConfigError` where a role could not build its clients. Without a broker: they are given no address."""
    nowhere = {"bootstrap.servers": "", "log_level": 0}
    built(Consumer, {**consumer_settings(kafka, "check"), **nowhere}, kafka).close()
    built(Producer, {**producer_settings(kafka, transactional_id="check"), **nowhere}, kafka)
    built(AdminClient, {**common_settings(kafka), **nowhere}, kafka)


def classify(error: KafkaException | KafkaError, kafka: Kafka) -> Unavailable | StoppedError:
    """What an error asks for. Pure.

    `Unavailable`: it passes by itself, try again. `StoppedError`: a person is needed. `RestartError`, a `StoppedError`
    too: librdkafka has given the client up (a fatal error) and does nothing more with it, so a new process is needed.
    """
    kafka_error = error.args[0] if isinstance(error, KafkaException) else error
    where = f"Kafka at {kafka.bootstrap_servers}"
    code = kafka_error.code() if isinstance(kafka_error, KafkaError) else None
    if code in _STOP:
        return StoppedError(f"{where}: {_STOP[code]}", hint=_HINTS.get(code, _HINT))
    detail = kafka_error.str() if isinstance(kafka_error, KafkaError) else str(kafka_error)
    if code in _FENCED:
        return RestartError(f"{where}: another worker of the same name took over", hint=_RESTART_HINT)
    if code == KafkaError._FATAL or (isinstance(kafka_error, KafkaError) and kafka_error.fatal()):
        return RestartError(f"{where}: the client cannot go on: {detail}", hint=_RESTART_HINT)
    return Unavailable(f"{where} does not answer: {detail}")


def wait_for_broker(kafka: Kafka, health: Health) -> None:
    """Wait with backoff as long as the broker is out of reach. One line is logged a try (`monitor.process.logs`).

    Waiting is no stalling: the role is healthy meanwhile, and not ready. SIGTERM keeps its default action, for
    librdkafka would hold a Python handler up until the try is over: nothing has been read that would need finishing.
    """
    for attempt in stamina.retry_context(
        on=Unavailable, attempts=None, timeout=None, wait_initial=0.5, wait_max=MAX_WAIT_S
    ):
        with attempt:
            try:
                reach_broker(kafka)
            except Unavailable as error:
                health.not_ready(error.message)
                raise


def reach_broker(kafka: Kafka, timeout_s: float = 10.0) -> ClusterMetadata:
    """The cluster's metadata; raises `Unavailable` or `StoppedError` within `timeout_s`.

    It asks again in growing slices, because librdkafka tells why a connection failed between them only: a broker that
    refuses is known after the first, and one that refuses the credentials is not asked for ever.
    """
    told: list[KafkaError] = []
    settings = {**common_settings(kafka), "log_level": 0, "error_cb": told.append}  # what would be logged is told
    admin = built(AdminClient, settings, kafka)
    deadline_s, slice_s = time.monotonic() + timeout_s, 1.0
    while True:
        try:
            return admin.list_topics(timeout=max(0.1, min(slice_s, deadline_s - time.monotonic())))
        except KafkaException as error:
            admin.poll(0)
            codes = {one.code() for one in told}
            if codes & _STOP.keys() or KafkaError._ALL_BROKERS_DOWN in codes or time.monotonic() >= deadline_s:
                raise classify(_cause(told) or error, kafka) from error
            slice_s *= 2.0


def _cause(told: Sequence[KafkaError]) -> KafkaError | None:
    """The error that says most: one that needs a person, else the last of a single connection."""
    single = [error for error in told if error.code() != KafkaError._ALL_BROKERS_DOWN]
    return next((error for error in told if error.code() in _STOP), single[-1] if single else None)
