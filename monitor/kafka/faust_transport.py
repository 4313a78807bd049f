"""Faust's aiokafka driver, reading committed messages only.

Faust reads uncommitted messages unless it runs its own transactions (`AIOKafkaConsumerThread._create_worker_consumer`
chooses the isolation level by `in_transaction` alone), so what ingest rolls back would be scored. And it lets a broker
that has nothing new answer after 1.5 s, whatever `fetch.wait.max.ms` says. These three subclasses change those two
settings; `transport(...)` gives what `app.transport` takes.
"""

from collections.abc import Mapping

import faust
from aiokafka import AIOKafkaConsumer  # type: ignore[import-untyped]  # ships no types
from faust.transport.drivers import aiokafka as driver
from yarl import URL

from monitor.errors import StoppedError


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
    """A consumer on such a thread."""

    def _new_consumer_thread(self) -> driver.AIOKafkaConsumerThread:
        return CommittedConsumerThread(self, loop=self.loop, beacon=self.beacon)


class CommittedTransport(driver.Transport):
    """The transport whose consumers skip what was rolled back."""

    Consumer = CommittedConsumer
    fetch_wait_ms = 500
    """`fetch.wait.max.ms`, and librdkafka's default of it."""


def transport(app: faust.App, bootstrap_servers: str, client: Mapping[str, str | int | bool]) -> CommittedTransport:
    """The transport for `app`.

    `bootstrap_servers` are `host:port`, several with commas between; `client` holds settings by librdkafka's names.

    Raises `StoppedError` for a `fetch.wait.max.ms` that is no number.
    """
    urls = [URL(f"kafka://{server.strip()}") for server in bootstrap_servers.split(",")]
    made = CommittedTransport(urls, app, loop=app.loop)
    wanted = client.get("fetch.wait.max.ms", made.fetch_wait_ms)
    try:
        made.fetch_wait_ms = int(wanted)
    except ValueError as error:
        raise StoppedError(f"kafka.client fetch.wait.max.ms is {wanted!r}", hint="give it in milliseconds") from error
    return made
