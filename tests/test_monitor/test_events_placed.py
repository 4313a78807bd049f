"""Models and segments that lie elsewhere: at a dotted path, in a header, in the topic's name."""

import csv
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from support.brokers import Broker, consumed

from detectors.layout import Layout
from detectors.reference import numeric_column
from monitor.cli.app import run
from monitor.config.load import parse
from monitor.config.schema import Topics
from monitor.errors import ConfigError
from monitor.events.arrow.table import decode_table
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.json.decoder import JsonDecoder
from monitor.events.mapping import Mapping
from monitor.events.models import ModelSpec
from monitor.files.read import iter_decoded
from monitor.kafka.decoding import KafkaDecoder
from monitor.kafka.messages import received_of
from monitor.sketching.received import Received

NOW_MS = 1_800_000_000_000
TIME_MS = 1_772_359_200_000


def spec(name: str = "m", **mapping: Any) -> ModelSpec:
    layout = Layout([numeric_column("x", np.arange(9.0))[0]])
    return ModelSpec(name=name, layout=layout, dimensions={"site": ("north", "south")}, mapping=Mapping(**mapping))


def event(model: str | None, site: str | None = None, x: float = 1.0) -> dict[str, Any]:
    meta = {key: value for key, value in (("model", model), ("site", site)) if value is not None}
    return {"timestamp": TIME_MS, "features": {"x": x}, "meta": meta}


def sites(decoded: Decoded) -> dict[str, list[int]]:
    """The codes of the segments by model: 0 north, 1 south, 2 none of them."""
    return {batch.model: batch.segments[0].tolist() for batch in decoded.batches}


DOTTED = {"model": "meta.model", "segments": {"site": "meta.site"}}
EVENTS = [event("m", "north"), event("m", "south"), event("m"), event(None, "north"), event("other", "south")]


@pytest.mark.parametrize("forgiving", [False, True])
def test_models_and_segments_are_read_by_dotted_paths(forgiving: bool) -> None:
    decoder = JsonDecoder([spec(**DOTTED)], forgiving_only=forgiving)
    decoded = decoder.decode([json.dumps(one).encode() for one in EVENTS], "predictions", NOW_MS)
    assert sites(decoded) == {"m": [0, 1, 2]}
    assert [(one.message, one.reason, one.detail) for one in decoded.rejects] == [
        (3, "unknown_model", "no meta.model, where mapping.model says that it is named"),
        (4, "unknown_model", "model 'other'"),
    ]


def test_each_model_is_named_where_its_own_mapping_says() -> None:
    models = [spec("m", **DOTTED), spec("other")]
    plain = {"model": "other", "timestamp": TIME_MS, "features": {"x": 2.0}, "segments": {"site": "south"}}
    messages = [json.dumps(one).encode() for one in (event("m", "north"), plain, event("other"), event("m"))]
    decoded = MessageDecoder(models).decode_messages(messages, None, "predictions", NOW_MS)
    assert sites(decoded) == {"m": [0, 2], "other": [1]}
    assert [(one.message, one.detail) for one in decoded.rejects] == [(2, "model 'other'")]


def flat(one: dict[str, Any]) -> dict[str, Any]:
    meta = one["meta"]
    return {"timestamp": one["timestamp"], "x": one["features"]["x"], "meta.model": meta.get("model"),
            "meta.site": meta.get("site")}  # fmt: skip


def test_columns_of_arrow_and_csv_say_the_same_as_json(tmp_path: Path) -> None:
    model = spec(**DOTTED)
    nested = decode_table([model], pa.Table.from_pylist(EVENTS), "predictions", NOW_MS)
    table = decode_table([model], pa.Table.from_pylist(list(map(flat, EVENTS))), "predictions", NOW_MS)
    with (tmp_path / "a.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(flat(EVENTS[0])))
        writer.writeheader()
        writer.writerows(map(flat, EVENTS))
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(one) + "\n" for one in EVENTS))
    from_csv, from_lines = (
        next(iter(iter_decoded(tmp_path / name, [model], NOW_MS))).decoded for name in ("a.csv", "a.jsonl")
    )
    for decoded in (nested, table, from_csv, from_lines):
        assert sites(decoded) == {"m": [0, 1, 2]}
        assert [one.detail for one in decoded.rejects] == [
            "no meta.model, where mapping.model says that it is named", "model 'other'",
        ]  # fmt: skip


