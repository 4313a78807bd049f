"""The newest messages of topics: what somebody sees who has just sent some."""

import uuid

import msgspec
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from support.brokers import Broker

from monitor.config.schema import Kafka
from monitor.kafka.newest import HEAD_BYTES, newest_messages


def test_the_newest_of_all_partitions_and_topics_come_first(kafka: Broker) -> None:
    first, second, empty = (f"newest-{uuid.uuid4().hex[:8]}" for _ in range(3))
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    for future in admin.create_topics([NewTopic(first, 3), NewTopic(second, 1), NewTopic(empty, 1)]).values():
        future.result(60)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for number in range(30):
        topic, partition = (second, 0) if number % 4 == 3 else (first, number % 4)
        producer.produce(topic, msgspec.json.encode({"n": number}), partition=partition, timestamp=1_000_000 + number)
    producer.produce(second, b"x" * 5_000, timestamp=2_000_000)
    assert producer.flush(60) == 0
    settings = Kafka(bootstrap_servers=kafka.bootstrap_servers)
    found = newest_messages(settings, [first, second, empty, "not-there"], 10, 30.0)
    assert (found[0].topic, found[0].n_bytes, found[0].head) == (second, 5_000, b"x" * HEAD_BYTES)
    assert [msgspec.json.decode(one.head)["n"] for one in found[1:]] == list(range(29, 20, -1))
    assert [one.time_ms for one in found[1:]] == list(range(1_000_029, 1_000_020, -1))
    assert newest_messages(settings, [empty, "not-there"], 10, 30.0) == []
