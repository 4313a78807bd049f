"""What the score role does with the messages that wait: compute them together, and commit what they lead to.

Of each partition, results, alerts, requests to retrain, changes of state and the source offset are one transaction of
the partition's own producer. Only then the store is written, and the messages are acknowledged.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import structlog
from confluent_kafka import KafkaException, TopicPartition
from faust.types import EventT

from monitor.config.schema import Kafka
from monitor.decisions.policy import Policy
from monitor.decisions.stage import DecisionStage
from monitor.errors import StoppedError, Unavailable
from monitor.evaluation.batch import EvaluationBatch
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.state import KeyValue, NewerState
from monitor.kafka import topics
from monitor.kafka.faust.producers import TransactionMessage, refused
from monitor.process.health import Health
from monitor.roles.evaluate_metrics import EvaluateMetrics
from monitor.sketching.messages import BadSketchMessage, NewerSketchMessage

log = structlog.get_logger()

COMMIT_S = 90.0
"""How long a transaction may take, in seconds. After a broker was killed in one, librdkafka's
`send_offsets_to_transaction` was seen not to return, whatever time it was given; its thread ends with the process."""


class State(Protocol):
    """Where the state lies (`monitor.kafka.faust.store`)."""

    def view(self, partition: int) -> KeyValue:
        """Read access to a partition."""
        ...

    def apply(self, partition: int, writes: Mapping[bytes, bytes | None], changelog_offset: int) -> None:
        """Write what the changelog has, up to and with an offset."""
        ...


class PartitionProducer(Protocol):
    """A partition's producer (`monitor.kafka.faust.producers`)."""

    def commit(self, messages: Sequence[TransactionMessage], source: TopicPartition) -> Mapping[tuple[str, int], int]:
        """Send messages and the offset to read on from in one transaction; returns the last offset of each topic."""
        ...


class EvaluateRole:
    """Carries messages through the evaluator, and what comes of them through decisions.

    Parameters
    ----------
    policies
        What decisions on each model go by.
    producer_of
        The producer of a partition that is held.
    state
        A function, for Faust makes it when it starts.
    is_restored
        Whether a partition is held, and its state restored.
    """

    def __init__(
        self,
        kafka: Kafka,
        evaluator: Evaluator,
        policies: Sequence[Policy],
        health: Health,
        *,
        producer_of: Callable[[int], PartitionProducer],
        state: Callable[[], State],
        is_restored: Callable[[int], bool],
    ) -> None:
        self.metrics = EvaluateMetrics(kafka.sketch_partitions)
        self._kafka = kafka
        self._evaluator = evaluator
        # One a partition: each remembers what it read last of each model, and every partition has its own.
        self._decisions: dict[int, DecisionStage] = defaultdict(lambda: DecisionStage(policies))
        self._health = health
        self._producer_of = producer_of
        self._state = state
        self._is_restored = is_restored
        self._one_at_a_time: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._sketches = kafka.own_topic(topics.SKETCHES)
        self._results = kafka.own_topic(topics.RESULTS)
        self._alerts = kafka.own_topic(topics.ALERTS)
        self._retraining = kafka.own_topic(topics.RETRAINING)
        self._changelog = topics.changelog_topic(kafka)

    async def process(self, events: Sequence[EventT[bytes]]) -> None:
        """Do all that follows from these events. When it returns, they are done.

        Raises `StoppedError` when a person or a new process is needed, `Unavailable` when a transaction failed.
        """
        by_partition: dict[int, list[EventT[bytes]]] = defaultdict(list)
        for event in events:
            by_partition[event.message.partition].append(event)
        await asyncio.gather(*(self._process(partition, part) for partition, part in by_partition.items()))

    async def _process(self, partition: int, events: list[EventT[bytes]]) -> None:
        """The events of one partition, in as few transactions as may be."""
        async with self._one_at_a_time[partition]:
            await self._in_turn(partition, events)

    async def take_up(self, partition: int) -> None:
        """Go on with models of a restored partition whose missing references have come, if no message does it."""
        async with self._one_at_a_time[partition]:
            # A rebalance does not wait for this, and its new producer must not write what was read before it.
            while self._is_restored(partition):
                started_s = time.monotonic()
                producer, batch = self._producer_of(partition), self._batch(partition)
                try:
                    if not batch.take_up(self._sketches, partition):
                        return
                except NewerState as error:
                    raise _upgrade(f"{self._sketches}, partition {partition}", error) from error
                await self._commit(producer, partition, batch)
                self.metrics.done(batch.steps, partition, time.monotonic() - started_s)
                self.metrics.decided(batch.told, batch.n_open, partition)

    def _batch(self, partition: int) -> EvaluationBatch:
        return EvaluationBatch(self._evaluator, self._state().view(partition), self._decisions[partition])

    async def _in_turn(self, partition: int, events: list[EventT[bytes]]) -> None:
        # Before the state is read: were the partition taken over and given back in between, this one would be fenced.
        producer = self._producer_of(partition)
        while events:
            started_s = time.monotonic()
            batch = self._batch(partition)
            n_taken, hindrance = await self._compute(batch, events)
            if n_taken:
                await self._commit(producer, partition, batch)
                for event in events[:n_taken]:
                    event.ack()
                events = events[n_taken:]
                self._health.ready()
                self.metrics.done(batch.steps, partition, time.monotonic() - started_s)
                self.metrics.decided(batch.told, batch.n_open, partition)
            if hindrance is not None:
                message = events[0].message
                place = f"{message.topic}, partition {message.partition}, offset {message.offset}"
                raise _upgrade(place, hindrance) from hindrance

    async def _compute(
        self, batch: EvaluationBatch, events: Sequence[EventT[bytes]]
    ) -> tuple[int, NewerSketchMessage | NewerState | None]:
        """Fill the batch. Returns how many events it took, and what keeps it from taking the next."""
        for n_taken, event in enumerate(events):
            message = event.message
            source = Source(topic=message.topic, partition=message.partition, offset=message.offset)
            try:
                batch.add(message.value or b"", source)
            except (NewerSketchMessage, NewerState) as hindrance:
                return n_taken, hindrance
            except BadSketchMessage as error:
                self.metrics.corrupt(source, str(error))
                batch.skip(source)
            if batch.full:
                return n_taken + 1, None
            await asyncio.sleep(0)  # other partitions' turn, and the signals'
        return len(events), None

    async def _commit(self, producer: PartitionProducer, partition: int, batch: EvaluationBatch) -> None:
        """The transaction, then the store: a crash in between is made good from the changelog."""
        messages = [
            TransactionMessage(topic=self._results, partition=partition, value=value) for value in batch.results
        ]
        for topic, told in ((self._alerts, batch.alerts), (self._retraining, batch.requests)):
            messages += [
                TransactionMessage(topic=topic, partition=partition, key=key, value=value) for key, value in told
            ]
        messages += [
            TransactionMessage(topic=self._changelog, partition=partition, key=key, value=value)
            for key, value in batch.writes.items()
        ]
        source = TopicPartition(self._sketches, partition, batch.next_offset)
        try:
            async with asyncio.timeout(COMMIT_S):
                written = await asyncio.to_thread(producer.commit, messages, source)
        except TimeoutError as error:
            raise Unavailable(f"Kafka has not answered a transaction for {COMMIT_S:.0f} s") from error
        except KafkaException as error:
            raise refused(error, self._kafka) from error
        if batch.writes:
            self._state().apply(partition, batch.writes, written[self._changelog, partition])


def _upgrade(place: str, because: Exception) -> StoppedError:
    return StoppedError(f"{place}: {because}", hint="upgrade this worker; what it has not read stays unread until then")
