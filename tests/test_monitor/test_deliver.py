"""Delivery while the destination is away: what the consumer group does meanwhile must lose nothing."""

import contextlib
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from confluent_kafka import KafkaException, Producer
from support.batches import batch_of
from support.brokers import Broker
from support.events import MODEL, START_MS, model_section
from support.installation import Installation
from support.refusing import Refusing

from monitor import telemetry, wiring
from monitor.process.health import Health
from monitor.roles.deliver import Deliver
from sinks.records import RECORDS, Source, encode

PARTITIONS = 4
N_A_PARTITION = 300


@pytest.fixture
def installation(kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    section = model_section(tmp_path / "model")
    name = f"d{uuid.uuid4().hex[:8]}"
    made = Installation(
        tmp_path / "installation", kafka.bootstrap_servers, name, [section], sketch_partitions=PARTITIONS
    )
    made.prepare(1)
    yield made
    made.close()


class Worker:
    """One deliver worker in a thread of this process, because one process alone can open chDB's folder."""

    def __init__(self, installation: Installation, name: str, door: threading.Event) -> None:
        # Long enough between two tries that a rebalance, and messages after it, come while the worker waits.
        self.sink = Refusing(wiring.open_destination(installation.config, "clickhouse"), door.is_set, retry_after_s=4.0)
        self.role: Deliver = wiring.deliver_role(installation.config, "clickhouse", self.sink, name, Health("deliver"))
        self._thread = threading.Thread(target=self.role.run)
        self._thread.start()

    def stop(self) -> None:
        self.role.stop()
        self._thread.join()


def send_results(installation: Installation) -> None:
    """A message a row, on every partition of our results."""
    kafka = installation.config.kafka
    topic = kafka.own_topic("results")
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    for partition in range(PARTITIONS):
        for offset in range(N_A_PARTITION):
            source = {"source_topic": "s", "source_partition": partition, "source_offset": offset}
            row = {"model": MODEL, "version": "1", "pane_start_ms": START_MS, "n": 1, **source}
            message = encode(
                batch_of(RECORDS["late_dropped"], [row]), Source(topic="s", partition=partition, offset=offset)
            )
            producer.produce(topic, message, partition=partition)
    assert producer.flush(60) == 0


def lag(installation: Installation, worker: Worker) -> float:
    """Messages of our results that are not written, as the metric says once `BrokerWatch` has looked."""
    with contextlib.suppress(KafkaException):  # the broker is asked again
        worker.role.lag.refresh()
    topic = installation.config.kafka.own_topic("results")
    (metric,) = telemetry.CONSUMER_LAG.collect()
    return sum(sample.value for sample in metric.samples if sample.labels["topic"] == topic)


@pytest.mark.parametrize("leaves", [False, True])
def test_partitions_that_change_hands_while_the_destination_is_away_lose_no_row(
    kafka: Broker, installation: Installation, leaves: bool
) -> None:
    if leaves and not kafka.transactional:
        pytest.skip(f"{kafka.kind} never hands on the partitions of a static member that has left; Apache Kafka does")
    send_results(installation)
    door = threading.Event()
    workers = [Worker(installation, "deliver-0", door)]
    try:
        installation.wait_for(lambda: workers[0].sink.refused > 0, "the first worker to be refused")
        n_rows = PARTITIONS * N_A_PARTITION
        installation.wait_for(
            lambda: lag(installation, workers[0]) == n_rows, "the lag to be shown although nothing is read"
        )
        workers.append(Worker(installation, "deliver-1", door))
        # It is refused in its turn: it has rows, so partitions have changed hands while the first was waiting.
        installation.wait_for(lambda: workers[1].sink.refused > 0, "the second worker to be refused")
        left = workers[0]
        if leaves:
            workers[0].stop()
            left = workers[1]
        again = left.sink.refused
        installation.wait_for(lambda: left.sink.refused > again, "the worker that has been waiting to try what it has")
        door.set()
        installation.wait_until_done(roles=("deliver",))
    finally:
        for worker in workers:
            worker.stop()
    assert installation.query("SELECT count(), sum(n) FROM late_dropped_latest") == [(n_rows, n_rows)]
