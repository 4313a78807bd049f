"""Where rows go that a destination did not take within its retry window, or never will: the topic `drift.undelivered`.

A message has the form of one of `drift.results`, so that it can be sent there again, and two headers that say which
destination it was for and why it is here. Offsets are committed only once the brokers have it.
"""

from collections import deque
from typing import Final

import pyarrow as pa
import structlog
from confluent_kafka import KafkaError, KafkaException, Producer

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.errors import StoppedError
from monitor.kafka import topics
from monitor.kafka.clients import built, classify, producer_settings
from sinks.errors import BadRecord
from sinks.records import Source, encode, record_of, source_of
from sinks.records.split import compact

log = structlog.get_logger()

DESTINATION_HEADER: Final = "driftline-destination"
BECAUSE_HEADER: Final = "driftline-because"
_MOST_BECAUSE: Final = 1000
_FLUSH_S: Final = 5.0


class Undelivered:
    """Produces rows of one destination, whose name is `name`, to `drift.undelivered`."""

    def __init__(self, kafka: Kafka, name: str) -> None:
        self._kafka = kafka
        self._name = name
        self._topic = kafka.own_topic(topics.UNDELIVERED)
        self._waiting: deque[tuple[pa.RecordBatch, str]] = deque()
        self._producer: Producer | None = None
        self._error: KafkaError | None = None

    def put(self, rows: pa.RecordBatch, because: str) -> None:
        """Count rows, say so, and keep them until `settle`."""
        telemetry.UNDELIVERED.labels(self._name).inc(rows.num_rows)
        log.error(
            "not delivered; see the topic",
            destination=self._name,
            topic=self._topic,
            record=record_of(rows).name,
            n=rows.num_rows,
            because=because,
        )
        self._waiting.append((rows, because))

    def settle(self) -> bool:
        """Send all that waits; False while the brokers do not have it. Raises `StoppedError` where they refuse it."""
        if not self._waiting:
            return True
        if self._producer is None:
            self._producer = built(Producer, producer_settings(self._kafka), self._kafka)
        self._error = None
        answered = [0]

        def on_delivery(error: KafkaError | None, _message: object) -> None:
            answered[0] += 1
            self._error = error or self._error

        try:
            for rows, because in self._waiting:
                self._producer.produce(
                    self._topic,
                    encode(compact(rows), _source(rows)),
                    headers=[
                        (DESTINATION_HEADER, self._name.encode()),
                        (BECAUSE_HEADER, because[:_MOST_BECAUSE].encode("utf-8", "replace")),
                    ],
                    on_delivery=on_delivery,
                )
            self._producer.flush(_FLUSH_S)
        except (KafkaException, BufferError) as error:
            problem = classify(error, self._kafka) if isinstance(error, KafkaException) else error
            if isinstance(problem, StoppedError):
                raise problem from error
            log.warning("drift.undelivered takes nothing now", because=str(problem))
            return False
        if answered[0] < len(self._waiting) or self._error is not None:
            # What may still be on its way is sent again: better there twice than not at all.
            self._producer.purge()
            if self._error is not None and isinstance(problem := classify(self._error, self._kafka), StoppedError):
                raise problem
            log.warning("drift.undelivered takes nothing now", because=str(self._error or "no answer in time"))
            return False
        self._waiting.clear()
        return True


def _source(rows: pa.RecordBatch) -> Source:
    try:
        return source_of(rows)
    except BadRecord:  # rows of the reference, which came from no message
        return Source(topic="", partition=0, offset=0)
