"""Nothing is lost in silence: of generated topics with anything wrong, on a real broker, every event is counted,
rejected or too late.
"""

import base64
import contextlib
import gzip
import io
import json
import uuid
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.anything import ROWS, columns, nested
from support.brokers import Broker
from support.events import MODEL, START_MS
from test_monitor.test_ingest_broker import PARTITIONS, configure, running, wait_for

from monitor import models, telemetry
from monitor.config.load import load
from monitor.config.schema import Config
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source as Position
from monitor.eventtime.watermark import Clock
from monitor.kafka import topics
from monitor.kafka.progress import GroupProgress
from monitor.process.health import Health
from monitor.reference.opened import open_references
from monitor.sketching.messages import SketchMessage, decode
from sinks.records import record_of

HOUR_MS: Final = 3_600_000
FAR_MS: Final = 4_000_000_000_000
ROLES: Final = ("predictions", "features")


class Sent(NamedTuple):
    """A message, how many events it is (what nobody can tell events in is one), its media type, its topic's place."""

    value: bytes | None
    n: int
    kind: str = ""
    topic: int = 0


class Source(NamedTuple):
    """A topic that events come by.

    `told` makes the content-type header of a message of its media type; None: its messages have none.
    """

    role: str
    partitions: int
    told: Callable[[str], str] | None
    settings: Mapping[str, str] = {}


SOURCES: Final = (
    Source("predictions", 2, None),
    Source("predictions", 1, lambda kind: kind, {"compression.type": "zstd"}),
    Source(
        "predictions", 3, lambda kind: kind.upper() + "; charset=utf-8", {"message.timestamp.type": "LogAppendTime"}
    ),
    Source("predictions", 1, lambda _kind: "application/octet-stream", {"cleanup.policy": "compact,delete"}),
    Source("features", 2, None, {"compression.type": "lz4"}),
    Source("features", 1, lambda kind: kind, {"compression.type": "gzip", "segment.bytes": "1048576"}),
    Source("predictions", 1, lambda kind: kind, {"compression.type": "snappy", "max.message.bytes": "4000000"}),
    Source("predictions", 2, None, {"compression.type": "uncompressed", "retention.ms": "-1"}),
)


def stream(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=7)
    return sink.getvalue()


@st.composite
def messages(draw: st.DrawFn) -> Sent:
    rows = draw(ROWS)
    events = [json.dumps(nested(row) if draw(st.booleans()) else row).encode() for row in rows]
    one = events[0]
    form = draw(
        st.sampled_from(
            ["one", "array", "lines", "arrow", "cut", "cut lines", "cut array", "cut arrow", "bytes", "wrapped"]
        )
    )
    if form == "array":
        return Sent(b"[" + b", ".join(events) + b"]", len(events), "application/json")
    if form == "lines":
        end = draw(st.sampled_from([b"", b"\n", b"\n\n"]))
        return Sent(b"\n".join(events) + end, len(events), "application/x-ndjson")
    if form == "arrow":
        return Sent(stream(columns(rows)), len(rows), "application/vnd.apache.arrow.stream")
    if form == "cut":
        return Sent(one[: draw(st.integers(0, len(one) - 1))], 1)
    if form == "cut lines":
        return Sent(b"\n".join([*events, one[:-1]]), len(events) + 1)
    if form == "cut array":
        return Sent(b"[" + b",".join(events), 1)
    if form == "cut arrow":
        return Sent(stream(columns(rows))[: draw(st.integers(8, 40))], 1)
    if form == "bytes":
        return Sent(draw(st.one_of(st.none(), st.binary(max_size=20).filter(lambda data: b"\n" not in data))), 1)
    if form == "wrapped":
        wrap = draw(st.sampled_from([base64.b64encode, gzip.compress, lambda data: b"\0\0\0\0\7" + data, _as_python]))
        return Sent(wrap(one), 1)
    return Sent(one, 1, "application/json")


