"""Building references: kinds, segments, one digest whatever the format and the order, in the memory of a column."""

import json
import math
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.columns import Kind
from detectors.reference import Reference, categorical_column, numeric_column
from monitor.config.schema import Model
from monitor.errors import InputError
from monitor.events.mapping import Mapping
from monitor.events.models import ModelSpec
from monitor.files.read import iter_decoded
from monitor.reference.build import BuiltReference, build_reference
from monitor.reference.folder import load_reference
from monitor.reference.kinds import InferredColumn
from monitor.reference.store import write_reference
from monitor.sketching.batch import sketch_batch

MAPPED = ("model", "version", "timestamp", "prediction_id", "score", "label")
NOW_MS = 1_400_000_000_000


def model(**changes: Any) -> Model:
    return Model(**{"name": "m", "task": "binary", "reference": Path("m.ref"), **changes})


def rows(n: int = 3_000, seed: int = 0) -> list[dict[str, Any]]:
    """Predictions with everything that formats spell differently."""
    rng = np.random.default_rng(seed)
    amount = rng.lognormal(size=n)
    some = rng.random(n) < 0.1
    return [
        {
            "model": "m",
            "version": "3",
            "timestamp": 1_357_034_400_000 + i,
            "prediction_id": f"p{i}",
            "amount": None if some[i] else float(amount[i]),
            "zeros": 0.0 if i % 2 else -0.0,
            "steps": int(rng.integers(0, 40)),
            "big": int(2**53 + i),
            "origin": ["EWR", "JFK", "LGA", "Zürich", None][int(rng.integers(0, 5))],
            "weekend": None if i % 7 == 0 else bool(rng.random() < 0.3),
            "day": f"2013-01-{1 + i % 28:02}",
            "nothing": None,
            "score": float(rng.random()),
            "label": "late" if rng.random() < 0.2 else "on, time",
        }
        for i in range(n)
    ]


def write_parquet(path: Path, data: list[dict[str, Any]], **options: Any) -> Path:
    pq.write_table(pa.Table.from_pylist(data), path, **options)
    return path


def write_arrow(path: Path, data: list[dict[str, Any]]) -> Path:
    feather.write_feather(pa.Table.from_pylist(data), path, chunksize=97)
    return path


def write_csv(path: Path, data: list[dict[str, Any]]) -> Path:
    table = pa.Table.from_pylist(data)
    # Floats as Python prints them, which is exactly; nulls as empty cells.
    columns = [
        pa.array([None if value is None else repr(value) for value in table[name].to_pylist()], pa.string())
        if pa.types.is_floating(table[name].type)
        else table[name]
        for name in table.schema.names
    ]
    pa_csv.write_csv(pa.table(columns, names=table.schema.names), path, pa_csv.WriteOptions(quoting_style="needed"))
    return path


def write_flat(path: Path, data: list[dict[str, Any]]) -> Path:
    # A null may be left out; a column that no line has would not be known.
    shown = ({k: v for k, v in row.items() if v is not None or k == "nothing"} for row in data)
    path.write_text("\n".join(map(json.dumps, shown)))
    return path


def write_nested(path: Path, data: list[dict[str, Any]]) -> Path:
    top = ("model", "version", "timestamp", "prediction_id")
    events = [
        {name: row[name] for name in top if name in row}
        | {"features": {name: value for name, value in row.items() if name not in (*top, "score", "label")}}
        | {"prediction": {name: row[name] for name in ("score", "label") if name in row}}
        for row in data
    ]
    path.write_text("\n".join(map(json.dumps, events)))
    return path


def build(path: Path, data: list[dict[str, Any]], **changes: Any) -> BuiltReference:
    return build_reference(model(**changes), write_parquet(path / "data.parquet", data))


def of(built: BuiltReference, name: str) -> InferredColumn:
    (found,) = (column for column in built.inferred if column.name == name)
    return found


def counts_of(reference: Reference, name: str, segment: str = "") -> list[int]:
    found: list[int] = reference.sketches[segment].counts[reference.layout.cells(reference.layout.index(name))].tolist()
    return found


# --- the same reference ---


