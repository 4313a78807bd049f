"""Faust's aiokafka driver, with four things changed by the subclasses that `app.transport` needs for it.

- It reads committed messages only. Faust reads uncommitted ones unless it runs its own transactions
  (`AIOKafkaConsumerThread._create_worker_consumer` chooses the isolation level by `in_transaction` alone), so what
  ingest rolls back would be scored.
- A stream's messages are fetched when its tables are restored, and not before. Faust 0.15 resumes the partitions, then
  seeks them to their committed offsets, then clears its queues (`Recovery.on_recovery_completed`): what comes in
  between is lost, and the messages after it are not. Nearly every restart with a backlog showed it.
- It commits what is done. Faust works that out from gaps in what it has read, and where a seek has moved it takes
  messages that wait in its queue for a gap, or sees a gap for ever and commits no more.
- A broker that has nothing new answers after `fetch.wait.max.ms`; Faust has it answer after 1.5 s.
"""

import asyncio
from collections.abc import Mapping
from typing import Any, cast

import faust
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # ships no types
from faust.transport.consumer import RecordMap
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from mode.utils.futures import notify
from yarl import URL

from monitor.errors import StoppedError

CLOSED_S = 0.05
"""How long a fetch takes when there is nothing that may be fetched, in seconds."""


class CommittedConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read by the fetcher when the consumer starts, which is after this.
        consumer._isolation_level = "read_committed"
        if isinstance(transport, CommittedTransport):
            consumer._fetch_max_wait_ms = transport.fetch_wait_ms
        return consumer


class CommittedConsumer(driver.Consumer):
    """A consumer on such a thread, for streams that acknowledge each partition's messages one after the other.

    Then everything before the last acknowledged message is done, whatever else was read, and there is one number a
    partition to commit. A message that is read twice moves it back, and forward again: never past what is not done.

    `rebalances` counts what may move partitions: each revocation and each assignment.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.rebalances = 0
        self._restored_at = -1
        self._next_offset: dict[TP, int] = {}
        self._fetched_to: dict[TP, int] = {}

    def restored(self, rebalances: int) -> None:
        """Let messages flow: the tables are restored, and the partitions where the count of rebalances stood at."""
        self._restored_at = rebalances

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Stop the flow of messages until tables are restored."""
        self.rebalances += 1
        await super().on_partitions_revoked(revoked)
        for tp in revoked:  # another worker takes them further
            self._next_offset.pop(tp, None)
            self._fetched_to.pop(tp, None)

    async def on_partitions_assigned(self, assigned: set[TP], generation_id: int = 0) -> None:
        """The same: a worker that had no partitions has nothing revoked."""
        self.rebalances += 1
        await super().on_partitions_assigned(assigned, generation_id)

    async def perform_seek(self) -> None:
        """Seek to the committed offsets; not when the flow has stopped, for who starts it seeks first."""
        if self.flow_active:
            await super().perform_seek()

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> RecordMap:
        wanted = active_partitions or set()
        if self._restored_at != self.rebalances:
            wanted = {tp for tp in wanted if self._is_changelog_tp(tp)}
        if not wanted:
            await asyncio.sleep(CLOSED_S)
            return {}
        records = await super()._getmany(wanted, timeout)
        self._fetched_to |= {tp: part[-1].offset + 1 for tp, part in records.items() if part}
        return records

    def ack(self, message: Message) -> bool:
        """Note that a message, and with it all before it, is done."""
        self._next_offset[message.tp] = message.offset + 1
        return super().ack(message)

    def release(self, message: Message) -> None:
        """Wait no more for a message that will not be done here: its partition is being given up."""
        self._unacked_messages.discard(message)
        notify(self._waiting_for_ack)

    def lag(self, tp: TP) -> int | None:
        """Messages of a partition that are not done; None before anything is known.

        Behind the last message of a transaction stands its marker, which is an offset too and never a message. So once
        all that was fetched is done, what counts is how far the consumer has read, markers and all.
        """
        high = cast("int | None", self.highwater(tp))
        if high is None:
            return None
        done = self.next_offset(tp)
        if done >= self._fetched_to.get(tp, 0):
            done = max(done, self._position(tp))
        return max(0, high - done)

    def _position(self, tp: TP) -> int:
        """Up to where aiokafka has read; 0 when it does not know. Read across threads: one attribute, for a gauge."""
        consumer = getattr(self._thread, "_consumer", None)
        subscription = consumer._subscription.subscription if consumer is not None else None
        assignment = subscription.assignment if subscription is not None else None
        if assignment is None or tp not in assignment.tps:
            return 0
        return int(assignment.state_value(tp)._position or 0)

    def next_offset(self, tp: TP) -> int:
        """The first offset of a partition that is not done; 0 before anything is known."""
        return self._next_offset.get(tp) or self._committed_offset[tp] or 0

    def _new_offset(self, tp: TP) -> int | None:
        # What Faust would work it out from, and would keep.
        self._acked[tp].clear()
        self._acked_index[tp].clear()
        return self._next_offset.get(tp)

    async def _add_gap(self, tp: TP, offset_from: int, offset_to: int) -> None:
        """Gaps are of no interest."""

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return CommittedConsumerThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(driver.Transport):
    """The transport whose consumers skip what was rolled back."""

    Consumer = CommittedConsumer
    fetch_wait_ms = 500
    """`fetch.wait.max.ms`, and librdkafka's default of it."""


def brokers(bootstrap_servers: str) -> list[str]:
    """The servers as Faust names them. A protocol that librdkafka may read in front (``SSL://host:port``) says nothing
    new: it must be the one of `security.protocol`.
    """
    return [f"kafka://{server.strip().rpartition('://')[2]}" for server in bootstrap_servers.split(",")]


def transport(app: faust.App, bootstrap_servers: str, client: Mapping[str, str | int | bool]) -> CommittedTransport:
    """The transport for `app`.

    `bootstrap_servers` are `host:port`, several with commas between; `client` holds settings by librdkafka's names.

    Raises `StoppedError` for a `fetch.wait.max.ms` that is no number.
    """
    made = CommittedTransport([URL(broker) for broker in brokers(bootstrap_servers)], app, loop=app.loop)
    wanted = client.get("fetch.wait.max.ms", made.fetch_wait_ms)
    try:
        made.fetch_wait_ms = int(wanted)
    except ValueError as error:
        raise StoppedError(f"kafka.client fetch.wait.max.ms is {wanted!r}", hint="give it in milliseconds") from error
    return made
