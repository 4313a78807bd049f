"""Reference builds of files that are not as they should be: one readable line each, that names what is the user's."""

import datetime
import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from monitor.cli.reference import show_built
from monitor.config.schema import Model
from monitor.errors import InputError
from monitor.reference.build import build_reference
from monitor.reference.store import write_reference


def model(**changes: Any) -> Model:
    return Model(**{"name": "m", "reference": Path("m.ref"), **changes})


def parquet(folder: Path, **columns: Any) -> Path:
    pq.write_table(pa.table({"x": [1.0, 2.0, 3.0], **columns}), folder / "f.parquet")
    return folder / "f.parquet"


@pytest.mark.parametrize(
    "version", [datetime.date(2024, 1, 1), Decimal("1.5"), b"1", [1], datetime.datetime(2024, 1, 1)]
)
def test_a_version_that_can_be_none_is_refused(version: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no version in 'version' is text or a number"):
        build_reference(model(), parquet(tmp_path, version=[version] * 3))


def test_versions_that_are_some_are_taken_beside_others(tmp_path: Path) -> None:
    versions = pa.array([1.0, float("nan"), None])
    assert build_reference(model(), parquet(tmp_path, version=versions)).versions == ("", "1")


@pytest.mark.parametrize("value", [datetime.date(2024, 1, 1), [1], b"1"])
def test_a_segment_without_a_value_that_can_be_one_is_refused(value: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no value of segment 'day'"):
        build_reference(model(segments=("day",)), parquet(tmp_path, day=[value] * 3))
    rows = [json.dumps({"x": 1, "day": [1]})] * 3
    (tmp_path / "f.jsonl").write_text("\n".join(rows))
    with pytest.raises(InputError, match="no value of segment 'day'"):
        build_reference(model(segments=("day",)), tmp_path / "f.jsonl")


def test_what_is_shown_says_how_many_values_a_segment_has_and_cuts_no_name(tmp_path: Path) -> None:
    n, name = 60, "a_feature_whose_name_is_so_long_that_it_does_not_fit_beside_the_others_in_a_pipe"
    table = pa.table({name: [float(i) for i in range(n)], "site": [str(i) for i in range(n)], "few": ["a"] * n,
                      "none": pa.nulls(n, pa.string())})  # fmt: skip
    pq.write_table(table, tmp_path / "f.parquet")
    configured = model(segments=("site", "few", "none"))
    console = Console(width=80, record=True)
    show_built(console, configured, build_reference(configured, tmp_path / "f.parquet"), "0" * 64)
    shown = console.export_text()
    assert "pipe" in shown
    assert "…" not in shown
    assert "segment site: the 50 most frequent of 60 values" in shown
    assert "segment few: 1 value" in shown
    assert "segment none: no values" in shown


@pytest.mark.parametrize("name", ["f.csv", "f.jsonl"])
def test_what_is_wrong_with_a_file_is_said_of_the_users_file(name: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text("x,c\n1,a\n" if name == "f.csv" else '{"x": 1, "c": "a"}')
    with pytest.raises(InputError) as caught:
        build_reference(model(segments=("cc",)), path)
    assert str(path) in str(caught.value)


def test_a_reference_that_is_to_be_the_root_is_refused(tmp_path: Path) -> None:
    built = build_reference(model(), parquet(tmp_path))
    with pytest.raises(InputError, match="it is a folder"):
        write_reference(Path("/"), built.reference)


def test_a_struct_that_looks_like_values_of_several_types_is_an_object(tmp_path: Path) -> None:
    twin = pa.array([{"number": 1.0, "boolean": True, "text": "a", "other": False}] * 3)
    built = build_reference(model(), parquet(tmp_path, twin=twin))
    fields = {"number": "numeric", "boolean": "boolean", "text": "categorical", "other": "boolean"}
    assert {one.name: one.kind for one in built.inferred} == {
        "x": "numeric",
        **{f"twin.{n}": fields[n] for n in fields},
    }
    built = build_reference(model(), parquet(tmp_path, features=twin))
    assert [one.name for one in built.inferred] == ["number", "boolean", "text", "other"]
