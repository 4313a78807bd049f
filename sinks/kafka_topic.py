"""A topic of yours: retraining requests, or alerts, as CloudEvents in structured mode, for consumers of your own.

The message's key is the dedupe key, so that all that is said of one request lies in one partition, in order, and a
compacted topic keeps the last. The producer is idempotent; after a crash a message may be there twice, equal to the
byte: consumers do nothing for a CloudEvent `id` that they have seen.

Source: CloudEvents "Kafka Protocol Binding" 1.0.2, section 3.3.
"""

from typing import TYPE_CHECKING, Annotated, Any, Literal

from msgspec import Meta, field

from sinks.errors import MessageFailed, MessageRefused, SinkRejected, SinkUnavailable
from sinks.messages.cloud_event import CONTENT_TYPE, encoded
from sinks.messages.event import Event
from sinks.messages.said import Said
from sinks.messages.settings import MessageSettings
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.messages.destination import MessageDestination


class Settings(MessageSettings, frozen=True, kw_only=True):
    """Which topic of which cluster."""

    bootstrap_servers: str
    """``host:port``, several with commas between."""
    topic: Annotated[str, Meta(extra={"form": "topic"})] = "drift.retraining"
    """It is not made here: make it with the partitions and the retention that its readers want."""
    records: Literal["alert", "retraining"] = "retraining"
    """Which messages it gets."""
    client: dict[Annotated[str, Meta(extra={"form": "client_key"})], Secret[str | int | bool]] = field(
        default_factory=dict
    )
    """librdkafka settings, passed on as they are and never shown."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import alert_destination, retraining_destination
        from sinks.messages.settings import AlertSettings

        sender = KafkaTopic(self)
        if self.records == "alert":
            return alert_destination(AlertSettings(models=self.models, max_age_ms=self.max_age_ms), sender)
        return retraining_destination(self, sender)

    def where(self) -> str:
        """Topic and servers."""
        return f"topic {self.topic} at {self.bootstrap_servers}"


class KafkaTopic:
    """Produces one message at a time, and waits until the brokers have it."""

    def __init__(self, settings: Settings) -> None:
        from confluent_kafka import KafkaException, Producer

        self._topic = settings.topic
        self._timeout_s = settings.timeout_ms / 1000
        try:
            self._producer = Producer(
                {
                    "log_level": 0,
                    "message.timeout.ms": settings.timeout_ms,
                    **{name: value.reveal() for name, value in settings.client.items()},
                    "bootstrap.servers": settings.bootstrap_servers,
                    "acks": "all",
                    "enable.idempotence": True,
                }
            )
        except (KafkaException, TypeError, ValueError) as error:
            # librdkafka repeats the value that it refuses, which may be a secret.
            raise SinkRejected("client: librdkafka takes no such settings") from error

    def send(self, event: Event) -> Said:
        """Produce it; returns where it stands."""
        from confluent_kafka import KafkaError, KafkaException

        answers: list[tuple[KafkaError | None, Any]] = []
        try:
            self._producer.produce(
                self._topic,
                encoded(event),
                key=event.dedupe_key.encode(),
                headers=[("content-type", CONTENT_TYPE.encode())],
                on_delivery=lambda error, message: answers.append((error, message)),
            )
        except (KafkaException, BufferError) as error:
            raise SinkUnavailable(f"{self._topic}: {error}") from error
        # A message that has timed out is told, so this ends; the second more is for what that takes.
        self._producer.flush(self._timeout_s + 1.0)
        if not answers:
            raise SinkUnavailable(f"{self._topic}: no broker has taken it in time")
        failure, message = answers[0]
        if failure is None:
            return Said(f"{message.topic()}, partition {message.partition()}, offset {message.offset()}")
        words = f"{self._topic}: {failure.str()}"
        if failure.code() == KafkaError.MSG_SIZE_TOO_LARGE:
            raise MessageRefused(words)
        raise MessageFailed(words) if failure.retriable() else SinkUnavailable(words)

    def close(self) -> None:
        """Nothing waits in it."""
        self._producer.flush(0)
