"""What an event does not speak of is absent, and no null: in every format, on every path, and in a reference."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.events import model_section, rows
from support.files import NOW_MS, TIME_MS, spec, write
from support.installation import Installation

from detectors.columns import ABSENT, CODE_ABSENT, CODE_NULL
from monitor.cli.offline import replay_file
from monitor.config.schema import Model
from monitor.events.arrow.table import decode_table
from monitor.events.batch import Batch, Decoded
from monitor.events.json.decoder import JsonDecoder
from monitor.events.mapping import Mapping
from monitor.events.models import ModelSpec
from monitor.files.read import iter_decoded
from monitor.reference.build import build_reference

DISTANCE, SCORE = 0, 1
CARRIER, LABEL = 0, 2
HEAD = {"model": "m", "timestamp": TIME_MS}
FEATURES = {"distance": 3.0, "carrier": "UA", "stop": 1}
PREDICTION = {"score": 0.5, "label": "true"}


def only(decoded: Decoded) -> Batch:
    assert not decoded.rejects
    (batch,) = decoded.batches
    return batch


def spoken(batch: Batch) -> list[tuple[bool, bool]]:
    """Of each row, whether it speaks of features and of a prediction; all columns of each agree."""
    features = np.concatenate([batch.numeric[[DISTANCE]] != ABSENT, batch.codes[[CARRIER, 1]] != CODE_ABSENT])
    prediction = np.concatenate([batch.numeric[[SCORE]] != ABSENT, batch.codes[[LABEL]] != CODE_ABSENT])
    assert (features == features[0]).all()
    assert (prediction == prediction[0]).all()
    return list(zip(features[0].tolist(), prediction[0].tolist(), strict=True))


@pytest.mark.parametrize("forgiving_only", [False, True])
@pytest.mark.parametrize(
    ("says", "expected"),
    [
        ({"features": FEATURES, "prediction": PREDICTION}, (True, True)),
        ({"prediction": PREDICTION}, (False, True)),
        ({"prediction": PREDICTION, "features": None}, (False, True)),
        ({"prediction": PREDICTION, "features": {}}, (True, True)),
        ({"prediction": PREDICTION, "features": [1]}, (True, True)),
        ({"prediction": PREDICTION, "unknown": 1, "segments": {"carrier": "UA"}}, (False, True)),
        ({"prediction": {}}, (False, True)),
        ({"prediction": None, "distance": None}, (True, False)),
        ({"prediction": [0.5]}, (False, True)),
        ({"features": FEATURES}, (True, False)),
        ({"features": FEATURES, "score": 0.5}, (True, True)),
        ({"features": FEATURES, "label": "true"}, (True, True)),
        (FEATURES, (True, False)),
        ({"distance": 1.0, "score": None}, (True, True)),
        ({"label": "true"}, (False, True)),
        ({}, (False, False)),
    ],
)
def test_an_event_speaks_of_its_features_its_prediction_or_both(
    says: dict[str, Any], expected: tuple[bool, bool], forgiving_only: bool
) -> None:
    decoder = JsonDecoder([spec()], forgiving_only=forgiving_only)
    raw = json.dumps({**HEAD, **says}).encode()
    assert spoken(only(decoder.decode([raw], "predictions", NOW_MS))) == [expected]
    assert spoken(only(decoder.decode([raw], "features", NOW_MS))) == [(expected[0], False)]


THING = st.one_of(st.none(), st.just({}), st.just(5), st.just("x"), st.just(True), st.just([1]))
OBJECT = st.one_of(THING, st.dictionaries(st.sampled_from(["score", "label", "p", "probabilities", "distance"]), THING))
MAPPINGS = (
    Mapping(),
    Mapping(score="body.p", label="body.label", features="body"),
    Mapping(score="prediction.p", label="label"),
    Mapping(score="p", features="body.features"),
    Mapping(timestamp="prediction.timestamp"),
)


@settings(max_examples=300, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["features", "prediction", "body", "score", "label", "p", "distance", "carrier"]), OBJECT
    ),
    st.sampled_from(MAPPINGS),
    st.sampled_from(["binary", "regression"]),
    st.sampled_from(["predictions", "features"]),
)
def test_the_compiled_and_the_forgiving_path_agree_on_what_an_event_speaks_of(
    says: dict[str, Any], mapping: Mapping, task: Any, role: Any
) -> None:
    says = {**HEAD, "prediction": {"timestamp": TIME_MS}, **says} if mapping is MAPPINGS[-1] else {**HEAD, **says}
    model, raw = spec(mapping=mapping, task=task), json.dumps(says).encode()
    fast, slow = (
        JsonDecoder([model], forgiving_only=forgiving_only).decode([raw], role, NOW_MS)
        for forgiving_only in (False, True)
    )
    assert len(fast.rejects) == len(slow.rejects)
    for one, two in zip(fast.batches, slow.batches, strict=True):
        np.testing.assert_array_equal(one.numeric, two.numeric)
        np.testing.assert_array_equal(one.codes, two.codes)


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({"features": [FEATURES, None], "prediction": [None, PREDICTION]}, [(True, False), (False, True)]),
        ({"prediction": [PREDICTION, None]}, [(False, True), (False, False)]),
        ({"prediction": [0.5, None]}, [(False, True), (False, False)]),
        ({"prediction.score": [0.5, None]}, [(False, True)] * 2),
        ({"distance": [1.0, None]}, [(True, False)] * 2),
        ({"unknown": [1.0, None]}, [(False, False)] * 2),
        ({"carrier": ["UA", None], "score": [0.5, None]}, [(True, True)] * 2),
    ],
)
def test_a_table_speaks_of_what_it_has_columns_for_and_a_row_of_the_structs_that_it_has(
    columns: dict[str, Any], expected: list[tuple[bool, bool]]
) -> None:
    table = pa.table({"timestamp": [TIME_MS] * 2, **columns})
    assert spoken(only(decode_table([spec()], table, "predictions", NOW_MS))) == expected
    assert spoken(only(decode_table([spec()], table, "features", NOW_MS))) == [(one, False) for one, _ in expected]


def test_an_object_within_another_that_is_null_is_absent() -> None:
    mapping = Mapping(features="body.features", score="body.out.score", label="body.out.label")
    body = pa.array([{"features": FEATURES, "out": PREDICTION}, None, {"features": None, "out": None}])
    batch = only(decode_table([spec(mapping=mapping)], pa.table({"timestamp": [TIME_MS] * 3, "body": body}), "predictions", NOW_MS))  # fmt: skip # noqa: E501
    assert spoken(batch) == [(True, True), (False, False), (False, False)]


def test_files_speak_of_what_their_events_speak_of(tmp_path: Path) -> None:
    events = [{**HEAD, "features": FEATURES}, {**HEAD, "prediction": PREDICTION}]
    jsonl = write(tmp_path / "f.jsonl", "\n".join(map(json.dumps, events)))
    parquet = tmp_path / "f.parquet"
    pq.write_table(pa.Table.from_pylist([{"features": None, "prediction": None, **one} for one in events]), parquet)
    for path in (jsonl, parquet):
        (part,) = iter_decoded(path, [spec()], NOW_MS)
        assert spoken(only(part.decoded)) == [(True, False), (False, True)]
    csv = write(tmp_path / "f.csv", f"timestamp,prediction\n{TIME_MS},0.5\n{TIME_MS},\n")
    (part,) = iter_decoded(csv, [spec()], NOW_MS)
    assert spoken(only(part.decoded)) == [(False, True), (False, False)]


@pytest.mark.parametrize("ending", ["jsonl", "parquet"])
def test_a_reference_of_events_that_speak_of_one_thing_each_has_no_nulls(ending: str, tmp_path: Path) -> None:
    """And it is the same from every format; a prediction that lies in several places is found by another way."""
    events: list[dict[str, Any]] = []
    for i in range(50):
        events.append({"timestamp": i, "features": {"x": float(i), "c": "ab"[i % 2]}})
        events.append({"timestamp": i, "prediction": {"score": i / 2} if i % 10 else {"score": None}})
    path = tmp_path / f"f.{ending}"
    if ending == "jsonl":
        write(path, "\n".join(map(json.dumps, events)))
    else:
        pq.write_table(pa.Table.from_pylist([{"features": None, "prediction": None, **one} for one in events]), path)
    built = build_reference(Model(name="m", task="regression", reference=Path("m.ref")), path)
    whole = built.reference.sketches[""]
    assert [column.name for column in built.reference.layout.columns] == ["x", "c", "@score"]
    assert (whole.n, whole.valid.tolist(), whole.nulls.tolist()) == (100, [50, 50, 45], [0, 0, 5])
    assert [(one.n, one.nulls) for one in built.inferred if one.kind != "left out"] == [(50, 0), (50, 0), (45, 5)]


@pytest.mark.parametrize("ending", ["jsonl", "csv", "parquet"])
def test_a_reference_and_live_events_agree_on_an_empty_prediction(ending: str, tmp_path: Path) -> None:
    path = tmp_path / f"f.{ending}"
    values = [float(i) if i % 5 else None for i in range(50)]
    if ending == "jsonl":
        write(path, "\n".join(json.dumps({"timestamp": TIME_MS, "x": 1.0, "prediction": one}) for one in values))
    elif ending == "csv":
        lines = [f"{TIME_MS},1.0,{'' if one is None else one}" for one in values]
        write(path, "\n".join(["timestamp,x,prediction", *lines]))
    else:
        pq.write_table(pa.table({"timestamp": [TIME_MS] * 50, "x": [1.0] * 50, "prediction": values}), path)
    reference = build_reference(Model(name="m", task="regression", reference=Path("m.ref")), path).reference
    assert reference.sketches[""].nulls.tolist() == [0, 0]
    live = ModelSpec(name="m", layout=reference.layout, task="regression")
    (part,) = iter_decoded(path, [live], NOW_MS)
    score = only(part.decoded).numeric[1]
    assert (int(np.isfinite(score).sum()), int((score == ABSENT).sum())) == (40, 10)
    assert CODE_NULL not in only(part.decoded).codes


def test_predictions_and_features_as_events_of_their_own_show_no_drift(tmp_path: Path) -> None:
    drift = [{"method": "psi", "threshold": 0.2}, {"method": "ks", "threshold": 0.1}]
    drift += [{"method": "missing"}, {"method": "coverage"}]
    section = model_section(tmp_path / "model", drift=drift)
    events = list(rows(8_000, seed=3, hours=12.0))
    apart = [
        {key: value for key, value in event.items() if key != left_out}
        for left_out in ("features", "prediction")
        for event in events
    ]
    data = write(tmp_path / "events.jsonl", "\n".join(json.dumps(event) for event in apart))
    config = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [section]).path
    replay_file(config, data, tmp_path / "out", close=True)
    verdicts, scores, windows = (whole(tmp_path / "out" / name) for name in ("verdicts", "drift", "windows"))
    assert len(verdicts) > 100
    assert [row for row in verdicts if row["drifted"]] == []
    coverage = [row for row in scores if row["column"] == "@coverage"]
    assert len(coverage) > 10
    assert len(windows) - len(coverage) <= 2, "the windows at the ends alone have too few events"
    assert {row["statistic"] for row in coverage} == {0.0}
    for row in windows:
        assert row["with_features"] == row["with_prediction"] == row["events"] / 2
        assert row["both"] == 0


def test_a_pipeline_that_loses_every_tenth_event_of_features_shows_in_the_coverage_alone(tmp_path: Path) -> None:
    drift = [{"method": "psi", "threshold": 0.2}, {"method": "missing"}, {"method": "coverage"}]
    section = model_section(tmp_path / "model", drift=drift)
    events = list(rows(8_000, seed=3, hours=12.0))
    for event in events[::10]:
        del event["features"]
    data = write(tmp_path / "events.jsonl", "\n".join(json.dumps(event) for event in events))
    config = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [section]).path
    replay_file(config, data, tmp_path / "out", close=False)
    verdicts, scores = (whole(tmp_path / "out" / name) for name in ("verdicts", "drift"))
    assert {row["column"] for row in verdicts if row["drifted"]} == {"@coverage"}
    assert {row["direction"] for row in verdicts if row["drifted"]} == {"fewer features"}
    assert all(abs(row["statistic"] - 0.1) < 0.01 for row in scores if row["column"] == "@coverage")


def whole(path: Path) -> list[dict[str, Any]]:
    """The rows of a file that are of no segment."""
    return [row for row in pq.read_table(path.with_suffix(".parquet")).to_pylist() if row["segment"] == ""]
