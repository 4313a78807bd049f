"""The transactional producers of a worker: one for each source partition that it holds.

The transactional id belongs to the partition, so making a producer fences whichever worker had the partition before,
however long that one sleeps. The order that this rests on:

1. take the partition's producer (`Producers.take`), before anything of the partition's changelog is looked at;
2. restore the state from committed records, up to the end that stands after step 1;
3. for each batch: hold the producer, read the state, compute, and `commit` with that same producer.

An error in a transaction ends the process, without an abort: the partition's next producer rolls back what was open.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Sequence

import msgspec
import structlog
from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition

from monitor.config.schema import Kafka
from monitor.errors import RestartError, StoppedError, Unavailable
from monitor.kafka.clients import built, classify, consumer_settings, producer_settings
from monitor.kafka.turns import turn

log = structlog.get_logger()

CALL_S = 5.0
"""How long one call waits for the broker before it is made again, in seconds."""
TRANSACTION_S = 60.0
"""How long a call is made again, in seconds. The broker rolls back what takes longer (librdkafka's default of
`transaction.timeout.ms`). The process ends then, and starts again from what is committed."""
RETRY_BACKOFF_MS = 10
"""The coordinator asks a transaction that follows closely on another to come again; librdkafka's default of 100 ms
made that most of the time of a backlog."""


class TransactionMessage(msgspec.Struct, frozen=True, kw_only=True):
    """A message to send; `value` is None for a changelog's tombstone."""

    topic: str
    partition: int
    value: bytes | None
    key: bytes | None = None


class PartitionProducer:
    """The transactional producer of one source partition. Its calls block: make them in a thread.

    Making it does nothing at the broker yet; `take_over` does.
    """

    def __init__(self, kafka: Kafka, transactional_id: str, group: "GroupMetadata") -> None:
        self.transactional_id = transactional_id
        settings = {"retry.backoff.ms": RETRY_BACKOFF_MS, **producer_settings(kafka, transactional_id=transactional_id)}
        self._producer = built(Producer, settings, kafka)
        self._group = group

    def take_over(self) -> None:
        """Fence the producer that had the id before, and roll back what it left open. Raises `KafkaException`."""
        with turn():
            _insist(lambda: self._producer.init_transactions(CALL_S))

    def commit(self, messages: Sequence[TransactionMessage], source: TopicPartition) -> dict[tuple[str, int], int]:
        """Send messages and the offset to read on from (`source`) in one transaction.

        Returns the last offset written to each topic and partition. Raises `KafkaException`: the transaction may then
        be open, rolled back, or another worker's affair, and this producer is of no more use.
        """
        producer, written = self._producer, dict[tuple[str, int], int]()

        def delivered(error: object, message: Message) -> None:
            topic, partition, offset = message.topic(), message.partition(), message.offset()
            if error is None and topic is not None and partition is not None and offset is not None:
                written[topic, partition] = max(offset, written.get((topic, partition), -1))

        with turn():
            producer.begin_transaction()
            for message in messages:
                while True:
                    try:
                        producer.produce(
                            message.topic, message.value, message.key, message.partition, on_delivery=delivered
                        )
                        break
                    except BufferError:  # more than librdkafka keeps waits for the broker
                        producer.poll(0.1)
            _insist(lambda: producer.send_offsets_to_transaction([source], self._group.value, CALL_S))
            _insist(lambda: producer.commit_transaction(CALL_S))
        return written


class GroupMetadata:
    """The consumer group whose offsets are committed, by its name alone.

    Which member commits need not be said: a member that lost the partition is fenced by the transactional id, and what
    the state has absorbed stands in the state itself.
    """

    def __init__(self, kafka: Kafka, group: str) -> None:
        settings = {**consumer_settings(kafka, "unused"), "group.id": group}
        self.value = built(Consumer, settings, kafka).consumer_group_metadata()


class Producers:
    """The producers of the source partitions that this worker holds.

    Parameters
    ----------
    group
        The consumer group that reads the source. The transactional id of partition 3 is ``{group}-3``.
    """

    def __init__(self, kafka: Kafka, group: str) -> None:
        self._kafka = kafka
        self._group_name = group
        self._group: GroupMetadata | None = None
        self._held: dict[int, PartitionProducer] = {}

    async def take(self, partitions: Collection[int]) -> None:
        """Take hold of these partitions, and let go of all others.

        Producers are made anew for partitions that stay as well: another worker may have had one in between. Raises
        `KafkaException` when the broker refuses.
        """
        if self._group is None:
            self._group = GroupMetadata(self._kafka, self._group_name)
        self._held = {
            number: PartitionProducer(self._kafka, f"{self._group_name}-{number}", self._group) for number in partitions
        }
        await asyncio.gather(*(asyncio.to_thread(producer.take_over) for producer in self._held.values()))

    def hold(self, partition: int) -> bool:
        """Whether a partition is held."""
        return partition in self._held

    def of(self, partition: int) -> PartitionProducer:
        """The producer of a partition that is held. Raises `KeyError` for another."""
        return self._held[partition]


def _insist(call: Callable[[], object]) -> None:
    """Make a call until the broker has answered it, or for `TRANSACTION_S`: when out of time it may be made again."""
    give_up_s = time.monotonic() + TRANSACTION_S
    while True:
        try:
            call()
        except KafkaException as error:
            if not error.args[0].retriable() or time.monotonic() >= give_up_s:
                raise
            log.debug("the broker has not answered", because=error.args[0].str())
        else:
            return


def refused(error: KafkaException, kafka: Kafka) -> Unavailable | StoppedError:
    """What a failed transaction asks for: to start again (`Unavailable`), or a person (no right to the id, say)."""
    found = classify(error, kafka)
    if isinstance(found, RestartError):
        return RestartError("another worker has a partition that this one held", hint="start it again; it joins anew")
    return found