def test_the_digest_is_the_same_from_every_format_and_in_every_order(tmp_path: Path) -> None:
    data = rows()
    shuffled = [data[i] for i in np.random.default_rng(1).permutation(len(data))]
    digests = set()
    for number, order in enumerate((data, shuffled, data[::-1])):
        for path in (
            write_parquet(tmp_path / f"{number}.parquet", order, row_group_size=700),
            write_csv(tmp_path / f"{number}.csv", order),
            write_flat(tmp_path / f"{number}.jsonl", order),
            write_nested(tmp_path / f"{number}.ndjson", order),
        ):
            built = build_reference(model(segments=("origin", "weekend", "steps")), path)
            assert [column.name for column in built.reference.layout.columns] == [
                "amount", "zeros", "steps", "big", "origin", "weekend", "nothing", "@score", "@label",
            ]  # fmt: skip
            assert built.reference.version == "3"
            digests.add(built.reference.digest)
    assert len(digests) == 1


values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**40), 2**40),
    st.floats(),
    st.text(max_size=3),
    st.lists(st.integers(), max_size=1),
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_json_values_in_any_order_make_one_reference(data: st.DataObject, tmp_path: Path) -> None:
    events = data.draw(st.lists(st.dictionaries(st.sampled_from(["a", "b", "c"]), values), min_size=1, max_size=20))
    order = data.draw(st.permutations(events))
    lines = [{"x": 1, **event} for event in events], [{"x": 1, **event} for event in order]
    built = []
    for events in lines:
        path = tmp_path / "data.jsonl"
        path.write_text("\n".join(json.dumps(event) for event in events))
        built.append(build_reference(model(), path))
    assert built[0].reference.digest == built[1].reference.digest
    for column in built[0].inferred:
        if column.kind != "left out":
            assert column.n + column.nulls + column.invalid == len(events)


@pytest.mark.parametrize("writer", [write_parquet, write_arrow, write_csv, write_flat, write_nested])
def test_the_same_rows_seen_live_are_counted_as_the_reference_counted_them(writer: Any, tmp_path: Path) -> None:
    data = [*rows(500), {**rows(1)[0], "amount": float("nan")}, {**rows(1)[0], "amount": float("inf")}]
    endings = {
        write_parquet: "parquet",
        write_arrow: "arrow",
        write_csv: "csv",
        write_flat: "jsonl",
        write_nested: "ndjson",
    }
    path = writer(tmp_path / f"data.{endings[writer]}", data)
    configured = model(segments=("origin", "steps"), columns={"big": "categorical"})
    reference = build_reference(configured, path).reference
    spec = ModelSpec(name="m", layout=reference.layout, dimensions=reference.dimensions, task="binary")
    live: dict[str, Any] = {}
    for part in iter_decoded(path, [spec], NOW_MS):
        assert part.decoded.rejects == []
        for batch in part.decoded.batches:
            for key, sketch in sketch_batch(batch, reference, 86_400_000):
                live[key.segment] = live[key.segment].merge(sketch) if key.segment in live else sketch
    assert live.keys() == reference.sketches.keys()
    for segment, sketch in live.items():
        assert sketch.same(reference.sketches[segment]), segment
    # In the text of a CSV cell NaN spells a missing number, as data frames write it.
    assert reference.sketches[""].invalid[reference.layout.index("amount")] == (1 if writer is write_csv else 2)


# --- right numbers ---


def test_grid_means_and_counts_are_those_of_the_raw_values(tmp_path: Path) -> None:
    data = rows()
    reference = build(tmp_path, data, segments=("origin",)).reference
    amounts = np.array([math.nan if row["amount"] is None else row["amount"] for row in data])
    column, means = numeric_column("amount", amounts)
    index = reference.layout.index("amount")
    assert reference.layout.columns[index] == column
    np.testing.assert_array_equal(reference.cell_means[reference.layout.cells(index)], means)
    assert reference.sketches[""].nulls[index] == np.isnan(amounts).sum()
    origins = Counter(row["origin"] for row in data)
    nulls = origins.pop(None)
    assert reference.layout.columns[reference.layout.index("origin")] == categorical_column("origin", origins)
    assert counts_of(reference, "origin")[:4] == [count for _, count in origins.most_common()]
    assert reference.dimensions == {"origin": tuple(value for value, _ in origins.most_common())}
    assert reference.sketches["origin=(rest)"].n == nulls
    assert {name: sketch.n for name, sketch in reference.sketches.items()} == {
        "": len(data), **{f"origin={value}": count for value, count in origins.items()}, "origin=(rest)": nulls,
    }  # fmt: skip


