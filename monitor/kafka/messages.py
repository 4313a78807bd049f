"""What confluent-kafka's `Message` leaves open: a message that was read has a topic, a partition and an offset."""

from collections.abc import Sequence

import numpy as np
from confluent_kafka import Message

from detectors.arrays import Ints
from monitor.sketching.received import Received


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


def received_of(messages: Sequence[Message]) -> Received:
    """The messages as columns. Each loop over them runs in C."""
    n = len(messages)
    names = sorted({name or "" for name in set(map(Message.topic, messages))})
    key: Ints = np.fromiter(map(Message.partition, messages), dtype=np.int64, count=n)
    if len(names) > 1:
        numbers = {name: number for number, name in enumerate(names)}
        topics = map(numbers.__getitem__, map(Message.topic, messages))  # type: ignore[arg-type]  # none is nameless
        key += np.fromiter(topics, dtype=np.int64, count=n) << 32
    distinct, partition_of = np.unique(key, return_inverse=True)
    return Received(
        values=list(map(Message.value, messages)),
        headers=list(map(headers, messages)) if any(map(Message.headers, messages)) else None,
        partitions=[(names[number >> 32], number & 0xFFFF_FFFF) for number in distinct.tolist()],
        partition_of=partition_of,
        offsets=np.fromiter(map(Message.offset, messages), dtype=np.int64, count=n),
        sent_ms=lambda message: messages[message].timestamp()[1],
    )
