"""The lag of one member of a consumer group: how many messages of its partitions it has not done.

The broker is asked, by a thread of its own (`monitor.kafka.watch`), so that the lag is true also while the member reads
nothing: what a consumer knows of the ends of its partitions, it knows from reading.
"""

from collections.abc import Iterable, Mapping
from typing import Protocol

from confluent_kafka import ConsumerGroupTopicPartitions, IsolationLevel, TopicPartition
from confluent_kafka.admin import AdminClient
from confluent_kafka.admin._listoffsets import OffsetSpec

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.eventtime.partitions import SourcePartition
from monitor.kafka.clients import built, common_settings
from monitor.process.health import Health

ANSWER_WITHIN_S = 4.0

Offsets = Mapping[SourcePartition, int]


class Asks(Protocol):
    """Where partitions begin and end, and what the group has committed. Raises `KafkaException`."""

    def committed(self, partitions: Iterable[SourcePartition]) -> Offsets:
        """The group's offsets; negative where it has none."""

    def starts(self, partitions: Iterable[SourcePartition]) -> Offsets:
        """The first offsets that are kept."""

    def ends(self, partitions: Iterable[SourcePartition]) -> Offsets:
        """One beyond the last offset of a message that is not part of an open transaction."""


class Lag:
    """Exports the lag of a member, and tells `Health` whether it gets on."""

    def __init__(self, kafka: Kafka, role: str, group: str, health: Health, *, asks: Asks | None = None) -> None:
        self._role = role
        self._health = health
        self._asks = asks or _Broker(kafka, group)
        self._noted: tuple[Mapping[SourcePartition, int | None], Offsets] = ({}, {})
        self._exported: set[SourcePartition] = set()

    def note(self, done: Mapping[SourcePartition, int | None], seen_ends: Offsets | None = None) -> None:
        """Where the member stands. To be called whenever that changes; it asks nobody.

        Parameters
        ----------
        done
            The first offset of each of its partitions that it has not done; None: what the group has committed.
        seen_ends
            Ends that came with messages: the embedded broker names ends that are too low.
        """
        self._noted = (done, seen_ends or {})

    @property
    def noted(self) -> Mapping[SourcePartition, int | None]:
        """Where the member stood last."""
        return self._noted[0]

    def refresh(self) -> None:
        """Ask the broker, and tell. Raises `KafkaException`; what was told before stands then."""
        done, seen_ends = self._noted
        lags = self._lags(done, seen_ends) if done else {}
        for topic, number in self._exported - lags.keys():
            telemetry.CONSUMER_LAG.remove(self._role, topic, str(number))
        for (topic, number), lag in lags.items():
            telemetry.CONSUMER_LAG.labels(self._role, topic, str(number)).set(lag)
        self._exported = set(lags)
        self._health.progress(sum(lags.values()), done)

    def _lags(self, done: Mapping[SourcePartition, int | None], seen_ends: Offsets) -> dict[SourcePartition, int]:
        places = {partition: offset for partition, offset in done.items() if offset is not None}
        places |= self._committed([partition for partition in done if partition not in places])
        ends = self._asks.ends(done)
        return {
            partition: max(0, max(ends[partition], seen_ends.get(partition, 0)) - places[partition])
            for partition in done
        }

    def _committed(self, partitions: list[SourcePartition]) -> dict[SourcePartition, int]:
        """Where the group goes on: at the beginning of a partition of which it has committed nothing."""
        if not partitions:
            return {}
        committed = {partition: at for partition, at in self._asks.committed(partitions).items() if at >= 0}
        new = [partition for partition in partitions if partition not in committed]
        return {**committed, **(self._asks.starts(new) if new else {})}


class _Broker:
    """Asks the broker by an admin client, which is made at the first question."""

    def __init__(self, kafka: Kafka, group: str) -> None:
        self._kafka = kafka
        self._group = group
        self._made: AdminClient | None = None

    @property
    def _admin(self) -> AdminClient:
        if self._made is None:
            self._made = built(AdminClient, {**common_settings(self._kafka), "log_level": 0}, self._kafka)
        return self._made

    def committed(self, partitions: Iterable[SourcePartition]) -> Offsets:
        asked = ConsumerGroupTopicPartitions(self._group, [TopicPartition(*partition) for partition in partitions])
        (future,) = self._admin.list_consumer_group_offsets([asked], request_timeout=ANSWER_WITHIN_S).values()
        found = future.result().topic_partitions
        return {(one.topic, one.partition): one.offset for one in found}

    def starts(self, partitions: Iterable[SourcePartition]) -> Offsets:
        return self._offsets(partitions, OffsetSpec.earliest())  # type: ignore[no-untyped-call]  # as confluent-kafka has it

    def ends(self, partitions: Iterable[SourcePartition]) -> Offsets:
        return self._offsets(partitions, OffsetSpec.latest())  # type: ignore[no-untyped-call]  # as confluent-kafka has it

    def _offsets(self, partitions: Iterable[SourcePartition], spec: OffsetSpec) -> Offsets:
        told = self._admin.list_offsets(
            {TopicPartition(*partition): spec for partition in partitions},
            isolation_level=IsolationLevel.READ_COMMITTED,
            request_timeout=ANSWER_WITHIN_S,
        )
        return {(one.topic, one.partition): future.result().offset for one, future in told.items()}
