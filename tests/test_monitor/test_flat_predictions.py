"""The same rows mean the same as events in JSON, as Arrow, and in files: above all where a prediction lies."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from detectors.layout import Layout
from detectors.reference import categorical_column, numeric_column
from monitor.config.schema import Model
from monitor.events.arrow.table import decode_table
from monitor.events.batch import Decoded
from monitor.events.json.decoder import JsonDecoder
from monitor.events.mapping import Mapping
from monitor.events.models import ModelSpec, Task
from monitor.files.read import iter_decoded
from monitor.reference.build import build_reference

NOW_MS = 1_400_000_000_000
PROBA = Mapping(score="proba", label="predicted")
OUT = Mapping(score="out.p", label="out.cls", timestamp="meta.at")


def spec(mapping: Mapping, task: Task = "binary") -> ModelSpec:
    # Columns of every reserved name: a decoder that takes one for a feature fills it.
    names = ("x", "score", "prediction", "prediction.score", "proba", "out.p", "out", "features", "probabilities")
    texts = ("c", "label", "prediction.label", "predicted", "out.cls", "meta", "segments")
    columns = [numeric_column(name, np.arange(10.0))[0] for name in (*names, "@score")]
    columns += [categorical_column(name, {"y": 5, "n": 3, "1": 1, "true": 1}) for name in (*texts, "@label")]
    return ModelSpec(name="m", layout=Layout(columns), mapping=mapping, task=task)


def same(one: Decoded, two: Decoded) -> None:
    assert len(one.rejects) == len(two.rejects) == 0
    (a,), (b,) = one.batches, two.batches
    np.testing.assert_array_equal(a.numeric, b.numeric)
    np.testing.assert_array_equal(a.codes, b.codes)
    assert (a.versions, a.unseen) == (b.versions, b.unseen)


def filled(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows as a table has them: each has every key."""
    return [{name: row.get(name) for name in dict.fromkeys(k for r in rows for k in r)} for row in rows]


def events(rows: list[dict[str, Any]], model: ModelSpec) -> Decoded:
    return JsonDecoder([model]).decode([json.dumps(row).encode() for row in filled(rows)], "predictions", NOW_MS)