def _as_python(event: bytes) -> bytes:
    """A dictionary as Python prints it."""
    return repr(json.loads(event)).encode()


class Ingested:
    """An ingest worker on topics of its own, and what it has told so far."""

    def __init__(self, config: Config) -> None:
        self.config = config
        self.n_sent = self.n_counted = self.n_rejected = 0
        self._producer = Producer({"bootstrap.servers": config.kafka.bootstrap_servers, "log_level": 0})
        self._before = self._told()

    def send(self, sent: list[Sent]) -> None:
        """Send messages, wait until they are committed, and compare what the worker counted."""
        names = topic_names(self.config)
        for number, message in enumerate(sent):
            source = SOURCES[message.topic]
            told = [("content-type", source.told(message.kind))] if source.told and message.kind else []
            self._producer.produce(
                names[message.topic],
                message.value,
                partition=number % source.partitions,
                key=b"" if "compact" in source.settings.get("cleanup.policy", "") else None,
                headers=told,
            )
        assert self._producer.flush(30) == 0
        n = sum(message.n for message in sent)
        self.n_sent += n
        wait_for(lambda: sum(self._told()) - sum(self._before) >= n, "the commit to be counted")
        counted, rejected = (now - before for now, before in zip(self._told(), self._before, strict=True))
        self._before = self._told()
        self.n_counted, self.n_rejected = self.n_counted + counted, self.n_rejected + rejected
        assert counted + rejected == n, sent

    def _told(self) -> tuple[int, int]:
        """Events counted and rejected, by the metrics of this process."""
        rejects = [
            sample.value
            for family in telemetry.REJECTS.collect()
            for sample in family.samples
            if sample.name.endswith("_total")
        ]
        return int(telemetry.EVENTS.labels(MODEL)._value.get()), int(sum(rejects))


@pytest.fixture(scope="module")
def ingested(transactional_kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingested]:
    name = f"a{uuid.uuid4().hex[:8]}"
    of_role = {role: [f"{name}-{i}" for i, one in enumerate(SOURCES) if one.role == role] for role in ROLES}
    path = configure(tmp_path_factory.mktemp("topics"), transactional_kafka, topics={**of_role, "labels": []})
    config = load(path)
    first, *others = topic_names(config)
    assert (first, SOURCES[0].partitions) == (config.kafka.topics.predictions[0], PARTITIONS), "made already"
    admin = AdminClient({"bootstrap.servers": transactional_kafka.bootstrap_servers})
    made = admin.create_topics(
        [
            NewTopic(topic, one.partitions, 1, config=dict(one.settings))
            for topic, one in zip(others, SOURCES[1:], strict=True)
        ]
    )
    for future in made.values():
        future.result(30)
    with running(config, Health("ingest")):
        yield Ingested(config)


def topic_names(config: Config) -> list[str]:
    """In the order of `SOURCES`."""
    own = config.kafka.topics
    return sorted((*own.predictions, *own.features))


def all_caught_up(config: Config) -> bool:
    """Whether everything on all topics is committed."""
    group = f"{config.kafka.consumer_group}-ingest"
    for topic in topic_names(config):
        with contextlib.closing(GroupProgress(config.kafka, group, topic)) as progress:
            if not progress.caught_up():
                return False
    return True


def read_all(config: Config, topic: str) -> list[bytes]:
    """What is committed on it."""
    settings_ = {
        "bootstrap.servers": config.kafka.bootstrap_servers, "group.id": "reader", "isolation.level": "read_committed",
        "auto.offset.reset": "earliest", "enable.partition.eof": True, "enable.auto.commit": False,
    }  # fmt: skip
    name, found, ends = config.kafka.own_topic(topic), list[bytes](), set[int]()
    with contextlib.closing(Consumer(settings_)) as consumer:
        n_partitions = len(consumer.list_topics(name, 30).topics[name].partitions)
        consumer.subscribe([name])

        def ended() -> bool:
            for message in consumer.consume(1_000, 1.0):
                if message.error():
                    ends.add(message.partition() or 0)
                else:
                    found.append(message.value() or b"")
            return len(ends) == n_partitions

        wait_for(ended, f"the end of {topic}")
    return found


