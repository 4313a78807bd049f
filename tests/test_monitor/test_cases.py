"""Small inputs of the shapes that people's files have: read as they are meant, or refused by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.commands import OneModel

N = 2_000
START = datetime(2024, 3, 1, tzinfo=UTC)
TIMES = [START + timedelta(seconds=20 * i) for i in range(N)]


@pytest.fixture
def model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> OneModel:
    return OneModel(tmp_path, capsys)


def write(model: OneModel, name: str, **columns: object) -> None:
    pq.write_table(pa.table(columns), model.folder / name)


def test_seconds_are_refused_by_the_setting_that_would_read_them_and_read_with_it(model: OneModel) -> None:
    rng = np.random.default_rng(0)
    write(model, "ref.parquet", x=rng.normal(size=N))
    seconds = [int(at.timestamp()) for at in TIMES]
    write(model, "live.parquet", timestamp=seconds, x=rng.normal(3, 1, N))
    assert model.build("ref.parquet")[0] == 0
    assert model.replay("live.parquet").verdicts == []
    assert "timestamp_unit: s" in (model.folder / "out" / "rejects.jsonl").read_text()
    model.configure("mapping: {timestamp_unit: s}")
    assert model.replay("live.parquet").drifted == {"x"}