def table(rows: list[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(filled(rows))


BARE_SCORE = {"x": 1.0, "prediction": 0.5}
BARE_LABEL = {"x": 1.0, "prediction": "y"}
PROBABILITIES = {"prediction": {"probabilities": {"y": 0.25, "n": 0.5}}}
MAPPED = {"proba": 0.25, "predicted": "y", "label": "n", "score": 7.0, "prediction": 3.0}
ROWS: dict[str, tuple[Mapping, list[dict[str, Any]]]] = {
    "a bare score": (Mapping(), [BARE_SCORE, {**BARE_SCORE, "prediction": None}]),
    "a bare class": (Mapping(), [BARE_LABEL, {"prediction": "zz"}]),
    "a bare boolean": (Mapping(), [{"prediction": True}, {"prediction": None}]),
    "a bare score, and a label beside it": (Mapping(), [{**BARE_SCORE, "label": "y"}]),
    "a bare class, and a score beside it": (Mapping(), [{**BARE_LABEL, "score": 3.0}, {"score": 4.0}]),
    "other columns than the mapped": (PROBA, [MAPPED, {**MAPPED, "proba": None, "predicted": None}]),
    "probabilities": (Mapping(), [PROBABILITIES, {"x": 1.0}]),
    "a list of probabilities": (Mapping(), [{"prediction": {"probabilities": [0.1, 0.7]}}, {"x": 1.0}]),
    "probabilities that are none": (Mapping(), [{"prediction": {"probabilities": "y"}}]),
    "probabilities beside a score": (
        Mapping(), [{"prediction": {"score": 0.1, "probabilities": {"y": 0.9}}}, PROBABILITIES]
    ),
    "probabilities at the top": (PROBA, [{"probabilities": {"y": 0.5}}]),
    "an object, and columns that stand in": (
        Mapping(),
        [{"prediction": {"score": 1.0, "label": None}, "score": 2.0, "label": "n"}, {"score": 3.0, "label": "y"}],
    ),
    "another object": (OUT, [{"out": {"p": 1.0, "cls": "y"}, "score": 2.0, "label": "y"}]),
    "a bare score of another object": (OUT, [{"out": 1.5, "x": 2.0}]),
    "names of the mapping that are none of its objects": (Mapping(), [{"features": 1.0, "segments": "y", "x": 2.0}]),
}  # fmt: skip


def dated(rows: list[dict[str, Any]], mapping: Mapping) -> list[dict[str, Any]]:
    time_ms = NOW_MS - 1
    return [{**row, **({"meta": {"at": time_ms}} if mapping is OUT else {"timestamp": time_ms})} for row in rows]


@pytest.mark.parametrize("name", ROWS)
def test_a_table_means_what_its_rows_mean_as_events(name: str) -> None:
    mapping, rows = ROWS[name]
    rows = dated(rows, mapping)
    model = spec(mapping)
    same(decode_table([model], table(rows), "predictions", NOW_MS), events(rows, model))


def test_regression_has_no_probabilities() -> None:
    model, rows = spec(Mapping(), "regression"), dated([PROBABILITIES], Mapping())
    same(decode_table([model], table(rows), "predictions", NOW_MS), events(rows, model))
    assert np.isnan(events(rows, model).batches[0].numeric[-1, 0])


@pytest.mark.parametrize("name", [name for name in ROWS if "object" not in name and "probabilities" not in name])
def test_a_csv_file_means_what_its_rows_mean_as_events(name: str, tmp_path: Path) -> None:
    mapping, rows = ROWS[name]
    rows = dated(rows, mapping)
    names = list(dict.fromkeys(key for row in rows for key in row))
    lines = [",".join("" if row.get(key) is None else str(row[key]) for key in names) for row in rows]
    path = tmp_path / "f.csv"
    path.write_text("\n".join([",".join(names), *lines]))
    (part,) = iter_decoded(path, [spec(mapping)], NOW_MS)
    same(part.decoded, events(rows, spec(mapping)))


@pytest.mark.parametrize("ending", ["csv", "parquet"])
def test_the_dotted_names_of_a_flattened_prediction_are_no_features(ending: str, tmp_path: Path) -> None:
    rows = [{"timestamp": 1357034400000, "x": 1.0, "prediction.score": 0.5, "prediction.label": "y"}] * 3
    path = tmp_path / f"f.{ending}"
    if ending == "csv":
        path.write_text("timestamp,x,prediction.score,prediction.label\n" + f"{1357034400000},1.0,0.5,y\n" * 3)
    else:
        pq.write_table(pa.Table.from_pylist(rows), path)
    built = build_reference(Model(name="m", task="binary", reference=Path("m.ref")), path)
    assert [column.name for column in built.reference.layout.columns] == ["x", "@score", "@label"]
    (part,) = iter_decoded(path, [spec(Mapping())], NOW_MS)
    batch = part.decoded.batches[0]
    assert batch.numeric[-1].tolist() == [0.5] * 3
    assert batch.codes[-1].tolist() == [0] * 3
    assert np.isnan(batch.numeric[1:-1]).all()


def build(path: Path, mapping: Mapping) -> tuple[list[str], str]:
    model = Model(name="m", task="multiclass", reference=Path("m.ref"), mapping=mapping)
    reference = build_reference(model, path).reference
    return sorted(column.name for column in reference.layout.columns), reference.digest


@pytest.mark.parametrize("name", ROWS)
def test_a_reference_is_the_same_from_every_format(name: str, tmp_path: Path) -> None:
    mapping, rows = ROWS[name]
    rows = dated(rows, mapping)
    rows = [{"x": float(i), **row} for i, row in enumerate(rows * 5)]
    (tmp_path / "f.jsonl").write_text("\n".join(map(json.dumps, rows)))
    pq.write_table(table(rows), tmp_path / "f.parquet")
    columns, digest = build(tmp_path / "f.jsonl", mapping)
    found, other = build(tmp_path / "f.parquet", mapping)
    assert found == columns
    assert not {"prediction", "features", "segments", "out", "proba", "predicted"} & (set(columns) - {"@score"}) or (
        mapping is PROBA and "prediction" in columns
    )
    if set(table(rows).schema.names) - {"timestamp", "meta"} == {"x", "prediction"}:  # the order of columns counts too
        assert other == digest


PREDICTION = st.one_of(
    st.none(),
    st.fixed_dictionaries(
        {"score": st.none() | st.floats(0, 9), "label": st.none() | st.sampled_from(["y", "zz"])},
        optional={"probabilities": st.none() | st.fixed_dictionaries({"y": st.floats(0, 1), "n": st.floats(0, 1)})},
    ),
)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.fixed_dictionaries(
            {"prediction": PREDICTION, "score": st.none() | st.floats(0, 9), "label": st.none() | st.sampled_from("yn")}
        ),
        min_size=1,
        max_size=6,
    )
)
@example(
    rows=[
        {
            "prediction": {"score": None, "label": None, "probabilities": dict.fromkeys(order, 0.5)},
            "score": None,
            "label": None,
        }
        for order in ("yn", "ny")
    ]
)
def test_wherever_a_prediction_lies_a_table_and_events_agree(rows: list[dict[str, Any]]) -> None:
    rows, model = dated(rows, Mapping()), spec(Mapping())
    same(decode_table([model], table(rows), "predictions", NOW_MS), events(rows, model))
    forgiving = JsonDecoder([model], forgiving_only=True)
    raws = [json.dumps(row).encode() for row in rows]
    same(forgiving.decode(raws, "predictions", NOW_MS), events(rows, model))
