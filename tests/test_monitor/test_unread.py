"""What of events is in no sketch: counted alike in every format and batch, and sent with the sketches."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from support.evaluate_role import EvaluateRole
from support.events import MODEL, START_MS, model_section, rows

from monitor import models, wiring
from monitor.cli.offline import replay_file
from monitor.config.load import load, parse
from monitor.config.schema import Config
from monitor.decisions.wire import decode_alert
from monitor.events.decoder import MessageDecoder
from monitor.events.json.decoder import JsonDecoder
from monitor.events.looked import ONE_IN
from monitor.eventtime.watermark import Clock
from monitor.reference.opened import open_references
from monitor.sketching.ingest_step import Now
from monitor.sketching.messages import SketchMessage, UnreadCounts, decode
from monitor.sketching.received import Received

HOUR_MS = 3_600_000
N, HOURS = 6_000, 24.0
encode = msgspec.json.Encoder().encode


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    folder = tmp_path_factory.mktemp("model")
    section = model_section(folder)
    del section["drift"]  # the default methods, which look at missing and invalid values too
    document = {"models": [section], "kafka": {"sketch_partitions": 1}}
    return parse(msgspec.yaml.encode(document).decode(), folder=folder)


def stream(*, new_from: float = 0.5, bad_from: float = 2.0, renamed: bool = False) -> list[dict[str, Any]]:
    """In the later part of the stream events have a feature `tenure`, and an id that is no id."""
    found = list(rows(N, seed=3, hours=HOURS))
    for i, row in enumerate(found):
        if i >= new_from * N:
            row["features"]["tenure"] = i % 7
            if renamed:
                row["features"]["Amount"] = row["features"].pop("amount")
        if i >= bad_from * N and i % 3 == 0:
            row["prediction_id"] = [1]
    return found


def received(config: Config, events: list[bytes], sent_ms: int | Sequence[int] = START_MS) -> Received:
    """Messages sent a millisecond after each other, or when it says."""
    return Received(
        values=events,
        partitions=[(config.kafka.topics.predictions[0], 0)],
        partition_of=np.zeros(len(events), dtype=np.int64),
        offsets=np.arange(len(events)),
        sent_ms=lambda message: sent_ms + message if isinstance(sent_ms, int) else sent_ms[message],
    )


def messages_of(
    config: Config, events: list[bytes], size: int, sent_ms: int | Sequence[int] = START_MS
) -> list[SketchMessage]:
    """What ingest sends of these, `size` at a time."""
    step = wiring.ingest_step(config)
    step.assign([(config.kafka.topics.predictions[0], 0)], 0.0)
    step.expect({config.kafka.topics.predictions[0]: 1})
    found = []
    whole = received(config, events, sent_ms)
    for first in range(0, len(events), size):
        commit = step.take(whole.part(slice(first, first + size)), [], Now(0.0, int(time.time() * 1000)))
        assert commit is not None
        step.committed()
        found += [decode(one.value) for one in commit.outgoing if one.topic == config.kafka.own_topic("sketches")]
    return found


def added(found: list[UnreadCounts]) -> dict[int, tuple[dict[str, int], int, dict[str, int]]]:
    """By pane."""
    total: dict[int, tuple[dict[str, int], int, dict[str, int]]] = {}
    for one in found:
        rejects, n, features = total.get(one.pane_start_ms, ({}, 0, {}))
        for name, count in one.rejects.items():
            rejects[name] = rejects.get(name, 0) + count
        for name, count in one.features.items():
            features[name] = features.get(name, 0) + count
        total[one.pane_start_ms] = (rejects, n + one.n_looked, features)
    return total


def test_counts_are_the_same_in_any_batches_and_on_both_paths_of_json(config: Config) -> None:
    events = [encode(row) for row in stream(bad_from=0.5)]
    whole = added([one for message in messages_of(config, events, N) for one in message.unread])
    parts = added([one for message in messages_of(config, events, 371) for one in message.unread])
    assert whole == parts
    n_looked = sum(n for _, n, _ in whole.values())
    assert 0.7 * N / ONE_IN < n_looked < 1.3 * N / ONE_IN
    specs = models.model_specs(config, open_references(config))
    now_ms = int(time.time() * 1000)
    quick, slow = (
        JsonDecoder(specs, forgiving_only=only).decode(events, "predictions", now_ms).looked[MODEL]
        for only in (False, True)
    )
    assert (sorted(quick.times_ms), quick.features.keys()) == (sorted(slow.times_ms), slow.features.keys())


def test_several_events_a_message_and_arrow_name_the_same_events(config: Config) -> None:
    found = stream()
    specs = models.model_specs(config, open_references(config))
    now_ms = int(time.time() * 1000)
    table = pa.Table.from_pylist(found)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table, max_chunksize=500)
    forms = {
        "one": [encode(row) for row in found],
        "an array": [encode(found[first : first + 100]) for first in range(0, N, 100)],
        "lines": [b"\n".join(map(encode, found[first : first + 50])) for first in range(0, N, 50)],
        "arrow": [sink.getvalue().to_pybytes()],
    }
    looked = {
        name: MessageDecoder(specs).decode_messages(values, None, "predictions", now_ms).looked[MODEL]
        for name, values in forms.items()
    }
    expected = sorted(looked["one"].times_ms)
    assert expected
    assert set(looked["one"].features) == {"tenure"}
    for one in looked.values():
        assert sorted(one.times_ms) == expected
        assert sorted(one.features["tenure"]) == sorted(looked["one"].features["tenure"])


def test_a_reject_counts_at_its_own_time_else_at_that_of_its_message(config: Config) -> None:
    good, bad_id = stream()[0], {**stream()[0], "prediction_id": {}}
    events = [encode(good), encode(bad_id), b"{", encode({**good, "model": "other"})]
    sent_ms = START_MS + 30 * HOUR_MS
    unread = [one for message in messages_of(config, events, 4, sent_ms) for one in message.unread]
    # Of one model alone there is no doubt whose events they were.
    assert {at: rejects for at, (rejects, _, _) in added(unread).items() if rejects} == {
        START_MS: {"missing_id": 1}, sent_ms: {"undecodable": 1, "unknown_model": 1},
    }  # fmt: skip
    assert all(not one.rejects for message in messages_of(config, [b"{"], 1, -1) for one in message.unread)


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The configuration of two models."""
    folder = tmp_path_factory.mktemp("two")
    sections = [model_section(folder), model_section(folder / "n", name="n")]
    document = {"models": sections, "kafka": {"sketch_partitions": 1}, "metrics": {"listen": "off"}}
    (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode(document))
    return folder / "driftline.yaml"


