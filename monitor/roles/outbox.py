"""What deliver itself says on Driftline's topics, and that the brokers have it before offsets are committed."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from monitor.config.schema import Kafka
from monitor.errors import StoppedError
from monitor.kafka.clients import built, classify, producer_settings

log = structlog.get_logger()

_FLUSH_S: Final = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outgoing:
    """One message; without a partition, the client chooses."""

    topic: str
    body: bytes
    headers: Sequence[tuple[str, bytes]] = ()
    partition: int = -1


class Outbox:
    """Keeps messages until `settle`. It has no producer before the first, for most workers send none."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._waiting: deque[Outgoing] = deque()
        self._producer: Producer | None = None

    def __len__(self) -> int:
        return len(self._waiting)

    def put(self, message: Outgoing) -> None:
        """Keep a message."""
        self._waiting.append(message)

    def settle(self) -> bool:
        """Send all that waits; False while the brokers do not have it. Raises `StoppedError` where they refuse it."""
        if not self._waiting:
            return True
        if self._producer is None:
            self._producer = built(Producer, producer_settings(self._kafka), self._kafka)
        answers: list[KafkaError | None] = []
        try:
            for message in self._waiting:
                self._producer.produce(
                    message.topic,
                    message.body,
                    headers=list(message.headers),
                    partition=message.partition,
                    on_delivery=lambda error, _message: answers.append(error),
                )
            self._producer.flush(_FLUSH_S)
        except KafkaException as error:
            return self._later(error)
        except BufferError as error:  # the producer's queue is full: what is in it goes out first
            log.warning("messages of deliver's own wait for the broker", because=str(error))
            self._producer.flush(_FLUSH_S)
            return False
        failed = next((error for error in answers if error is not None), None)
        if failed is not None or len(answers) < len(self._waiting):
            # What may still be on its way is sent again: better there twice than not at all.
            self._producer.purge()
            return self._later(failed)
        self._waiting.clear()
        return True

    def _later(self, error: KafkaException | KafkaError | None) -> bool:
        problem = None if error is None else classify(error, self._kafka)
        if isinstance(problem, StoppedError):
            raise problem
        log.warning("messages of deliver's own wait for the broker", because=str(problem or "no answer in time"))
        return False
