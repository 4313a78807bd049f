"""Evaluate's consumer group, seen from outside."""

import contextlib

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor.config.schema import Kafka
from monitor.kafka import topics
from monitor.kafka.progress import GroupProgress
from monitor.kafka.topics import application_id


class EvaluateGroup:
    """How far the group is, and who is in it."""

    def __init__(self, kafka: Kafka) -> None:
        self._kafka = kafka
        self._name = application_id(kafka)
        self._topic = kafka.own_topic(topics.SKETCHES)
        settings = {"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0}
        # A stopped worker may have left a transaction open: a reader of committed data alone would wait for its end.
        self._consumer = Consumer({**settings, "group.id": self._name, "isolation.level": "read_uncommitted"})
        self._admin = AdminClient(settings)

    def committed_of(self, partition: int) -> int:
        """The offset that is committed of a partition; 0 for none."""
        (stored,) = self._consumer.committed([TopicPartition(self._topic, partition)], timeout=10)
        return max(0, stored.offset)

    def committed(self) -> int:
        """The offsets of all partitions that are committed, together."""
        return sum(self.committed_of(partition) for partition in range(self._kafka.sketch_partitions))

    def is_done(self) -> bool:
        """Whether all there is to read is committed."""
        with contextlib.closing(GroupProgress(self._kafka, self._name, self._topic)) as progress:
            return progress.caught_up()

    def n_members(self) -> int:
        """Members that have partitions."""
        (described,) = self._admin.describe_consumer_groups([self._name], request_timeout=10).values()
        return sum(bool(member.assignment.topic_partitions) for member in described.result().members)
