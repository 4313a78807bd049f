"""What Grafana and its ClickHouse plugin do to a panel's statement before it is sent, and data for every panel."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import numpy as np
from support import page

FROM_MS = page.START_MS
TO_MS = page.NEWEST_MS + 1_000
_VARIABLE = re.compile(r"\$\{(\w+):percentencode\}")
_FILTER = re.compile(r"\$__timeFilter_ms\((\w+)\)")


def expanded(statement: str, values: Mapping[str, str], from_ms: int = FROM_MS) -> str:
    """As `encodeURIComponentStrict` of Grafana and the plugin's macros write it. What is not known stays, and fails."""

    def value(match: re.Match[str]) -> str:
        return quote(values[match[1]], safe="-_.~")

    def between(match: re.Match[str]) -> str:
        column = match[1]
        return f"{column} >= fromUnixTimestamp64Milli({from_ms}) AND {column} <= fromUnixTimestamp64Milli({TO_MS})"

    text = _FILTER.sub(between, _VARIABLE.sub(value, statement))
    text = text.replace("$__fromTime_ms", f"fromUnixTimestamp64Milli({from_ms})")
    text = text.replace("$__toTime_ms", f"fromUnixTimestamp64Milli({TO_MS})")
    assert "$" not in text, text
    return text


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
