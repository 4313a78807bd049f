"""Faust's aiokafka driver, reading committed messages only, and committing what was processed.

Two things are changed, by the three subclasses that `app.transport` needs for it:

- Faust reads uncommitted messages unless it runs its own transactions (`AIOKafkaConsumerThread._create_worker_consumer`
  chooses the isolation level by `in_transaction` alone), so what ingest rolls back would be scored.
- Faust 0.15 commits by the gaps in what it reads, and counts from where it believes to be. When the tables are restored
  it resumes the partitions before it seeks them to their committed offsets (`Recovery.on_recovery_completed`); what was
  fetched in between leaves a gap that is none. Depending on the moment it then commits messages that are still in its
  queue, which a `kill -9` loses, or never commits again. Nearly every restart with a backlog showed such a gap.
"""

from typing import Any

import faust
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # ships no types
from faust.transport.drivers import aiokafka as driver
from faust.types import TP, Message
from yarl import URL


class CommittedConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read by the fetcher when the consumer starts, which is after this.
        consumer._isolation_level = "read_committed"
        return consumer


class CommittedConsumer(driver.Consumer):
    """A consumer on such a thread, for streams that acknowledge each partition's messages one after the other.

    Then everything before the last acknowledged message is done, whatever else was read, and there is one number a
    partition to commit. A message that is read twice moves it back, and forward again: never past what is not done.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._next_offset: dict[TP, int] = {}

    def ack(self, message: Message) -> bool:
        """Note that a message, and with it all before it, is done."""
        self._next_offset[message.tp] = message.offset + 1
        return super().ack(message)

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


def transport(app: faust.App, bootstrap_servers: str) -> CommittedTransport:
    """The transport for `app`; `bootstrap_servers` are `host:port`, several with commas between."""
    urls = [URL(f"kafka://{server.strip()}") for server in bootstrap_servers.split(",")]
    return CommittedTransport(urls, app, loop=app.loop)
