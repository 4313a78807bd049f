"""Features that are computed again and differ from what was served are an alert about the data."""

from pathlib import Path
from typing import Any

import msgspec
import pyarrow.parquet as pq
import pytest
from support.batches import batch_of
from support.decisions import DAY_MS, Run, cell, day, policy
from support.events import START_MS, model_section, rows
from support.installation import Installation

from monitor.cli.offline import replay_file
from monitor.config.decisions import RetrainingSettings
from monitor.decisions.gather import closed_windows
from monitor.decisions.moved import ClosedWindow, MovedCell
from monitor.decisions.wire import decode_alert
from sinks.records import RECORDS

HOUR_MS = 3_600_000
N, HOURS = 2_400, 12.0


def skewed(column: str = "x", share: float = 0.4) -> MovedCell:
    return cell(
        column, strength=100 * share, threshold=0.01, p=0.0, method="pairs", direction="skewed",
        quantity="share mismatched", before=0.0, after=share,
    )  # fmt: skip


def recomputed(number: int, *moved: MovedCell) -> ClosedWindow:
    """What a day's features say that were computed again."""
    return msgspec.structs.replace(day(number, *moved, n_events=None, n_whole=3), family="skew")


def test_skew_is_an_alert_about_data_that_says_both_pipelines_and_holds_retraining_back() -> None:
    run = Run(policy(retraining=RetrainingSettings(require_confirmation=False, min_labels=0)))
    for number in range(6):
        run.feed(day(number, cell("y")), recomputed(number, skewed("x", 0.6)))
    (alert,) = [one for one in run.alerts if one.cause == "data_quality"]
    assert (alert.severity, alert.evidence.rule) == ("critical", "at once")
    assert alert.summary.startswith(
        "m (version 1): share mismatched of x 0 % -> 60 % (skewed) in all rows, since 1970-01-01: "
        "served values are not those that are computed again"
    )
    assert "one of two pipelines" in alert.summary
    assert alert.recommendation.startswith("Compare how x is made for serving and for training")
    (held,) = [one for one in run.requests if one.status == "held_back"]
    assert [one.code for one in held.held_because] == ["broken_data"]


def test_it_comes_after_the_windows_and_ends_with_the_skew() -> None:
    run = Run().days(day(number) for number in range(10))
    for number in range(4):
        run.feed(recomputed(number, skewed(share=0.05)))
    assert [(one.state, one.cause, one.onset_ms) for one in run.alerts] == [("raised", "data_quality", 0)]
    for number in range(4, 6):
        run.feed(recomputed(number))
    assert run.alerts[-1].state == "resolved"


def verdict(compare: str, **more: Any) -> dict[str, Any]:
    return {
        "model": "m", "version": "1", "segment": "", "column": "x", "window_start_ms": 0, "window_end_ms": DAY_MS,
        "reference": "ab", "compare": compare, "drifted": True, "p_value": 0.0, "q_value": 0.0, "method": "pairs",
        "effect": 0.3, "threshold": 0.01, "direction": "skewed", "quantity": "share mismatched", "before": 0.0,
        "after": 0.3, "n_reference": 9, "n_current": 9, "revision": 1, **more,
    }  # fmt: skip


def test_its_verdicts_count_whatever_windows_are_compared_with_and_apart_from_theirs() -> None:
    other = {"method": "ks", "direction": "up", "quantity": "mean"}
    own = [
        batch_of(RECORDS["drift_verdict"], [verdict("recomputed"), verdict(compare, **other)])
        for compare in ("pinned", "trailing 28d")
    ]
    for compare in ("pinned", "trailing 28d"):
        inputs, skew = closed_windows(own, model="m", tiling=policy().tiling, compare=compare)
        assert [(one.family, [cell.cause for cell in one.moved]) for one in (inputs, skew)] == [
            ("inputs", ["data_drift"]), ("skew", ["data_quality"] * 2),
        ]  # fmt: skip


@pytest.mark.parametrize("skew", [0, 3])
def test_a_replay_with_features_computed_again_tells_of_it(tmp_path: Path, skew: int) -> None:
    section = model_section(tmp_path / "model", feature_skew={"tolerance": 1e-6}, windows=[{"size": "1h"}])
    config = Installation(tmp_path / "replay", "127.0.0.1:1", "replay", [section]).path
    served, again = list(rows(N, seed=4, hours=HOURS)), list(rows(N, seed=4, hours=HOURS))
    for i, row in enumerate(again):
        del row["prediction"]
        row["timestamp"] += 40_000
        if i >= N // 2 and skew and i % skew == 0:
            row["features"]["amount"] += 0.001  # the distribution hardly moves
    live, log = tmp_path / "live.jsonl", tmp_path / "log.jsonl"
    for path, events in ((live, served), (log, again)):
        path.write_bytes(b"\n".join(map(msgspec.json.Encoder().encode, events)))
    replay_file(config, live, tmp_path / "out", close=True, features=log)
    assert pq.read_table(tmp_path / "out" / "feature_skew.parquet").num_rows
    told = [decode_alert(line).data for line in (tmp_path / "out" / "alerts.jsonl").read_bytes().splitlines()]
    raised = [one for one in told if one.state == "raised"]
    if not skew:
        assert raised == []
        return
    (alert,) = raised
    assert (alert.cause, [one.column for one in alert.columns]) == ("data_quality", ["amount"])
    assert abs(alert.onset_ms - (START_MS + 6 * HOUR_MS)) <= HOUR_MS
