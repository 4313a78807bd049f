import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest

from monitor.events.identity import hash_of
from monitor.events.label_mapping import LabelMapping
from monitor.events.labels import LabelDecoder, LabelSpec
from monitor.events.reasons import Reason
from monitor.files.labels import iter_labels

NOW_MS = 1_700_000_000_000
CLASSES = LabelSpec(name="m", task="binary")
NUMBERS = LabelSpec(name="r", task="regression")


def label(**changes) -> bytes:
    event = {"model": "m", "prediction_id": "a1", "timestamp": 5_000, "label": "late", **changes}
    return json.dumps({key: value for key, value in event.items() if value is not ...}).encode()


def decode(*messages, specs=(CLASSES, NUMBERS), n_models=2):
    return LabelDecoder(specs, n_models).decode(list(messages), None, NOW_MS)


def test_classes_and_numbers_come_with_the_ids_hashes_and_the_values():
    decoded = decode(label(), label(label=True, value=2), label(model="r", label=3, prediction_id=7))
    classes, numbers = decoded.batches
    assert decoded.n_events == 3
    assert classes.ids.tolist() == [list(hash_of("m", "a1"))] * 2
    assert [classes.classes[code] for code in classes.class_codes] == ["late", "true"]
    assert np.isnan(classes.values[0])
    assert classes.values[1] == 2.0
    assert numbers.numbers.tolist() == [3.0]
    assert numbers.ids.tolist() == [list(hash_of("r", "7"))]
    assert numbers.sources.tolist() == [2]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"label": ...}, Reason.SCHEMA),
        ({"label": None}, Reason.SCHEMA),
        ({"label": [1]}, Reason.SCHEMA),
        ({"label": "x" * 201}, Reason.SCHEMA),
        ({"model": "r", "label": "late"}, Reason.SCHEMA),
        ({"model": "r", "label": True}, Reason.SCHEMA),
        ({"value": "much"}, Reason.SCHEMA),
        ({"prediction_id": ...}, Reason.MISSING_ID),
        ({"prediction_id": 1.5}, Reason.MISSING_ID),
        ({"prediction_id": True}, Reason.MISSING_ID),
        ({"timestamp": ...}, Reason.BAD_TIMESTAMP),
        ({"timestamp": "noon"}, Reason.BAD_TIMESTAMP),
        ({"timestamp": -1}, Reason.BAD_TIMESTAMP),
        ({"timestamp": NOW_MS + 2 * 86_400_000}, Reason.BAD_TIMESTAMP),
        ({"model": "z"}, Reason.UNKNOWN_MODEL),
        ({"model": ...}, Reason.UNKNOWN_MODEL),
    ],
)
def test_a_bad_label_is_rejected_alone_with_its_reason(changes, reason):
    decoded = decode(label(), label(**changes), label())
    assert [(one.message, one.reason) for one in decoded.rejects] == [(1, reason)]
    assert decoded.batches[0].sources.tolist() == [0, 2]


def test_a_message_may_hold_several_labels_and_bad_bytes_are_one_reject():
    decoded = decode(b"[" + label() + b"," + label(label=None) + b"]", b"nonsense", None)
    assert decoded.batches[0].n == 1
    assert [(one.message, one.index) for one in decoded.rejects] == [(0, 1), (1, 0), (2, 0)]
    assert decoded.n_events == 4


def test_places_are_mapped_and_one_model_need_not_be_named():
    mapping = LabelMapping(id="meta.id", timestamp="meta.at", label="outcome.class", value="outcome.minutes")
    event = {"meta": {"id": "a", "at": "2023-01-01T00:00:00Z"}, "outcome": {"class": "x", "minutes": 4}}
    decoded = decode(json.dumps(event).encode(), specs=[LabelSpec(name="m", mapping=mapping)], n_models=1)
    assert decoded.batches[0].values.tolist() == [4.0]


def test_arrow_rows_are_read_as_json_is():
    batch = pa.record_batch(
        {
            "model": ["m", "m", "r", "m"],
            "prediction_id": ["a", None, "b", "c"],
            "timestamp": pa.array([1, 2, 3, None], pa.timestamp("ms")),
            "label": ["1", "1", "no number", "1"],
            "value": [0.5, 0.5, 0.5, None],
        }
    )
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    decoded = decode(sink.getvalue().to_pybytes())
    assert decoded.batches[0].ids.tolist() == [list(hash_of("m", "a"))]
    assert [(one.index, one.reason) for one in decoded.rejects] == [
        (1, Reason.MISSING_ID), (2, Reason.SCHEMA), (3, Reason.BAD_TIMESTAMP)
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["labels.csv", "labels.parquet", "labels.feather", "labels.jsonl"])
def test_files_of_every_format_hold_the_same_labels(tmp_path: Path, name):
    rows = {"prediction_id": ["007", "b"], "timestamp": [1_000, 2_000], "label": [1.5, 2.0], "value": [None, 3.0]}
    path = tmp_path / name
    if name.endswith("csv"):
        path.write_text("prediction_id,timestamp,label,value\n007,1000,1.5,\nb,2000,2.0,3.0\n")
    elif name.endswith("parquet"):
        pq.write_table(pa.table(rows), path)
    elif name.endswith("feather"):
        feather.write_feather(pa.table(rows), path)
    else:
        lines = [dict(zip(rows, row, strict=True)) for row in zip(*rows.values(), strict=True)]
        path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    (part,) = iter_labels(path, [NUMBERS], LabelDecoder([NUMBERS], 1), NOW_MS)
    (batch,) = part.batches
    assert part.rejects == []
    assert batch.ids.tolist() == [list(hash_of("r", "007")), list(hash_of("r", "b"))]
    assert batch.timestamps_ms.tolist() == [1_000, 2_000]
    assert batch.numbers.tolist() == [1.5, 2.0]
    assert np.isnan(batch.values[0])
    assert batch.values[1] == 3.0


def test_a_rejected_row_of_a_csv_file_is_kept_as_the_file_has_it(tmp_path: Path):
    path = tmp_path / "labels.csv"
    path.write_text("prediction_id,timestamp,label\na,1000,1.5\nb,1000,abc\nc,yesterday,2.0\n")
    (part,) = iter_labels(path, [NUMBERS], LabelDecoder([NUMBERS], 1), NOW_MS)
    assert [json.loads(one.raw) for one in part.rejects] == [
        {"prediction_id": "b", "timestamp": "1000", "label": "abc"},
        {"prediction_id": "c", "timestamp": "yesterday", "label": "2.0"},
    ]