def received(*messages: tuple[str, dict[str, bytes | None], bytes]) -> Received:
    topics = sorted({topic for topic, _, _ in messages})
    return Received(
        values=[value for _, _, value in messages],
        headers=[list(headers.items()) for _, headers, _ in messages],
        partitions=[(topic, 0) for topic in topics],
        partition_of=np.array([topics.index(topic) for topic, _, _ in messages]),
        offsets=np.arange(len(messages)),
    )


def plain(x: float = 1.0, **more: Any) -> bytes:
    return json.dumps({"timestamp": TIME_MS, "features": {"x": x}, **more}).encode()


def arrow(*values: float) -> bytes:
    table = pa.table({"timestamp": [TIME_MS] * len(values), "x": list(values)})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_headers_name_models_and_segments_of_json_and_arrow() -> None:
    places = {"model": "header:Model-Name", "segments": {"site": "header:site"}}
    decoder = MessageDecoder([spec("a", **places), spec("b", **places)])
    topics = Topics(predictions=("t",), features=())
    messages = received(
        ("t", {"model-name": b"a", "site": b"south"}, plain()),
        ("t", {"model-name": b"b", "SITE": b"north"}, arrow(1.0, 2.0)),
        ("t", {"model-name": b"a"}, plain(model="what the event says does not count")),
        ("t", {"model-name": b"c"}, plain()),
        ("t", {"site": b"north"}, plain()),
        ("t", {"model-name": b"a", "site": None}, b"not json"),
    )
    decoded = KafkaDecoder(decoder, topics)(messages, NOW_MS)
    assert sites(decoded) == {"a": [1, 2], "b": [0, 0]}
    assert [(one.message, one.reason, one.model, one.foreign) for one in decoded.rejects] == [
        (3, "unknown_model", "", True), (4, "unknown_model", "", False), (5, "undecodable", "a", False),
    ]  # fmt: skip
    assert "header:Model-Name 'c'" in decoded.rejects[0].detail
    assert "no header:Model-Name" in decoded.rejects[1].detail
    assert decoded.n_events == 7


def test_the_topic_names_the_model_and_a_segment() -> None:
    models = [
        spec("shop.a", model="topic", segments={"site": "topic"}), spec("shop.b", model="topic"), spec("rest"),
    ]  # fmt: skip
    topics = Topics(predictions=("shop.a", "shop.b", "mixed"), features=())
    messages = received(
        ("shop.a", {}, plain()), ("shop.b", {}, plain(segments={"site": "north"})), ("mixed", {}, plain(model="rest")),
        ("mixed", {}, plain(model="shop.a")),
    )  # fmt: skip
    decoded = KafkaDecoder(MessageDecoder(models), topics)(messages, NOW_MS)
    assert sites(decoded) == {"shop.a": [2], "shop.b": [0], "rest": [2]}
    assert [(one.message, one.reason) for one in decoded.rejects] == [(3, "unknown_model")]


def test_messages_in_any_batches_give_the_same() -> None:
    model = spec("m", model="header:m", segments={"site": "header:s"})
    sent = [({"m": b"m", "s": (b"north", b"south", b"x")[i % 3]}, plain(float(i))) for i in range(30)]
    decoder = KafkaDecoder(MessageDecoder([model]), Topics(predictions=("t",), features=()))
    whole = decoder(received(*(("t", headers, value) for headers, value in sent)), NOW_MS)
    parts = [decoder(received(("t", headers, value)), NOW_MS) for headers, value in sent]
    assert whole.batches[0].segments[0].tolist() == [part.batches[0].segments[0, 0] for part in parts]
    assert whole.batches[0].numeric[0].tolist() == [part.batches[0].numeric[0, 0] for part in parts]


