"""Messages that are no plain events are rejected by their name."""

import base64
import json
from pathlib import Path

import numpy as np
import pytest
from support.commands import OneModel

from detectors.layout import Layout
from detectors.reference import numeric_column
from monitor.config.schema import Topics
from monitor.events.decoder import MessageDecoder
from monitor.events.models import ModelSpec
from monitor.kafka.decoding import KafkaDecoder
from monitor.sketching.received import Received

NOW_MS = 1_800_000_000_000
EVENT = {"x": 0.5, "score": 0.25, "timestamp": 1_768_089_600_000}
CLOUD = {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "time": "2026-01-11T00:00:00Z", "data": EVENT}


KINDS = [
    (b"\0\0\0\0\x07" + json.dumps(EVENT).encode(), "schema registry (schema 7)"),
    (str(EVENT).encode(), "printed Python object"),
    (json.dumps(json.dumps(EVENT)).encode(), "encoded twice"),
    (base64.b64encode(json.dumps(EVENT).encode()), "base64"),
    (json.dumps(CLOUD).encode(), "CloudEvent"),
    (json.dumps({**CLOUD, "type": "org.kubeflow.serving.inference.request"}).encode(), "preset: kserve"),
    (json.dumps({**CLOUD, "type": "io.seldon.serving.inference.response"}).encode(), "preset: seldon"),
    (b'{"captureData": {}, "eventMetadata": {}}', "preset: sagemaker"),
    (b'{"dataframe_split": {}}', "preset: mlflow"),
    (b'{"instances": [[1]]}', "preset: tfserving"),
    (json.dumps({"schema": {}, "payload": EVENT}).encode(), "Kafka Connect"),
    (json.dumps({**EVENT, "timestamp": 1_768_089_600}).encode(), "timestamp_unit: s"),
    (None, "empty message"),
]


@pytest.mark.parametrize(("message", "words"), KINDS)
def test_what_is_no_plain_event_is_named(message: bytes | None, words: str) -> None:
    spec = ModelSpec(name="m", layout=Layout([numeric_column("x", np.arange(9.0))[0]]))
    good = json.dumps(EVENT).encode()
    received = Received(
        values=[good, message, good], partitions=[("t", 0)], partition_of=np.zeros(3, np.int64), offsets=np.arange(3)
    )
    decoded = KafkaDecoder(MessageDecoder([spec]), Topics(predictions=("t",), features=()))(received, NOW_MS)
    assert [one.message for one in decoded.rejects] == [1]
    assert words in decoded.rejects[0].detail
    assert decoded.batches[0].n == 2


@pytest.mark.parametrize(("message", "words"), KINDS[:-1])
def test_what_is_no_plain_event_is_named_in_a_file_too(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], message: bytes, words: str
) -> None:
    model = OneModel(tmp_path, capsys, "min_samples: 1")
    good = "".join(json.dumps({**EVENT, "x": x, "timestamp": EVENT["timestamp"] + x}) + "\n" for x in range(500))
    (tmp_path / "good.jsonl").write_text(good)
    assert model.build("good.jsonl")[0] == 0
    first = message if message[:1] == b"\0" else good.encode().partition(b"\n")[0]
    (tmp_path / "odd.jsonl").write_bytes(first + b"\n" + message + b"\n")
    framed = message[:1] == b"\0"  # no text at all: the file is refused, and no line of it read
    replayed = model.replay("odd.jsonl")
    assert replayed.code == (2 if framed else 0)
    assert words in replayed.screen.replace("\n", " ")
    code, screen = model.build("odd.jsonl")
    if "timestamp_unit" not in words:  # a reference may have no times
        assert code == (2 if framed else 0)
        assert words in screen.replace("\n", " ")
