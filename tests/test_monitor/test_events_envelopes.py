"""Messages that are no plain events are rejected by their name."""

import base64
import json

import numpy as np
import pytest

from detectors.layout import Layout
from detectors.reference import numeric_column
from monitor.events.decoder import MessageDecoder
from monitor.events.models import ModelSpec

NOW_MS = 1_800_000_000_000
EVENT = {"x": 0.5, "score": 0.25, "timestamp": 1_768_089_600_000}
CLOUD = {"specversion": "1.0", "type": "t", "source": "s", "id": "1", "time": "2026-01-11T00:00:00Z", "data": EVENT}


@pytest.mark.parametrize(
    ("message", "words"),
    [
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
    ],
)
def test_what_is_no_plain_event_is_named(message: bytes | None, words: str) -> None:
    spec = ModelSpec(name="m", layout=Layout([numeric_column("x", np.arange(9.0))[0]]))
    good = json.dumps(EVENT).encode()
    decoded = MessageDecoder([spec]).decode_messages([good, message, good], None, "predictions", NOW_MS)
    assert [one.message for one in decoded.rejects] == [1]
    assert words in decoded.rejects[0].detail
    assert decoded.batches[0].n == 2
