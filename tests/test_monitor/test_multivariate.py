"""`multivariate: true`: one reference whatever the order and format, the same columns from every format of events."""

import itertools
import json
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.events import START_MS, encoded, model_section
from support.events import rows as event_rows
from support.installation import Installation

from detectors.derive import derive_numpy
from detectors.derived import DERIVED_COLUMNS
from detectors.reference import WHOLE, Reference
from detectors.sketch import Sketch
from monitor.cli.offline import replay_file
from monitor.config.load import parse
from monitor.config.schema import Config, Model
from monitor.errors import ConfigError, InputError
from monitor.events.batch import Batch
from monitor.models import message_decoder
from monitor.reference.build import BuiltReference, build_reference
from monitor.reference.opened import open_references
from monitor.sketching.batch import sketch_batch

NOW_MS = START_MS + 7 * 86_400_000


def model(**changes: Any) -> Model:
    return Model(**{"name": "m", "reference": Path("m.ref"), "multivariate": True, **changes})


def rows(n: int = 3_000, seed: int = 0) -> list[dict[str, Any]]:
    """Correlated features with nulls, a constant one, a category, and a score."""
    rng = np.random.default_rng(seed)
    a = rng.lognormal(size=n)
    b, c = 0.7 * a + rng.normal(size=n), rng.integers(0, 40, n)
    some = rng.random(n) < 0.1
    return [
        {
            "a": None if some[i] else float(a[i]),
            "b": float(b[i]),
            "kind": ("x", "y")[i % 2],
            "c": int(c[i]),
            "same": 3.0,
            "score": float(rng.random()),
        }
        for i in range(n)
    ]


def built_from(path: Path, data: list[dict[str, Any]], **changes: Any) -> BuiltReference:
    table = pa.Table.from_pylist(data)
    if path.suffix == ".parquet":
        pq.write_table(table, path, row_group_size=700)
    elif path.suffix == ".csv":
        pa_csv.write_csv(table, path)
    else:
        path.write_text("\n".join(map(json.dumps, data)))
    return build_reference(model(**changes), path)


def counts_of(reference: Reference, name: str, sketch: Sketch) -> list[int]:
    found: list[int] = sketch.counts[reference.layout.cells(reference.layout.index(name))].tolist()
    return found


# --- the reference ---


def test_the_reference_is_the_same_from_every_format_and_in_every_order(tmp_path: Path) -> None:
    data = rows()
    shuffled = [data[i] for i in np.random.default_rng(1).permutation(len(data))]
    found = {
        built_from(tmp_path / f"{number}.{suffix}", order, segments=("kind",)).reference.digest
        for number, order in enumerate((data, shuffled, data[::-1]))
        for suffix in ("parquet", "csv", "jsonl")
    }
    assert len(found) == 1


def test_the_reference_holds_the_derived_columns_of_its_own_rows(tmp_path: Path) -> None:
    data = rows()
    reference = built_from(tmp_path / "data.parquet", data, segments=("kind",)).reference
    layout = reference.layout
    observed = ["a", "b", "kind", "c", "same", "@score"]
    assert [column.name for column in layout.columns] == [*observed, *DERIVED_COLUMNS]
    assert reference.derived is not None
    assert reference.derived.features.tolist() == [0, 1, 2]  # neither what is always the same, nor the score
    numbers = np.array([[np.nan if row[name] is None else row[name] for row in data] for name in "abc"])
    expected = derive_numpy(reference.derived, numbers)
    whole = reference.sketches[WHOLE]
    for name, values in zip(DERIVED_COLUMNS, expected, strict=True):
        position = layout.numeric.index(layout.index(name))
        edges = layout.column_edges(position)
        cells = np.searchsorted(edges, values)
        assert counts_of(reference, name, whole) == np.bincount(cells, minlength=edges.size + 1).tolist()
        assert whole.mean[position] == pytest.approx(values.mean(), abs=1e-12)
        assert edges[0] < values.min() <= edges[1] == pytest.approx(values.min(), rel=1e-6)
    assert np.mean(expected[1] ** 2) == pytest.approx(1.0, rel=1e-3)
    assert whole.with_prediction == whole.with_features == whole.n == len(data)


def test_features_that_have_a_reserved_name_are_left_out(tmp_path: Path) -> None:
    data = [{**row, "@distance": 1.0, "@joint.3": 2.0} for row in rows()]
    built = built_from(tmp_path / "data.parquet", data)
    left_out = {column.name: column.why for column in built.inferred if column.kind == "left out"}
    assert left_out == dict.fromkeys(("@distance", "@joint.3"), "the name is that of a derived column")
    assert built.reference.digest == built_from(tmp_path / "plain.parquet", rows()).reference.digest


def test_too_few_features_that_vary_are_an_error_that_says_so(tmp_path: Path) -> None:
    data = [{"a": row["b"], "same": 3.0, "kind": row["kind"]} for row in rows()]
    with pytest.raises(InputError, match="multivariate: 1 numeric features vary") as caught:
        built_from(tmp_path / "data.parquet", data)
    assert "multivariate" in caught.value.hint


def test_rows_of_another_model_move_no_weight(tmp_path: Path) -> None:
    own = [{"model": "m", **row} for row in rows()]
    others = [{**row, "model": "other", "a": 1e6, "b": -1e6} for row in own[:500]]
    alone = built_from(tmp_path / "own.parquet", own).reference
    assert built_from(tmp_path / "both.parquet", [*others, *own]).reference.digest == alone.digest


# --- the configuration ---