def of_two() -> list[dict[str, Any]]:
    """Events of both models in turn, and in the last quarter a third of those of `m` without an id that is one."""
    found = [{**row, "model": "mn"[i % 2]} for i, row in enumerate(stream(new_from=2.0))]
    for row in found[3 * N // 4 :: 6]:
        row["prediction_id"] = [1]
    return found


def test_what_names_no_model_counts_with_each_and_what_names_another_with_none(two: Path) -> None:
    row = stream()[0]
    nameless = {name: value for name, value in row.items() if name != "model"}
    events = [encode({**row, "prediction_id": {}}), b"{", encode({**row, "model": "other"}), encode(nameless)]
    unread = [one for message in messages_of(load(two), events, 4, START_MS) for one in message.unread]
    assert {one.model: (one.rejects, one.nameless) for one in unread} == {
        "m": ({"missing_id": 1}, {"undecodable": 1, "unknown_model": 1}),
        "n": ({}, {"undecodable": 1, "unknown_model": 1}),
    }


@pytest.mark.parametrize("size", [N, 500])
def test_many_that_name_no_model_warn_every_model_once_and_its_own_are_told_as_before(two: Path, size: int) -> None:
    config, found = load(two), of_two()
    end_ms = found[-1]["timestamp"]
    events = [encode(row) for row in found]
    own = alerts_of(config, messages_of(config, events, size), end_ms)
    assert [(one.model, one.cause, one.columns[0].direction) for one in own if one.state == "raised"] == [
        ("m", "rejects", "more rejected")
    ]
    broken = [event[: 2 + i % 9] if i >= N // 2 and i % 4 > 1 else event for i, event in enumerate(events)]
    times = [row["timestamp"] for row in found]
    told = alerts_of(config, messages_of(config, broken, size, times), end_ms)
    raised = [one for one in told if one.cause == "rejects" and one.state == "raised"]
    assert [(one.model, one.severity, one.onset_ms) for one in raised] == [
        (name, "warning", START_MS + 12 * HOUR_MS) for name in "mn"
    ]
    for one in raised:
        assert one.summary.startswith(f"{one.model}: share rejected (most: undecodable) of all events none -> ")
        assert "events that name no model are rejected" in one.summary
        assert "They may be another model's" in one.summary


def test_in_a_replay_rejects_without_a_time_raise_nothing_and_a_models_own_are_told_as_on_the_stream(
    two: Path, tmp_path: Path
) -> None:
    config, found = load(two), of_two()
    events = [encode(row) for row in found]
    (tmp_path / "events.jsonl").write_bytes(b"\n".join([*events, *[b"{"] * 2_000]))
    replay_file(two, tmp_path / "events.jsonl", tmp_path / "out", close=False)
    replayed = [decode_alert(line).data for line in (tmp_path / "out" / "alerts.jsonl").read_bytes().splitlines()]
    assert replayed == alerts_of(config, messages_of(config, events, N), found[-1]["timestamp"])
    assert [one.model for one in replayed if one.cause == "rejects" and one.state == "raised"] == ["m"]


def alerts_of(config: Config, messages: list[SketchMessage], end_ms: int) -> list[Any]:
    """What evaluate tells of them."""
    role = EvaluateRole(config, open_references(config))
    topic = config.kafka.topics.predictions[0]
    last = SketchMessage(clocks=[Clock(topic=topic, partition=0, max_event_ms=end_ms)], n_partitions={topic: 1})
    for message in (*messages, last):
        role.send(message)
    return role.told[0]


@pytest.mark.parametrize("size", [N, 500])
def test_rejects_and_new_features_raise_alerts_from_the_stream_and_in_replay(
    config: Config, tmp_path: Path, size: int
) -> None:
    events = [encode(row) for row in stream(bad_from=0.75)]
    end_ms = max(row["timestamp"] for row in stream())
    told = alerts_of(config, messages_of(config, events, size), end_ms)
    raised = {one.cause: one for one in told if one.state == "raised"}
    assert set(raised) == {"schema", "rejects"}
    assert [one.column for one in raised["schema"].columns] == ["tenure"]
    assert raised["schema"].onset_ms == START_MS + 12 * HOUR_MS
    assert raised["rejects"].onset_ms == START_MS + 18 * HOUR_MS
    assert "most: missing_id" in raised["rejects"].summary
    path = tmp_path / "driftline.yaml"
    section = model_section(tmp_path)
    del section["drift"]
    path.write_bytes(msgspec.yaml.encode({"models": [section], "metrics": {"listen": "off"}}))
    assert load(path).models[0].name == MODEL
    (tmp_path / "events.jsonl").write_bytes(b"\n".join(events))
    replay_file(path, tmp_path / "events.jsonl", tmp_path / "out", close=False)
    replayed = [decode_alert(line).data for line in (tmp_path / "out" / "alerts.jsonl").read_bytes().splitlines()]
    assert replayed == told


def test_a_feature_of_another_type_and_one_that_was_renamed_are_schema(config: Config) -> None:
    end_ms = max(row["timestamp"] for row in stream())
    renamed = [encode(row) for row in stream(renamed=True)]
    told = alerts_of(config, messages_of(config, renamed, N), end_ms)
    first, then = [one for one in told if one.cause == "schema"]
    # In the first window some events have it under its old name still.
    assert (first.severity, [one.column for one in first.columns]) == ("warning", ["Amount", "tenure"])
    assert (then.state, then.severity) == ("updated", "critical")
    assert [one.column for one in then.columns if not one.segment] == ["amount", "Amount", "tenure"]
    assert "Perhaps a feature was renamed" in then.summary
    texts = stream(new_from=2.0)
    for row in texts[N // 2 :]:
        row["features"]["amount"] = f"{row['features']['amount']} EUR"
    told = alerts_of(config, messages_of(config, list(map(encode, texts)), N), end_ms)
    (alert,) = [one for one in told if one.state == "raised" and one.cause == "schema"]
    assert [(one.column, one.direction) for one in alert.columns if not one.segment] == [("amount", "more invalid")]
