"""The table that a replay ends with: what drifted, for whom, since when, from what to what, how sure, in words."""

import io
import math
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from monitor.cli.replayed import MOST_LINES, show_drifted
from monitor.replay.drifted import DriftedColumn

DAY_MS = 86_400_000


def one(**own: Any) -> DriftedColumn:
    plain: dict[str, Any] = {
        "model": "m", "version": "1", "compare": "pinned", "column": "x", "segment": "", "n_other_segments": 0,
        "most_in": "", "size": "1d", "first_ms": 0, "end_ms": 3 * DAY_MS, "n_windows": 3, "lasts": True,
        "direction": "up", "quantity": "mean", "before": 1.0, "after": 2.5, "method": "ks", "effect": 0.25,
        "threshold": 0.1, "q_value": 0.003,
    }  # fmt: skip
    return DriftedColumn(**plain | own)


def lines(*found: DriftedColumn) -> list[str]:
    said = io.StringIO()
    show_drifted(Console(file=said, width=400), found, Path("out"))
    return said.getvalue().splitlines()


def test_a_line_says_what_since_when_from_what_to_what_and_how_sure() -> None:
    heading, line = lines(one())
    assert "largest effect first" in heading
    assert line.split("  ")[1:] == [
        "x", "all rows", "since 1970-01-01, 3 windows of 1d", "mean 1 -> 2.5 (up)", "ks 0.25, threshold 0.1", "q 0.003",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("own", "words"),
    [
        ({"segment": "s=a"}, "  s=a  "),
        ({"n_other_segments": 2}, "all rows and 2 segments"),
        ({"n_other_segments": 1, "most_in": "s=a"}, "all rows, most in s=a  "),
        ({"n_other_segments": 4, "most_in": "s=a"}, "all rows, most in s=a of 4 segments"),
        ({"lasts": False}, "1970-01-01 to 1970-01-04, 3 windows of 1d"),
        ({"quantity": "share missing", "before": 0.002, "after": 0.5}, "share missing 0.2 % -> 50 %"),
        ({"threshold": 0.0}, "  ks 0.25  "),
        ({"q_value": 1e-40}, "q < 1e-9"),
    ],
)
def test_the_words_of_what_is_there(own: dict[str, Any], words: str) -> None:
    assert words in lines(one(**own))[1]


def test_without_a_p_value_nothing_is_said_of_how_sure() -> None:
    assert lines(one(q_value=math.nan))[1].endswith("threshold 0.1")


@pytest.mark.parametrize(
    ("compare", "words"),
    [
        ("pinned", "beside the reference"),
        ("trailing 28d", "beside the 28d before"),
        ("season hour_of_week Europe/Berlin", "beside the same hour of week Europe/Berlin"),
        ("version 3", "beside version 3"),
        ("recomputed", "computed again"),
        ("sequential adwin", "in the order of labels"),
    ],
)
def test_of_several_comparisons_each_is_told_in_words(compare: str, words: str) -> None:
    _, first, second = lines(one(compare=compare), one(compare="version 9"))
    assert first.startswith(f"  {words}  ")
    assert second.startswith("  beside version 9  ")


def test_of_many_findings_the_first_are_told_and_how_many_more_there_are() -> None:
    said = lines(*[one(column=f"x{number}") for number in range(MOST_LINES + 3)])
    assert len(said) == MOST_LINES + 2
    assert said[-1] == "  and 3 more: out/verdicts.parquet"
    assert lines() == []
