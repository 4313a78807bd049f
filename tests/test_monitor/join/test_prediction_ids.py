"""An id has one hash, whatever path and format its event takes."""

import json

import numpy as np
import pyarrow as pa
import pytest

from detectors.columns import Column, Kind
from detectors.layout import Layout
from monitor.events.arrow.decoder import ArrowDecoder
from monitor.events.identity import NO_ID, hash_of
from monitor.events.json.decoder import JsonDecoder
from monitor.events.mapping import Mapping
from monitor.events.models import ModelSpec

NOW_MS = 1_700_000_000_000
SPEC = ModelSpec(
    name="m", layout=Layout([Column(name="x", kind=Kind.NUMERIC, edges=(0.0, 1.0))]), with_ids=True,
    mapping=Mapping(min_time_ms=0),
)  # fmt: skip
IDS = ["a1", "", "ü", 'quote"d', "tab\t", "lone \ud800", 7, -3, 10**30, None, "x" * 300]


def wanted(ids):
    texts = [None if one is None else str(one).replace("\ud800", "\ufffd") for one in ids]
    return [list(NO_ID) if text is None else list(hash_of("m", text)) for text in texts]


def event(identity) -> bytes:
    return json.dumps({"timestamp": 1_000, "features": {"x": 0.5}, "prediction_id": identity}).encode()


@pytest.mark.parametrize("forgiving_only", [False, True])
def test_json_ids_have_their_hashes(forgiving_only):
    decoder = JsonDecoder([SPEC], forgiving_only=forgiving_only)
    (batch,) = decoder.decode([event(one) for one in IDS], "predictions", NOW_MS).batches
    assert batch.ids.tolist() == wanted(IDS)


def test_events_without_an_id_have_none_and_feature_logs_are_not_asked():
    decoder = JsonDecoder([SPEC])
    plain = json.dumps({"timestamp": 1_000, "features": {"x": 0.5}}).encode()
    (batch,) = decoder.decode([plain, event("a")], "predictions", NOW_MS).batches
    assert batch.ids.tolist() == wanted([None, "a"])
    (batch,) = decoder.decode([event("a")], "features", NOW_MS).batches
    assert batch.ids is None


def test_ids_keep_their_rows_where_messages_hold_several_events_and_some_are_bad():
    decoder = JsonDecoder([SPEC])
    messages = [b"[" + event("a") + b"," + event([1]) + b"," + event("b") + b"]", event("c"), b"nonsense", event("d")]
    decoded = decoder.decode(messages, "predictions", NOW_MS)
    assert decoded.batches[0].ids.tolist() == wanted(["a", "b", "c", "d"])
    assert len(decoded.rejects) == 2


@pytest.mark.parametrize(
    "array",
    [
        pa.array(["a1", None, "", "ü"]),
        pa.array(["a1", None, "", "ü"], pa.large_string()),
        pa.array(["a1", None, "", "ü"]).dictionary_encode(),
        pa.array(["?", "a1", None, "", "ü", "!"])[1:5],
    ],
)
def test_arrow_texts_have_their_hashes(array):
    batch = pa.record_batch({"timestamp": pa.array([1_000] * 4), "x": pa.array([0.5] * 4), "prediction_id": array})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    (found,) = ArrowDecoder([SPEC]).decode([sink.getvalue().to_pybytes()], "predictions", NOW_MS).batches
    assert found.ids.tolist() == wanted(["a1", None, "", "ü"])


def test_arrow_integers_are_the_same_ids_as_in_json():
    batch = pa.record_batch({"timestamp": pa.array([1_000] * 2), "prediction_id": pa.array([7, None], pa.int16())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    (found,) = ArrowDecoder([SPEC]).decode([sink.getvalue().to_pybytes()], "predictions", NOW_MS).batches
    assert np.array_equal(found.ids, np.array(wanted([7, None]), dtype=np.uint64))
