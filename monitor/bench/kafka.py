"""From Kafka to committed deltas: the real ingest role against a broker, beside a consumer that only reads.

Both start their clocks when their partitions are assigned (joining a group takes what the broker's timeouts say, and
says nothing about speed) and stop them at the last event: read, or committed.
"""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from monitor import wiring
from monitor.bench import data
from monitor.bench.size import Material, Size
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.embedded.broker import EmbeddedBroker
from monitor.embedded.profile import CLIENT, SESSION_TIMEOUT
from monitor.errors import StoppedError
from monitor.events.batch import Decoded
from monitor.kafka.clients import common_settings, consumer_settings, producer_settings
from monitor.kafka.decoding import KafkaDecoder
from monitor.models import message_decoder
from monitor.process.health import Health
from monitor.reference.opened import open_references
from monitor.roles.ingest import Ingest
from monitor.sketching.ingest_step import IngestStep
from monitor.sketching.received import Received

CONFIG = "kafka.yaml"
PARTITIONS = 3
GIVE_UP_S = 120.0
_PREFIX = "driftline-bench"

Work = Callable[[], Mapping[str, float]]


@contextlib.contextmanager
def broker() -> Iterator[tuple[str, str]]:
    """(bootstrap servers, what it is): `KAFKA_BOOTSTRAP_SERVERS` if set, else the embedded broker."""
    servers = os.environ.get("KAFKA_BOOTSTRAP_SERVERS", "")
    if servers:
        yield servers, "KAFKA_BOOTSTRAP_SERVERS"
        return
    with EmbeddedBroker() as embedded:
        yield embedded.bootstrap_servers, "the embedded broker (Tansu, in memory)"


def section(bootstrap_servers: str) -> dict[str, object]:
    """The configuration's `kafka` section for a run, as the embedded profile has it; topics and groups are its own."""
    name = f"{_PREFIX}-{uuid.uuid4().hex[:8]}"
    return {
        "bootstrap_servers": bootstrap_servers,
        "topics": {"predictions": [name], "features": [], "labels": []},
        "topic_prefix": f"{name}.drift",
        "consumer_group": name,
        "session_timeout": SESSION_TIMEOUT,
        "client": CLIENT,
    }


def prepare(folder: Path, section: Mapping[str, object], size: Size) -> Config:
    """Write the configuration, make the topics, and send the events: the messages again and again."""
    config = data.configure(folder / CONFIG, section)
    (topic,) = config.kafka.topics.predictions
    wiring.prepare_topics(config, {topic: PARTITIONS})
    try:
        _fill(config, topic, data.read_json(folder), size.kafka_events)
    except StoppedError:
        remove(config)
        raise
    return config


def _fill(config: Config, topic: str, messages: Sequence[bytes], n: int) -> None:
    producer = Producer({**producer_settings(config.kafka), "linger.ms": 50})
    for number in range(n):
        while True:
            try:
                producer.produce(topic, messages[number % len(messages)], partition=number % PARTITIONS)
                break
            except BufferError:
                producer.poll(0.1)
    if producer.flush(GIVE_UP_S):
        raise StoppedError("the broker did not take the benchmark's events")


def remove(config: Config) -> None:
    """Take the run's topics off a broker that may be somebody's own. Its empty groups expire by themselves.

    A broker that does not answer keeps them: what went wrong before is what a person should hear of.
    """
    with contextlib.suppress(KafkaException):
        admin = AdminClient(common_settings(config.kafka))
        topics = [name for name in admin.list_topics(timeout=10).topics if name.startswith(config.kafka.consumer_group)]
        for future in admin.delete_topics(topics).values() if topics else ():
            future.result(timeout=30)


class _Clock(Health):
    """Hears from the role when it has its partitions, and when a commit is done; stops the role at the last one."""

    def __init__(self, n_wanted: int) -> None:
        super().__init__("bench")
        self.n_decoded = 0
        self._n_wanted = n_wanted
        self.started: tuple[float, float] | None = None
        self.measures: Mapping[str, float] = {}
        self.stop: Callable[[], None] = lambda: None

    def ready(self) -> None:
        """Partitions were assigned, or a turn of the loop is over."""
        super().ready()
        if self.started is None:
            self.started = _now()
        elif self.n_decoded >= self._n_wanted and not self.measures:
            self.measures = _measures(self.started, self.n_decoded)
            self.stop()


def ingest(material: Material) -> Work:
    """A new ingest worker in a new group reads the topic from its beginning."""
    config = load(material.folder / CONFIG)
    references = open_references(config)
    decoder = message_decoder(config, references)
    (model,) = config.models

    def work() -> Mapping[str, float]:
        clock = _Clock(material.size.kafka_events)
        decode_messages = KafkaDecoder(decoder, config.kafka.topics)

        def decode(received: Received, now_ms: int) -> Decoded:
            decoded = decode_messages(received, now_ms)
            clock.n_decoded += decoded.n_events
            return decoded

        kafka = msgspec.structs.replace(config.kafka, consumer_group=f"{config.kafka.consumer_group}-{_unique()}")
        step = IngestStep(kafka, decode, {model.name: references[model.name].current}, {model.name: model})
        role = Ingest(kafka, step, worker="bench", health=clock)
        clock.stop = role.stop
        overdue = threading.Timer(GIVE_UP_S, role.stop)
        overdue.start()
        try:
            role.run()
        finally:
            overdue.cancel()
        if not clock.measures:
            raise StoppedError(
                f"ingest read {clock.n_decoded} of {material.size.kafka_events} events in {GIVE_UP_S:.0f} s"
            )
        return clock.measures

    return work


def consume(material: Material) -> Work:
    """A new consumer with the role's settings reads the topic from its beginning, and looks at nothing."""
    kafka = load(material.folder / CONFIG).kafka

    def work() -> Mapping[str, float]:
        own = msgspec.structs.replace(kafka, consumer_group=f"{kafka.consumer_group}-{_unique()}")
        consumer = Consumer(consumer_settings(own, "ingest"))
        assigned: list[tuple[float, float]] = []

        def on_assign(_consumer: Consumer, _partitions: list[TopicPartition]) -> None:
            assigned.append(_now())

        consumer.subscribe(list(kafka.topics.predictions), on_assign=on_assign)
        n = 0
        deadline_s = time.monotonic() + GIVE_UP_S
        while n < material.size.kafka_events:
            n += sum(message.error() is None for message in consumer.consume(1_000, timeout=0.1))
            if time.monotonic() > deadline_s:
                raise StoppedError(f"the broker gave {n} of {material.size.kafka_events} events in {GIVE_UP_S:.0f} s")
        measures = _measures(assigned[0], n)
        consumer.close()
        return measures

    return work


def _unique() -> str:
    return uuid.uuid4().hex[:8]


def _now() -> tuple[float, float]:
    return time.perf_counter(), time.process_time()


def _measures(started: tuple[float, float], n: int) -> Mapping[str, float]:
    wall_s, cpu_s = (now - before for now, before in zip(_now(), started, strict=True))
    return {"rate": n / wall_s, "cpu_rate": n / cpu_s}
