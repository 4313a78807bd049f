"""What the join role does with the messages that wait: join them together, and commit what they lead to.

Of each partition of `drift.joins`, changes of state, what matched and the source offset are one transaction of the
partition's own producer. Only then the store is written, and the messages are acknowledged. A message that comes again
(its offset is in the state already) leads to nothing.
"""

import asyncio
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import structlog
from confluent_kafka import KafkaException, TopicPartition
from faust.types import EventT

from monitor import telemetry
from monitor.config.schema import Kafka
from monitor.errors import StoppedError, Unavailable
from monitor.join.batch import JoinBatch
from monitor.join.block import BadJoinMessage, NewerJoinMessage
from monitor.join.joiner import Joiner
from monitor.join.outcome_rows import outcome_rows
from monitor.join.outcomes import LEFT_OUT
from monitor.join.performance_messages import PerformanceMessages
from monitor.join.state import NewerState, RowStore
from monitor.join.step import JoinStep
from monitor.kafka import topics
from monitor.kafka.faust.producers import TransactionMessage, refused
from monitor.process.health import Health
from monitor.roles.evaluate_role import COMMIT_S, PartitionProducer
from monitor.roles.losses_said import LEVELS, LossesSaid
from monitor.sketching.messages import encode
from sinks.records import Source
from sinks.records import encode as encode_rows

log = structlog.get_logger()

Outputs = Callable[[JoinStep, int], Sequence[TransactionMessage]]
"""What is sent of a step's matches; the number is the partition of `drift.joins`, which with the step's offset names
them."""


def role_outputs(kafka: Kafka, messages: PerformanceMessages) -> Outputs:
    """What matched as messages of `drift.sketches`, and what became of labels as one of `drift.results`."""
    sketches, results, joins = (kafka.own_topic(name) for name in (topics.SKETCHES, topics.RESULTS, topics.JOINS))

    def outputs(step: JoinStep, partition: int) -> Sequence[TransactionMessage]:
        found = [
            TransactionMessage(topic=sketches, partition=target, value=encode(message))
            for target, message in messages.of(step, partition)
        ]
        rows = outcome_rows(step, partition)
        if rows is not None:
            source = Source(topic=joins, partition=partition, offset=step.offset)
            found.append(TransactionMessage(topic=results, partition=partition, value=encode_rows(rows, source)))
        return found

    return outputs


class State(RowStore, Protocol):
    """Where a partition's state lies (`monitor.kafka.join_database`)."""

    def apply(self, steps: Iterable[JoinStep], changelog_offset: int) -> None:
        """Write what the changelog has, up to and with an offset."""
        ...


