"""Two faults of the mechanism on a real broker: a version that is an id, and a reference whose file is missing."""

import contextlib
import itertools
import uuid
from pathlib import Path
from typing import Any

import msgspec
from confluent_kafka import Consumer, TopicPartition
from support.brokers import Broker
from support.events import model_section, rows
from support.installation import Installation
from support.results import assert_same, delivered, replayed

from monitor.cli.offline import replay_file
from monitor.config.load import parse
from monitor.kafka import topics
from monitor.reference.build import build_reference
from monitor.reference.store import write_reference

HOURS = 8.0
DRIFT = [{"method": "ks", "threshold": 0.1}, {"method": "js", "threshold": 0.1}]


def test_versions_that_are_ids_share_a_version_and_no_event_is_lost(kafka: Broker, tmp_path: Path) -> None:
    section = model_section(tmp_path / "model", drift=DRIFT, segments=[], max_versions=5)
    events = [{**event, "version": f"id-{number}"} for number, event in enumerate(rows(1_500, seed=4, hours=HOURS))]
    name = f"v{uuid.uuid4().hex[:8]}"
    installation = Installation(tmp_path / "installation", kafka.bootstrap_servers, name, [section])
    with contextlib.closing(installation):
        installation.prepare(1)
        for role in ("ingest", "evaluate", "deliver"):
            installation.start(role, f"{role}-0")
        installation.send(map(msgspec.json.encode, events), 1)
        installation.wait_until_done()
        installation.stop()
        found = delivered(installation)
        ((n_versions, n_rest),) = installation.query(
            "SELECT uniqExact(version), sumIf(events, version = '(rest)') FROM windows_latest WHERE segment = ''"
        )
    assert n_versions <= 6
    assert n_rest > 1_000
    data = tmp_path / "events.jsonl"
    data.write_bytes(b"\n".join(map(msgspec.json.encode, events)))
    replay = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [section])
    replay.close()
    replay_file(replay.path, data, tmp_path / "out", close=False)
    assert_same(found, replayed(tmp_path / "out"))


def section_of(folder: Path, name: str, **changes: Any) -> dict[str, Any]:
    """As `model_section`, of a model of another name."""
    folder.mkdir(parents=True)
    section = {
        "name": name, "task": "binary", "reference": str(folder / "m.ref"), "windows": [{"size": "1h"}],
        "lateness": "15m", "drift": DRIFT, **changes,
    }  # fmt: skip
    data = folder / "reference.jsonl"
    data.write_bytes(b"\n".join(msgspec.json.encode({**row, "model": name}) for row in rows(5_000, seed=0, hours=48)))
    config = parse(msgspec.yaml.encode({"models": [section]}).decode(), folder=folder)
    write_reference(config.models[0].reference, build_reference(config.models[0], data).reference)
    return section


def n_results(installation: Installation) -> int:
    """Messages of `drift.results`, markers included."""
    kafka = installation.config.kafka
    with contextlib.closing(
        Consumer({"bootstrap.servers": kafka.bootstrap_servers, "group.id": "none", **kafka.client_settings()})
    ) as consumer:
        topic = kafka.own_topic(topics.RESULTS)
        partitions = consumer.list_topics(topic, timeout=30).topics[topic].partitions
        ends = [consumer.get_watermark_offsets(TopicPartition(topic, number), timeout=30) for number in partitions]
    return sum(high for _, high in ends)


def test_a_model_whose_reference_is_missing_waits_and_the_other_goes_on(kafka: Broker, tmp_path: Path) -> None:
    waiting = section_of(tmp_path / "waiting", "waits")
    going = section_of(tmp_path / "going", "goes")
    name = f"p{uuid.uuid4().hex[:8]}"
    # No topic of features: ingest ends before a silent partition would be known to be idle.
    sources = {"predictions": [f"{name}-predictions"], "features": []}
    installation = Installation(
        tmp_path / "installation", kafka.bootstrap_servers, name, [waiting, going], topics=sources
    )
    events = list(rows(6_000, seed=6, hours=HOURS))
    both = [
        msgspec.json.encode({**event, "model": model}) for event, model in itertools.product(events, ("waits", "goes"))
    ]
    current = Path(waiting["reference"])
    with contextlib.closing(installation):
        installation.prepare(1)
        installation.start("ingest", "ingest-0")
        installation.send(both, 1)
        installation.wait_until_done(("ingest",))
        installation.terminate("ingest-0")
        # The reference that the sketches lie on goes away, and another one takes its name.
        stored = current.resolve()
        kept = stored.rename(tmp_path / "kept.ref")
        other = section_of(tmp_path / "other", "waits", windows=[{"size": "2h"}])
        current.unlink()
        current.write_bytes(Path(other["reference"]).read_bytes())
        for role in ("evaluate", "deliver"):
            installation.start(role, f"{role}-0")
        installation.wait_until_done(("evaluate", "deliver"))  # what waits is kept, and holds up nothing
        for role in ("evaluate", "deliver"):
            installation.terminate(f"{role}-0")
        models = "SELECT DISTINCT model FROM drift_scores ORDER BY model"
        assert installation.query(models) == [("goes",)]
        kept.rename(stored)
        before = n_results(installation)
        for role in ("evaluate", "deliver"):
            installation.start(role, f"{role}-0")
        installation.wait_for(lambda: n_results(installation) > before, "the model that waited to be scored", 120.0)
        installation.wait_until_done(("evaluate", "deliver"))
        installation.stop()
        assert installation.query(models) == [("goes",), ("waits",)]
        found = delivered(installation)
    data = tmp_path / "events.jsonl"
    data.write_bytes(b"\n".join(both))
    fresh = section_of(tmp_path / "fresh", "waits")
    replay = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [fresh, going])
    replay.close()
    replay_file(replay.path, data, tmp_path / "out", close=False)
    assert_same(found, replayed(tmp_path / "out"))
