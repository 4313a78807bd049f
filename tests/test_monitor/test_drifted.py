"""What a replay says drifted: a line a column, the last unbroken run, the largest effect."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pytest
from support.batches import batch_of

from monitor.replay.drifted import READ, DriftedColumn, drifted_columns
from sinks.records import RECORDS

DAY_MS = 86_400_000
SIZES = {"m": [(DAY_MS, "1d"), (7 * DAY_MS, "7d")]}


@dataclass(frozen=True)
class Verdicts:
    """Windows of one size that follow each other: the effect in each over the threshold, None where none was given."""

    effects: Sequence[float | None]
    column: str = "x"
    segment: str = ""
    size_ms: int = DAY_MS
    compare: str = "pinned"
    version: str = "1"
    first: int = 0
    quantities: Sequence[str] = ()

    def rows(self) -> list[dict[str, Any]]:
        quantities = self.quantities or ["mean"] * len(self.effects)
        return [
            {
                "model": "m", "version": self.version, "segment": self.segment, "column": self.column,
                "window_start_ms": (self.first + day) * DAY_MS,
                "window_end_ms": (self.first + day) * DAY_MS + self.size_ms, "reference": "r",
                "compare": self.compare, "drifted": effect >= 1.0, "p_value": 0.0, "q_value": 0.0, "method": "ks",
                "effect": effect * 0.1, "threshold": 0.1, "direction": "up", "quantity": quantities[day], "before": 0.0,
                "after": effect, "n_reference": 1, "n_current": 1, "revision": 1,
            }
            for day, effect in enumerate(self.effects)
            if effect is not None
        ]  # fmt: skip


def found(*parts: Verdicts) -> list[DriftedColumn]:
    rows = [row for part in parts for row in part.rows()]
    record = RECORDS["drift_verdict"]
    # Many batches, each with dictionaries of its own, as replay writes them.
    batches = [batch_of(record, [row]) for row in reversed(rows)] or [batch_of(record, [])]
    return drifted_columns(pa.Table.from_batches(batches).select(list(READ)), SIZES)


def test_the_last_unbroken_run_is_told_with_its_first_window_and_its_largest_effect() -> None:
    #              0    1    2    3    4    5
    (one,) = found(Verdicts([9.0, 0.5, 2.0, 4.0, 3.0]))
    assert (one.first_ms, one.end_ms, one.n_windows, one.lasts) == (2 * DAY_MS, 5 * DAY_MS, 3, True)
    assert (one.after, one.size, one.segment, one.n_other_segments) == (4.0, "1d", "", 0)


def test_a_run_that_is_over_says_when_it_ended() -> None:
    (one,) = found(Verdicts([0.0, 2.0, 3.0, 0.0, 0.0]))
    assert (one.first_ms, one.end_ms, one.n_windows, one.lasts) == (DAY_MS, 3 * DAY_MS, 2, False)


def test_a_window_without_a_verdict_does_not_break_a_run() -> None:
    (one,) = found(Verdicts([0.0, 2.0, None, 3.0]))
    assert (one.first_ms, one.n_windows, one.lasts) == (DAY_MS, 2, True)


def test_a_column_is_one_line_of_all_rows_if_these_drifted_whatever_segments_did() -> None:
    (one,) = found(
        Verdicts([1.5]), Verdicts([9.0], segment="a=b"), Verdicts([2.0], segment="a=c"), Verdicts([0.1], segment="a=d")
    )
    assert (one.segment, one.n_other_segments, one.after) == ("", 2, 1.5)


def test_a_column_that_drifted_in_segments_alone_names_the_one_with_the_largest_effect() -> None:
    (one,) = found(Verdicts([0.0]), Verdicts([2.0], segment="a=b"), Verdicts([5.0], segment="a=c"))
    assert (one.segment, one.n_other_segments, one.after) == ("a=c", 1, 5.0)


def test_a_segment_in_which_a_column_drifted_far_more_is_named() -> None:
    (one,) = found(Verdicts([2.0]), Verdicts([2.9], segment="a=b"), Verdicts([3.0], segment="a=c"))
    assert (one.segment, one.most_in, one.n_other_segments) == ("", "a=c", 2)
    (one,) = found(Verdicts([2.0]), Verdicts([2.9], segment="a=b"))
    assert (one.segment, one.most_in) == ("", "")


def test_what_tells_of_most_windows_of_a_run_is_told_and_the_strongest_sorts() -> None:
    quantities = ["mean", "standard deviation", "mean"]
    one, other = found(Verdicts([2.0, 9.0, 3.0], quantities=quantities), Verdicts([5.0], column="y"))
    assert (one.column, one.quantity, one.after, one.first_ms) == ("x", "mean", 3.0, 0)
    assert other.column == "y"
    (one,) = found(Verdicts([2.0, 3.0], quantities=quantities))
    assert one.quantity == "standard deviation", "of two that tell of as many, the stronger"


def test_windows_of_several_sizes_are_followed_apart() -> None:
    (one,) = found(Verdicts([0.0, 0.0, 2.0]), Verdicts([3.0, 3.0, 3.0], size_ms=7 * DAY_MS))
    assert (one.size, one.n_windows, one.first_ms) == ("7d", 3, 0)


@pytest.mark.parametrize("hours", [23, 25])
def test_a_local_day_of_23_or_25_hours_is_one_of_the_days(hours: int) -> None:
    odd = Verdicts([2.0], size_ms=hours * 3_600_000, first=1)
    (one,) = found(Verdicts([2.0]), odd, Verdicts([2.0], first=2))
    assert (one.size, one.n_windows) == ("1d", 3)


def test_columns_come_by_their_effect_and_versions_and_baselines_apart() -> None:
    lines = found(
        Verdicts([2.0], column="b"), Verdicts([3.0], column="a"), Verdicts([2.0], column="a", version="2"),
        Verdicts([4.0], column="a", compare="trailing 28d"), Verdicts([0.5], column="c"),
    )  # fmt: skip
    assert [(line.column, line.version, line.compare) for line in lines] == [
        ("a", "1", "trailing 28d"), ("a", "1", "pinned"), ("a", "2", "pinned"), ("b", "1", "pinned"),
    ]  # fmt: skip


def test_nothing_drifted_is_no_line() -> None:
    assert found() == found(Verdicts([0.0, 0.9])) == []
