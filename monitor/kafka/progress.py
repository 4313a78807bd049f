"""How far a consumer group is: whether it has read everything, and committed it; and what a member has left to read."""

import time
from collections.abc import Iterable, Sequence

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, TopicPartition

from monitor.config.schema import Kafka
from monitor.kafka.clients import built, classify, consumer_settings
from monitor.kafka.waiting import StopRequest, sliced

_MOVING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
    KafkaError.UNSTABLE_OFFSET_COMMIT,
}
"""A group's offsets are being read, moved to another broker, or part of a transaction: that passes."""

ANSWER_WITHIN_S = 5.0


def seek_to_committed(consumer: Consumer, partitions: Iterable[tuple[str, int]], stop: StopRequest) -> None:
    """Read partitions again from where the group has committed them: one may have been another member's since."""
    assigned = {(p.topic, p.partition) for p in consumer.assignment()}
    asked = [TopicPartition(topic, number) for topic, number in partitions if (topic, number) in assigned]
    if not asked:
        return
    for stored in sliced(lambda timeout_s: consumer.committed(asked, timeout=timeout_s), 30.0, stop):
        start = stored.offset if stored.offset >= 0 else OFFSET_BEGINNING
        consumer.seek(TopicPartition(stored.topic, stored.partition, start))


class GroupProgress:
    """Watches one group on one topic from outside, without joining it."""

    def __init__(self, kafka: Kafka, group: str, topic: str) -> None:
        self._kafka = kafka
        settings = {**consumer_settings(kafka, "unused"), "group.id": group, "enable.partition.eof": True}
        self._consumer = built(Consumer, settings, kafka)
        self._topic = topic

    def caught_up(self) -> bool:
        """Whether the group has committed all there is to read. Markers at the end of a partition do not count.

        A reader tells that, which stands where the group does. The end that a broker names counts markers, and the
        embedded one names one too low.
        """
        try:
            partitions = self._consumer.list_topics(self._topic, timeout=10).topics[self._topic].partitions
            asked = [TopicPartition(self._topic, number) for number in partitions]
            committed = self._committed(asked)
            return committed is not None and not self._left(committed)
        except KafkaException as error:
            if error.args[0].code() in _MOVING:
                return False
            raise classify(error, self._kafka) from error

    def _committed(self, asked: list[TopicPartition]) -> list[TopicPartition] | None:
        """What the group has committed; None while that is not settled.

        A transaction that its worker left open keeps the answer back until somebody takes over and ends it.
        """
        try:
            return self._consumer.committed(asked, timeout=10)
        except KafkaException as error:
            if error.args[0].code() == KafkaError._TIMED_OUT:
                return None
            raise

    def _left(self, committed: Sequence[TopicPartition]) -> bool:
        """Whether a message is left to read; no answer in time is no proof that there is none."""
        starts = [
            TopicPartition(p.topic, p.partition, p.offset if p.offset >= 0 else OFFSET_BEGINNING) for p in committed
        ]
        unread = {start.partition for start in starts}
        self._consumer.assign(starts)
        try:
            give_up_s = time.monotonic() + ANSWER_WITHIN_S
            while unread and time.monotonic() < give_up_s:
                for message in self._consumer.consume(1, timeout=0.5):
                    error = message.error()
                    if error is None:
                        return True
                    if error.code() != KafkaError._PARTITION_EOF:
                        raise KafkaException(error)
                    unread.discard(message.partition())
            return bool(unread)
        finally:
            self._consumer.unassign()

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()
