"""What serving systems log is read as it is: a sample of each form, of the shape that their documentation gives."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import ABSENT
from detectors.layout import Layout
from detectors.reference import categorical_column, numeric_column
from monitor.cli.app import run
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.identity import hash_of
from monitor.events.mapping import Mapping
from monitor.events.models import Limits, ModelSpec
from monitor.events.origin import Origins
from monitor.files.read import iter_decoded

NOW_MS = 1_800_000_000_000
TIME = "2026-03-01T10:00:00.250Z"
TIME_MS = 1_772_359_200_250
SECOND_MS = 1_772_359_260_000


def spec(preset: str, *features: str, task: str = "binary", **mapping: Any) -> ModelSpec:
    columns = [numeric_column(name, np.arange(9.0))[0] for name in (*features, "@score")]
    columns.append(categorical_column("@label", {"no": 4, "yes": 3, "1": 2, "0": 1}))
    placed = Mapping(preset=preset, **mapping)  # type: ignore[arg-type]
    return ModelSpec(
        name="iris", layout=Layout(columns), task=task, mapping=placed.of_events, envelope=placed, with_ids=True,  # type: ignore[arg-type]
    )  # fmt: skip


def decode(model: ModelSpec, *records: Any, headers: list[Any] | None = None) -> Decoded:
    messages = [json.dumps(record).encode() if not isinstance(record, bytes) else record for record in records]
    origins = Origins(
        topic=lambda _: "t", headers=lambda i: None if headers is None else headers[i], sent_ms=lambda _: SECOND_MS
    )
    return MessageDecoder([model]).decode_messages(messages, None, "predictions", NOW_MS, origins)


def told(decoded: Decoded, model: ModelSpec) -> list[dict[str, Any]]:
    """The rows: time, version, id, features and prediction; what an event does not speak of is left out."""
    assert not decoded.rejects, decoded.rejects
    (batch,) = decoded.batches
    names = [model.layout.columns[index].name for index in model.layout.numeric]
    (label,) = (model.layout.columns[index] for index in model.layout.categorical)
    rows = []
    for row in range(batch.n):
        values = dict(zip(names, batch.numeric[:, row].tolist(), strict=True))
        found: dict[str, Any] = {name: value for name, value in values.items() if value not in (ABSENT,)}
        code = int(batch.codes[0, row])
        if code >= 0:
            found["@label"] = label.categories[code] if code < len(label.categories) else "?"
        assert batch.ids is not None
        found |= {"t": int(batch.timestamps_ms[row]), "v": batch.versions[batch.version_codes[row]]}
        found["id"] = tuple(batch.ids[row].tolist())
        rows.append(found)
    return rows


def row(identity: str | None, version: str = "", t: int = TIME_MS, **values: Any) -> dict[str, Any]:
    ids = (0, 0) if identity is None else tuple(int(part) for part in hash_of("iris", identity))
    return {**values, "t": t, "v": version, "id": ids}


V1 = {"instances": [[6.8, 2.5], [6.0, 3.5]]}
V2_REQUEST = {
    "id": "body-1",
    "inputs": [{"name": "input-0", "shape": [2, 2], "datatype": "FP32", "data": [6.8, 2.5, 6.0, 3.5]}],
}
V2_RESPONSE = {
    "model_name": "iris",
    "model_version": "7",
    "id": "body-1",
    "outputs": [{"name": "predict_proba", "shape": [2], "datatype": "FP32", "data": [0.25, 0.75]}],
}


def cloud_event(kind: str, data: Any, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": "a1", "source": "http://localhost:9081/", "time": TIME,
        "type": f"org.kubeflow.serving.inference.{kind}", "datacontenttype": "application/json",
        "inferenceservicename": "iris", "namespace": "default", "endpoint": "", "component": "predictor",
        "data": data, **more,
    }  # fmt: skip


@pytest.mark.parametrize("request_body", [V1, V2_REQUEST])
def test_requests_of_kserves_inference_logger_are_events_of_features(request_body: Any) -> None:
    model = spec("kserve", "f0", "f1")
    found = told(decode(model, cloud_event("request", request_body)), model)
    assert found == [row("a1-0", f0=6.8, f1=2.5), row("a1-1", f0=6.0, f1=3.5)]


@pytest.mark.parametrize(("body", "version"), [({"predictions": [0.25, 0.75]}, ""), (V2_RESPONSE, "7")])
def test_responses_of_kserves_inference_logger_are_events_of_predictions(body: Any, version: str) -> None:
    model = spec("kserve", "f0", "f1")
    found = told(decode(model, cloud_event("response", body)), model)
    assert [{key: one[key] for key in ("@score", "v", "id")} for one in found] == [
        {"@score": score, "v": version, "id": row(f"a1-{place}")["id"]} for place, score in enumerate((0.25, 0.75))
    ]
    assert all("f0" not in one for one in found)


def test_cloud_events_in_kafkas_headers_are_read_as_those_in_the_message() -> None:
    model = spec("kserve", "f0", "f1")
    event = cloud_event("request", None)
    headers = [(f"ce_{name}", str(event[name]).encode()) for name in event if name not in ("data", "datacontenttype")]
    decoded = decode(model, V1, headers=[[*headers, ("content-type", b"application/json")]])
    assert told(decoded, model) == told(decode(model, cloud_event("request", V1)), model)


def test_data_in_base64_and_bare_bodies_of_kserve_are_read() -> None:
    model = spec("kserve", "f0", "f1")
    event = cloud_event("request", None)
    del event["data"]
    event["data_base64"] = base64.b64encode(json.dumps(V1).encode()).decode()
    assert told(decode(model, event), model) == told(decode(model, cloud_event("request", V1)), model)
    bare = told(decode(model, V2_REQUEST), model)  # which has no time of its own: Kafka's
    assert bare == [row("body-1-0", t=SECOND_MS, f0=6.8, f1=2.5), row("body-1-1", t=SECOND_MS, f0=6.0, f1=3.5)]


def test_tensors_of_a_data_frame_are_features_by_name() -> None:
    model = spec("kserve", "amount", "age")
    inputs = [
        {"name": "amount", "shape": [2, 1], "datatype": "FP64", "data": [1.5, 2.5]},
        {"name": "age", "shape": [2, 1], "datatype": "INT64", "data": [[30], [40]]},
    ]
    found = told(decode(model, cloud_event("request", {"parameters": {"content_type": "pd"}, "inputs": inputs})), model)
    assert found == [row("a1-0", amount=1.5, age=30.0), row("a1-1", amount=2.5, age=40.0)]


SELDON = {"data": {"names": ["amount", "age"], "ndarray": [[1.5, 30]]}}
SELDON_TENSOR = {"data": {"names": ["amount", "age"], "tensor": {"shape": [1, 2], "values": [1.5, 30]}}}
SELDON_RESPONSE = {"data": {"names": ["proba"], "ndarray": [[0.75]]}, "meta": {"requestPath": {"classifier": "x:1.3"}}}


@pytest.mark.parametrize("body", [SELDON, SELDON_TENSOR, {"jsonData": {"amount": 1.5, "age": 30}}])
def test_seldons_requests_are_read_from_its_headers_in_kafka(body: Any) -> None:
    model = spec("seldon", "amount", "age")
    headers = [
        ("type", b"io.seldon.serving.inference.request"), ("content-type", b"application/json"), ("requestid", b"r9"),
        ("modelid", b"classifier"), ("inferenceservicename", b"iris"), ("namespace", b"seldon"), ("endpoint", b"d"),
    ]  # fmt: skip
    assert told(decode(model, body, headers=[headers]), model) == [row("r9", t=SECOND_MS, amount=1.5, age=30.0)]


def test_seldons_request_and_response_are_read_from_one_record() -> None:
    model = spec("seldon", "amount", "age")
    record = {"request": {"payload": SELDON}, "response": {"payload": SELDON_RESPONSE}, "RequestId": "r9", "time": TIME}
    assert told(decode(model, record), model) == [row("r9", amount=1.5, age=30.0, **{"@score": 0.75})]


def capture(
    sent: str, got: str, *, sent_as: str = "CSV", got_as: str = "CSV", kind: str = "text/csv"
) -> dict[str, Any]:
    return {
        "captureData": {
            "endpointInput": {"observedContentType": kind, "mode": "INPUT", "data": sent, "encoding": sent_as},
            "endpointOutput": {
                "observedContentType": "text/csv; charset=utf-8", "mode": "OUTPUT", "data": got, "encoding": got_as,
            },
        },
        "eventMetadata": {"eventId": "e-1", "inferenceTime": TIME},
        "eventVersion": "0",
    }  # fmt: skip


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    "record",
    [
        capture("1.5,30", "0.75"),
        capture(b64("1.5,30"), b64("0.75\n"), sent_as="BASE64", got_as="BASE64"),
        capture('{"instances": [[1.5, 30]]}', '{"predictions": [{"score": 0.75}]}', sent_as="JSON", got_as="JSON",
                kind="application/json"),
        capture("[[1.5, 30]]", '{"predictions": [0.75]}', sent_as="JSON", got_as="JSON", kind="application/json"),
    ],
)  # fmt: skip
def test_data_capture_of_sagemaker_is_read_in_each_encoding(record: Any) -> None:
    model = spec("sagemaker", "amount", "age", feature_names=("amount", "age"))
    assert told(decode(model, record), model) == [row("e-1", amount=1.5, age=30.0, **{"@score": 0.75})]


@pytest.mark.parametrize("answer", ["0.25\n0.75\n", "0.25,0.75"])
def test_rows_of_csv_are_an_event_each(answer: str) -> None:
    model = spec("sagemaker", "f0", "f1")
    assert told(decode(model, capture("1.5,30\n2.5,\n", answer)), model)[0] == row(
        "e-1-0", f0=1.5, f1=30.0, **{"@score": 0.25}
    )


def test_an_inference_id_comes_before_the_events() -> None:
    model = spec("sagemaker", "f0")
    record = capture("1.5", "0.75")
    record["eventMetadata"]["inferenceId"] = "mine"
    assert told(decode(model, record), model)[0]["id"] == row("mine")["id"]


TF_ROWS = ({"signature_name": "serving_default", "instances": [{"x": 1.0, "y": [2.0]}, {"x": 3.0, "y": [4.0]}]},
           {"predictions": [[0.25], [0.75]]})  # fmt: skip
TF_COLUMNS = ({"inputs": {"x": [1.0, 3.0], "y": [[2.0], [4.0]]}}, {"outputs": [[0.25], [0.75]]})
_OF_TWO = {"dim": [{"size": "2"}, {"size": "1"}]}
TF_LOG = {
    "predictLog": {
        "request": {
            "modelSpec": {"name": "iris", "version": "5", "signatureName": "serving_default"},
            "inputs": {
                "x": {"dtype": "DT_FLOAT", "tensorShape": {"dim": [{"size": "2"}]}, "floatVal": [1.0, 3.0]},
                "y": {"dtype": "DT_FLOAT", "tensorShape": _OF_TWO, "floatVal": [2, 4]},
            },
        },
        "response": {
            "outputs": {
                "p": {"dtype": "DT_FLOAT", "tensorShape": _OF_TWO, "floatVal": [0.25, 0.75]}
            }
        },
    },
    "timestamp": TIME,
    "id": "q",
}  # fmt: skip


@pytest.mark.parametrize(
    ("record", "version"),
    [
        ({"request": TF_ROWS[0], "response": TF_ROWS[1], "timestamp": TIME, "id": "q"}, ""),
        ({"request": TF_COLUMNS[0], "response": TF_COLUMNS[1], "timestamp": TIME, "id": "q"}, ""),
        ({**TF_ROWS[0], **TF_ROWS[1], "timestamp": TIME, "id": "q"}, ""),
        (TF_LOG, "5"),
    ],
)  # fmt: skip
def test_tensorflow_servings_rows_columns_and_logs_say_the_same(record: Any, version: str) -> None:
    model = spec("tfserving", "x", "y")
    assert told(decode(model, record), model) == [
        row("q-0", version, x=1.0, y=2.0, **{"@score": 0.25}), row("q-1", version, x=3.0, y=4.0, **{"@score": 0.75}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"index": [0, 1], "columns": ["x", "y"], "data": [[1.0, 2.0], [3.0, 4.0]]}},
        {"dataframe_records": [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]},
        {"instances": [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]},
        {"inputs": {"x": [1.0, 3.0], "y": [2.0, 4.0]}},
        {"inputs": [{"x": 1.0, "y": 2.0}, {"x": 3.0, "y": 4.0}]},
    ],
)
@pytest.mark.parametrize("as_text", [True, False])
def test_rows_of_mlflows_inference_tables_are_read_in_each_form(body: Any, as_text: bool) -> None:
    model = spec("mlflow", "x", "y")
    answer = {"predictions": [0.25, 0.75], "databricks_output": {"databricks_request_id": "d1"}}
    record = {
        "databricks_request_id": "d1", "client_request_id": None, "date": "2026-03-01", "timestamp_ms": TIME_MS,
        "status_code": 200, "sampling_fraction": 1.0, "execution_time_ms": 12,
        "request": json.dumps(body) if as_text else body, "response": json.dumps(answer) if as_text else answer,
        "request_metadata": {"model_name": "main.ml.iris", "model_version": "3", "endpoint_name": "iris"},
    }  # fmt: skip
    assert told(decode(model, record), model) == [
        row("d1-0", x=1.0, y=2.0, **{"@score": 0.25}), row("d1-1", x=3.0, y=4.0, **{"@score": 0.75}),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("said", "task", "expected"),
    [
        (1, "binary", {"@label": "1"}),
        ("yes", "binary", {"@label": "yes"}),
        ([0.25, 0.75], "binary", {"@score": 0.75}),
        ({"no": 0.25, "yes": 0.75}, "binary", {"@score": 0.75}),
        ({"predicted_label": "yes", "score": 0.75}, "binary", {"@score": 0.75, "@label": "yes"}),
        ({"predict": ["yes"], "predict_proba": [0.25, 0.75]}, "binary", {"@score": 0.75, "@label": "yes"}),
        ({"classes": ["no", "yes"], "scores": [0.25, 0.75]}, "binary", {"@score": 0.75}),
        ([0.25, 0.75], "multiclass", {"@score": 0.75, "@label": "1"}),
        ({"dense_1": [3.5]}, "regression", {"@score": 3.5}),
    ],
)
def test_what_a_response_says_of_an_instance_is_a_prediction(said: Any, task: str, expected: dict[str, Any]) -> None:
    model = spec("tfserving", "x", task=task)
    found = told(decode(model, {"predictions": [said], "time": TIME}), model)
    shown = {key: value for key, value in found[0].items() if key.startswith("@") and value == value}
    assert shown == expected


def test_of_several_outputs_the_mapping_says_which_is_the_score() -> None:
    answer = {"predictions": [{"head": 0.25, "aux": [0.5, 0.75]}], "time": TIME}
    model = spec("tfserving", "x", task="regression", score="aux.1")
    assert told(decode(model, answer), model)[0]["@score"] == 0.75
    plain = spec("tfserving", "x", task="regression")
    (reject,) = decode(plain, answer).rejects
    assert "mapping.score" in reject.detail


@pytest.mark.parametrize(
    ("preset", "record", "reason", "words"),
    [
        ("kserve", cloud_event("request", {"instances": []}), "schema", "without an instance"),
        ("kserve", {**cloud_event("request", V1), "type": "com.example.other"}, "schema", "com.example.other"),
        ("kserve", {**cloud_event("request", V1), "inferenceservicename": "wine"}, "unknown_model", "'wine'"),
        ("kserve", {**cloud_event("request", V1), "time": None}, None, ""),
        ("kserve", cloud_event("request", {"inputs": [{"name": "a", "shape": [1], "datatype": "FP32"}]}), "schema",
         "binary tensors"),
        ("kserve", cloud_event("request", {"inputs": [{"name": "a", "shape": [3], "datatype": "FP32", "data": [1]}]}),
         "schema", "a shape for 3"),
        ("kserve", {"hello": 1}, "schema", "neither a request nor a response"),
        ("kserve", 7, "schema", "an envelope is an object"),
        ("kserve", b"{'a': 1}", "undecodable", "printed Python object"),
        ("sagemaker", capture("x", "1", sent_as="NONE"), "schema", "encoding NONE"),
        ("sagemaker", capture("%%", "1", sent_as="BASE64"), "schema", "no base64 of text"),
        ("sagemaker", capture("1\n2\n", "1"), "schema", "2 instances and 1 predictions"),
        ("tfserving", {"error": "no such signature", "time": TIME}, "schema", "the response is an error: no such"),
        ("mlflow", {"request": "{}", "response": None, "status_code": 400}, "schema", "status_code 400"),
        ("mlflow", {"request": "{", "time": TIME}, "undecodable", "not JSON"),
        ("seldon", {"data": {"ndarray": [[1]]}, "time": TIME}, "schema", "whether it is a request or a response"),
    ],
)  # fmt: skip
def test_what_is_no_envelope_is_one_reject_with_its_bytes(preset: str, record: Any, reason: str, words: str) -> None:
    good = cloud_event("request", V1) if preset == "kserve" else {"instances": [[1.0]], "time": TIME}
    if preset == "sagemaker":
        good = capture("1.5,30", "0.75")
    if preset == "seldon":
        good = {"request": SELDON, "time": TIME}
    model = spec(preset, "f0", "f1")
    decoded = decode(model, good, record, good)
    if reason is None:
        assert not decoded.rejects  # Kafka's own time stands in
        return
    (reject,) = decoded.rejects
    assert (reject.message, reject.reason) == (1, reason)
    assert words in reject.detail
    assert reject.raw == (record if isinstance(record, bytes) else json.dumps(record).encode())
    assert decoded.n_events == 1 + decoded.batches[0].n


def test_a_bad_instance_is_rejected_alone_with_its_place_and_its_whole_message() -> None:
    model = spec("tfserving", "x")
    record = {"instances": [{"x": 1.0}, {"x": 2.0}], "time": [TIME, "?"]}
    decoded = decode(model, record, {"instances": [{"x": 1.0}], "time": TIME})
    assert [(one.message, one.index) for one in decoded.rejects] == [(0, 0), (0, 1)]
    assert {one.raw for one in decoded.rejects} == {json.dumps(record).encode()}
    assert decoded.batches[0].sources.tolist() == [1]


def test_envelopes_are_bounded_like_other_messages() -> None:
    model = spec("tfserving", "x")
    limits = Limits(max_events_a_message=2)
    decoder = MessageDecoder([model], limits)
    record = json.dumps({"instances": [[1.0]] * 3, "time": TIME}).encode()
    (reject,) = decoder.decode_messages([record], None, "predictions", NOW_MS).rejects
    assert (reject.reason, reject.detail) == ("oversize", "more than 2 events")


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda below: (
        st.lists(below, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["instances", "inputs", "predictions", "outputs", "name", "shape", "data", "request", "response", "x",
                 "captureData", "endpointInput", "encoding", "dataframe_split", "columns", "ndarray", "tensor",
                 "values", "time", "type", "id", "probabilities", "classes", "jsonData", "examples", "context",
                 "results"]
            ),
            below, max_size=4,
        )
    ),
    max_leaves=12,
)  # fmt: skip


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(["kserve", "seldon", "sagemaker", "tfserving", "mlflow"]), st.lists(_JSON, max_size=4))
def test_whatever_a_record_is_it_is_counted_or_rejected(preset: str, records: list[Any]) -> None:
    decoded = decode(spec(preset, "x", "f0"), *records)
    n = sum(batch.n for batch in decoded.batches)
    assert decoded.n_events == n + len(decoded.rejects) >= len(records) - sum(record == [] for record in records)


@pytest.mark.parametrize("preset", ["sagemaker", "mlflow"])
def test_files_of_them_are_read_as_a_topic_is(tmp_path: Path, preset: str) -> None:
    records = [capture("1.5,30", "0.75"), capture("2.5,40\n3.5,50", "0.5\n0.25")]
    if preset == "mlflow":
        records = [{"timestamp_ms": TIME_MS, "databricks_request_id": str(i),
            "request": json.dumps({"instances": [[1.5, i]]}), "response": json.dumps({"predictions": [0.75]})}
            for i in range(3)]  # fmt: skip
    path = tmp_path / "log.jsonl"
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    model = spec(preset, "f0", "f1")
    (part,) = iter_decoded(path, [model], NOW_MS)
    assert told(part.decoded, model) == told(decode(model, *records), model)


def hours(n: int, shift: float = 0.0) -> list[dict[str, Any]]:
    rng = np.random.default_rng(int(shift * 10) + 1)
    made = []
    for i in range(n):
        record = capture(f"{rng.normal() + shift:.4f},{rng.normal():.4f}", f"{rng.random():.4f}")
        record["eventMetadata"] |= {"eventId": str(i), "inferenceTime": f"2026-03-0{1 + i * 5 // n}T{i % 24:02}:00:00Z"}
        made.append(record)
    return made


def test_a_log_of_a_serving_system_becomes_findings_with_the_preset_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, shift in (("before", 0.0), ("after", 1.0)):
        Path(f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in hours(3_000, shift)))
    Path("c.yaml").write_text("models: [{name: m, task: binary, reference: m.ref, mapping: {preset: sagemaker}}]")
    assert run(["check", "c.yaml", "--data", "after.jsonl"]) == 2  # the reference is not there yet
    assert run(["reference", "build", "c.yaml", "--data", "before.jsonl"]) == 0
    capsys.readouterr()
    assert run(["replay", "c.yaml", "--predictions", "after.jsonl", "--out", "out", "--close"]) == 0
    findings = capsys.readouterr().out.partition("What drifted")[2]
    assert "f0" in findings
    assert "f1 " not in findings


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_an_inference_table_is_read_as_the_table_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(5)
    rows = [
        {
            "databricks_request_id": str(i),
            "request_time": datetime(2026, 3, 1 + i // 200, i % 24, tzinfo=UTC),
            "status_code": 200,
            "request": json.dumps({"dataframe_records": [{"x": rng.normal(), "c": "ab"[i % 2]}]}),
            "response": json.dumps({"predictions": [round(rng.random(), 3)]}),
        }
        for i in range(2_000)
    ]
    table = pa.Table.from_pylist(rows)
    name = f"log.{ending}"
    if ending == "csv":
        pacsv.write_csv(table, name)
    else:
        pq.write_table(table, name)
    assert run(["init", "--data", name]) == 0
    assert "preset: mlflow" in Path("driftline.yaml").read_text()
    assert run(["reference", "build", "driftline.yaml", "--data", name]) == 0
    capsys.readouterr()
    assert run(["replay", "driftline.yaml", "--predictions", name, "--out", "out", "--close"]) == 0
    assert "2,000 events: 2,000 counted, 0 rejected" in capsys.readouterr().out
    columns = {row["column"] for row in pq.read_table("out/verdicts.parquet").to_pylist()}
    assert {"x", "c", "@score"} <= columns


def test_a_reference_may_be_built_from_a_plain_table_although_events_come_in_envelopes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(6)
    lines = "".join(f"{rng.normal():.4f},{rng.normal():.4f},{rng.random():.4f}\n" for _ in range(2_000))
    Path("train.csv").write_text("f0,f1,score\n" + lines)
    Path("live.jsonl").write_text("".join(json.dumps(one) + "\n" for one in hours(2_000)))
    Path("c.yaml").write_text("models: [{name: m, task: binary, reference: m.ref, mapping: {preset: sagemaker}}]")
    assert run(["reference", "build", "c.yaml", "--data", "train.csv"]) == 0
    capsys.readouterr()
    assert run(["replay", "c.yaml", "--predictions", "live.jsonl", "--out", "out", "--close"]) == 0
    assert "Nothing drifted" in capsys.readouterr().out
