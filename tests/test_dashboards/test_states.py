"""What panels say of several versions, lengths of windows, and windows whose labels still come."""

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from support import dashboards, page
from support.batches import batch_of

from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

FOLDER = Path(__file__).parents[2] / "dashboards" / "grafana" / "dashboards"
PLACE = {
    "model": page.MODEL, "version": "1", "window": "3600", "segment": "(all rows)", "metric": "roc_auc",
    "column": "temp", "method": "js",
}  # fmt: skip
DAY_MS = 24 * page.HOUR_MS
LAST_MS = page.NEWEST_MS - page.HOUR_MS
"""The end of the newest window that has its labels."""


def of_states() -> dict[str, list[dict[str, Any]]]:
    """The newest window of an hour has a handful of labels; a window of a day has changed, of version 2 alone."""
    found = dashboards.rows()
    for row in found["performance"]:
        if row["window_end_ms"] == page.NEWEST_MS:
            row |= {"provisional": True, "value": 0.99}
    for row in found["performance_part"]:
        if row["window_end_ms"] == page.NEWEST_MS and row["part"] == "confusion":
            row |= {"provisional": True, "n_now": 1}
    found["performance_part"] = [
        row for row in found["performance_part"] if row["part"] != "subgroup" or row["window_end_ms"] < LAST_MS
    ]
    day = {"window_start_ms": page.NEWEST_MS - 2 * page.HOUR_MS - DAY_MS, "window_end_ms": LAST_MS - page.HOUR_MS}
    for name, rows in (("window", found["window"]), ("drift_verdict", found["drift_verdict"])):
        newest = [
            {**row, **day}
            for row in rows
            if (row["model"], row["version"], row["segment"]) == (page.MODEL, "2", "")
            and row["window_end_ms"] == page.NEWEST_MS
        ]
        found[name] = rows + newest
    for row in found["drift_verdict"]:  # of an hour's windows nothing is left that changed
        row["drifted"] &= row["window_end_ms"] - row["window_start_ms"] == DAY_MS
    found["alert"].append(
        {**found["alert"][0], "version": "", "dedupe_key": "silent", "cause": "silence", "state": "raised"}
    )
    return found


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    dsn = f"chdb://{tmp_path_factory.mktemp('states')}"
    with contextlib.closing(ClickHouseSink(dsn)) as sink:
        sink.migrate()
        sink.setup()
        written = sink.write([batch_of(RECORDS[name], own) for name, own in of_states().items() if own])
        assert not written.dropped, written.dropped
        with contextlib.closing(connect(dsn)) as opened:
            yield opened


def answers(client: Client, board: str, title: str, *, kind: str = "table", **values: str) -> list[dict[str, Any]]:
    panels = json.loads((FOLDER / f"{board}.json").read_text())["panels"]
    (panel,) = [one for one in panels if (one["title"], one["type"]) == (title, kind)]
    asked = dashboards.expanded(panel["targets"][0]["rawSql"], {**PLACE, **values})
    return list(client.query(asked).named_results())


def test_each_version_has_its_own_line_with_its_own_figures(client: Client) -> None:
    found = {one["version"]: one for one in answers(client, "fleet", "Models") if one["model"] == page.MODEL}
    assert set(found) == {"1", "2"}
    # A change in the newest window of a day counts, though windows of an hour have ended since.
    assert (found["1"]["n_changed"], found["2"]["n_changed"]) == (0, 1)
    assert found["2"]["worst_column"] == "temp"


def test_a_handful_of_labels_is_not_the_headline(client: Client) -> None:
    for one in answers(client, "fleet", "Models"):
        assert one["value"] < 0.99
        assert one["until"].timestamp() * 1000 == LAST_MS
    found = answers(client, "performance", "Worst segments")
    assert {one["name"] for one in found} == {"(all rows)", "origin=EWR"}
    assert all(one["value"] < 0.99 for one in found)


def test_confusion_and_subgroups_are_of_the_newest_window_that_has_such(client: Client) -> None:
    assert [one["n"] for one in answers(client, "performance", "Confusion")] == [64]
    assert answers(client, "performance", "Worst cells of features")


def test_alerts_of_the_model_as_a_whole_are_told_beside_those_of_a_version(client: Client) -> None:
    assert "silence" in {one["cause"] for one in answers(client, "model", "Alerts")}


def test_segments_are_drawn_by_windows_of_the_chosen_length(client: Client) -> None:
    found = answers(client, "column", "Verdicts by segment", kind="timeseries", version="2")
    assert len(found) == 2 * page.N_WINDOWS
    whole = [one for one in found if one["name"] == "(all rows)"]
    assert len(whole) == page.N_WINDOWS
    day = answers(client, "column", "Verdicts by segment", kind="timeseries", version="2", window="86400")
    assert len(day) == 1
