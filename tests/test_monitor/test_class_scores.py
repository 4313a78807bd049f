"""Probabilities of several classes, from files to what drifted, and with labels to log loss and its estimate."""

import json
import re
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.commands import OneModel

from detectors.arrays import Floats
from monitor.config.schema import Model
from monitor.reference.build import MAX_CLASSES, build_reference

NAMES: Final = ("cat", "dog", "fish")
START_MS: Final = 1_709_251_200_000
N: Final = 2_000


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> OneModel:
    model = OneModel(tmp_path, capsys)
    model.configure("task: multiclass")
    return model


def drawn(rng: np.random.Generator, shift: float, n: int = N) -> Floats:
    """(n, 3) the probabilities of the case `multiclass-probabilities`."""
    found: Floats = rng.dirichlet([2.0, 2.0 + shift, 2.0], n).round(4)
    return found


def event(i: int, by_class: Any, form: str) -> dict[str, Any]:
    """One row of a form: where the probabilities lie."""
    own = dict(zip(NAMES, by_class.tolist(), strict=True))
    label = max(own, key=lambda name: own[name])
    row: dict[str, Any] = {"prediction_id": f"i{i}", "timestamp": START_MS + i * 20_000, "len": float(i % 17)}
    if form == "score":
        return {**row, "prediction": {"label": label, "score": own}}
    if form == "probabilities":
        return {**row, "prediction": {"label": label, "probabilities": own}}
    if form == "top":
        return {**row, "label": label, "probabilities": own}
    above = form.removeprefix("flat ")
    return {**row, "label": label, **{f"{above}.{name}": value for name, value in own.items()}}


def write(folder: Path, name: str, rows: list[dict[str, Any]]) -> str:
    """The file's name; its ending says its format."""
    path = folder / name
    if name.endswith(".jsonl"):
        path.write_text("\n".join(map(json.dumps, rows)))
    elif name.endswith(".parquet"):
        pq.write_table(pa.Table.from_pylist(rows), path)
    else:
        names = list(rows[0])
        lines = [",".join(str(row[one]) for one in names) for row in rows]
        path.write_text("\n".join([",".join(names), *lines]))
    return name


FORMS: Final = [
    ("jsonl", "score"),
    ("jsonl", "probabilities"),
    ("jsonl", "top"),
    ("parquet", "score"),
    ("parquet", "probabilities"),
    ("parquet", "top"),
    ("csv", "flat probabilities"),
    ("csv", "flat prediction.probabilities"),
    ("csv", "flat score"),
    ("parquet", "flat prediction.score"),
]


@pytest.mark.parametrize(("ending", "form"), FORMS[::3])
def test_the_probability_of_each_class_is_a_column_whose_drift_is_found(
    model: OneModel, ending: str, form: str
) -> None:
    rng = np.random.default_rng(0)
    for name, shift in (("ref", 0.0), ("live", 1.5)):
        rows = [event(i, own, form) for i, own in enumerate(drawn(rng, shift))]
        write(model.folder, f"{name}.{ending}", rows)
    code, screen = model.build(f"ref.{ending}")
    assert code == 0, screen
    assert all(f"@score.{name}" in screen for name in NAMES)
    replayed = model.replay(f"live.{ending}")
    assert replayed.columns - {"@coverage"} == {"len", "@score", "@label", *(f"@score.{name}" for name in NAMES)}
    assert replayed.drifted >= {"@label", "@score.cat", "@score.dog", "@score.fish"}


def test_a_reference_with_classes_is_the_same_from_every_format(tmp_path: Path) -> None:
    rows = drawn(np.random.default_rng(1), 0.0, 300)
    digests = set()
    for ending, form in FORMS:
        name = write(tmp_path, f"f.{ending}", [event(i, own, form) for i, own in enumerate(rows)])
        built = build_reference(Model(name="m", task="multiclass", reference=Path("m.ref")), tmp_path / name)
        columns = [column.name for column in built.reference.layout.columns]
        assert columns == ["len", "@score", "@score.cat", "@score.dog", "@score.fish", "@label"]
        digests.add(built.reference.digest)
    assert len(digests) == 1


def map_of(rows: Floats) -> Any:
    entries = [list(zip(NAMES, own.tolist(), strict=True)) for own in rows]
    return pa.array(entries, pa.map_(pa.string(), pa.float64()))


@pytest.mark.parametrize("kind", ["map", "list"])
def test_probabilities_may_be_a_map_or_a_list(tmp_path: Path, kind: str) -> None:
    rows = drawn(np.random.default_rng(1), 0.0, 300)
    array = map_of(rows) if kind == "map" else pa.array(rows.tolist())
    table = pa.table({"probabilities": array, "x": np.arange(300.0)})
    pq.write_table(table, tmp_path / "f.parquet")
    names = NAMES if kind == "map" else ("0", "1", "2")
    events = [
        {"x": float(i), "probabilities": dict(zip(names, own.tolist(), strict=True))} for i, own in enumerate(rows)
    ]
    write(tmp_path, "f.jsonl", events)
    one, other = (
        build_reference(Model(name="m", task="multiclass", reference=Path("m.ref")), tmp_path / name).reference
        for name in ("f.parquet", "f.jsonl")
    )
    assert {column.name for column in one.layout.columns} >= {f"@score.{name}" for name in names}
    assert {column.name for column in one.layout.columns} == {column.name for column in other.layout.columns}


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_of_very_many_classes_those_most_often_predicted_are_columns_and_the_rest_are_said(
    model: OneModel, ending: str
) -> None:
    rng = np.random.default_rng(0)
    names = [f"c{i:02}" for i in range(MAX_CLASSES + 10)]
    rows = []
    for i, own in enumerate(rng.dirichlet(np.linspace(0.01, 1.0, len(names)), 400).tolist()):
        rows.append({"timestamp": START_MS + i, "prediction": {"probabilities": dict(zip(names, own, strict=True))}})
    code, screen = model.build(write(model.folder, f"f.{ending}", rows))
    assert code == 0, screen
    assert "10 more classes" in " ".join(screen.split())
    assert "@score.c59" in screen
    assert "@score.c00" not in screen


