"""Where labels name their model: a path, a header or the topic; JSON, Arrow and files alike."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from confluent_kafka import Producer
from support.brokers import Broker, consumed

from monitor.config.load import parse
from monitor.config.schema import Topics
from monitor.errors import ConfigError
from monitor.events.decoder import MessageDecoder
from monitor.events.identity import hash_of
from monitor.events.label_mapping import LabelMapping
from monitor.events.labels import LabelDecoder, LabelSpec
from monitor.files.labels import iter_labels
from monitor.kafka.decoding import KafkaDecoder
from monitor.kafka.messages import received_of
from monitor.sketching.received import Received

NOW_MS = 1_700_000_000_000


def spec(name: str, place: str = "model") -> LabelSpec:
    return LabelSpec(name=name, task="binary", mapping=LabelMapping(model=place))


def label(**more: Any) -> bytes:
    return json.dumps({"prediction_id": "a1", "timestamp": 5_000, "label": "late", **more}).encode()


def arrow(*rows: dict[str, Any]) -> bytes:
    table = pa.Table.from_pylist([json.loads(label()) | row for row in rows])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def received(*messages: tuple[str, dict[str, bytes | None], bytes]) -> Received:
    topics = list(dict.fromkeys(topic for topic, _, _ in messages))
    return Received(
        values=[value for _, _, value in messages],
        partitions=[(topic, 0) for topic in topics],
        partition_of=np.array([topics.index(topic) for topic, _, _ in messages]),
        offsets=np.arange(len(messages)),
        headers=[list(headers.items()) for _, headers, _ in messages],
    )


def models_of(messages: Received, *specs: LabelSpec, n_models: int = 2) -> tuple[list[str | None], list[str]]:
    """The model that each message's label went to, None for a reject; and the rejects' details."""
    names = {name for name, _ in messages.partitions}
    topics = Topics(predictions=("p",), features=(), labels=tuple(sorted(names)))
    decoded = KafkaDecoder(MessageDecoder([]), topics, LabelDecoder(specs, n_models))(messages, NOW_MS)
    found: list[str | None] = [None] * len(messages.values)
    for batch in decoded.labels:
        assert {tuple(one) for one in batch.ids.tolist()} == {hash_of(batch.model, "a1")}
        for source in batch.sources.tolist():
            found[source] = batch.model
    assert sorted(one.message for one in decoded.rejects) == [i for i, name in enumerate(found) if name is None]
    assert all(one.reason == "unknown_model" for one in decoded.rejects)
    return found, [one.detail for one in decoded.rejects]


def test_a_path_names_the_model_of_json_and_arrow() -> None:
    messages = received(
        ("t", {}, label(meta={"model": "a"})),
        ("t", {}, label(model="b")),
        ("t", {}, label(model="a")),
        ("t", {}, arrow({"meta": {"model": "a"}})),
        ("t", {}, arrow({"model": "b"})),
        ("t", {}, label()),
    )
    found, details = models_of(messages, spec("a", "meta.model"), spec("b"))
    assert found == ["a", "b", None, "a", "b", None]
    assert "model 'a' is not configured" in details[0]
    assert "no meta.model, where label_mapping.model says that the model is named" in details[1]


def test_a_header_or_the_topic_names_the_model_whatever_the_label_says() -> None:
    messages = received(
        ("t", {"Model-Name": b"a"}, label(model="b")),
        ("t", {"model-name": b"b"}, arrow({"model": "a"})),
        ("b", {"model-name": b"b"}, label()),
        ("t", {"model-name": b"z"}, label()),
        ("t", {}, label(model="a")),
    )
    found, details = models_of(messages, spec("a", "header:model-name"), spec("b", "header:model-name"))
    assert found == ["a", "b", "b", None, None]
    assert "header:model-name 'z': no model of this name (label_mapping.model)" in details[0]
    assert "no header:model-name" in details[1]
    found, _ = models_of(messages, spec("b", "topic"), spec("a"), n_models=3)
    assert found == [None, "a", "b", None, "a"]  # b's labels come by its topic alone


def test_the_only_model_need_be_named_in_the_usual_place_alone() -> None:
    messages = received(("t", {}, label()), ("t", {}, label(at={"model": "a"})))
    assert models_of(messages, spec("a"), n_models=1)[0] == ["a", "a"]
    assert models_of(messages, spec("a", "at.model"), n_models=1)[0] == [None, "a"]
    assert models_of(messages, spec("a", "topic"), n_models=1)[0] == [None, None]


@pytest.mark.parametrize("place", ["meta.model", "header:model-name", "topic"])
@pytest.mark.parametrize("ending", ["csv", "jsonl", "arrow"])
def test_a_file_names_models_at_the_path_or_where_there_is_none_as_usual(
    place: str, ending: str, tmp_path: Path
) -> None:
    key = place if "." in place else "model"
    path = tmp_path / f"labels.{ending}"
    if ending == "csv":
        path.write_text(f"{key},prediction_id,timestamp,label\na,a1,5000,late\nb,a1,5000,late\nz,a1,5000,late\n")
    else:
        rows = [{"meta": {"model": name}} if key != "model" else {"model": name} for name in "abz"]
        path.write_bytes(arrow(*rows) if ending == "arrow" else b"\n".join(label(**row) for row in rows))
    specs = [spec("a", place), spec("b", place)]
    (part,) = iter_labels(path, specs, LabelDecoder(specs, 2), NOW_MS)
    assert [(batch.model, batch.n) for batch in part.batches] == [("a", 1), ("b", 1)]
    assert [one.detail for one in part.rejects] == ["model 'z' is not configured with a label_horizon"]


@pytest.mark.parametrize(
    ("mapping", "problem"),
    [
        ("model: 'header:'", "label_mapping.model: expected the header's name after `header:`"),
        ("model: meta..model", "label_mapping.model: expected names with single dots between"),
        ("model: label", "label_mapping.model: names the same place as label"),
    ],
)
def test_places_that_cannot_work_are_refused_with_their_path(mapping: str, problem: str) -> None:
    text = f"models: [{{name: m, reference: r, label_horizon: 1d, label_mapping: {{{mapping}}}}}]"
    with pytest.raises(ConfigError) as caught:
        parse(text, environ={})
    assert problem in str(caught.value)


@pytest.mark.kafka
def test_the_headers_and_the_topic_of_a_real_broker_name_the_model(kafka: Broker, topics: Callable[..., str]) -> None:
    topic = topics("labels", 1)
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": True})
    producer.produce(topic, label(), headers={"model-name": b"a"})
    producer.produce(topic, label(), headers={"model-name": b"x"})
    assert producer.flush(30) == 0
    messages = consumed(kafka, topic, 2)
    specs = [spec("a", "header:model-name"), spec(topic, "topic")]
    assert models_of(received_of(messages), specs[0])[0] == ["a", None]
    assert models_of(received_of(messages), *specs)[0] == ["a", topic]