class JoinRole:
    """Carries messages through the join.

    Parameters
    ----------
    producer_of
        The producer of a partition that is held.
    state_of
        The state of a partition.
    outputs
        What is sent, in the same transaction, of what matched.
    """

    def __init__(
        self,
        kafka: Kafka,
        joiner: Joiner,
        health: Health,
        *,
        producer_of: Callable[[int], PartitionProducer],
        state_of: Callable[[int], State],
        outputs: Outputs = lambda _step, _partition: (),
    ) -> None:
        self._kafka = kafka
        self._joiner = joiner
        self._health = health
        self._producer_of = producer_of
        self._state_of = state_of
        self._outputs = outputs
        self._one_at_a_time: dict[int, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._joins = kafka.own_topic(topics.JOINS)
        self._losses = LossesSaid()
        self._changelog = topics.join_changelog_topic(kafka)

    async def process(self, events: Sequence[EventT[bytes]]) -> None:
        """Do all that follows from these events. When it returns, they are done.

        Raises `StoppedError` when a person or a new process is needed, `Unavailable` when a transaction failed.
        """
        by_partition: dict[int, list[EventT[bytes]]] = defaultdict(list)
        for event in events:
            by_partition[event.message.partition].append(event)
        await asyncio.gather(*(self._process(partition, part) for partition, part in by_partition.items()))

    async def _process(self, partition: int, events: list[EventT[bytes]]) -> None:
        async with self._one_at_a_time[partition]:
            # Before the state is read: were the partition taken over and given back in between, this one would be
            # fenced.
            producer = self._producer_of(partition)
            while events:
                started_s = time.monotonic()
                batch = JoinBatch(self._joiner, self._state_of(partition))
                outputs: list[TransactionMessage] = []
                n_taken, hindrance = await self._compute(batch, partition, events, outputs)
                if n_taken:
                    await self._commit(producer, partition, batch, outputs)
                    for event in events[:n_taken]:
                        event.ack()
                    events = events[n_taken:]
                    self._health.ready()
                    self._count(batch.steps, partition, time.monotonic() - started_s)
                if hindrance is not None:
                    message = events[0].message
                    place = f"{message.topic}, partition {message.partition}, offset {message.offset}"
                    raise StoppedError(
                        f"{place}: {hindrance}",
                        hint="upgrade this worker; what it has not read stays unread until then",
                    ) from hindrance

    async def _compute(
        self, batch: JoinBatch, partition: int, events: Sequence[EventT[bytes]], outputs: list[TransactionMessage]
    ) -> tuple[int, NewerJoinMessage | NewerState | None]:
        """Fill the batch, and `outputs` with what is sent of it. Returns how many events it took, and what keeps it
        from taking the next."""
        for n_taken, event in enumerate(events):
            offset = event.message.offset
            try:
                step = batch.add(event.message.value or b"", offset)
                if step is not None:
                    outputs += self._outputs(step, partition)
            except (NewerJoinMessage, NewerState) as hindrance:
                return n_taken, hindrance
            except BadJoinMessage as error:
                telemetry.BAD_MESSAGES.labels(event.message.topic).inc()
                where = f"partition {partition}, offset {offset}: {error}"
                text = "messages of our own cannot be read and are left out"
                self._losses.add(text, 1, where, level="error", topic=event.message.topic)
                batch.skip(offset)
            if batch.full:
                return n_taken + 1, None
            await asyncio.sleep(0)  # other partitions' turn, and the signals'
        return len(events), None

    async def _commit(
        self, producer: PartitionProducer, partition: int, batch: JoinBatch, outputs: Sequence[TransactionMessage]
    ) -> None:
        """The transaction, then the store: a crash in between is made good from the changelog."""
        messages = [*outputs]
        messages += [
            TransactionMessage(topic=self._changelog, partition=partition, key=key, value=value)
            for key, value in batch.changelog
        ]
        source = TopicPartition(self._joins, partition, batch.next_offset)
        try:
            async with asyncio.timeout(COMMIT_S):
                written = await asyncio.to_thread(producer.commit, messages, source)
        except TimeoutError as error:
            raise Unavailable(f"Kafka has not answered a transaction for {COMMIT_S:.0f} s") from error
        except KafkaException as error:
            raise refused(error, self._kafka) from error
        if batch.steps:
            self._state_of(partition).apply(batch.steps, written[self._changelog, partition])

    def say_losses(self, *, last: bool = False) -> None:
        """Log what was left out, at most once a minute; `last`: all of it."""
        for line in self._losses.due(time.monotonic(), last=last):
            log.log(LEVELS[line.level], line.text, **line.fields)

    def _count(self, steps: Sequence[JoinStep], partition: int, took_s: float) -> None:
        telemetry.COMMIT_SECONDS.labels("join").observe(took_s)
        for step in steps:
            for (model, what), n in step.counts.items():
                if n > 0:
                    telemetry.LABELS.labels(model, what).inc(n)
                if n > 0 and what in LEFT_OUT:
                    where = f"by {self._joins}, partition {partition}, offset {step.offset}"
                    self._losses.add("predictions or labels are not joined", n, where, model=model, reason=what)
        self.say_losses()
