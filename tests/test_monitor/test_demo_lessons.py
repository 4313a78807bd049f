"""What the demo's last screen says is judged from verdicts by the week: what stayed, what came and went, gaps."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from monitor.demo.lessons import DriftedWindow, Lesson, lessons, spells

FIRST = datetime(2013, 2, 1, tzinfo=UTC)
DAY_MS = 86_400_000


def ms(day: int) -> int:
    """The start of the nth day from 1 February 2013 on."""
    return int((FIRST + timedelta(days=day)).timestamp()) * 1000


def week(day: int, column: str = "x", *, segment: str = "", strength: float = 2.0, **own: object) -> DriftedWindow:
    """The week from that day on."""
    plain = {"direction": "up", "quantity": "mean", "before": 1.0, "after": 2.0, "q_value": 0.001}
    return DriftedWindow(
        segment=segment, column=column, strength=strength, start_ms=ms(day), end_ms=ms(day) + 7 * DAY_MS, **plain | own
    )  # type: ignore[arg-type]


def ends(days: Iterable[int]) -> list[int]:
    return [ms(day) + 7 * DAY_MS for day in days]


YEAR = ends(range(-6, 327))
"""Of the weeks that end in February to December."""


def times(found: Iterable[Lesson]) -> list[tuple[str, str, int, int, int]]:
    return [
        (one.segment, one.column, (one.start_ms - ms(0)) // DAY_MS, (one.end_ms - ms(0)) // DAY_MS, one.n_windows)
        for one in found
    ]


def test_a_column_that_is_still_away_in_the_last_month_has_stayed_since_its_last_beginning() -> None:
    drifted = [week(day) for day in (*range(10, 20), *range(100, 327))]
    found = lessons(drifted, YEAR)
    assert times(found.stayed) == [("", "x", 100, 333, 227)]
    assert (found.last_month, found.n_months, found.seasonal, found.now_and_then) == (12, 11, [], [])


def test_a_column_that_was_away_for_a_month_and_is_back_in_the_last_was_a_season() -> None:
    drifted = [week(day) for day in (*range(5, 8), *range(60, 200), 320)]
    found = lessons(drifted, YEAR)
    assert times(found.seasonal) == [("", "x", 60, 206, 144)], "the longest time, and all windows"
    assert (found.stayed, found.now_and_then) == ([], [])


def test_half_of_a_months_windows_are_a_month_and_fewer_are_now_and_then() -> None:
    april = range(53, 83)  # the 30 weeks that end in it: the first at the end of 1 April, the last at that of the 30th
    assert (ends(april)[0], ends(april)[-1]) == (ms(60), ms(89))
    half = [week(day, "half") for day in list(april)[:15]]
    fewer = [week(day, "fewer") for day in list(april)[:14]]
    found = lessons([*half, *fewer], YEAR)
    assert [one.column for one in found.seasonal] == ["half"]
    assert [one.column for one in found.now_and_then] == ["fewer"]


def test_what_stays_in_parts_is_told_only_of_columns_that_do_not_in_the_whole() -> None:
    drifted = [
        week(day, column, segment=segment)
        for day in range(200, 327)
        for column, segment in (("x", ""), ("x", "s=a"), ("y", "s=a"))
    ]
    drifted += [week(day, "z", segment="s=b") for day in range(50, 200)]
    found = lessons(drifted, YEAR)
    assert [(one.segment, one.column) for one in found.stayed] == [("", "x")]
    assert [(one.segment, one.column) for one in found.in_parts] == [("s=a", "y")]


def test_missing_values_are_gaps_and_no_change_of_the_column_and_those_of_one_time_are_told_together() -> None:
    missing = {"direction": "more missing", "quantity": "share missing", "before": 0.0}
    drifted = [week(day, column, after=0.1, **missing) for day in range(40, 44) for column in ("a", "b")]
    drifted += [week(43, "c", after=0.5, strength=9.0, **missing), week(300, "a", after=0.2, **missing)]
    drifted += [week(40, "a", segment="s=a", after=0.9, **missing)]
    found = lessons(drifted, YEAR)
    assert [[one.column for one in gap] for gap in found.gaps] == [["c", "a", "b"], ["a"]]
    assert [found.stayed, found.seasonal, found.now_and_then, found.in_parts] == [[]] * 4


def test_the_figures_are_the_strongest_of_the_quantity_that_tells_of_most_windows() -> None:
    drifted = [week(day, after=float(day), strength=1.0 + day) for day in range(300, 320)]
    drifted += [week(320, quantity="standard deviation", after=99.0, strength=50.0)]
    (found,) = lessons(drifted, YEAR).stayed
    assert (found.told.quantity, found.told.after, found.n_windows) == ("mean", 319.0, 21)


def test_the_strongest_comes_first_whatever_the_order_of_rows() -> None:
    drifted = [
        week(day, column, strength=strength) for day in range(310, 327) for column, strength in (("a", 2.0), ("b", 3.0))
    ]
    found = lessons(drifted, YEAR)
    assert [one.column for one in found.stayed] == ["b", "a"]
    assert lessons(drifted[::-1], YEAR[::-1]) == found


def test_an_undrifted_week_parts_two_times_and_a_shorter_hole_does_not() -> None:
    found = spells([week(day) for day in (30, 0, 7, 1, 15)])
    assert times(found) == [("", "x", 0, 14, 3), ("", "x", 15, 22, 1), ("", "x", 30, 37, 1)]


def test_a_window_that_ends_at_midnight_is_of_the_month_before() -> None:
    assert lessons([], [ms(0)]).last_month == 1
    assert lessons([], []).last_month == 0
