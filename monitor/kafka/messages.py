"""What confluent-kafka's `Message` leaves open: a message that was read has a topic, a partition and an offset."""

from confluent_kafka import Message


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