def test_a_file_has_its_model_and_segments_in_the_usual_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(1)
    rows = [
        {"timestamp": TIME_MS + i * 60_000, "x": rng.normal(), "site": ("north", "south")[i % 2]} for i in range(3_000)
    ]
    Path("a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = "models: [{name: m, reference: m.ref, segments: [site], columns: {%s}, "
    text += "mapping: {model: topic, segments: {site: 'header:site'}}}]"
    Path("c.yaml").write_text(text % "site: categorical")
    assert run(["reference", "build", "c.yaml", "--data", "a.jsonl"]) == 0
    assert run(["replay", "c.yaml", "--predictions", "a.jsonl", "--out", "out", "--close"]) == 0
    assert "0 rejected" in capsys.readouterr().out
    Path("b.jsonl").write_text("".join(json.dumps({**row, "site": None}) + "\n" for row in rows[:5]))
    Path("d.csv").write_text("timestamp,x\n" + "".join(f"{row['timestamp']},{row['x']}\n" for row in rows))
    Path("c.yaml").write_text(text % "")
    assert run(["reference", "build", "c.yaml", "--data", "d.csv"]) == 2
    assert "a file has no headers and no topic: give it a column 'site'" in capsys.readouterr().err.replace("\n", " ")


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ("model: 'header:'", "mapping.model: expected the header's name after `header:`"),
        ("model: meta..model", "mapping.model: expected names with single dots between"),
        ("model: version", "mapping.model: names the same place as version"),
        (
            "segments: {sit: topic}",
            "mapping.segments.sit: is no dimension under `segments` of this model; did",
        ),
        ("segments: {site: 'header:'}", "mapping.segments.site: expected the header's name"),
        ("segments: {site: a.}", "mapping.segments.site: expected names with single dots between"),
        ("preset: kserve, features: data", "mapping.features: the preset kserve takes the features from the request"),
    ],
)
def test_places_that_cannot_work_are_refused_with_their_path(mapping: str, problem: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(f"models: [{{name: m, reference: r, segments: [site], mapping: {{{mapping}}}}}]", environ={})
    assert problem in str(caught.value)


def test_a_preset_of_two_messages_leaves_no_room_for_features_computed_again() -> None:
    text = "models: [{name: m, reference: r, mapping: {preset: kserve}, feature_skew: {horizon: 1d}}]"
    with pytest.raises(ConfigError, match="leave feature_skew out"):
        parse(text, environ={})


@pytest.mark.kafka
def test_headers_topic_and_time_of_a_real_broker_are_those_of_its_messages(
    kafka: Broker, topics: Callable[..., str]
) -> None:
    topic = topics("placed", 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    producer.produce(topic, plain(), headers={"model-name": b"a", "site": b"south"})
    producer.produce(topic, plain(), headers=[("model-name", b"x"), ("model-name", b"a"), ("site", None)])
    seldon = {"type": b"io.seldon.serving.inference.request", "requestid": b"r", "model-name": b"served"}
    body = json.dumps({"data": {"names": ["x"], "ndarray": [[4.0]]}}).encode()
    producer.produce(topic, body, headers=seldon, timestamp=TIME_MS + 7)
    assert producer.flush(30) == 0
    messages = consumed(kafka, topic, 3)
    preset = Mapping(preset="seldon", model="header:model-name")
    served = replace(spec("served"), mapping=preset.of_events, envelope=preset)
    a = spec("a", model="header:model-name", segments={"site": "header:site"})
    decoder = KafkaDecoder(MessageDecoder([a, served]), Topics(predictions=(topic,), features=()))
    decoded = decoder(received_of(messages), NOW_MS)
    assert not decoded.rejects
    assert sites(decoded) == {"a": [1, 2], "served": [2]}
    assert decoded.batches[1].timestamps_ms.tolist() == [TIME_MS + 7]
    assert decoded.batches[1].numeric[0].tolist() == [4.0]
