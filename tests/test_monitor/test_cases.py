"""Small inputs of the shapes that people's files have: read as they are meant, or refused by name."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.commands import OneModel
from support.results import assert_same
from support.results import replayed as replayed_rows

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


def test_missing_numbers_of_a_csv_file_are_no_categories(model: OneModel) -> None:
    rng = np.random.default_rng(0)
    words = ["NA", "N/A", "NULL", "None", "null", "-", "?", "", "nan"]

    def rows(seed: int) -> tuple[np.ndarray, list[str]]:
        rng = np.random.default_rng(seed)
        numbers = [f"{x}" for x in rng.normal(size=N)]
        return rng.normal(size=N), [words[k % len(words)] if k % 50 == 0 else x for k, x in enumerate(numbers)]

    plain, holed = rows(1)
    cells = zip(plain, ["True", "NA", "False"] * N, holed, strict=False)
    lines = ["a,flag,b", *(",".join(map(str, row)) for row in cells)]
    (model.folder / "ref.csv").write_text("\n".join(lines))
    code, screen = model.build("ref.csv")
    assert code == 0
    assert [line.split("│")[2].strip() for line in screen.splitlines() if line.startswith("│")] == [
        "numeric", "boolean", "numeric"
    ]  # fmt: skip
    plain, _ = rows(2)
    live = [None if k % 50 == 0 else float(x) for k, x in enumerate(rng.normal(size=N))]
    flag = [[True, None, False][k % 3] for k in range(N)]
    write(model, "live.parquet", timestamp=TIMES, a=plain, flag=flag, b=live)
    assert model.replay("live.parquet").drifted == set()


@pytest.mark.parametrize("columns", [("live.csv", "ref.parquet"), ("live.parquet", "ref.csv")])
def test_empty_text_is_missing_in_every_format(model: OneModel, columns: tuple[str, str]) -> None:
    live, reference = columns
    kinds = np.random.default_rng(0).choice(["", "a", "b"], N).tolist()
    for name in (live, reference):
        times = [at.isoformat() for at in TIMES]
        if name.endswith(".parquet"):
            write(model, name, timestamp=times, c=kinds)
        else:
            text = "".join(f"{at},{c}\n" for at, c in zip(times, kinds, strict=True))
            (model.folder / name).write_text("timestamp,c\n" + text)
    assert model.build(reference)[0] == 0
    assert model.replay(live).drifted == set()


def test_the_index_of_a_data_frame_is_left_out_and_named(model: OneModel) -> None:
    write(model, "ref.parquet", x=np.arange(N) % 7.0, __index_level_0__=np.arange(N))
    code, screen = model.build("ref.parquet")
    assert code == 0
    assert "left out" in screen
    assert "pandas index" in " ".join(screen.split())
    write(model, "live.parquet", timestamp=TIMES, x=np.arange(N) % 7.0, __index_level_0__=np.arange(N, 2 * N))
    assert "__index_level_0__" not in model.replay("live.parquet").columns


def test_float32_and_float64_are_the_same_numbers(model: OneModel) -> None:
    rates = np.random.default_rng(0).choice([0.05, 0.075, 0.1, 0.2], N)
    write(model, "ref.parquet", rate=rates.astype(np.float32))
    write(model, "live.parquet", timestamp=TIMES, rate=rates)
    assert model.build("ref.parquet")[0] == 0
    replayed = model.replay("live.parquet")
    assert replayed.drifted == set()
    scores = pq.read_table(model.folder / "out" / "drift.parquet").to_pylist()
    assert max(row["statistic"] for row in scores if row["method"] in ("ks", "psi")) < 1e-9


def test_a_replay_gives_the_same_rows_for_any_order_of_the_file(
    model: OneModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    model.configure("windows: [{size: 1d}, {size: 7d, every: 1d}]", "retention: 2d", "compare: [{trailing: 5d}]")
    n = 25_000  # some parts of 10,000 rows
    rng = np.random.default_rng(0)
    times = [START + timedelta(minutes=2 * i) for i in range(n)]
    table = pa.table({"timestamp": times, "x": rng.normal(np.arange(n) > n // 2, 1), "c": rng.choice(list("ab"), n)})
    write(model, "ref.parquet", x=rng.normal(size=N), c=rng.choice(list("ab"), N))
    assert model.build("ref.parquet")[0] == 0
    results = []
    monkeypatch.setattr("monitor.replay.order._HELD_BYTES", 10_000)
    for order in (np.arange(n), np.arange(n)[::-1], rng.permutation(n)):
        pq.write_table(table.take(pa.array(order)), model.folder / "live.parquet")
        replayed = model.replay("live.parquet")
        assert replayed.code == 0
        assert f"{n:,} events, 0 rejected, 0 too late" in replayed.screen
        results.append(replayed_rows(model.folder / "out"))
    assert results[0]["drift_verdict"]
    assert_same(results[0], results[1])
    assert_same(results[0], results[2])
