"""The end of a replay with labels: how good the model was, in lines."""

import contextlib
import io
import math
import re
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from clickhouse_connect.driver.client import Client
from rich.console import Console
from support.batches import batch_of

from monitor.cli.performance import show_performance
from monitor.demo.performance import read_table
from monitor.replay.performance import MOST_LINES, READ, READ_PARTS, performance_lines
from sinks.clickhouse.client import connect
from sinks.clickhouse.migrations import migrate
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

PERFORMANCE, PART = RECORDS["performance"], RECORDS["performance_part"]
DAY_MS = 86_400_000
JANUARY_MS = int(datetime(2013, 1, 1, tzinfo=UTC).timestamp()) * 1000


def row(metric: str, value: float, day: int = 0, **own: Any) -> dict[str, Any]:
    start_ms = JANUARY_MS + day * DAY_MS
    plain = {
        "model": "m", "version": "3", "segment": "", "reference": "r", "estimated": False,
        "window_start_ms": start_ms, "window_end_ms": start_ms + DAY_MS, "ci_low": value, "ci_high": value,
        "reference_value": value, "spread_low": math.nan, "spread_high": math.nan, "estimate_error": math.nan,
        "n": 90, "n_labelled": 90, "n_total": 100, "maturity": 0.9, "provisional": False, "error_bound": 0.0,
        "label_ms": start_ms, "revision": 1,
    }  # fmt: skip
    return plain | {"metric": metric, "value": value} | own


def part(name: str, contribution: float, day: int = 0) -> dict[str, Any]:
    start_ms = JANUARY_MS + day * DAY_MS
    return {
        "model": "m", "version": "3", "segment": "", "part": name, "rank": 1, "window_start_ms": start_ms,
        "window_end_ms": start_ms + DAY_MS, "reference": "r", "column": "@score", "cell": "",
        "contribution": contribution, "ci_low": 0.0, "ci_high": 0.0, "p_value": 1.0, "q_value": 1.0,
        "failing": False, "loss_before": 0.0, "loss_now": 0.0, "share": 1.0, "n_before": 1, "n_now": 1,
        "provisional": False, "revision": 1,
    }  # fmt: skip