@pytest.mark.parametrize("wanted", [True, False])
def test_a_reference_that_was_built_otherwise_does_not_fit(tmp_path: Path, wanted: bool) -> None:
    section = model_section(tmp_path, multivariate=not wanted)
    config = parse(msgspec.yaml.encode({"models": [{**section, "multivariate": wanted}]}).decode(), environ={})
    with pytest.raises(ConfigError) as caught:
        open_references(config)
    assert caught.value.path == "models[0].multivariate"
    here, built = ("true", "without") if wanted else ("false", "with")
    assert f"{here} here, but the reference was built {built} it" in str(caught.value)


# --- events ---


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Config:
    section = model_section(tmp_path_factory.mktemp("model"), multivariate=True)
    return parse(msgspec.yaml.encode({"models": [section]}).decode(), environ={})


@pytest.fixture(scope="module")
def reference(config: Config) -> Reference:
    return open_references(config)["m"].current


def decoded(config: Config, messages: list[bytes], role: Any = "predictions") -> Batch:
    found = message_decoder(config, open_references(config)).decode_messages(messages, None, role, NOW_MS)
    assert not found.rejects
    (batch,) = found.batches
    return batch


def wholes(batch: Batch, reference: Reference) -> Sketch:
    total = Sketch.empty(reference.layout)
    for key, sketch in sketch_batch(batch, reference, 3_600_000):
        total = total if key.segment else total.merge(sketch)
    return total


def test_json_and_arrow_have_the_same_derived_columns_and_a_feature_of_their_name_is_ignored(
    config: Config, reference: Reference
) -> None:
    events = list(event_rows(500, seed=3, hours=2))
    flat = [
        {key: value for key, value in event.items() if key not in ("features", "prediction", "model", "version")}
        | event["features"] | event["prediction"]
        for event in events
    ]  # fmt: skip
    named = [{**event, "features": {**event["features"], "@distance": 1e9, "@joint.1": "x"}} for event in events]
    table = pa.Table.from_pylist(flat).replace_schema_metadata({"model": "m", "version": "1"})
    extra = table.append_column("@residual", pa.array(np.full(500, 5.0)))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, extra.schema) as stream:
        stream.write_table(extra)
    by_json = wholes(decoded(config, [json.dumps(event).encode() for event in events]), reference)
    by_name = wholes(decoded(config, [json.dumps(event).encode() for event in named]), reference)
    by_arrow = wholes(decoded(config, [sink.getvalue().to_pybytes()]), reference)
    assert by_json.same(by_name)
    assert by_json.same(by_arrow)
    assert sum(counts_of(reference, "@distance", by_json)) == 500


def test_what_does_not_speak_of_features_has_no_derived_values(config: Config, reference: Reference) -> None:
    events = [json.dumps(event).encode() for event in event_rows(300, seed=4, hours=1)]
    predictions = [
        json.dumps({key: value for key, value in event.items() if key != "features"}).encode()
        for event in event_rows(200, seed=5, hours=1)
    ]
    nothing = [
        json.dumps({**event, "features": {"color": "red", "site": "north"}}).encode()
        for event in event_rows(100, seed=6, hours=1)
    ]
    sketch = wholes(decoded(config, events + predictions + nothing), reference)
    own = list(reference.layout.derived)
    assert (sketch.n, sketch.with_features, sketch.with_prediction, sketch.n_both) == (600, 400, 600, 400)
    assert sketch.valid[own].tolist() == [300] * 18
    assert sketch.nulls[own].tolist() == sketch.invalid[own].tolist() == [0] * 18
    alone = wholes(decoded(config, events, "features"), reference)
    assert alone.valid[own].tolist() == [300] * 18
    assert alone.with_prediction == 0


@settings(max_examples=30, deadline=None)
@given(data=st.data(), cuts=st.lists(st.integers(0, 400), max_size=5))
def test_any_split_and_order_of_events_gives_the_same_counts(
    config: Config, reference: Reference, data: st.DataObject, cuts: list[int]
) -> None:
    messages = [json.dumps(event).encode() for event in event_rows(400, seed=7, hours=3)]
    shuffled = list(messages)
    data.draw(st.randoms()).shuffle(shuffled)
    edges = [0, *sorted(cuts), 400]
    total = Sketch.empty(reference.layout)
    for start, end in itertools.pairwise(edges):
        if start < end:
            total = total.merge(wholes(decoded(config, shuffled[start:end]), reference))
    assert total.same(wholes(decoded(config, messages), reference))


def test_replay_scores_derived_columns_like_any_other(tmp_path: Path) -> None:
    section = model_section(tmp_path / "model", multivariate=True)
    installation = Installation(tmp_path / "installation", "127.0.0.1:1", "multivariate", [section])
    try:
        events = tmp_path / "events.jsonl"
        events.write_bytes(b"\n".join(encoded(4_000, seed=1, hours=12, shift=3.0)))
        replay_file(installation.path, events, tmp_path / "out", close=True)
        found = pq.read_table(tmp_path / "out" / "drift.parquet").to_pylist()
        verdicts = pq.read_table(tmp_path / "out" / "verdicts.parquet").to_pylist()
    finally:
        installation.close()
    assert {row["column"] for row in found} >= set(DERIVED_COLUMNS)
    half_ms = START_MS + 6 * 3_600_000
    assert {row["column"] for row in verdicts} >= {"@distance", "@residual", "@joint"}
    whole = [row for row in verdicts if not row["segment"] and row["drifted"]]
    before = {row["column"] for row in whole if row["window_end_ms"] <= half_ms}
    after = {row["column"] for row in whole if row["window_start_ms"] > half_ms}
    assert not {"amount", "@distance"} & before
    assert {"amount", "@distance"} <= after
