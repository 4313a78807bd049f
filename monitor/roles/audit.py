"""Each attempt to deliver a message as a row of the record `delivery` on `drift.results`, from where it reaches tables.

Attempts are numbered from 1 since the worker started; a row's time tells those of two workers apart.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import msgspec
import pyarrow as pa

from monitor.config.schema import Kafka
from monitor.kafka import topics
from monitor.roles.outbox import Outgoing
from sinks.destination import Attempt
from sinks.records import RECORDS, Source, encode
from sinks.records.wire import plain

# Of messages that were tried in vain; they are few, and what is forgotten is counted from 1 again.
_MOST_KEPT = 10_000


class Audit:
    """Numbers the attempts of one destination."""

    def __init__(self, kafka: Kafka, destination: str) -> None:
        self._topic = kafka.own_topic(topics.RESULTS)
        self._n_partitions = kafka.sketch_partitions
        self._destination = destination
        self._tries: Counter[str] = Counter()

    def rows(self, attempts: Sequence[Attempt]) -> list[Outgoing]:
        """A message for each model that attempts are of."""
        by_model: dict[str, list[dict[str, Any]]] = {}
        for attempt in attempts:
            self._tries[attempt.event_id] += 1
            row = {**msgspec.structs.asdict(attempt), "attempt": self._tries[attempt.event_id]}
            by_model.setdefault(attempt.model, []).append({**row, "destination": self._destination})
            if attempt.outcome != "retried":
                del self._tries[attempt.event_id]
        if len(self._tries) > _MOST_KEPT:
            self._tries.clear()
        source = Source(topic=f"deliver-{self._destination}", partition=0, offset=0)
        return [
            Outgoing(
                topic=self._topic,
                body=encode(_batch(rows), source),
                partition=topics.partition_of_model(model, self._n_partitions),
            )
            for model, rows in by_model.items()
        ]


def _batch(rows: Sequence[dict[str, Any]]) -> pa.RecordBatch:
    record = RECORDS["delivery"]
    columns = [
        pa.array([row[field.name] for row in rows], plain(field.type)).cast(field.type) for field in record.fields
    ]
    return pa.RecordBatch.from_arrays(columns, schema=record.schema)
