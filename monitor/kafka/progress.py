"""How far a consumer group is: whether it has read everything, and committed it; and what a member has left to read."""

import contextlib
from collections.abc import Iterable

from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.kafka.clients import built, classify, consumer_settings

_MOVING = {
    KafkaError.NOT_COORDINATOR,
    KafkaError.COORDINATOR_LOAD_IN_PROGRESS,
    KafkaError.COORDINATOR_NOT_AVAILABLE,
}
"""A group's offsets are being read, or moved to another broker: that passes."""


def export_lag(consumer: Consumer, role: str) -> None:
    """Tell how far this member is behind, by partition."""
    for partition in consumer.position(consumer.assignment()):
        _low, high = consumer.get_watermark_offsets(partition, cached=True)
        lag = max(0, high - partition.offset) if partition.offset >= 0 and high >= 0 else 0
        telemetry.CONSUMER_LAG.labels(role, partition.topic, str(partition.partition)).set(lag)


def seek_to_committed(consumer: Consumer, partitions: Iterable[tuple[str, int]]) -> None:
    """Read partitions again from where the group has committed them: one may have been another member's since."""
    assigned = {(p.topic, p.partition) for p in consumer.assignment()}
    asked = [TopicPartition(topic, number) for topic, number in partitions if (topic, number) in assigned]
    for stored in consumer.committed(asked, timeout=30) if asked else ():
        start = stored.offset
        if start < 0:
            start, _high = consumer.get_watermark_offsets(stored, timeout=10)
        consumer.seek(TopicPartition(stored.topic, stored.partition, start))


def forget_lag(role: str, partitions: Iterable[TopicPartition]) -> None:
    """Tell it no more: another member does, and the last value would stand beside that one for ever."""
    for partition in partitions:
        with contextlib.suppress(KeyError):
            telemetry.CONSUMER_LAG.remove(role, partition.topic, str(partition.partition))


class GroupProgress:
    """Watches one group on one topic from outside, without joining it."""

    def __init__(self, kafka: Kafka, group: str, topic: str) -> None:
        self._kafka = kafka
        settings = {**consumer_settings(kafka, "unused"), "group.id": group, "enable.partition.eof": True}
        self._consumer = built(Consumer, settings, kafka)
        self._topic = topic

    def caught_up(self) -> bool:
        """Whether the group has committed all there is to read. Markers at the end of a partition do not count."""
        try:
            open_ends = [partition for partition, done, high in self._positions() if done < high]
            return not any(self._holds_a_message(partition) for partition in open_ends)
        except KafkaException as error:
            if error.args[0].code() in _MOVING:
                return False
            raise classify(error, self._kafka) from error

    def _positions(self) -> list[tuple[TopicPartition, int, int]]:
        partitions = self._consumer.list_topics(self._topic, timeout=10).topics[self._topic].partitions
        asked = [TopicPartition(self._topic, number) for number in partitions]
        positions = []
        for stored in self._consumer.committed(asked, timeout=10):
            low, high = self._consumer.get_watermark_offsets(stored, timeout=10)
            done = stored.offset if stored.offset >= 0 else low
            positions.append((TopicPartition(stored.topic, stored.partition, done), done, high))
        return positions

    def _holds_a_message(self, start: TopicPartition) -> bool:
        self._consumer.assign([start])
        try:
            for message in self._consumer.consume(1, timeout=5.0):
                error = message.error()
                if error is None:
                    return True
                if error.code() != KafkaError._PARTITION_EOF:
                    raise KafkaException(error)
                return False
            return True  # no answer is no proof that it is empty
        finally:
            self._consumer.unassign()

    def close(self) -> None:
        """Let go of the connection."""
        self._consumer.close()
