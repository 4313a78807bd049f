"""Faust's aiokafka driver, reading committed messages only.

Faust reads uncommitted messages unless it runs its own transactions (`AIOKafkaConsumerThread._create_worker_consumer`
chooses the isolation level by `in_transaction` alone), so what ingest rolls back would be scored. These three
subclasses change that one setting; `transport(...)` gives what `app.transport` takes.
"""

import faust
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # ships no types
from faust.transport.drivers import aiokafka as driver
from yarl import URL


class CommittedConsumerThread(driver.AIOKafkaConsumerThread):
    """The thread that owns the aiokafka consumer."""

    def _create_worker_consumer(self, transport: driver.Transport) -> AIOKafkaConsumer:
        consumer = super()._create_worker_consumer(transport)
        # Read by the fetcher when the consumer starts, which is after this.
        consumer._isolation_level = "read_committed"
        return consumer


class CommittedConsumer(driver.Consumer):
    """A consumer on such a thread."""

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return CommittedConsumerThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(driver.Transport):
    """The transport whose consumers skip what was rolled back."""

    Consumer = CommittedConsumer


def transport(app: faust.App, bootstrap_servers: str) -> CommittedTransport:
    """The transport for `app`; `bootstrap_servers` are `host:port`, several with commas between."""
    urls = [URL(f"kafka://{server.strip()}") for server in bootstrap_servers.split(",")]
    return CommittedTransport(urls, app, loop=app.loop)