def test_labels_of_several_classes_give_log_loss_and_its_estimate(model: OneModel) -> None:
    model.configure("task: multiclass", "label_horizon: 2d")
    rng = np.random.default_rng(0)

    def files(name: str, shift: float) -> tuple[str, str, float]:
        found = drawn(rng, shift)
        truth = (rng.uniform(size=N)[:, None] > found.cumsum(axis=1)).sum(axis=1).clip(0, 2)
        rows = [event(i, own, "probabilities") for i, own in enumerate(found)]
        labels = [
            {"prediction_id": f"i{i}", "timestamp": START_MS + i * 20_000 + 1_000, "label": NAMES[one]}
            for i, one in enumerate(truth.tolist())
        ]
        loss = -np.log(np.clip(found[np.arange(N), truth], 1e-15, 1.0)).mean()
        return write(model.folder, f"{name}.jsonl", rows), write(model.folder, f"{name}_labels.jsonl", labels), loss

    reference, labels, _ = files("ref", 0.0)
    code, screen = model.build(reference, "--labels", str(model.folder / labels))
    assert code == 0, screen
    live, labels, loss = files("live", 0.5)
    model.replay(live, "--labels", str(model.folder / labels))
    rows = pq.read_table(model.folder / "out" / "performance.parquet").to_pylist()
    whole = [row for row in rows if row["metric"] == "log_loss" and row["segment"] == ""]
    measured = [row for row in whole if not row["estimated"]]
    estimated = [row for row in whole if row["estimated"]]
    assert measured
    assert sum(row["value"] * row["n_labelled"] for row in measured) / N == pytest.approx(loss, rel=1e-3)
    assert estimated
    assert estimated[0]["value"] == pytest.approx(loss, abs=0.05)


def test_a_binary_model_is_measured_by_the_probability_of_its_positive_class(model: OneModel) -> None:
    model.configure("task: binary", "label_horizon: 2d")
    rng = np.random.default_rng(0)
    likely = rng.uniform(size=N).round(4)
    truth = rng.uniform(size=N) < likely
    rows = [
        {
            "prediction_id": f"i{i}",
            "timestamp": START_MS + i * 20_000,
            "prediction": {"probabilities": {"no": 1.0 - one, "yes": one}},
        }
        for i, one in enumerate(likely.tolist())
    ]
    labels = [
        {"prediction_id": f"i{i}", "timestamp": START_MS + i * 20_000 + 1_000, "label": "yes" if one else "no"}
        for i, one in enumerate(truth.tolist())
    ]
    write(model.folder, "l.jsonl", labels)
    code, screen = model.build(write(model.folder, "f.jsonl", rows), "--labels", str(model.folder / "l.jsonl"))
    assert code == 0, screen
    assert "'yes' is positive by its name" in " ".join(screen.split())
    loss = -np.log(np.where(truth, likely, 1.0 - likely).clip(1e-15)).mean()
    told = re.search(r"roc_auc ([0-9.]+), log_loss ([0-9.]+)", " ".join(screen.split()))
    assert told is not None
    assert float(told[1]) == pytest.approx(0.833, abs=0.02)
    assert float(told[2]) == pytest.approx(loss, abs=1e-3)


def test_scores_of_several_types_in_events_are_no_probabilities(tmp_path: Path) -> None:
    rows = [{"x": i % 7, "prediction": {"score": i / 10 if i % 5 else "bad", "label": "ab"[i % 2]}} for i in range(50)]
    built = build_reference(
        Model(name="m", task="binary", reference=Path("m.ref")), tmp_path / write(tmp_path, "f.jsonl", rows)
    )
    assert [column.name for column in built.reference.layout.columns] == ["x", "@score", "@label"]
    assert {one.name: one.invalid for one in built.inferred}["@score"] == 10


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_probabilities_that_are_none_are_invalid_in_a_reference_too(tmp_path: Path, ending: str) -> None:
    rows = [event(i, own, "probabilities") for i, own in enumerate(drawn(np.random.default_rng(1), 0.0, 100))]
    for row in rows[:10]:
        row["prediction"]["probabilities"] = dict.fromkeys(NAMES) if ending == "parquet" else None
    for row in rows[10:20]:
        row["prediction"]["probabilities"]["cat"] = None
    if ending == "jsonl":
        for row in rows[20:25]:
            row["prediction"]["probabilities"] = "cat"
    built = build_reference(
        Model(name="m", task="multiclass", reference=Path("m.ref")), tmp_path / write(tmp_path, f"f.{ending}", rows)
    )
    found = {one.name: (one.nulls, one.invalid) for one in built.inferred}
    assert found["@score.cat"] == (20, 5 if ending == "jsonl" else 0)
    assert found["@score.dog"] == (10, 5 if ending == "jsonl" else 0)
