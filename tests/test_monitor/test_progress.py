"""How far a group is, seen from outside and told by a member."""

import contextlib
import uuid

import msgspec
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from support.brokers import Broker

from monitor.config.schema import Kafka
from monitor.kafka.progress import GroupProgress

N = 300


@pytest.fixture
def topic(kafka: Broker) -> str:
    """A topic of two partitions; the first holds messages, which were sent together."""
    name = f"p{uuid.uuid4().hex[:8]}"
    admin = AdminClient({"bootstrap.servers": kafka.bootstrap_servers})
    admin.create_topics([NewTopic(name, 2, 1)])[name].result(30)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "linger.ms": 200})
    for _ in range(N):
        producer.produce(name, b"x", partition=0)
    assert producer.flush(30) == 0
    return name


@pytest.mark.parametrize("done", [None, 0, 1, 5, N - 1, N])
def test_a_group_is_caught_up_when_no_message_is_left_wherever_it_stands_in_a_batch(
    kafka: Broker, topic: str, done: int | None
) -> None:
    settings = msgspec.structs.replace(Kafka(), bootstrap_servers=kafka.bootstrap_servers)
    if done is not None:
        consumer = Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": topic})
        consumer.commit(offsets=[TopicPartition(topic, 0, done)], asynchronous=False)
        consumer.close()
    with contextlib.closing(GroupProgress(settings, topic, topic)) as progress:
        assert progress.caught_up() is (done == N)
        assert progress.caught_up() is (done == N), "it may be asked again"
