"""From the end of a window to its rows in ClickHouse, through the roles as they run in production.

Ingest and evaluate are processes of their own, deliver a thread of the measured process, all with the intervals that
the configuration has by default, on one CPU. Windows of one second of event time follow each other at random moments,
so that no commit interval can lock onto them. The clock of a window starts when the broker has acknowledged the event
that ends it, and stops when the write that holds its rows has returned.
"""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import pyarrow as pa
from confluent_kafka import Consumer, Producer

from monitor import wiring
from monitor.bench import data
from monitor.bench.kafka import GIVE_UP_S
from monitor.bench.size import Material, Size
from monitor.cli.roles import role_commands
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.errors import StoppedError
from monitor.kafka.clients import consumer_settings, producer_settings
from monitor.process.health import Health
from monitor.process.supervisor import Supervisor
from sinks.destination import Destination, Written
from sinks.records import record_of

CONFIG: Final = "latency.yaml"
WINDOW_MS: Final = 1_000
EVENTS_A_WINDOW: Final = 300  # enough for a verdict
BETWEEN_S: Final = (0.2, 0.8)  # from one window to the next, drawn anew each time
HOPS: Final = 3  # events, sketches, results

Work = Callable[[], Mapping[str, float]]


def prepare(folder: Path, section: Mapping[str, object], _size: Size) -> Config:
    """Write the configuration, and make topics and tables."""
    config = data.configure(
        folder / CONFIG,
        section,
        model={"windows": [{"size": f"{WINDOW_MS}ms"}], "lateness": "0s", "retention": "10s"},
        destinations={"clickhouse": {"dsn": f"chdb://{folder / 'clickhouse'}"}},
        state_dir=str(folder / "state"),
    )
    wiring.prepare_topics(config, {config.kafka.topics.predictions[0]: 1})
    wiring.migrate(config)
    return config


class _Noting:
    """A sink that notes when the rows of each window were written."""

    def __init__(self, sink: Destination) -> None:
        self._sink = sink
        self.written_s: dict[int, float] = {}

    @property
    def takes(self) -> frozenset[str]:
        """As the sink."""
        return self._sink.takes

    def setup(self) -> None:
        """As the sink."""
        self._sink.setup()

    def write(self, batches: Sequence[pa.RecordBatch]) -> Written:
        """As the sink."""
        written = self._sink.write(batches)
        now_s = time.monotonic()
        for batch in batches:
            if record_of(batch).name == "drift_score":
                ends_ms: Any = batch.column("window_end_ms").unique().to_pylist()
                self.written_s.update(dict.fromkeys(ends_ms, now_s))
        return written

    def close(self) -> None:
        """As the sink."""
        self._sink.close()


class _Stream:
    """Sends windows, one after the other."""

    def __init__(self, config: Config, folder: Path) -> None:
        self._topic = config.kafka.topics.predictions[0]
        self._producer = Producer(producer_settings(config.kafka))
        self._events = [msgspec.json.decode(raw) for raw in data.read_json(folder)[:EVENTS_A_WINDOW]]
        self._n_sent = 0

    def send(self) -> tuple[int, float]:
        """The next window; the end of the one before, which it ends, and when the broker had the event that did."""
        start_ms = data.START_MS + self._n_sent * WINDOW_MS
        self._n_sent += 1
        for number, event in enumerate(self._events):
            event["timestamp"] = start_ms + number * WINDOW_MS // EVENTS_A_WINDOW
            self._producer.produce(self._topic, msgspec.json.encode(event))
            if number == 0:
                self._producer.flush(GIVE_UP_S)
                ended_s = time.monotonic()
        self._producer.flush(GIVE_UP_S)
        return start_ms, ended_s


def close_to_row(material: Material) -> Work:
    """The delays of some windows: their median and their 99th percentile, in seconds."""
    path = material.folder / CONFIG
    config = load(path)
    supervisor = Supervisor(role_commands(path, ()), environment={"DRIFTLINE_LOG_LEVEL": "warning"})
    supervisor.start()  # they end with this process
    sink = _Noting(wiring.open_destination(config, "clickhouse"))
    deliver = wiring.deliver_role(config, "clickhouse", sink, "bench", Health("deliver"))
    threading.Thread(target=deliver.run, daemon=True).start()
    stream, chance = _Stream(config, material.folder), np.random.default_rng(data.SEED)

    def wait_for(end_ms: int) -> float:
        give_up_s = time.monotonic() + GIVE_UP_S
        while end_ms not in sink.written_s:
            if time.monotonic() > give_up_s:
                raise StoppedError(f"a window was not in ClickHouse after {GIVE_UP_S:.0f} s")
            time.sleep(0.01)
        return sink.written_s[end_ms]

    def work() -> Mapping[str, float]:
        ended: list[tuple[int, float]] = []
        for _ in range(material.size.windows):
            time.sleep(chance.uniform(*BETWEEN_S))
            ended.append(stream.send())
        return _quantiles([wait_for(end_ms) - ended_s for end_ms, ended_s in ended])

    stream.send()
    wait_for(stream.send()[0])  # the groups have formed, and every role has worked once
    return work


def hops(material: Material) -> Work:
    """A message sent and read back as often as an event's counts are on their way to ClickHouse."""
    config = load(material.folder / CONFIG)
    topic = f"{config.kafka.consumer_group}-hops"
    wiring.prepare_topics(config, {topic: 1})
    producer = Producer({**producer_settings(config.kafka), "linger.ms": 0})
    consumer = Consumer(consumer_settings(config.kafka, "hops"))
    consumer.subscribe([topic])

    def hop() -> None:
        producer.produce(topic, b"x")
        producer.flush(GIVE_UP_S)
        message = consumer.poll(GIVE_UP_S)
        if message is None or message.error() is not None:
            raise StoppedError("the broker did not give back a message")

    def work() -> Mapping[str, float]:
        delays = []
        for _ in range(max(2, material.size.windows // 4)):
            started_s = time.monotonic()
            for _ in range(HOPS):
                hop()
            delays.append(time.monotonic() - started_s)
        return _quantiles(delays)

    hop()
    return work


def _quantiles(delays_s: list[float]) -> Mapping[str, float]:
    median, most = np.quantile(delays_s, [0.5, 0.99], method="higher")
    return {"median": float(median), "p99": float(most)}
