"""The same rows through JSON, CSV, Parquet and Arrow mean the same; and every row of a file is accounted for."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.layout import Layout
from detectors.reference import categorical_column, numeric_column
from monitor.events.batch import Decoded
from monitor.events.decoder import MessageDecoder
from monitor.events.mapping import Mapping as FieldMapping
from monitor.events.models import ModelSpec
from monitor.files.read import iter_decoded
from monitor.replay.account import Account

NOW_MS: Final = 1_800_000_000_000
START: Final = datetime(2024, 3, 1, 10, tzinfo=UTC)
SPEC: Final = ModelSpec(
    name="m",
    task="binary",
    layout=Layout(
        [
            numeric_column("x", np.arange(9.0))[0],
            categorical_column("c", {"a": 3, "b": 2}),
            categorical_column("flag", {"true": 3, "false": 2}),
            numeric_column("customer.age", np.arange(9.0))[0],
            categorical_column("customer.home.country", {"DE": 3, "FR": 2}),
            numeric_column("@score", np.linspace(0, 1, 9))[0],
            *(numeric_column(f"@score.{name}", np.linspace(0, 1, 9))[0] for name in ("0", "1", "cat", "dog")),
            categorical_column("@label", {"1": 3, "0": 2, "cat": 1}),
        ]
    ),
    dimensions={"c": ("a", "b"), "customer.home.country": ("DE", "FR")},
)

Row = Mapping[str, Any]
NAMES: Final = {
    "CSV": "f.csv",
    "JSON lines": "f.jsonl",
    "Parquet": "f.parquet",
    "Feather": "f.feather",
    "Arrow file": "f.arrow",
    "Arrow stream": "f.arrows",
}


def write_arrow(table: Any, path: Path) -> None:
    """As the file format, some rows a batch."""
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=2)


def write_stream(table: Any, path: Path) -> None:
    """As two streams, one after the other, compressed."""
    with path.open("wb") as file:
        for part in (table.slice(0, 1), table.slice(1)):
            with pa.ipc.new_stream(file, table.schema, options=pa.ipc.IpcWriteOptions(compression="zstd")) as writer:
                writer.write_table(part)


COLUMNAR: Final[dict[str, Any]] = {
    "Parquet": pq.write_table,
    "Feather": partial(feather.write_feather, compression="lz4"),
    "Arrow file": write_arrow,
    "Arrow stream": write_stream,
}
FILES: Final = ("JSON lines", "CSV", *COLUMNAR)
KINDS: Final[dict[str, Sequence[Any]]] = {
    "numbers": [{"x": 1.5}, {"x": -3.0}, {"x": 0.1}, {"x": None}, {"x": 1e300}],
    "whole numbers": [{"x": 1}, {"x": None}, {"x": 12345678901}],
    "categories": [{"c": "a"}, {"c": "new"}, {"c": None}, {"c": "b "}],
    "empty text": [{"c": ""}, {"c": "a"}, {"c": None}],
    "booleans": [{"flag": True}, {"flag": None}, {"flag": False}],
    "booleans as numbers": [{"flag": 1}, {"flag": 0}],
    "booleans among numbers": [{"x": True}, {"x": False}],
    "a class beside a score": [{"prediction": 1, "score": 0.25}, {"prediction": 0, "score": 0.75}],
    "a class": [{"prediction": 1}, {"prediction": 0}],
    "a score": [{"prediction": 0.5}, {"prediction": 0.25}],
    "a score of its own": [{"score": 0.5}, {"score": None}],
    "objects inside": [
        {"flag": True, "customer.age": 31, "customer.home.country": "DE"},
        {"flag": None, "customer.age": None, "customer.home.country": "US"},
        {"flag": False, "customer.age": 7, "customer.home.country": None},
    ],
    "objects alone": [{"customer.age": 31, "customer.home.country": "DE"}],
    "probabilities of classes": [
        {"probabilities.cat": 0.25, "probabilities.dog": 0.5, "probabilities.emu": 0.25},
        {"probabilities.cat": None, "probabilities.dog": None, "probabilities.emu": 1.0},
        {"probabilities.cat": 0.125, "probabilities.dog": None, "probabilities.emu": None},
        {"probabilities.cat": None, "probabilities.dog": None, "probabilities.emu": None},
    ],
    "probabilities beside the prediction": [
        {"prediction.probabilities.cat": 0.25, "prediction.probabilities.dog": 0.75, "label": "cat", "score": 0.125},
        {"prediction.probabilities.cat": 1.0, "prediction.probabilities.dog": 0.0, "label": None, "score": None},
    ],
    "scores of classes": [{"score.cat": 0.25, "score.dog": 0.75}, {"score.cat": 0.5, "score.dog": 0.5}],
    "probabilities of classes that are numbers": [
        {"probabilities.0": 0.25, "probabilities.1": 0.75},
        {"probabilities.0": 1, "probabilities.1": 0},
    ],
    "probabilities that are no numbers": [{"probabilities.cat": True, "probabilities.dog": 1e300}],
    "text": [{"x": 1.0, "timestamp": "2024-03-01T10:00:00Z"}],
    "text without an offset": [{"x": 1.0, "timestamp": "2024-03-01 10:00:00"}],
    "a date": [{"x": 1.0, "timestamp": "2024-03-01"}],
    "digits": [{"x": 1.0, "timestamp": 1709287200000}],
}


def filled(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """With times where there are none."""
    times = [(START + timedelta(minutes=i)).isoformat() for i in range(len(rows))]
    return [{"timestamp": at, **row} for at, row in zip(times, rows, strict=True)]


def nested(row: Row) -> dict[str, Any]:
    """A row whose dotted names are paths, as events in JSON have them."""
    event: dict[str, Any] = {}
    for name, value in row.items():
        *above, last = name.split(".")
        inner = event
        for key in above:
            inner = inner.setdefault(key, {})
        inner[last] = value
    return event


def read(form: str, rows: Sequence[Row], folder: Path, spec: ModelSpec = SPEC) -> Decoded:
    """The rows through a format."""
    rows = filled(rows)
    if form in ("JSON", "Arrow"):
        if form == "JSON":
            messages = [json.dumps(nested(row)).encode() for row in rows]
        else:
            table = pa.Table.from_pylist(rows)
            sink = pa.BufferOutputStream()
            with pa.ipc.new_stream(sink, table.schema) as writer:
                writer.write_table(table)
            messages = [sink.getvalue().to_pybytes()]
        return MessageDecoder([spec]).decode_messages(messages, None, "predictions", NOW_MS)
    path = folder / NAMES[form]
    if form == "CSV":
        pd.DataFrame(rows, dtype=object).to_csv(path, index=False, na_rep="NA" if "x" in rows[0] else "")
    elif form in COLUMNAR:
        COLUMNAR[form](pa.Table.from_pylist(rows), path)
    else:
        path.write_text("\n".join(map(json.dumps, map(nested, rows))))
    (part,) = iter_decoded(path, [spec], NOW_MS)
    return part.decoded


@pytest.mark.parametrize("form", ["nested Arrow", *(f"nested {form}" for form in COLUMNAR)])
@pytest.mark.parametrize("kind", [kind for kind in KINDS if "classes" in kind or "probab" in kind or "object" in kind])
def test_a_struct_means_what_the_object_means(kind: str, form: str, tmp_path: Path) -> None:
    rows = [nested(row) for row in KINDS[kind]]
    wanted, found = read("JSON", rows, tmp_path), read(form.removeprefix("nested "), rows, tmp_path)
    (one,), (other,) = wanted.batches, found.batches
    np.testing.assert_array_equal(one.numeric, other.numeric)
    np.testing.assert_array_equal(one.codes, other.codes)


def test_the_probabilities_of_an_event_are_columns_of_their_classes(tmp_path: Path) -> None:
    (batch,) = read("JSON", KINDS["probabilities of classes"], tmp_path).batches
    names = [SPEC.layout.columns[index].name for index in SPEC.layout.numeric]
    columns = dict(zip(names, batch.numeric.tolist(), strict=True))
    assert columns["@score"][:3] == [0.5, 1.0, 0.125]
    assert columns["@score.cat"][::2] == [0.25, 0.125]
    assert columns["@score.dog"][0] == 0.5
    assert np.isnan(columns["@score.cat"][1])
    assert np.isnan(columns["@score.dog"][1:]).all()


@pytest.mark.parametrize("form", ["Arrow", *FILES])
@pytest.mark.parametrize("kind", KINDS)
def test_rows_mean_the_same_in_every_format(kind: str, form: str, tmp_path: Path) -> None:
    rows = KINDS[kind]
    wanted, found = read("JSON", rows, tmp_path), read(form, rows, tmp_path)
    assert [one.reason for one in found.rejects] == [one.reason for one in wanted.rejects] == []
    (one,), (other,) = wanted.batches, found.batches
    for name in ("timestamps_ms", "codes", "segments", "numeric"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)
    assert one.unseen == other.unseen


BAD_TIMES: Final = st.one_of(
    st.sampled_from(["", "yesterday", "2024-13-01", None, -1, 1_709_287_200, 4e18, "2300-01-01", True, "1700000000"]),
    st.integers(1_600_000_000_000, 1_700_000_000_000),
    st.datetimes(datetime(1950, 1, 1), datetime(2040, 1, 1)).map(str),
)
TEXTS: Final = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=5)
VALUES: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    TEXTS,
    st.sampled_from(["NA", "1,5"]),
)
ROW: Final = st.fixed_dictionaries(
    {"timestamp": BAD_TIMES},
    optional=dict.fromkeys(("x", "c", "flag", "prediction", "score", "model", "version", "prediction_id", "?"), VALUES),
)


def told(form: str, rows: Sequence[Row], folder: Path) -> Account:
    account = Account({SPEC.name: SPEC.layout})
    path = folder / NAMES[form]
    if form == "CSV":
        pd.DataFrame(rows, dtype=object).to_csv(path, index=False)
    elif form in COLUMNAR:
        columns = {name: [None if name not in row else str(row[name]) for row in rows] for name in {*rows[0], "x"}}
        COLUMNAR[form](pa.table({name: clean(values) for name, values in columns.items()}), path)
    else:
        path.write_text("\n".join(map(json.dumps, rows)))
    for part in iter_decoded(path, [replace(SPEC, mapping=FieldMapping())], NOW_MS, rows=7):
        account.take(part.decoded)
    return account


def clean(values: Sequence[str | None]) -> list[str | None]:
    return [None if value is None else value.encode("utf-8", "replace").decode() for value in values]


@pytest.mark.parametrize("form", FILES)
@settings(max_examples=100, deadline=None)
@given(rows=st.lists(ROW, min_size=1, max_size=25))
def test_every_row_is_counted_or_rejected_with_a_reason(form: str, rows: list[dict[str, Any]]) -> None:
    with TemporaryDirectory() as folder:
        account = told(form, rows, Path(folder))
    assert account.n_events == len(rows)
    assert account.n_counted + account.rejects.total() == account.n_events
    assert account.examples.keys() == account.rejects.keys()
    assert all(example.detail for example in account.examples.values())
    if account.n_counted:
        assert account.first_ms is not None
        assert account.last_ms is not None
        assert SPEC.mapping.min_time_ms <= account.first_ms <= account.last_ms <= NOW_MS + SPEC.max_ahead_ms
        assert not math.isnan(account.first_ms)


OUTSIDE: Final[dict[str, Sequence[Row]]] = {
    "score and label": [
        {"features": {"x": 1.5, "c": "a"}, "score": 0.25, "label": "cat"},
        {"features": {"x": 2.5, "c": "b"}, "score": 0.75, "label": "dog"},
    ],
    "a class and its score": [{"features": {"x": 1.5, "c": "a"}, "prediction": 1, "score": 0.25}],
    "probabilities": [{"features": {"x": 1.5, "c": "a"}, "probabilities": {"cat": 0.25, "dog": 0.75}}],
}


@pytest.mark.parametrize("form", ["Arrow", *(form for form in FILES if form != "CSV")])
@pytest.mark.parametrize("kind", OUTSIDE)
def test_a_prediction_beside_an_object_of_features_counts_in_every_format(kind: str, form: str, tmp_path: Path) -> None:
    wanted, found = read("JSON", OUTSIDE[kind], tmp_path), read(form, OUTSIDE[kind], tmp_path)
    (one,), (other,) = wanted.batches, found.batches
    np.testing.assert_array_equal(one.numeric, other.numeric)
    np.testing.assert_array_equal(one.codes, other.codes)
    (score,) = (row for row, index in enumerate(SPEC.layout.numeric) if SPEC.layout.columns[index].name == "@score")
    assert np.isfinite(one.numeric[score]).all()
