"""The newest messages of some topics, read without a trace: no group, no commit."""

import contextlib
import time
from collections.abc import Sequence
from typing import Final

import msgspec
from confluent_kafka import Consumer, KafkaException, TopicPartition

from monitor.config.schema import Kafka
from monitor.kafka.clients import built, classify, consumer_settings

HEAD_BYTES: Final = 300


class Came(msgspec.Struct, frozen=True, kw_only=True):
    """One message: where it stands, when it was sent (milliseconds; 0: not known), its first bytes, and how many."""

    topic: str
    partition: int
    offset: int
    time_ms: int
    head: bytes
    n_bytes: int


def newest_messages(kafka: Kafka, topics: Sequence[str], most: int, wait_s: float) -> list[Came]:
    """At most `most` of all partitions, the newest first, as far as the brokers show them within `wait_s`.

    Topics that are not there count as empty. Raises `Unavailable` or `StoppedError`.
    """
    found: list[Came] = []
    deadline_s = time.monotonic() + wait_s
    with contextlib.closing(built(Consumer, consumer_settings(kafka, "newest"), kafka)) as consumer:
        try:
            known = consumer.list_topics(timeout=wait_s).topics
            ends: dict[tuple[str, int], int] = {}
            starts = []
            for topic in topics:
                for number in known[topic].partitions if topic in known else ():
                    low, high = consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=wait_s)
                    if high > low:
                        ends[topic, number] = high
                        starts.append(TopicPartition(topic, number, max(low, high - most)))
            if starts:
                consumer.assign(starts)
            while ends and time.monotonic() < deadline_s:
                for message in consumer.consume(most, timeout=0.2):
                    if message.error() is not None:
                        continue
                    topic, number, offset = message.topic() or "", message.partition() or 0, message.offset() or 0
                    value = message.value() or b""
                    found.append(
                        Came(
                            topic=topic, partition=number, offset=offset, time_ms=max(message.timestamp()[1], 0),
                            head=value[:HEAD_BYTES], n_bytes=len(value),
                        )
                    )  # fmt: skip
                    if offset + 1 >= ends.get((topic, number), 0):
                        ends.pop((topic, number), None)
        except KafkaException as error:
            raise classify(error, kafka) from error
    return sorted(found, key=lambda one: (-one.time_ms, one.topic, one.partition, -one.offset))[:most]
