"""Where Faust finds its brokers, and the consumer it reads them with."""

from collections.abc import Mapping

import faust
from faust.transport.drivers import aiokafka as driver
from yarl import URL

from monitor.errors import StoppedError
from monitor.kafka.faust.consumer import CommittedConsumer, CommittedConsumerThread


class CommittedTransport(driver.Transport):
    """The transport whose consumers read committed messages, and commit none."""

    Consumer = CommittedConsumer
    fetch_wait_ms = CommittedConsumerThread.fetch_wait_ms
    """How long a broker waits that has nothing new, in milliseconds."""


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
