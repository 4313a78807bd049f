"""What confluent-kafka's `Message` leaves open: a message that was read has a topic, a partition and an offset."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from confluent_kafka import Message

from detectors.arrays import Ints
from monitor.events.batch import Batch


def place(message: Message) -> tuple[str, int]:
    """The topic and partition that a message was read from."""
    topic, partition = message.topic(), message.partition()
    assert topic is not None
    assert partition is not None
    return topic, partition


def offset(message: Message) -> int:
    """The offset of a message that was read."""
    found = message.offset()
    assert found is not None
    return found


def headers(message: Message) -> list[tuple[str, bytes | None]]:
    """The headers of a message that was read; librdkafka gives their values as bytes."""
    found = message.headers()
    pairs = found.items() if isinstance(found, dict) else found or ()
    return [(name, value.encode() if isinstance(value, str) else value) for name, value in pairs]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where some messages were read from.

    Attributes
    ----------
    partitions
        the distinct (topic, partition) pairs.
    of_message
        (n_messages,) which of them each is from.
    first, last
        (n_partitions,) the least and the greatest offset read of each.
    """

    partitions: list[tuple[str, int]]
    of_message: Ints
    first: Ints
    last: Ints

    def latest(self, batches: Sequence[Batch]) -> list[tuple[tuple[str, int], int]]:
        """The greatest time, in milliseconds, of the events that came from each partition, if any did."""
        latest = np.full(len(self.partitions), -1, dtype=np.int64)
        for batch in batches:
            np.maximum.at(latest, self.of_message[batch.sources], batch.timestamps_ms)
        pairs = zip(self.partitions, latest.tolist(), strict=True)
        return [(partition, event_ms) for partition, event_ms in pairs if event_ms >= 0]


def places_of(messages: Sequence[Message]) -> Places:
    """The same as `place` and `offset` say, for every event of a commit: the loops run in C."""
    n = len(messages)
    topics = list(map(Message.topic, messages))
    names = sorted({name or "" for name in topics})
    numbers = {name: number for number, name in enumerate(names)}
    key: Ints = np.fromiter(map(Message.partition, messages), dtype=np.int64, count=n)
    if len(names) > 1:
        key += np.fromiter(map(numbers.__getitem__, topics), dtype=np.int64, count=n) << 32  # type: ignore[arg-type]  # nor is one nameless
    distinct, of_message = np.unique(key, return_inverse=True)
    offsets: Ints = np.fromiter(map(Message.offset, messages), dtype=np.int64, count=n)
    first, last = np.full(distinct.size, np.iinfo(np.int64).max), np.full(distinct.size, -1)
    np.minimum.at(first, of_message, offsets)
    np.maximum.at(last, of_message, offsets)
    partitions = [(names[number >> 32], number & 0xFFFF_FFFF) for number in distinct.tolist()]
    return Places(partitions=partitions, of_message=of_message, first=first, last=last)
