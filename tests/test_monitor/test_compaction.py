"""Topics that hold state are compacted soon, also those that were there before."""

import time
import uuid
from collections.abc import Mapping
from concurrent.futures import Future

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigEntry, ConfigResource, NewTopic
from support.brokers import Broker

from monitor.config.schema import Kafka
from monitor.kafka import compaction
from monitor.kafka.clients import OWN_MESSAGE_BYTES
from monitor.kafka.topics import ensure_topics


def settings_of(admin: AdminClient, topic: str) -> dict[str, str | None]:
    asked = [ConfigResource(ConfigResource.Type.TOPIC, topic)]
    answer: Future[dict[str, ConfigEntry]]
    (answer,) = admin.describe_configs(asked, request_timeout=10).values()
    return {name: entry.value for name, entry in answer.result().items()}


def wait_for_settings(admin: AdminClient, topic: str, expected: Mapping[str, str]) -> None:
    """A broker tells of a change once it has heard of it from the controller, which is after the change is answered."""
    deadline_s = time.monotonic() + 30.0
    while not (found := settings_of(admin, topic)).items() >= expected.items():
        assert time.monotonic() < deadline_s, {name: found.get(name) for name in expected}
        time.sleep(0.05)  # between two looks at the condition


def kafka_of(broker: Broker) -> Kafka:
    return Kafka(
        bootstrap_servers=broker.bootstrap_servers, topic_prefix=f"c{uuid.uuid4().hex[:8]}", sketch_partitions=1
    )


def test_a_new_topic_of_state_and_one_that_was_there_have_the_settings(transactional_kafka: Broker) -> None:
    kafka = kafka_of(transactional_kafka)
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    old, new = f"{kafka.topic_prefix}-old", f"{kafka.topic_prefix}-new"
    by_a_person = {"cleanup.policy": "compact", "segment.ms": "60000"}
    for made in admin.create_topics([NewTopic(old, 1, 1, config=by_a_person)], operation_timeout=30).values():
        made.result(timeout=40)
    ensure_topics(kafka, compacted=(old, new))
    wait_for_settings(admin, new, compaction.SETTINGS)
    wait_for_settings(admin, old, {**compaction.SETTINGS, **by_a_person})  # what a person set stays


def test_what_is_older_than_minutes_or_larger_than_a_few_messages_lies_in_closed_segments(
    transactional_kafka: Broker,
) -> None:
    """Only those are compacted, and by default Kafka closes one after a week or a gigabyte. As the broker has it."""
    kafka = kafka_of(transactional_kafka)
    topic = f"{kafka.topic_prefix}-state"
    ensure_topics(kafka, compacted=(topic,))
    found = settings_of(AdminClient({"bootstrap.servers": kafka.bootstrap_servers}), topic)
    assert found["cleanup.policy"] == "compact"
    assert float(found["segment.ms"] or "nan") <= 5 * 60_000
    assert OWN_MESSAGE_BYTES <= float(found["segment.bytes"] or "nan") <= 2 * OWN_MESSAGE_BYTES
    assert float(found["min.cleanable.dirty.ratio"] or "nan") <= 0.1
    assert float(found["max.compaction.lag.ms"] or "nan") <= 30 * 60_000


@pytest.mark.long
def test_old_values_of_state_go_away(transactional_kafka: Broker, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a segment closed after a second instead of five minutes: 1,000 values of 10 keys come down to a few."""
    monkeypatch.setitem(compaction.SETTINGS, "segment.ms", "1000")
    kafka = kafka_of(transactional_kafka)
    topic = f"{kafka.topic_prefix}-state"
    ensure_topics(kafka, compacted=(topic,))
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number in range(1_000):
        producer.produce(topic, b"v" * 1_000, b"%d" % (number % 10))
    producer.flush(30)
    deadline_s = time.monotonic() + 120.0
    while (n := n_records(kafka, topic)) > 100:
        assert time.monotonic() < deadline_s, f"{n} records are still there"
        time.sleep(1.1)  # a segment is closed by the first record that comes a second after its first
        producer.produce(topic, b"v", b"again")
        producer.flush(30)


def n_records(kafka: Kafka, topic: str) -> int:
    consumer = Consumer(
        {"bootstrap.servers": kafka.bootstrap_servers, "group.id": "count", "enable.partition.eof": True}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    n = 0
    try:
        while True:
            for message in consumer.consume(500, timeout=10):
                if message.error() is not None:
                    return n
                n += 1
    finally:
        consumer.close()
