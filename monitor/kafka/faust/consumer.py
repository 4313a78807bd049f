"""Faust's aiokafka consumer, as a role needs it that commits offsets by transactions of its own.

- It reads committed messages only. Faust reads uncommitted ones unless it runs its own transactions
  (`AIOKafkaConsumerThread._create_worker_consumer` chooses the isolation level by `in_transaction` alone), so what
  was rolled back would be scored, or restored.
- A stream's messages are fetched when its tables are restored, and not before. Faust 0.15 resumes the partitions, then
  seeks them to their committed offsets, then clears its queues (`Recovery.on_recovery_completed`): what comes in
  between is lost, and the messages after it are not. Nearly every restart with a backlog showed it.
- It knows how far each partition was *read*, markers of transactions included, which are offsets and never messages.
- It commits nothing itself.
- A broker that has nothing new answers after `fetch.wait.max.ms`; Faust has it answer after 1.5 s.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast

from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # ships no types
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode.utils.futures import notify

CLOSED_S = 0.05
"""How long a fetch takes when there is nothing that may be fetched, in seconds."""
RESTORING_S = 0.1
"""How long a fetch waits for changelog records, in seconds: one that brings markers alone returns when this is over."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadTo:
    """How far a partition was read: the offset to fetch next, and that of the last record that came; -1 for none."""

    position: int
    last_record: int = -1


class CommittedConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer.

    `read_to` is written in this thread, in the same step as a fetch or a seek, and read from others.
    """

    fetch_wait_ms = 500
    """`fetch.wait.max.ms`, and librdkafka's default of it."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.read_to: dict[TP, ReadTo] = {}

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read by the fetcher when the consumer starts, which is after this.
        consumer._isolation_level = "read_committed"
        consumer._fetch_max_wait_ms = getattr(transport, "fetch_wait_ms", self.fetch_wait_ms)
        return consumer

    async def _fetch_records(
        self,
        consumer: AIOKafkaConsumer,
        active_partitions: set[TP],
        timeout: float | None = None,
        max_records: int | None = None,
    ) -> RecordMap:
        records = await super()._fetch_records(consumer, active_partitions, timeout, max_records)
        for tp in active_partitions:
            position = self._position(consumer, tp)
            if position is not None:
                part = records.get(tp)
                before = self.read_to.get(tp)
                last = part[-1].offset if part else before.last_record if before else -1
                self.read_to[tp] = ReadTo(position=position, last_record=last)
        return records

    async def seek_to_committed(self) -> Mapping[TP, int]:
        """The same, and to the beginning where nothing is committed: aiokafka leaves such partitions where they are.

        What a rebalance overtook in the first seconds of a group was fetched, dropped, and never fetched again.
        """
        committed: Mapping[TP, int] = await super().seek_to_committed()
        never = [tp for tp, offset in committed.items() if not offset or offset < 0]
        never = [tp for tp in never if not self.consumer._is_changelog_tp(tp)]  # recovery seeks those itself
        if never:
            await self.call_thread(self._ensure_consumer().seek_to_beginning, *never)
            for tp in never:
                self.read_to.pop(tp, None)
        return committed

    async def _seek_wait(self, consumer: AIOKafkaConsumer, partitions: Mapping[TP, int]) -> None:
        await super()._seek_wait(consumer, partitions)
        # What was read before says nothing any more.
        self.read_to |= {tp: ReadTo(position=offset) for tp, offset in partitions.items()}

    @staticmethod
    def _position(consumer: AIOKafkaConsumer, tp: TP) -> int | None:
        """Up to where aiokafka has read; None when it does not know."""
        subscription = consumer._subscription.subscription
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None or tp not in assignment.tps:
            return None
        return cast("int | None", assignment.state_value(tp)._position)


class CommittedConsumer(driver.Consumer):
    """A consumer on such a thread.

    `rebalances` counts what may move partitions: each revocation and each assignment.
    """

    _thread: CommittedConsumerThread

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rebalances = 0
        self._restored_at = -1
        self._next_offset: dict[TP, int] = {}

    # When messages flow ---------------------------------------------------------------------------------------------

    @property
    def is_restored(self) -> bool:
        """Whether tables are restored for the partitions that are held now."""
        return self._restored_at == self.rebalances

    def restored(self, rebalances: int) -> None:
        """Let messages flow: the tables are restored, and the partitions where the count of rebalances stood at."""
        self._restored_at = rebalances

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop the flow of messages until tables are restored."""
        self.rebalances += 1
        await super().on_partitions_revoked(revoked)
        for tp in revoked:  # another worker takes them further
            self._next_offset.pop(tp, None)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """The same: a worker that had no partitions has nothing revoked."""
        self.rebalances += 1
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets; not when the flow has stopped, for who starts it seeks first."""
        if self.flow_active:
            await super().perform_seek()

    async def _getmany(
        self,
        active_partitions: set[TP] | None,
        timeout: float,
    ) -> RecordMap:
        wanted = active_partitions or set()
        rebalances = self.rebalances
        if not self.is_restored:
            wanted = {tp for tp in wanted if self._is_changelog_tp(tp)}
            timeout = min(timeout, RESTORING_S)
        if not wanted:
            await asyncio.sleep(CLOSED_S)
            return {}
        records = await super()._getmany(wanted, timeout)
        # What a rebalance overtook is fetched again: partitions are sought before they flow.
        return records if self.rebalances == rebalances else {}

    # What is done ---------------------------------------------------------------------------------------------------

    def ack(self, message: Message) -> bool:
        """Note that a message, and with it all before it, is done: committed by whoever calls."""
        self._next_offset[message.tp] = message.offset + 1
        if message.acked:
            return False
        message.acked = True
        self.release(message)
        return True

    def release(self, message: Message) -> None:
        """Wait no more for a message that will not be done here: its partition is being given up."""
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)

    async def commit(self, *_args: Any, **_kwargs: Any) -> bool:
        """Nothing: offsets are committed in the transactions of those who process the messages."""
        return False

    # How far it is --------------------------------------------------------------------------------------------------

    def read_to(self, tp: TP) -> ReadTo:
        """How far a partition was read since it was last sought."""
        return self._thread.read_to.get(tp) or ReadTo(position=-1)

    def next_offset(self, tp: TP) -> int | None:
        """The first offset of a partition that is not done; None before anything is known.

        Behind the last message of a transaction stands its marker. So once every record that was fetched is done, what
        counts is how far the consumer has read, markers and all.
        """
        read, done = self.read_to(tp), self._next_offset.get(tp, self._committed_offset[tp])
        if read.last_record < (done or 0) and read.position >= 0:
            return max(done or 0, read.position)
        return done

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps are of no interest."""

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return CommittedConsumerThread(self, loop=self.loop, beacon=self.beacon)
