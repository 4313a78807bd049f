"""One row that is no event costs no other row: it is left out, counted by its reason and shown by each command."""

import gzip
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from support.events import encoded, model_section

from monitor.cli.app import run

START: Final = datetime(2026, 3, 1, tzinfo=UTC)


def time_of(i: int) -> str:
    return (START + timedelta(minutes=7 * i)).isoformat()


def logged(prefix: str, kind: str, i: int, data: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0", "id": f"r{i}", "source": "s", "time": time_of(i),
        "type": f"{prefix}.inference.{kind}", "data": data,
    }  # fmt: skip


def captured(i: int, sent: str, got: str) -> dict[str, Any]:
    sides = {"endpointInput": sent, "endpointOutput": got}
    return {
        "captureData": {name: {"data": data, "encoding": "CSV"} for name, data in sides.items()},
        "eventMetadata": {"eventId": f"r{i}", "inferenceTime": time_of(i)},
    }


def tabled(i: int, response: Any, status: int = 200) -> dict[str, Any]:
    return {
        "databricks_request_id": f"r{i}", "timestamp_ms": int((START + timedelta(minutes=7 * i)).timestamp() * 1000),
        "status_code": status, "request": json.dumps({"dataframe_records": [{"x": i % 10, "y": i % 7}]}),
        "response": json.dumps(response),
    }  # fmt: skip


def both(i: int, response: Any) -> dict[str, Any]:
    return {"timestamp": time_of(i), "id": f"r{i}", "request": {"instances": [[i % 10, i % 7]]}, "response": response}


