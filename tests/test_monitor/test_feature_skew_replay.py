"""`replay` compares the features of a log with those that were served: the numbers, against NumPy, in any order."""

import math
import random
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow.parquet as pq
import pytest
from support.events import model_section, rows
from support.installation import Installation

from monitor.cli.offline import replay_file

N = 1_200
HOURS = 6.0
HOUR_MS = 3_600_000


def recomputed_rows() -> list[dict[str, Any]]:
    """The feature log: `age` a year off in every tenth, `amount` within the tolerance but for every 25th, `color` of
    another unseen value in every 50th, null `amount` in every 60th; every 7th prediction is not in it."""
    found = []
    for i, row in enumerate(rows(N, seed=4, hours=HOURS)):
        if i % 7 == 6:
            continue
        features = dict(row["features"])
        if features["age"] is not None and i % 10 == 0:
            features["age"] += 1
        features["amount"] *= 1.0 + 1e-9
        if i % 25 == 0:
            features["amount"] += 0.5
        if i % 60 == 0:
            features["amount"] = None
        if i % 50 == 0:
            features["color"] = f"unseen {i}"
        found.append({**row, "features": features, "timestamp": row["timestamp"] + 40_000})
        del found[-1]["prediction"]
    return found


def written(path: Path, events: list[dict[str, Any]]) -> Path:
    path.write_bytes(b"\n".join(map(msgspec.json.Encoder().encode, events)))
    return path


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("skew")
    section = model_section(folder / "model", feature_skew={"tolerance": 1e-6}, windows=[{"size": "1h"}])
    return Installation(folder / "replay", "127.0.0.1:1", "replay", [section]).path


def table(out: Path, name: str) -> list[dict[str, Any]]:
    return pq.read_table(out / name).to_pylist()


@pytest.fixture(scope="module")
def replayed(config: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("out")
    live = written(folder / "live.jsonl", list(rows(N, seed=4, hours=HOURS)))
    log = written(folder / "log.jsonl", recomputed_rows())
    replay_file(config, live, folder / "out", close=True, features=log)
    return folder / "out"


def differ(one: Any, other: Any) -> bool:
    if isinstance(one, str) or one is None or other is None:
        return one != other
    return abs(one - other) > 1e-6 * max(abs(one), abs(other))


def test_counts_and_differences_of_each_window_and_column_are_those_of_the_pairs(replayed: Path) -> None:
    log = {row["prediction_id"]: row["features"] for row in recomputed_rows()}
    pairs: dict[tuple[int, str], list[tuple[Any, Any]]] = {}
    for row in rows(N, seed=4, hours=HOURS):
        for name, served in row["features"].items():
            if row["prediction_id"] in log:
                key = (row["timestamp"] // HOUR_MS * HOUR_MS, name)
                pairs.setdefault(key, []).append((served, log[row["prediction_id"]][name]))
    found = {(row["window_start_ms"], row["column"]): row for row in table(replayed, "feature_skew.parquet")}
    assert found.keys() == pairs.keys()
    assert len({name for _, name in found}) == 4
    for key, values in pairs.items():
        row = found[key]
        told = [(one, two) for one, two in values if one is not None or two is not None]
        both = [(one, two) for one, two in told if one is not None and two is not None]
        n_mismatched = sum(differ(one, two) for one, two in told)
        assert (row["n_compared"], row["n_mismatched"]) == (len(told), n_mismatched)
        assert row["share"] == n_mismatched / len(told)
        assert row["ci_low"] <= row["share"] <= row["ci_high"]
        assert row["n_one_sided"] == len(told) - len(both)
        assert row["n_served_only"] == sum(two is None for _, two in told)
        if key[1] in ("amount", "age"):
            differences = np.array([one - two for one, two in both])
            assert row["mean_difference"] == pytest.approx(differences.mean(), rel=1e-12, abs=1e-15)
            assert row["std_difference"] == pytest.approx(differences.std(ddof=1), rel=1e-12)
        else:
            assert math.isnan(row["mean_difference"])


def test_verdicts_name_the_columns_that_are_skewed_and_no_others(replayed: Path) -> None:
    verdicts = [row for row in table(replayed, "verdicts.parquet") if row["compare"] == "recomputed"]
    assert {row["column"] for row in verdicts if row["drifted"]} >= {"age", "amount"}
    assert not any(row["drifted"] for row in verdicts if row["column"] == "site")
    skewed = next(row for row in verdicts if row["column"] == "age" and row["drifted"])
    assert (skewed["direction"], skewed["quantity"], skewed["before"]) == ("skewed", "share mismatched", 0.0)
    assert skewed["after"] == skewed["effect"] > 0.05


def test_the_log_is_not_counted_as_live_data_again(replayed: Path) -> None:
    windows = [row for row in table(replayed, "windows.parquet") if row["segment"] == ""]
    assert sum(row["events"] for row in windows) == N
    assert sum(row["both"] for row in windows) == N


def test_the_log_in_the_predictions_own_file_in_any_order_gives_the_same_rows(
    config: Path, replayed: Path, tmp_path: Path
) -> None:
    log = recomputed_rows()
    events = [*rows(N, seed=4, hours=HOURS), *log, *log[::3]]  # some of the log twice
    random.Random(3).shuffle(events)
    # Every event within the lateness of its own hour: shuffled by the quarter.
    events.sort(key=lambda row: row["timestamp"] // 450_000)
    replay_file(config, written(tmp_path / "live.jsonl", events), tmp_path / "out", close=True)
    drop = ("revision",)
    rows_of = [
        sorted([tuple(str(v) for k, v in row.items() if k not in drop) for row in table(out, "feature_skew.parquet")])
        for out in (replayed, tmp_path / "out")
    ]
    assert rows_of[0] == rows_of[1]


def test_without_feature_skew_a_feature_log_counts_as_live_data(tmp_path: Path) -> None:
    section = model_section(tmp_path / "model", windows=[{"size": "1h"}])
    config = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [section]).path
    live = written(tmp_path / "live.jsonl", list(rows(N, seed=4, hours=HOURS)))
    log = written(tmp_path / "log.jsonl", recomputed_rows())
    replay_file(config, live, tmp_path / "out", close=True, features=log)
    windows = [row for row in table(tmp_path / "out", "windows.parquet") if row["segment"] == ""]
    assert sum(row["events"] for row in windows) == N + len(recomputed_rows())
    assert table(tmp_path / "out", "feature_skew.parquet") == []
