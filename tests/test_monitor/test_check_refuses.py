"""`driftline check` refuses what cannot work, before anything runs."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from support.commands import OneModel

from detectors.errors import MalformedReference
from detectors.reference import Reference

N = 300
TIMES = [datetime(2024, 3, 1, tzinfo=UTC) + timedelta(seconds=20 * i) for i in range(N)]


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> OneModel:
    columns = {"timestamp": TIMES, "x": np.arange(N) % 7.0, "site": np.where(np.arange(N) % 2, "north", "south")}
    pq.write_table(pa.table({**columns, "prediction": np.arange(N) % 2}), tmp_path / "ref.parquet")
    pq.write_table(pa.table(columns | {"site": ["NORTH"] * N, "more": [1] * N}), tmp_path / "live.parquet")
    return OneModel(tmp_path, capsys)


def check(model: OneModel, *options: object) -> tuple[int, str]:
    return model.command("check", model.folder / "config.yaml", *options)


@pytest.mark.parametrize("method", ["ks", "js", "missing", "hellinger"])
def test_a_threshold_that_the_method_never_reaches(model: OneModel, method: str) -> None:
    assert model.build("ref.parquet")[0] == 0
    model.configure(f"drift: [{{method: {method}, threshold: 1.5}}]")
    code, screen = check(model)
    assert code == 2
    assert f"models[0].drift[0].threshold: {method} is never more than 1" in screen
    model.configure("drift: [{method: psi, threshold: 1.5}]")
    assert check(model)[0] == 0


def test_regression_beside_a_reference_of_classes(model: OneModel) -> None:
    model.configure("task: binary")
    assert model.build("ref.parquet")[0] == 0
    assert check(model)[0] == 0
    model.configure("task: regression")
    code, screen = check(model)
    assert code == 2
    assert "models[0].task: regression here" in screen


def test_a_reference_of_fewer_rows_than_min_samples(model: OneModel) -> None:
    assert model.build("ref.parquet")[0] == 0
    model.configure("min_samples: 301")
    code, screen = check(model)
    assert code == 2
    assert "models[0].min_samples: the reference has 300 rows, fewer than 301" in screen


@pytest.mark.parametrize("name", ["timestamp", "score", "version", "model"])
def test_a_feature_that_is_called_like_a_field_of_the_event(model: OneModel, name: str) -> None:
    model.configure(f"columns: {{{name}: numeric}}")
    code, screen = check(model)
    assert code == 2
    assert f"models[0].columns.{name}: is a field of the event" in screen


def test_segments_that_the_data_never_send(model: OneModel) -> None:
    model.configure("segments: [site]")
    assert model.build("ref.parquet")[0] == 0
    assert check(model, "--data", model.folder / "ref.parquet")[0] == 0
    code, screen = check(model, "--data", model.folder / "live.parquet")
    assert code == 2
    assert "is in a segment of site" in screen
    assert "left out, for the reference does not have it: more" in screen


def test_data_of_which_no_row_can_be_counted(model: OneModel) -> None:
    assert model.build("ref.parquet")[0] == 0
    seconds = [int(at.timestamp()) for at in TIMES]
    pq.write_table(pa.table({"timestamp": seconds, "x": np.arange(N)}), model.folder / "live.parquet")
    code, screen = check(model, "--data", model.folder / "live.parquet")
    assert code == 7
    assert "timestamp_unit: s" in screen


@pytest.mark.parametrize("told", [True, False])
def test_a_reference_that_claims_to_hold_far_more_than_its_bytes_is_refused_unread(told: bool) -> None:
    body = zstandard.ZstdCompressor(write_content_size=told).compress(bytes(1 << 28))
    assert len(body) < 20_000
    data = b"DRIFTREF" + bytes([3]) + hashlib.sha256(body).digest() + body
    with pytest.raises(MalformedReference, match="claims to hold 268,435,456" if told else "does not say"):
        Reference.decode(data)
