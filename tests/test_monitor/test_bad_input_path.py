"""Bad input through the whole path: nothing crashes, and every event is counted, late or rejected with its reason."""

import contextlib
import io
import json
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pyarrow as pa
import pytest
from confluent_kafka import Consumer, KafkaError, Producer
from support.brokers import Broker
from support.clickhouse import read
from support.events import MODEL, START_MS, encoded, model_section, rows
from support.installation import Installation

from sinks.clickhouse.client import connect
from sinks.records import Reject, decode_reject

N_GOOD = 2_000
HOURS = 6.0
HOUR_MS = 3_600_000
MIB = 1024 * 1024


class Case(NamedTuple):
    """One message, what is counted of it, and the rejects that come of it: reason, position, raw bytes.

    `featureless` are those of the counted events that speak of no feature.
    """

    value: bytes | None
    counted: int = 0
    rejects: tuple[tuple[str, int, bytes], ...] = ()
    late: int = 0
    featureless: int = 0


def event(**changes: Any) -> dict[str, Any]:
    good = next(rows(1, seed=3, hours=1.0))
    return {**good, "timestamp": START_MS + HOUR_MS, **changes}


def encode(value: object) -> bytes:
    return msgspec.json.encode(value)


def arrow(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def flat(n: int) -> pa.Table:
    return pa.table(
        {
            "model": [MODEL] * n,
            "version": ["1"] * n,
            "timestamp": [START_MS + HOUR_MS + i for i in range(n)],
            "amount": [1.0] * n,
            "age": [30] * n,
            "color": ["red"] * n,
            "site": ["north"] * n,
            "score": [0.5] * n,
            "label": ["no"] * n,
        }
    )


def corrupt(stream: bytes) -> bytes:
    """Offsets of a text column that point outside its data."""
    needle = bytes([0, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0, 0])
    at = stream.index(needle)
    return stream[: at + 4] + b"\xff\xff\xff\x7f" + stream[at + 8 :]


def whole(value: bytes | None, reason: str) -> Case:
    """A message that is one reject, its raw bytes the message's."""
    return Case(value, rejects=((reason, 0, value or b""),))


GOOD = encode(event())
NO_TIME = encode({"model": MODEL, "features": {}})
PYTHONS = json.dumps(event(features={"amount": float("nan"), "age": float("inf"), "color": "red", "site": "north"}))
CORPUS: dict[str, Case] = {
    "truncated": whole(GOOD[:-20], "undecodable"),
    "deep nesting": whole(b"[" * 100_000, "undecodable"),
    "10 MB": whole(encode(event(padding="x" * 10 * MIB)), "oversize"),
    "invalid UTF-8": whole(
        GOOD.replace(b"north", b"\xff\xfe").replace(b"south", b"\xff\xfe").replace(b"east", b"\xff"), "undecodable"
    ),
    "tombstone": whole(None, "undecodable"),
    "empty": whole(b"", "undecodable"),
    "unknown model": whole(encode(event(model="somebody-elses")), "unknown_model"),
    "no timestamp": whole(NO_TIME, "bad_timestamp"),
    "a clock in 2100": whole(encode(event(timestamp=4_102_444_800_000)), "bad_timestamp"),
    "a clock in 1970": whole(encode(event(timestamp=1_000)), "bad_timestamp"),
    "a clock in 1992": Case(encode(event(timestamp=700_000_000_000)), late=1),
    "Python's NaN and Infinity": Case(PYTHONS.encode(), counted=1),
    "text where numbers belong": Case(encode(event(features={"amount": "much", "age": [1], "color": 7})), counted=1),
    "no features, no prediction": Case(
        encode({"model": MODEL, "version": "1", "timestamp": START_MS}), counted=1, featureless=1
    ),
    "a number": whole(b"17", "schema"),
    "an array with a bad one": Case(
        b"[" + GOOD + b"," + NO_TIME + b"," + GOOD + b"]", counted=2, rejects=(("bad_timestamp", 1, NO_TIME),)
    ),
    "lines, the last cut off": Case(
        GOOD + b"\n" + GOOD + b"\n" + GOOD[:50], counted=2, rejects=(("undecodable", 2, GOOD[:50]),)
    ),
    "Arrow": Case(arrow(flat(50)), counted=50),
    "Arrow without timestamps": whole(arrow(flat(5).drop_columns(["timestamp"])), "schema"),
    "Arrow with a corrupt buffer": whole(corrupt(arrow(flat(5))), "undecodable"),
}


@pytest.fixture
def installation(kafka: Broker, tmp_path: Path) -> Iterator[Installation]:
    section = model_section(tmp_path / "model")
    name = f"b{uuid.uuid4().hex[:8]}"
    made = Installation(tmp_path / "installation", kafka.bootstrap_servers, name, [section])
    made.prepare(1)
    yield made
    made.close()


def test_every_bad_event_is_counted_late_or_rejected_with_its_reason(installation: Installation) -> None:
    for role in ("ingest", "evaluate", "deliver"):
        installation.start(role, f"{role}-0")
    good = [message for message in encoded(N_GOOD, seed=5, hours=HOURS) if message.endswith(b"}")]
    installation.send(good, 1)
    installation.wait_until_done()  # so that a clock in 1992 is late, and not the beginning of time
    offsets = send_corpus(installation, after=len(good))
    closing = encode(event(timestamp=START_MS + int(HOURS + 48) * HOUR_MS))
    installation.send([closing], 1)
    installation.wait_until_done()
    installation.stop()  # asserts nothing by itself; `wait_until_done` fails when a role has ended

    expected = Counter(
        (offsets[name], index, reason, raw) for name, case in CORPUS.items() for reason, index, raw in case.rejects
    )
    assert in_clickhouse(installation) == expected
    assert on_the_topic(installation) == expected
    n_counted = len(good) + sum(case.counted for case in CORPUS.values())
    events = installation.query(
        "SELECT sum(events) FROM windows_latest WHERE segment = '' AND window_end - window_start = 3600"
    )
    assert events == [(n_counted,)]
    of_age = installation.query(
        "SELECT sum(n + nulls + invalid) FROM column_profiles_latest WHERE segment = '' AND column = 'age'"
    )
    assert of_age == [(n_counted - sum(case.featureless for case in CORPUS.values()),)]
    assert installation.query("SELECT sum(n) FROM late_dropped FINAL") == [(1,)]
    invalid = installation.query(
        "SELECT column, sum(invalid) FROM column_profiles_latest WHERE segment = '' AND invalid > 0 "
        "GROUP BY column ORDER BY 1"
    )
    assert invalid == [("age", 2), ("amount", 2)]


def send_corpus(installation: Installation, after: int) -> dict[str, int]:
    """Send every case to partition 0; returns the offset of each."""
    producer = Producer(
        {"bootstrap.servers": installation.config.kafka.bootstrap_servers, "message.max.bytes": 16 * MIB}
    )
    for case in CORPUS.values():
        producer.produce(installation.source, case.value, partition=0)
    assert producer.flush(60) == 0
    return {name: after + position for position, name in enumerate(CORPUS)}


def in_clickhouse(installation: Installation) -> Counter[tuple[int, int, str, bytes]]:
    with contextlib.closing(connect(installation.config.destinations["clickhouse"].dsn.reveal())) as client:
        return Counter(key_of(Reject(**row)) for row in read(client, "reject"))


def on_the_topic(installation: Installation) -> Counter[tuple[int, int, str, bytes]]:
    """What a person who reprocesses the dead letters would read."""
    kafka = installation.config.kafka
    consumer = Consumer(
        {
            "bootstrap.servers": kafka.bootstrap_servers,
            "group.id": f"test-{uuid.uuid4()}",
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "enable.partition.eof": True,
            "fetch.message.max.bytes": 16 * MIB,
        }
    )
    consumer.subscribe([kafka.own_topic("rejects")])
    found: Counter[tuple[int, int, str, bytes]] = Counter()
    ends: set[int] = set()
    while len(ends) < kafka.sketch_partitions:
        message = consumer.poll(30)
        assert message is not None
        error = message.error()
        if error is not None:
            assert error.code() == KafkaError._PARTITION_EOF
            ends.add(message.partition() or 0)
            continue
        found[key_of(decode_reject(message.headers(), message.value()))] += 1  # type: ignore[arg-type]
    consumer.close()
    return found


def key_of(reject: Reject) -> tuple[int, int, str, bytes]:
    return reject.source_offset, reject.event_index, reject.reason, reject.raw
