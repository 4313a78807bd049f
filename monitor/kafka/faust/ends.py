"""How much of a topic is left to read, by asking the broker for its ends.

What a consumer knows of the end comes with what it fetches, and stands still when it fetches no more.
"""

from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaException, TopicPartition

from monitor.config.schema import Kafka
from monitor.kafka.clients import built, consumer_settings

ANSWER_S = 1.0
"""How long an answer is waited for, in seconds. It blocks: ask in a thread."""


class EndOffsets:
    """Asks for the ends of a topic's partitions: of committed messages, for nobody reads others."""

    def __init__(self, kafka: Kafka, topic: str) -> None:
        self._kafka = kafka
        self._topic = topic
        self._consumer: Consumer | None = None
        self._ends: dict[int, int] = {}

    def lags(self, next_offsets: Mapping[int, int | None]) -> dict[int, int]:
        """How many offsets of each partition are left, where the first of them is known; None stands for unknown.

        While the broker does not answer, the last ends that it named stand.
        """
        if self._consumer is None:
            self._consumer = built(Consumer, consumer_settings(self._kafka, "ends"), self._kafka)
        lags = {}
        for partition, next_offset in next_offsets.items():
            try:
                asked = TopicPartition(self._topic, partition)
                low, end = self._consumer.get_watermark_offsets(asked, timeout=ANSWER_S)
            except KafkaException:
                low, end = 0, self._ends.get(partition, 0)
            self._ends[partition] = max(end, self._ends.get(partition, 0))  # the embedded broker may name it too low
            lags[partition] = max(0, self._ends[partition] - max(low, next_offset or 0))
        return lags
