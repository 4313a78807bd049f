"""What one commit of ingest holds, sent in one Kafka transaction together with the offsets it absorbs."""

from collections.abc import Callable
from typing import Any

from confluent_kafka import Producer, TopicPartition

from monitor.config.schema import Kafka
from monitor.kafka.clients import built, producer_settings
from monitor.kafka.turns import turn
from monitor.kafka.waiting import StopRequest, sliced
from monitor.sketching.ingest_step import Commit
from monitor.sketching.outgoing import Outgoing

# The broker rolls a transaction back by itself after a minute (`transaction.timeout.ms`).
COMMIT_WITHIN_S = 60.0
ANSWER_WITHIN_S = 30.0


class Transactions:
    """A transactional producer. A new one of the same id fences this one, and rolls back what it left open.

    Every method raises `KafkaException`. After one of `commit` whose error asks for an abort, `roll_back`; after any
    other it is not known what became of the transaction, and a new process finds out.
    """

    def __init__(
        self,
        kafka: Kafka,
        transactional_id: str,
        stop: StopRequest,
        make: Callable[[dict[str, Any]], Producer] = Producer,
    ) -> None:
        self._producer = built(make, producer_settings(kafka, transactional_id=transactional_id), kafka)
        self._stop = stop

    def start(self) -> None:
        """Take the id over. To be called once, first."""
        with turn(self._stop.left_s):
            sliced(self._producer.init_transactions, ANSWER_WITHIN_S, self._stop)

    def commit(self, commit: Commit, group: object) -> None:
        """Send everything and wait until it is committed; `group` is `Consumer.consumer_group_metadata()`."""
        offsets = [TopicPartition(topic, number, next_) for (topic, number), next_ in commit.offsets.items()]
        with turn(self._stop.left_s):
            self._producer.begin_transaction()
            for outgoing in commit.outgoing:
                self._produce(outgoing)
            sliced(
                lambda timeout_s: self._producer.send_offsets_to_transaction(offsets, group, timeout_s),
                ANSWER_WITHIN_S,
                self._stop,
            )
            sliced(self._producer.commit_transaction, COMMIT_WITHIN_S, self._stop)

    def roll_back(self) -> None:
        """Undo what was sent since the last commit."""
        with turn(self._stop.left_s):
            sliced(self._producer.abort_transaction, ANSWER_WITHIN_S, self._stop)

    def _produce(self, outgoing: Outgoing) -> None:
        """Hand a message to the producer. Where its queue is full this waits for the broker, and drops nothing."""
        while True:
            try:
                self._producer.produce(
                    outgoing.topic, outgoing.value, partition=outgoing.partition, headers=outgoing.headers
                )
                self._producer.poll(0)
                return
            except BufferError:
                if self._stop.left_s() <= 0:
                    raise
                self._producer.poll(0.1)
