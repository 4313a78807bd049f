"""What Grafana and its ClickHouse plugin do to a panel's statement before it is sent, and data for every panel."""

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
from support import page

from monitor.dashboards import asked

FROM_MS = page.START_MS
TO_MS = page.NEWEST_MS + 1_000
NUMBER = re.compile(r"^(Nullable\()?(U?Int|Float|Decimal)\d*")
TEXT = re.compile(r"^(LowCardinality\()?(Nullable\()?String")
TIME = re.compile(r"^DateTime")


def expanded(statement: str, values: Mapping[str, str], from_ms: int = FROM_MS) -> str:
    """As it is sent, until the newest of these data. What is not known fails."""
    return asked.expanded(statement, values, from_ms, TO_MS)


def needed(panel: dict[str, Any], types: dict[str, str]) -> None:
    """What a kind of panel cannot be drawn without."""
    kinds = list(types.values())
    numbers = [name for name, kind in types.items() if NUMBER.match(kind)]
    assert all(NUMBER.match(kind) or TEXT.match(kind) or TIME.match(kind) or kind == "Bool" for kind in kinds), types
    if panel["type"] in ("timeseries", "status-history"):
        assert TIME.match(types["time"]), types
        assert numbers, types
    if panel["type"] == "status-history":
        assert any(TEXT.match(kind) for kind in kinds), types
        assert len(numbers) == 1, types  # another would be a second lane of the same name
    if panel["type"] == "stat":
        assert len(numbers) == len(types) == 1, types
    if panel["type"] == "barchart":
        assert TEXT.match(kinds[0]), types
        assert numbers == list(types)[1:], types


def rows() -> dict[str, list[dict[str, Any]]]:
    """Those of the page, and what only dashboards show."""
    found = page.rows()
    for model, version in ((page.MODEL, "1"), (page.MODEL, "2"), (page.HOSTILE, page.HOSTILE)):
        for number in range(page.N_WINDOWS):
            _more(found, model, version, number)
        _label(found, model, version)
        found["label_outcome"].append(
            {"model": model, "outcome": "matched", "join_partition": 0, "n": 600, "revision": 7}
        )
        found["late_dropped"].append(
            {
                "model": model, "version": version, "pane_start_ms": FROM_MS, "source_topic": "drift.sketches",
                "source_partition": 0, "source_offset": 1, "n": 4,
            }
        )  # fmt: skip
        for attempt, outcome in enumerate(("retried", "accepted"), start=1):
            found["delivery"].append(
                {
                    "destination": "pager", "event_id": f"{model[:9]}-{version[:9]}", "attempt": attempt,
                    "at_ms": page.NEWEST_MS + attempt - 3, "model": model, "kind": "alert", "dedupe_key": "open",
                    "outcome": outcome, "status": 200, "detail": "", "took_ms": 80,
                }
            )  # fmt: skip
    for window in found["window"]:
        window.setdefault("partial", False)
    for reject in found["reject"]:
        reject["time_ms"] = page.NEWEST_MS - 60_000
    return found


def _more(found: dict[str, list[dict[str, Any]]], model: str, version: str, number: int) -> None:
    """Calibration, delays, a segment, a confused class."""
    start_ms = page.START_MS + number * page.HOUR_MS
    place = {
        "model": model, "version": version, "segment": "", "window_start_ms": start_ms,
        "window_end_ms": start_ms + page.HOUR_MS, "reference": "r1", "revision": 1,
    }  # fmt: skip
    for metric, segment, value in (
        ("ece", "", 0.03), ("brier", "", 0.2), ("label_delay_ms:0.5", "", 3.6e6), ("label_delay_ms:0.95", "", 7.2e6),
        ("labels_missing", "", 0.02), ("roc_auc", "origin=EWR", 0.6),
    ):  # fmt: skip
        found["performance"].append(
            {
                **place, "segment": segment, "metric": metric, "estimated": False, "value": value,
                "ci_low": value * 0.9, "ci_high": value * 1.1, "reference_value": value * 0.95, "spread_low": np.nan,
                "spread_high": np.nan, "estimate_error": np.nan, "n": 100, "n_labelled": 64, "n_total": 100,
                "maturity": 0.64, "provisional": False, "error_bound": 0.0, "label_ms": start_ms + page.HOUR_MS,
            }
        )  # fmt: skip
    found["performance_part"].append(
        {
            **place, "part": "confusion", "rank": 1, "column": "late", "cell": "early", "contribution": 0.02,
            "ci_low": 0.01, "ci_high": 0.03, "p_value": 0.001, "q_value": 0.001, "failing": False,
            "loss_before": 0.1, "loss_now": 0.2, "share": 0.2, "n_before": 100, "n_now": 64, "provisional": False,
        }
    )  # fmt: skip


def _label(found: dict[str, list[dict[str, Any]]], model: str, version: str) -> None:
    """A prediction of classes beside the score."""
    for record in ("reference_column", "column_profile"):
        for row in [one for one in found[record] if one["column"] == "carrier" and one["version"] == version]:
            if row["model"] == model:
                found[record].append({**row, "column": "@label"})