SELDON: Final = {"data": {"names": ["x", "y"], "ndarray": [[1, 2]]}}
V2: Final = {"inputs": [{"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 2]}]}
KSERVE, SELDONS = "org.kubeflow.serving", "io.seldon.serving"


def good(preset: str, i: int) -> dict[str, Any]:
    x, y, score = i % 10, i % 7, i % 9 / 9
    match preset:
        case "kserve":
            body = {"instances": [[x, y]]} if i % 2 else {"predictions": [score]}
            return logged(KSERVE, "request" if i % 2 else "response", i, body)
        case "seldon":
            names, row = (["x", "y"], [x, y]) if i % 2 else (["p"], [score])
            return logged(SELDONS, "request" if i % 2 else "response", i, {"data": {"names": names, "ndarray": [row]}})
        case "sagemaker":
            return captured(i, f"{x},{y}", f"{score}")
        case "mlflow":
            return tabled(i, {"predictions": [score]})
        case "tfserving":
            return both(i, {"predictions": [[score]]})
        case "cloudevents":
            return logged("any", "event", i, {"features": {"x": x, "y": y}, "prediction": {"score": score}})
    return {"timestamp": time_of(i), "features": {"x": x, "y": y}, "prediction": score}


ERROR: Final = {"error": "model not ready"}
FAILURE: Final = {"status": {"code": 400, "info": "no", "status": "FAILURE"}}
BAD: Final[Mapping[str, Sequence[tuple[Any, str, str]]]] = {
    "none": [
        (b'{"timestamp": ', "undecodable", "not JSON"),
        (b"{'timestamp': 1}", "undecodable", "a printed Python object"),
        (b"\xff\xfe\xfd", "undecodable", "not UTF-8"),
        ([[1, 2]], "schema", ""),
        (17, "schema", "an event is an object"),
        (json.dumps(good("none", 1)), "schema", "encoded twice"),
        (good("mlflow", 1), "bad_timestamp", "preset: mlflow"),
    ],
    "kserve": [
        (logged(KSERVE, "response", 1, ERROR), "schema", "the response is an error: model not ready"),
        (logged(KSERVE, "response", 1, "no JSON"), "undecodable", "not JSON"),
        (logged("com.other", "request", 1, V2), "schema", "neither a request nor a response"),
        (logged(KSERVE, "request", 1, {**V2, "inputs": [{**V2["inputs"][0], "shape": [7, 9]}]}), "schema", "shape"),
        (logged(KSERVE, "request", 1, {"instances": []}), "schema", "without an instance"),
        ({"message": "started"}, "schema", "neither a request nor a response"),
    ],
    "seldon": [
        (
            logged(SELDONS, "response", 1, {"status": {"code": 400, "info": "no", "status": "FAILURE"}}),
            "schema",
            "400 no",
        ),
        (logged(SELDONS, "request", 1, {"binData": "aa=="}), "schema", "binData"),
        (logged(SELDONS, "response", 1, ERROR), "schema", "the response is an error"),
    ],
    "sagemaker": [
        ({"captureData": {}, "eventMetadata": {"inferenceTime": time_of(1)}}, "schema", "neither a request"),
        (captured(1, "1,2", '{"error": "out of memory"}') | {"eventVersion": "0"}, "schema", "out of memory"),
        ({"eventMetadata": {}}, "schema", "captureData"),
    ],
    "mlflow": [
        (tabled(1, {"error_code": "BAD_REQUEST", "message": "no column z"}, 400), "schema", "status_code 400"),
        (tabled(1, {"error_code": "BAD_REQUEST", "message": "no column z"}), "schema", "the response is an error"),
        (tabled(1, "upstream timed out", 504), "schema", "status_code 504"),
        (tabled(1, {"predictions": [1, 2]}), "schema", "1 instances and 2 predictions"),
    ],
    "tfserving": [
        (both(1, ERROR), "schema", "the response is an error"),
        (both(1, {"detail": [{"loc": ["body"], "msg": "field required"}]}), "schema", "field required"),
        ({**both(1, {"predictions": [1]}), "statusCode": "503"}, "schema", "statusCode 503"),
        (both(1, {"predictions": [1, 2, 3]}), "schema", "1 instances and 3 predictions"),
    ],
    "cloudevents": [(b"abc", "undecodable", "not JSON"), ("text", "schema", "an event")],
}
CASES: Final = [(preset, *case) for preset, cases in BAD.items() for case in cases]


def written(path: Path, rows: Sequence[Any]) -> Path:
    lines = [row if isinstance(row, bytes) else json.dumps(row).encode() for row in rows]
    path.write_bytes(b"".join(line + b"\n" for line in lines))
    return path


def configuration(folder: Path, preset: str) -> str:
    mapping: dict[str, Any] = {"preset": preset}
    if preset in ("kserve", "sagemaker", "tfserving"):
        mapping["feature_names"] = ["x", "y"]
    model = {"name": "m", "reference": str(folder / "m.ref"), "windows": [{"size": "1d"}], "min_samples": 20}
    section = model | ({"mapping": mapping} if preset != "none" else {})
    (folder / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [section]}))
    return str(folder / "driftline.yaml")


@pytest.mark.parametrize(("preset", "bad", "reason", "words"), CASES)
def test_a_row_that_is_no_event_is_left_out_and_told_by_each_command(
    preset: str, bad: Any, reason: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [good(preset, i) for i in range(900)]
    data = str(written(tmp_path / "data.jsonl", [*rows[:450], bad, *rows[450:]]))
    config = configuration(tmp_path, preset)
    told = re.compile(rf"1 rejected \({reason}\): .*{re.escape(words)}")
    assert run(["reference", "build", config, "--data", data]) == 0
    screen = capsys.readouterr().out
    assert told.search(screen), screen
    assert f"m: {len(rows)} rows" in screen
    digest = re.search(r"\((\w{12})\)", screen)
    assert run(["check", config, "--data", data]) == 0
    assert told.search(capsys.readouterr().out)
    assert run(["replay", config, "--predictions", data, "--out", str(tmp_path / "out")]) == 0
    assert told.search(capsys.readouterr().out)
    assert run(["init", "--data", data, "-o", str(tmp_path / "new.yaml")]) == 0
    screen = capsys.readouterr().out
    # `init` knows what is no JSON object, and what its preset cannot take apart; what an event is, is said later.
    assert told.search(screen) or (preset in ("none", "cloudevents") and isinstance(bad, dict)), screen
    assert run(["reference", "build", config, "--data", str(written(tmp_path / "clean.jsonl", rows))]) == 0
    assert digest is not None
    assert f"({digest[1]})" in capsys.readouterr().out  # the reference is that of the other rows


@pytest.mark.parametrize("preset", BAD)
def test_where_nothing_is_left_the_first_reason_is_the_error(
    preset: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad, reason, words = BAD[preset][0]
    data = str(written(tmp_path / "data.jsonl", [bad] * 5))
    config = configuration(tmp_path, preset)
    assert run(["reference", "build", config, "--data", data]) == 7
    error = capsys.readouterr().err
    assert "no row that can be used, of 5 rows" in error
    assert words in error
    assert reason in error
    assert not (tmp_path / "m.ref").exists()


@pytest.mark.parametrize("ending", ["parquet", "arrow", "csv", "jsonl.gz"])
def test_a_failed_request_in_a_table_is_left_out(
    ending: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [*(good("mlflow", i) for i in range(900)), BAD["mlflow"][0][0], BAD["mlflow"][1][0]]
    path = tmp_path / f"data.{ending}"
    if ending == "jsonl.gz":
        path.write_bytes(gzip.compress(written(tmp_path / "plain.jsonl", rows).read_bytes()))
    else:
        table = pa.Table.from_pylist(rows)
        {"parquet": pq.write_table, "arrow": feather.write_feather, "csv": write_csv}[ending](table, path)
    config = configuration(tmp_path, "mlflow")
    assert run(["reference", "build", config, "--data", str(path), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert (said["rows"], said["rejects"]["schema"]["n"]) == (900, 2)
    assert "status_code 400" in said["rejects"]["schema"]["example"]
    assert run(["replay", config, "--predictions", str(path), "--out", str(tmp_path / "out"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejects"]["schema"]["n"] == 2
    assert run(["init", "--data", str(path), "-o", str(tmp_path / "new.yaml")]) == 0
    assert "2 rejected (schema): status_code 400" in capsys.readouterr().out


def write_csv(table: Any, path: Path) -> None:
    table.to_pandas().to_csv(path, index=False)


CSV_BAD: Final = "2026-03-02T00:00:00Z,1\n2026-03-02T00:00:00Z,1,2,3,4\n"


@pytest.mark.parametrize("as_parts", [False, True])
def test_rows_of_too_few_or_too_many_cells_are_left_out(
    as_parts: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = [f"{time_of(i)},{i % 10},{i % 7}\n" for i in range(900)]
    path = tmp_path / ("data" if as_parts else "data.csv")
    if as_parts:
        path.mkdir()
    (path / "1.csv" if as_parts else path).write_text("timestamp,x,y\n" + "".join(lines[:600]) + CSV_BAD)
    if as_parts:
        (path / "2.csv").write_text("timestamp,x,y\n" + "".join(lines[600:]))
    config = configuration(tmp_path, "none")
    for command in (["reference", "build", config], ["check", config], ["init", "-o", str(tmp_path / "new.yaml")]):
        assert run([*command, "--data", str(path)]) == 0
        assert "2 rejected (undecodable): 2 cells where the header has 3" in capsys.readouterr().out


def test_labels_and_a_quiet_period_are_read_past_what_is_no_row(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    section = model_section(tmp_path, windows=[{"size": "1d"}], label_horizon="30d", positive="1")
    (tmp_path / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [section]}))
    config = str(tmp_path / "driftline.yaml")
    data = tmp_path / "quiet.jsonl"
    quiet = [line for message in encoded(3_000, 5, 24.0 * 40) for line in message.splitlines() if line.endswith(b"}}")]
    data.write_bytes(b"\n".join([*quiet, b"no JSON", b'{"model": "other"}']))
    assert run(["calibrate", config, "--data", str(data), "--months", "15"]) == 0
    screen = capsys.readouterr().out
    assert "1 rejected (undecodable): not JSON" in screen
    assert "1 rejected (unknown_model): model 'other'" in screen
    assert run(["calibrate", config, "--data", str(data), "--months", "15", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rejected"] == {"undecodable": 1, "unknown_model": 1}

    rows = [{**good("none", i), "prediction_id": f"p{i}"} for i in range(900)]
    labels = [json.dumps({"prediction_id": f"p{i}", "timestamp": time_of(i), "label": str(i % 2)}) for i in range(900)]
    config = configuration(tmp_path, "none")
    model = msgspec.yaml.decode((tmp_path / "driftline.yaml").read_bytes())["models"][0]
    model |= {"task": "binary", "positive": "1", "label_horizon": "30d"}
    (tmp_path / "driftline.yaml").write_bytes(msgspec.yaml.encode({"models": [model]}))
    data, of_labels = written(tmp_path / "data.jsonl", rows), tmp_path / "labels.jsonl"
    of_labels.write_text("\n".join([*labels, "no JSON", '{"timestamp": 1}']))
    csv = tmp_path / "labels.csv"
    cells = "".join(f"p{i},{time_of(i)},{i % 2}\n" for i in range(900))
    csv.write_text(f"prediction_id,timestamp,label\n{cells}p1\n")
    for path, n in ((of_labels, 2), (csv, 1)):
        assert run(["reference", "build", config, "--data", str(data), "--labels", str(path)]) == 0
        screen = capsys.readouterr().out
        assert "labels: 900 of 900 rows are labelled" in screen
        assert "undecodable" in screen.split("left out: ")[1]
        replay = ["replay", config, "--predictions", str(data), "--labels", str(path), "--json"]
        assert run([*replay, "--out", str(tmp_path / f"{path.suffix}-out")]) == 0
        told = json.loads(capsys.readouterr().out)
        assert (told["labels_rejected"], sum(one["n"] for one in told["label_rejects"].values())) == (n, n)
        assert run([*replay[:-1], "--out", str(tmp_path / f"{path.suffix}-told")]) == 0
        screen = capsys.readouterr().out
        assert f"{n} label{'s' if n > 1 else ''} rejected:" in screen
        assert "1 rejected (undecodable): " in screen
