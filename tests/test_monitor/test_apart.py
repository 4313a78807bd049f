"""Requests and responses in messages of their own, as KServe and Seldon log them: what is seen, and what is said."""

import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pyarrow.parquet as pq
import pytest

from monitor.cli.app import run
from monitor.config.load import load

START: Final = datetime(2026, 3, 1, tzinfo=UTC)
N: Final = 2_000


def event(prefix: str, kind: str, identity: str, at: datetime, data: Any) -> dict[str, Any]:
    """A CloudEvent, as the loggers of both make them."""
    return {
        "specversion": "1.0", "id": identity, "source": "http://localhost:9081/", "time": at.isoformat(),
        "type": f"{prefix}.inference.{kind}", "inferenceservicename": "fraud", "endpoint": "default", "data": data,
    }  # fmt: skip


def kserve(identity: str, at: datetime, x: float, country: str, p: float) -> Iterator[dict[str, Any]]:
    columns = {"amount": ("FP64", x), "country": ("BYTES", country)}
    inputs = [{"name": name, "shape": [1], "datatype": kind, "data": [v]} for name, (kind, v) in columns.items()]
    outputs = [{"name": "predict_proba", "shape": [1, 2], "datatype": "FP64", "data": [1 - p, p]}]
    yield event("org.kubeflow.serving", "request", identity, at, {"inputs": inputs})
    later = at + timedelta(milliseconds=20)
    yield event("org.kubeflow.serving", "response", identity, later, {"model_name": "fraud", "outputs": outputs})


def seldon(identity: str, at: datetime, x: float, country: str, p: float) -> Iterator[dict[str, Any]]:
    asked = {"data": {"names": ["amount", "country"], "ndarray": [[x, country]]}}
    said = {"data": {"names": ["t:0", "t:1"], "ndarray": [[1 - p, p]]}, "meta": {"requestPath": {"m": "m:1"}}}
    yield event("io.seldon.serving", "request", identity, at, asked)
    yield event("io.seldon.serving", "response", identity, at + timedelta(milliseconds=20), said)


Log = Callable[[str, datetime, float, str, float], Iterator[dict[str, Any]]]


def written(folder: Path, name: str, log: Log, day: int, shift: float) -> None:
    """A log of four days, all messages shuffled within the hour, and labels three hours later."""
    rng = random.Random(day)
    records, labels = [], []
    for i in range(N):
        at = START + timedelta(days=day, minutes=3 * i)
        x = rng.gauss(50 + shift, 10)
        p = min(max((x - 20) / 60 + rng.gauss(0, 0.1), 0.01), 0.99)
        records += log(f"r{day}-{i}", at, x, rng.choice("ab"), p)
        label = {"prediction_id": f"r{day}-{i}", "timestamp": (at + timedelta(hours=3)).isoformat()}
        labels.append({**label, "label": "1" if rng.random() < p else "0"})
    records.sort(key=lambda one: (one["time"][:13], rng.random()))
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(one) + "\n" for one in records))
    (folder / f"{name}-labels.jsonl").write_text("".join(json.dumps(one) + "\n" for one in labels))


@pytest.mark.parametrize("log", [kserve, seldon])
def test_requests_and_responses_are_monitored_apart_and_nothing_is_rejected(
    log: Log, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    written(tmp_path, "old", log, 0, 0.0)
    written(tmp_path, "same", log, 10, 0.0)
    written(tmp_path, "moved", log, 20, 15.0)

    assert run(["init", "--data", "old.jsonl", "--name", "fraud"]) == 0
    screen = capsys.readouterr().out
    assert "requests and responses come apart" in screen
    assert "segments: none; country would split inputs alone" in screen
    text = (tmp_path / "driftline.yaml").read_text()
    (tmp_path / "driftline.yaml").write_text(text.replace("# label_horizon", "label_horizon"))
    (model,) = load(tmp_path / "driftline.yaml").models
    assert model.segments == ()
    assert run(["reference", "build", "driftline.yaml", "--data", "old.jsonl", "--labels", "old-labels.jsonl"]) == 0
    screen = capsys.readouterr().out
    assert f"labels: {N:,} of {N:,} rows are labelled" in screen
    assert "features and predictions come in events of their own: losses are not traced to features" in screen

    for name in ("same", "moved"):
        replay = ["replay", "driftline.yaml", "--predictions", f"{name}.jsonl", "--labels", f"{name}-labels.jsonl"]
        assert run([*replay, "--out", name, "--json"]) == 0
        said = json.loads(capsys.readouterr().out)
        assert said["rejects"] == {}
        assert said["events"]["read"] == 2 * N
        assert said["joined"] == {"fraud": {"matched": N}}
        windows = pq.read_table(tmp_path / name / "windows.parquet").to_pylist()
        assert windows
        assert all(one["events"] == 2 * one["with_features"] == 2 * one["with_prediction"] for one in windows)
        assert {one["both"] for one in windows} == {0}
        drifted = {one["column"] for one in said["findings"]}
        assert {"amount", "@score"} <= drifted if name == "moved" else not drifted
        assert not drifted & {"@coverage", "@labels_missing", "@delay"}
        performance = pq.read_table(tmp_path / name / "performance.parquet").to_pylist()
        measured = [one for one in performance if one["metric"] == "roc_auc" and not one["estimated"]]
        assert measured
        assert all(one["n_total"] == one["n_labelled"] for one in measured[:-1])
