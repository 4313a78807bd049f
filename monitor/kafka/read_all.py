"""A topic from its first message to its end, for commands that look something up. It joins no group."""

import contextlib
import time
from collections.abc import Iterator
from typing import Final

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

from monitor.config.schema import Kafka
from monitor.errors import Unavailable
from monitor.kafka.clients import built, classify, consumer_settings

_WAIT_S: Final = 30.0
_MOST: Final = 500


def read_all(kafka: Kafka, topic: str, wait_s: float = _WAIT_S) -> Iterator[Message]:
    """Every committed message that a topic has now; nothing of one that is not there.

    Raises `Unavailable` when the brokers have not shown its end within `wait_s`.
    """
    settings = {**consumer_settings(kafka, "lookup"), "enable.partition.eof": True}
    with contextlib.closing(built(Consumer, settings, kafka)) as consumer:
        try:
            found = consumer.list_topics(topic, timeout=10).topics[topic]
            if found.error is not None:
                return
            consumer.assign([TopicPartition(topic, number, 0) for number in found.partitions])
            yield from _until_the_end(consumer, set(found.partitions), kafka, topic, time.monotonic() + wait_s)
        except KafkaException as error:
            raise classify(error, kafka) from error


def _until_the_end(
    consumer: Consumer, unread: set[int], kafka: Kafka, topic: str, deadline_s: float
) -> Iterator[Message]:
    while unread:
        for message in consumer.consume(_MOST, timeout=1.0):
            error = message.error()
            if error is None:
                yield message
            elif error.code() == KafkaError._PARTITION_EOF:
                unread.discard(message.partition())
            elif not error.retriable():
                raise classify(error, kafka)
        if unread and time.monotonic() > deadline_s:
            raise Unavailable(f"Kafka at {kafka.bootstrap_servers} did not show the end of {topic} in time")