def test_fifty_segments_are_the_most_frequent_ties_by_value(tmp_path: Path) -> None:
    data = [{"x": 1.0, "place": f"p{i:03}"} for i in range(80) for _ in range(2 if i >= 40 else 1)]
    reference = build(tmp_path, [*data, {"x": 1.0, "place": "(rest)"}, {"x": 1.0, "place": "(rest)"}],
                      segments=("place",)).reference  # fmt: skip
    assert reference.dimensions["place"] == tuple(f"p{i:03}" for i in [*range(40, 80), *range(10)])
    assert reference.sketches["place=(rest)"].n == 32


def test_a_segment_may_be_named_apart_from_the_features(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    events = [
        {"features": {"x": 1, "origin": "A"}, "segments": {"origin": "B", "tier": "gold"}},
        {"features": {"x": 2, "origin": "A"}},
        {"features": {"x": 3}, "segments": {"tier": 1}},
    ]
    path.write_text("\n".join(map(json.dumps, events)))
    reference = build_reference(model(segments=("origin", "tier")), path).reference
    assert reference.dimensions == {"origin": ("A", "B"), "tier": ("1", "gold")}
    assert {name: sketch.n for name, sketch in reference.sketches.items() if name} == {
        "origin=A": 1, "origin=B": 1, "origin=(rest)": 1, "tier=1": 1, "tier=gold": 1, "tier=(rest)": 1,
    }  # fmt: skip
    assert [column.name for column in reference.layout.columns] == ["x", "origin"]


def test_a_nested_parquet_file_is_read_like_nested_events(tmp_path: Path) -> None:
    data = rows(300)
    flat = build(tmp_path, data, segments=("origin",)).reference
    nested = [
        {"timestamp": row["timestamp"], "version": row["version"],
         "features": {k: v for k, v in row.items() if k not in MAPPED},
         "prediction": {"score": row["score"], "label": row["label"]}}
        for row in data
    ]  # fmt: skip
    assert build(tmp_path, nested, segments=("origin",)).reference.digest == flat.digest


# --- kinds ---


@pytest.mark.parametrize(
    ("array", "kind", "note"),
    [
        (pa.array(np.linspace(0, 1, 500)), "numeric", ""),
        (pa.array([1, 2, 3, None] * 125, pa.int8()), "numeric", "3 different values; set `categorical`"),
        (pa.array([1.0, 2.0] * 250), "numeric", "2 different values; set `categorical`"),
        (pa.array([0.5, 0.25] * 250), "numeric", ""),
        (pa.array([7] * 500), "numeric", "always the same value"),
        (pa.array(np.arange(500)), "numeric", "every value is different: an identifier?"),
        (pa.array([1.0, float("nan"), float("inf"), None] * 125), "numeric", "250 values are no finite numbers"),
        (pa.array([None] * 500), "numeric", "empty throughout"),
        (pa.array([None] * 500, pa.string()), "numeric", "empty throughout"),
        (pa.array([None] * 500, pa.float32()), "numeric", "empty throughout"),
        (pa.array(["a", "b"] * 250), "categorical", ""),
        (pa.array(["a", "b"] * 250).dictionary_encode(), "categorical", ""),
        (pa.array(["a", "b"] * 250, pa.large_string()), "categorical", ""),
        (pa.array([True, False] * 250), "boolean", ""),
        (pa.array(["1"] * 499 + ["x"]), "categorical", "99.80% of the values are numbers"),
        (pa.array(["1"] * 490 + ["x"] * 10), "categorical", ""),
        (pa.array([f"id{i}" for i in range(500)]), "categorical", "looks like an identifier"),
        (pa.array([f"2013-01-0{1 + i % 9}T00:00:00Z" for i in range(500)]), "left out", "set `categorical`"),
        (pa.array([0] * 500, pa.date32()), "left out", ""),
        (pa.array([0] * 500, pa.timestamp("ms", "UTC")), "left out", ""),
        (pa.array([[1]] * 500), "left out", ""),
        (pa.array([[("y", 1)]] * 500, pa.map_(pa.string(), pa.int64())), "left out", ""),
        (pa.array([b"x"] * 500), "left out", ""),
    ],
)
def test_a_columns_kind_follows_from_its_values(array: pa.Array, kind: str, note: str, tmp_path: Path) -> None:
    pq.write_table(pa.table({"x": array, "other": np.arange(500) % 50 / 7}), tmp_path / "data.parquet")
    built = build_reference(model(), tmp_path / "data.parquet")
    found = of(built, "x")
    assert (found.kind, note in found.note, bool(found.note)) == (kind, True, bool(note)), found
    assert ("x" in [column.name for column in built.reference.layout.columns]) == (kind != "left out")
    if kind != "left out":
        assert found.n + found.nulls + found.invalid == 500


def test_booleans_are_categories_named_false_and_true(tmp_path: Path) -> None:
    reference = build(tmp_path, [{"x": True}, {"x": False}, {"x": False}]).reference
    assert reference.layout.columns[0].categories == ("false", "true")


def test_a_configured_kind_is_taken(tmp_path: Path) -> None:
    data = [{"code": i % 3, "text": str(i), "flag": i % 2, "share": 1.0 * (i % 4)} for i in range(400)]
    columns = {"code": "categorical", "text": "numeric", "flag": "boolean", "share": "categorical"}
    built = build(tmp_path, data, columns=columns)
    kinds = {column.name: column for column in built.reference.layout.columns}
    assert kinds["code"].categories == ("0", "1", "2")
    assert kinds["share"].categories == ("0", "1", "2", "3")
    assert kinds["flag"].categories == ("0", "1")
    assert kinds["text"].kind is Kind.NUMERIC
    assert of(built, "text").invalid == 400  # text is no number in events either
    assert of(built, "text").note == "400 values are no finite numbers; no value is a number"
    assert {column.why for column in built.inferred} == {"configured"}


def test_a_configured_numeric_column_of_csv_keeps_its_numbers(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text("x,y\n1,a\nNA,b\n2.5,c\n,d\n")
    built = build_reference(model(columns={"x": "numeric"}), path)
    found = of(built, "x")
    assert (found.kind, found.n, found.nulls, found.invalid) == ("numeric", 2, 2, 0)
    assert of(build_reference(model(), path), "x").kind == "numeric"


def test_values_of_several_types_are_told(tmp_path: Path) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text('{"a": 1, "b": 1, "c": [1]}\n{"a": "x", "b": [2]}\n{"a": true, "b": 2.5, "c": {}}\n')
    built = build_reference(model(), path)
    assert (of(built, "a").kind, of(built, "a").why) == ("categorical", "numbers (1) and booleans (1) and text (1)")
    assert built.reference.layout.columns[0].categories == ("1", "true", "x")
    assert (of(built, "b").kind, of(built, "b").invalid) == ("numeric", 1)
    assert of(built, "c").kind == "left out"


def test_more_than_a_thousand_categories_share_other(tmp_path: Path) -> None:
    data = [{"x": f"c{i % 1_200}"} for i in range(6_000)]
    built = build(tmp_path, data)
    assert counts_of(built.reference, "x")[1_000] == 200 * 5
    assert "1,200 categories; the 1,000 largest have cells, the rest share `other`" in of(built, "x").note


def test_too_many_different_texts_are_left_out_or_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.reference.kinds.MAX_DISTINCT", 100)
    monkeypatch.setattr("monitor.reference.rows.MAX_DISTINCT", 100)
    data = [{"x": f"c{i}", "y": 1.0} for i in range(101)]
    built = build(tmp_path, data)
    assert (of(built, "x").kind, of(built, "x").identifier) == ("left out", True)
    with pytest.raises(InputError, match="column 'x' has more than"):
        build(tmp_path, data, columns={"x": "categorical"})
    with pytest.raises(InputError, match="segment 'x' has more than"):
        build(tmp_path, data, segments=("x",))


def test_columns_without_a_name_or_with_a_reserved_one_are_left_out(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    path.write_text(",@score,x,score\n0,1,2.5,0.5\n1,1,3.5,0.25\n")
    built = build_reference(model(), path)
    assert [column.name for column in built.reference.layout.columns] == ["x", "@score"]
    assert built.reference.sketches[""].maximum.tolist() == [3.5, 0.5]


# --- mapping ---


def test_mapped_columns_are_no_features(tmp_path: Path) -> None:
    mapping = Mapping(timestamp="at", prediction_id="id", version="release", score="p", label="class")
    data = [{"at": i, "id": str(i), "release": 2, "p": 0.5, "class": i % 2, "x": i / 7} for i in range(10)]
    built = build(tmp_path, data, mapping=mapping)
    assert [(column.name, column.kind) for column in built.inferred] == [
        ("x", "numeric"), ("@score", "numeric"), ("@label", "categorical"),
    ]  # fmt: skip
    assert built.reference.version == "2"


def test_timestamps_are_not_needed_nor_looked_at(tmp_path: Path) -> None:
    for data in ([{"x": 1.0}, {"x": 2.0}], [{"x": 1.0, "timestamp": "never"}, {"x": 2.0, "timestamp": None}]):
        assert build(tmp_path, data).reference.n == 2


def test_rows_of_other_models_are_left_out(tmp_path: Path) -> None:
    data = [{"model": name, "version": version, "x": float(i), "place": "P"} for i, (name, version) in
            enumerate([("m", "1"), ("other", "9"), (None, "1"), ("m", "1")])]  # fmt: skip
    built = build(tmp_path, data, segments=("place",))
    assert (built.reference.n, built.n_other_models, built.versions) == (3, 1, ("1",))
    assert built.reference.sketches[""].minimum.tolist() == [0.0]
    assert built.reference.sketches[""].mean[0] == pytest.approx(5 / 3)
    assert built.reference.sketches["place=P"].n == 3
    with pytest.raises(InputError, match="no row of model 'unknown'") as caught:
        build(tmp_path, [row for row in data if row["model"]], name="unknown")
    assert caught.value.hint == "its rows are of: m, other"


def test_the_version_is_the_label_that_was_given_else_the_datas_only_one(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "a.parquet", [{"x": 1.0, "version": 3}, {"x": 2.0, "version": 3}])
    assert build_reference(model(), path).reference.version == "3"
    assert build_reference(model(), path, version="january").reference.version == "january"
    path = write_parquet(tmp_path / "b.parquet", [{"x": 1.0, "version": "3"}, {"x": 2.0, "version": "4"}])
    built = build_reference(model(), path)
    assert (built.reference.version, built.versions) == ("", ("3", "4"))


def test_a_prediction_that_is_empty_throughout_is_no_column(tmp_path: Path) -> None:
    data = [{"x": 1.0, "score": None, "label": 1}, {"x": 2.0, "score": None, "label": 0}]
    assert [c.name for c in build(tmp_path, data, task="none").reference.layout.columns] == ["x", "@label"]


@pytest.mark.parametrize(("name", "content"), [
    ("d.csv", "timestamp,score\n1,0.5\n"),
    ("d.jsonl", '{"timestamp": 1, "score": 0.5}'),
    ("d.ndjson", '{"timestamp": 1, "features": {}, "prediction": 0.5}'),
])  # fmt: skip
def test_predictions_alone_can_be_watched(name: str, content: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    built = build_reference(model(), tmp_path / name)
    assert [column.name for column in built.inferred] == ["@score"]


@pytest.mark.parametrize(("prediction", "score", "label"), [
    ({"score": 0.25, "label": "y"}, 0.25, "y"),
    ({"score": 0.25, "label": None, "probabilities": {"y": 0.9, "n": 0.1}}, 0.25, "y"),
    ({"probabilities": {"y": 0.75, "n": 0.25}}, 0.75, "y"),
    (0.5, 0.5, None),
    ("y", None, "y"),
    (True, None, "true"),
])  # fmt: skip
def test_every_form_of_a_prediction_is_read(
    prediction: Any, score: float | None, label: str | None, tmp_path: Path
) -> None:
    path = tmp_path / "data.jsonl"
    path.write_text(json.dumps({"features": {"x": 1}, "prediction": prediction}))
    layout = (reference := build_reference(model(), path).reference).layout
    found = {column.name: column for column in layout.columns}
    probabilities = prediction.get("probabilities", {}) if isinstance(prediction, dict) else {}
    own = {name for name, value in (("@score", score), ("@label", label)) if value is not None}
    assert found.keys() - {"x"} == own | {f"@score.{name}" for name in probabilities}
    if score is not None:
        largest = dict(
            zip([layout.columns[i].name for i in layout.numeric], reference.sketches[""].maximum.tolist(), strict=True)
        )
        assert largest == {"x": 1.0, "@score": score} | {f"@score.{name}": p for name, p in probabilities.items()}
    if label is not None:
        assert found["@label"].categories == (label,)


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("d.csv", "x,y\n", "has no rows"),
        ("d.jsonl", "\n\n", "has no rows"),
        ("d.csv", "timestamp,score\n1,\n", "no column that can be watched"),
    ],
)
def test_a_file_with_nothing_in_it_is_refused(name: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(InputError, match=words):
        build_reference(model(), tmp_path / name)


def test_a_column_that_is_not_there_names_the_nearest(tmp_path: Path) -> None:
    data = [{"distance": 1.0, "carrier": "UA", "version": "1"}]
    with pytest.raises(InputError, match="no column 'distnace', configured under `columns`") as caught:
        build(tmp_path, data, columns={"distnace": "numeric"})
    assert caught.value.hint == "did you mean 'distance'?"
    with pytest.raises(InputError, match="no column 'carier', a segment of model 'm'") as caught:
        build(tmp_path, data, segments=("carier",))
    assert caught.value.hint == "did you mean 'carrier'?"
    with pytest.raises(InputError, match="no column 'version'"):  # in events it would not be found either
        build(tmp_path, data, segments=("version",))


@pytest.mark.parametrize("segments", [(), ("missing",)])
def test_the_temporary_file_is_removed_whatever_happens(
    segments: tuple[str, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    seen = set()
    path = write_flat(tmp_path / "data.jsonl", rows(50))

    def watch(what: str, fraction: float) -> None:
        seen.update(scratch.rglob("*.parquet"))
        assert 0.0 <= fraction <= 1.0

    if segments:
        with pytest.raises(InputError):
            build_reference(model(segments=segments), path, progress=watch)
    else:
        build_reference(model(segments=segments), path, progress=watch)
    assert seen
    assert list(scratch.iterdir()) == []


def test_progress_names_its_phases_and_ends_each_at_one(tmp_path: Path) -> None:
    last: dict[str, float] = {}
    path = write_csv(tmp_path / "data.csv", rows(100))
    build_reference(model(), path, progress=lambda what, fraction: last.update({what.split()[0]: fraction}))
    assert list(last) == ["reading", "sorting", "versions", "times", "column", "counting"]
    assert set(last.values()) == {1.0}


# --- writing ---


def test_a_written_reference_is_read_back(tmp_path: Path) -> None:
    reference = build(tmp_path, rows(100), segments=("origin",)).reference
    path = tmp_path / "references" / "m.ref"
    assert write_reference(path, reference) == load_reference(path).digest
    path.unlink()
    path.write_bytes(b"what was there before")
    assert write_reference(path, reference) == reference.digest == load_reference(path).digest
    assert sorted(found.name for found in path.parent.iterdir()) == [f"m.{reference.digest}.ref", "m.ref"]


def test_a_reference_that_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    reference = build(tmp_path, rows(100)).reference
    with pytest.raises(InputError, match="cannot write"):
        write_reference(tmp_path / "data.parquet" / "m.ref", reference)
    (tmp_path / "m.ref").mkdir()
    with pytest.raises(InputError, match="cannot write"):
        write_reference(tmp_path / "m.ref", reference)
    assert sorted(found.name for found in tmp_path.iterdir()) == ["data.parquet", "m.ref"]


# --- memory ---

_GROWTH = """
import sys
from pathlib import Path
from monitor.config.schema import Model
from monitor.reference.build import build_reference

def status(key):
    with open("/proc/self/status") as lines:
        return next(int(line.split()[1]) for line in lines if line.startswith(key)) / 1024

model = Model(name="m", reference=Path("m.ref"))
build_reference(model, Path(sys.argv[1]))  # compiled kernels stay
Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again
before = status("VmRSS")
build_reference(model, Path(sys.argv[2]))
print(status("VmHWM") - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
def test_a_large_file_takes_the_memory_of_a_column_not_of_the_file(tmp_path: Path) -> None:
    n, n_columns = 1_000_000, 30  # 240 MB of float64 in one row group, the worst there is
    base = np.round(np.random.default_rng(0).normal(size=n), 3)
    table = pa.table({f"x{i}": np.roll(base, 7 * i) for i in range(n_columns)})
    pq.write_table(table, tmp_path / "large.parquet", row_group_size=n, compression="none")
    write_parquet(tmp_path / "small.parquet", [{"x": 1.0}])
    run = subprocess.run(
        [sys.executable, "-c", _GROWTH, str(tmp_path / "small.parquet"), str(tmp_path / "large.parquet")],
        capture_output=True, text=True, check=False, timeout=300,
    )  # fmt: skip
    if "clear_refs" in run.stderr:
        pytest.skip("this kernel does not let a process reset its high-water mark")
    assert run.returncode == 0, run.stderr
    growth_mb = float(run.stdout)
    assert growth_mb < 120, f"{growth_mb:.0f} MB for 240 MB of values"  # 76 MB seen: some six times one column
