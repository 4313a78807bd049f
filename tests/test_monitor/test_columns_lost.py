"""Broken columns are drift by default, and what cannot be scored is said once: replays by the default configuration."""

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from monitor.cli import app

N = 4_000
START_MS = 1_709_251_200_000
STEP_MS = 20_000  # 4,320 a day
Columns = dict[str, Any]
Replayed = Callable[..., tuple[list[dict[str, Any]], str, Path]]


def columns(seed: int, n: int = N) -> Columns:
    rng = np.random.default_rng(seed)
    return {
        "gone": rng.normal(size=n),
        "half": rng.normal(size=n),
        "amount": rng.lognormal(2.0, 1.0, n),
        "Age": rng.integers(18, 90, n),
        "kept": rng.normal(size=n),
        "color": rng.choice(["red", "green", "blue"], n),
        "score": rng.random(n),
    }


def with_nulls(values: Any, share: float, seed: int = 9) -> pa.Array:
    return pa.array(values, mask=np.random.default_rng(seed).random(len(values)) < share)


@pytest.fixture
def replayed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Replayed:
    """Builds a reference, replays live rows with the default configuration, and gives verdicts and what was said."""

    def run(live: Columns, reference: Columns | None = None, **model: Any) -> tuple[list[dict[str, Any]], str, Path]:
        config, out = tmp_path / "driftline.yaml", tmp_path / "out"
        section = {"name": "m", "reference": "m.ref", "windows": [{"size": "1d"}], **model}
        config.write_bytes(msgspec.yaml.encode({"models": [section]}))
        pq.write_table(pa.table(columns(0) if reference is None else reference), tmp_path / "reference.parquet")
        times = START_MS + STEP_MS * np.arange(len(next(iter(live.values()))))
        pq.write_table(pa.table({**live, "timestamp": times}), tmp_path / "live.parquet")
        assert app.run(["reference", "build", str(config), "--data", str(tmp_path / "reference.parquet")]) == 0
        capsys.readouterr()
        live_file = str(tmp_path / "live.parquet")
        assert app.run(["replay", str(config), "--predictions", live_file, "--out", str(out), "--close"]) == 0
        return pq.read_table(out / "verdicts.parquet").to_pylist(), capsys.readouterr().out, out

    return run


def test_a_column_that_is_absent_half_null_text_or_renamed_has_drifted_and_is_named(replayed: Replayed) -> None:
    live = columns(1)
    del live["gone"]
    live["half"] = with_nulls(live["half"], 0.5)
    live["amount"] = [f"{2.7 * value:.2f}" for value in live["amount"]]  # as protobuf and BigDecimal write decimals
    live["age"] = live.pop("Age")
    verdicts, said, _ = replayed(live)
    drifted = {row["column"]: row for row in verdicts if row["drifted"]}
    assert set(drifted) == {"gone", "half", "amount", "Age"}
    for name in ("gone", "Age"):
        row = drifted[name]
        assert (row["direction"], row["quantity"]) == ("more missing", "share missing")
        assert (row["before"], row["after"]) == (0.0, 1.0)
    assert drifted["half"]["direction"] == "more missing"
    assert drifted["half"]["after"] == pytest.approx(0.5, abs=0.05)
    assert (drifted["amount"]["direction"], drifted["amount"]["after"]) == ("more invalid", 1.0)
    table = said[said.index("What drifted") :].splitlines()[1:5]
    assert sorted(line.split()[0] for line in table) == ["Age", "amount", "gone", "half"]
    assert all("since 2024-03-01, 1 window of 1d" in line for line in table)
    assert "1 window scored, 4 of " in said


def test_nulls_count_alike_in_a_numeric_and_in_a_categorical_column(replayed: Replayed) -> None:
    live = columns(1)
    for name in ("kept", "color"):
        live[name] = with_nulls(live[name], 0.05)
    verdicts, _, out = replayed(live)
    drifted = {row["column"]: row for row in verdicts if row["drifted"]}
    assert set(drifted) == {"kept", "color"}
    told = ("direction", "quantity", "before", "after")
    number, category = ([drifted[column][name] for name in told] for column in ("kept", "color"))
    assert number == category
    assert number[0] == "more missing"
    missing = [row for row in pq.read_table(out / "drift.parquet").to_pylist() if row["method"] == "missing"]
    number, category = (
        [{**row, "column": ""} for row in missing if row["column"] == column] for column in ("kept", "color")
    )
    assert number == category
    assert len(number) == 1


def test_unchanged_data_are_quiet_and_the_end_says_so(replayed: Replayed) -> None:
    verdicts, said, _ = replayed(columns(1))
    assert verdicts
    assert not any(row["drifted"] for row in verdicts)
    assert "What drifted" not in said
    assert "Nothing drifted." in said


def test_what_is_not_scored_is_one_row_a_segment_and_window(replayed: Replayed) -> None:
    sites = {"big": 0.9, "small": 0.09, "never": 0.01}
    reference, live = columns(0), columns(1, 12_000)
    for own, seed in ((reference, 3), (live, 4)):
        chosen = np.random.default_rng(seed).choice(list(sites), len(own["score"]), p=list(sites.values()))
        own["site"] = chosen
    # Of the third day only a few rows of the small site are left: 12,000 rows are not quite three days.
    keep = (live["site"] != "small") | (np.arange(12_000) < 8_640) | (np.arange(12_000) % 30 == 0)
    live = {name: np.asarray(values)[keep] for name, values in live.items()}
    verdicts, said, out = replayed(live, reference, segments=["site"])
    windows = pq.read_table(out / "windows.parquet").to_pylist()
    assert len({row["window_start_ms"] for row in windows}) == 3
    assert {row["segment"] for row in windows} == {"", "site=big", "site=small"}, "what never can be scored is no row"
    unscored = [row for row in windows if row["columns_not_scored"]]
    scored = {(row["segment"], row["window_start_ms"]) for row in verdicts}
    assert [row["segment"] for row in unscored] == ["site=small"]
    (row,) = unscored
    assert (row["reason"], row["columns_scored"]) == ("few events", 0)
    assert (row["segment"], row["window_start_ms"]) not in scored
    given = Counter((own["segment"], own["window_start_ms"]) for own in verdicts if own["column"] != "@coverage")
    assert {(one["segment"], one["window_start_ms"]): one["columns_scored"] for one in windows if one != row} == given
    scores = pq.read_table(out / "drift.parquet")
    assert not {"insufficient", "q_value", "drifted"} & set(scores.column_names)
    assert f"columns of segments not scored: {row['columns_not_scored']} for want of events" in said