def evaluated(config: Config, sketches: list[bytes]) -> tuple[int, int]:
    """How many events evaluate counts in windows of an hour, and how many are too late.

    Of hours alone: where longer windows overlap them, an event that is too late for its hour is none for these.
    """
    hourly = tuple(msgspec.structs.replace(model, windows=model.windows[:1]) for model in config.models)
    config = msgspec.structs.replace(config, models=hourly)
    evaluator, state = Evaluator(models.watched(config, open_references(config))), dict[bytes, bytes]()
    last = Clock(topic="end", partition=0, max_event_ms=FAR_MS)
    closing = SketchMessage(deltas=[], clocks=[last], n_partitions={"end": 1})
    hours: dict[tuple[object, ...], tuple[int, int]] = {}
    n_late = 0
    for offset, message in enumerate([*map(decode, sketches), closing]):
        step = evaluator.advance(state, message, Position(topic="t", partition=0, offset=offset))
        for key, value in [*step.writes, step.seal]:
            if value is None:
                state.pop(key, None)
            else:
                state[key] = value
        for batch in step.results:
            for row in batch.to_pylist() if record_of(batch).name in ("window", "late_dropped") else ():
                if record_of(batch).name == "late_dropped":
                    n_late += row["n"]
                elif not row["segment"] and row["window_end_ms"] - row["window_start_ms"] == HOUR_MS:
                    place = (row["version"], row["window_start_ms"])
                    hours[place] = max(hours.get(place, (0, 0)), (row["revision"], row["events"]))
    return sum(n for _, n in hours.values()), n_late


def account(ingested: Ingested) -> None:
    """All that was sent since the worker began lies on its topics, and evaluate loses none of it."""
    wait_for(lambda: all_caught_up(ingested.config), "all messages to be committed")
    sketches = read_all(ingested.config, topics.SKETCHES)
    n_sketched = sum(
        entry.n for data in sketches for delta in decode(data).deltas for entry in delta.entries if not entry.segment
    )
    assert n_sketched == ingested.n_counted
    assert len(read_all(ingested.config, topics.REJECTS)) == ingested.n_rejected
    n_in_windows, n_late = evaluated(ingested.config, sketches)
    assert n_in_windows + n_late + ingested.n_rejected == ingested.n_sent
    assert min(n_in_windows, n_late, ingested.n_rejected) > 0, "all of these were among what was sent"


def send_one_of_each(ingested: Ingested) -> None:
    """What is counted, then what is late beside it, and what is no event."""

    def at(at_ms: int, topic: int) -> Sent:
        event = {"model": MODEL, "timestamp": at_ms, "features": {"amount": 1.0}}
        return Sent(json.dumps(event).encode(), 1, "application/json", topic)

    for topic, source in enumerate(SOURCES):  # time goes on where all partitions have brought something
        ingested.send([at(START_MS + HOUR_MS, topic)] * source.partitions)
    for topic in range(len(SOURCES)):
        ingested.send([at(START_MS - 60 * 24 * HOUR_MS, topic), Sent(b"no event", 1, topic=topic)])


BATCHES: Final = st.lists(
    st.builds(lambda sent, topic: sent._replace(topic=topic), messages(), st.integers(0, len(SOURCES) - 1)),
    min_size=1,
    max_size=6,
)


@pytest.mark.parametrize("n", [30, pytest.param(500, marks=pytest.mark.long)])
def test_every_event_of_any_topic_is_counted_rejected_or_late(ingested: Ingested, n: int) -> None:
    @settings(max_examples=n, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(sent=BATCHES)
    def batches(sent: list[Sent]) -> None:
        ingested.send(sent)

    send_one_of_each(ingested)
    batches()
    account(ingested)