def tables(rows: Iterable[dict[str, Any]], parts: Iterable[dict[str, Any]] = ()) -> tuple[pa.Table, pa.Table]:
    """Rows in two chunks with dictionaries of their own, as files have them."""
    rows = list(rows)
    batches = [batch_of(PERFORMANCE, own) for own in (rows[: len(rows) // 2], rows[len(rows) // 2 :])]
    return (
        pa.Table.from_batches(batches).select(list(READ)),
        pa.Table.from_batches([batch_of(PART, list(parts))]).select(list(READ_PARTS)),
    )


def test_a_window_is_a_line_with_the_measured_the_estimated_the_split_the_worst_segment_and_the_delay() -> None:
    rows = [
        row("roc_auc", 0.75),
        row("roc_auc", 0.8, estimated=True),
        row("log_loss", 0.5),
        row("log_loss", 0.4, estimated=True),
        row("label_delay_ms:0.5", 5_400_000.0),
        row("log_loss", 0.9, segment="carrier=UA", ci_low=0.8, reference_value=0.45, n_labelled=30),
        row("log_loss", 0.95, segment="carrier=OO", ci_low=0.3, reference_value=0.4, n_labelled=3),
    ]
    lines = performance_lines(*tables(rows, [part("inputs", -0.01), part("relation", 0.11)]))
    assert [re.split("  +", line.strip()) for line in lines] == [
        ["m, version 3. Measured on labels, in brackets what was estimated without them:"],
        [
            "window from", "labelled", "roc_auc", "log_loss", "loss by inputs", "by relation", "worst segment",
            "median delay",
        ],
        [
            "2013-01-01", "90 %", "0.750 (0.800)", "0.500 (0.400)", "-0.010", "+0.110", "carrier=UA 0.45 -> 0.9",
            "1.5 h",
        ],
    ]  # fmt: skip
    assert lines[1].index("worst") == lines[2].index("carrier")


def test_of_many_windows_a_line_is_a_month_with_means_by_labelled_predictions() -> None:
    rows = [row("roc_auc", 0.6 if day < 10 else 0.8, day, n_labelled=10 if day < 10 else 100) for day in range(59)]
    rows[-1] |= {"provisional": True}
    lines = performance_lines(*tables(rows))
    assert lines[1].split() == ["month", "labelled", "roc_auc"]
    january = (10 * 10 * 0.6 + 21 * 100 * 0.8) / (10 * 10 + 21 * 100)
    assert lines[2].split() == ["2013-01", "71", "%", f"{january:.3f}"]
    assert lines[3].split() == ["2013-02", "100", "%,", "provisional", "0.800"]
    assert len(lines) == 4


def test_a_longer_window_belongs_to_the_month_that_it_ends_in() -> None:
    weeks = [
        row("roc_auc", 0.6 if day < 25 else 0.8, day, window_end_ms=JANUARY_MS + (day + 7) * DAY_MS)
        for day in range(15, 40)
    ]
    lines = performance_lines(*tables(weeks))
    assert [line.split() for line in lines[2:]] == [["2013-01", "90", "%", "0.600"], ["2013-02", "90", "%", "0.800"]]


def test_of_several_sizes_the_shortest_with_few_windows_is_shown() -> None:
    days = [row("roc_auc", 0.7, day) for day in range(MOST_LINES + 1)]
    week = row("roc_auc", 0.9, window_end_ms=JANUARY_MS + 7 * DAY_MS)
    lines = performance_lines(*tables([*days, week]))
    assert [line.split()[-1] for line in lines[2:]] == ["0.900"]


def test_before_labels_the_estimate_stands_alone_and_a_regression_has_its_errors() -> None:
    lines = performance_lines(
        *tables([row("mae", 3.25, estimated=True, n_labelled=0, provisional=True), row("rmse", math.nan)])
    )
    assert lines[2].split() == ["2013-01-01", "90", "%,", "provisional", "(3.250)"]


def test_classes_without_scores_rank_segments_by_accuracy() -> None:
    rows = [
        row("accuracy", 0.9),
        row("accuracy", 0.5, segment="s=a", ci_high=0.6, reference_value=0.8),
        row("accuracy", 0.95, segment="s=b", ci_high=0.96, reference_value=0.8),
    ]
    assert "s=a 0.8 -> 0.5" in performance_lines(*tables(rows))[2]


def test_nothing_measured_is_said_with_what_to_do(tmp_path: Path) -> None:
    assert performance_lines(*tables([])) == []
    pq.write_table(pa.Table.from_batches([batch_of(PERFORMANCE, [])]), tmp_path / PERFORMANCE.file)
    pq.write_table(pa.Table.from_batches([batch_of(PART, [])]), tmp_path / PART.file)
    told = io.StringIO()
    show_performance(Console(file=told, width=200), tmp_path)
    assert "driftline check" in told.getvalue()


def test_a_segment_with_a_line_break_and_brackets_stays_on_its_line(tmp_path: Path) -> None:
    rows = [row("mae", 1.0), row("mae", 9.0, segment="s=[red]\n\x1b[1m", ci_low=8.0, reference_value=1.0)]
    pq.write_table(pa.Table.from_batches([batch_of(PERFORMANCE, rows)]), tmp_path / PERFORMANCE.file)
    pq.write_table(pa.Table.from_batches([batch_of(PART, [])]), tmp_path / PART.file)
    told = io.StringIO()
    show_performance(Console(file=told, width=60), tmp_path)
    lines = told.getvalue().splitlines()
    assert "s=[red]\ufffd\ufffd[1m 1 -> 9" in lines[2]
    assert any(line.startswith("Next: ") for line in lines)


def test_the_lines_of_a_database_are_those_of_a_file(tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    rows = [row("roc_auc", 0.75, day) for day in range(40)] + [row("roc_auc", 0.8, 3, estimated=True)]
    parts = [part("inputs", 0.1, 3)]
    dsn = f"chdb://{tmp_path / 'db'}"

    def read(client: Client) -> tuple[pa.Table, pa.Table]:
        return read_table(client, "performance", READ), read_table(client, "performance_part", READ_PARTS)

    with contextlib.closing(connect(dsn)) as client:
        migrate(client)
        assert performance_lines(*read(client)) == []
        with contextlib.closing(ClickHouseSink(dsn)) as sink:
            sink.setup()
            sink.write([batch_of(PERFORMANCE, rows), batch_of(PART, parts)])
        assert performance_lines(*read(client)) == performance_lines(*tables(rows, parts))


def test_labels_that_name_no_known_class_are_told_below_the_table() -> None:
    known = [row("log_loss", 0.4, day) for day in range(2)]
    told = performance_lines(*tables([*known, *(row("labels_unknown", n, day) for day, n in enumerate((0.0, 45.0)))]))
    assert told[-1].startswith("  25 % of these labels name a class that the reference does not know")
    assert len(performance_lines(*tables([*known, row("labels_unknown", 0.0), row("labels_unknown", 0.0, 1)]))) == 4
