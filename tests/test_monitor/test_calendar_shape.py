"""Windows of the calendar tile time in every zone, and agree with dates that are counted one by one."""

from datetime import UTC, date, datetime, timedelta
from functools import cache
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.zones import HOUR_MS, RULES, ZONES, ms

from monitor.eventtime.calendar_shape import CalendarShape
from monitor.eventtime.windows import FixedShape, Window, WindowShape, last_end_ms, longest_ms, pane_length_ms

DAY_MS = 24 * HOUR_MS
BERLIN = "Europe/Berlin"


@st.composite
def shapes_of_the_calendar(draw: st.DrawFn) -> CalendarShape:
    months = draw(st.booleans())
    every = draw(st.integers(1, 4))
    quarters = draw(st.integers(0, (28 if months else every) * 96 - 1))
    return CalendarShape(
        size=every + draw(st.integers(0, 6)),
        every=every,
        months=months,
        offset_ms=draw(st.sampled_from([0, quarters * HOUR_MS // 4])),
        timezone=draw(st.sampled_from(ZONES)),
    )


shapes = shapes_of_the_calendar()
instants = st.integers(ms(1990, 1, 1), ms(2040, 1, 1))


def lengths(shape: WindowShape, first_ms: int, n: int) -> list[float]:
    """How many hours the window that holds an instant has, and those after it."""
    found = []
    for _ in range(n):
        (window,) = shape.containing(first_ms)
        found.append((window.end_ms - window.start_ms) / HOUR_MS)
        first_ms = window.end_ms
    return found


@pytest.mark.parametrize("name", ZONES)
@pytest.mark.parametrize("unit", [{"size": 1, "every": 1}, {"size": 1, "every": 1, "months": True}])
def test_days_and_months_tile_fifty_years_without_gap_or_overlap(name: str, unit: dict[str, int]) -> None:
    shape = CalendarShape(**unit, timezone=name)  # type: ignore[arg-type]
    at_ms, until_ms, seen = ms(1990, 1, 2), ms(2040, 1, 1), []
    first, last = (datetime.fromtimestamp(instant / 1_000, RULES[name]) for instant in (at_ms, until_ms - 1))
    longest, grain_ms = shape.longest_ms, shape.grain_ms
    while at_ms < until_ms:
        (window,) = shape.containing(at_ms)
        assert window.start_ms <= at_ms < window.end_ms
        assert window.end_ms - window.start_ms <= longest
        assert window.start_ms % grain_ms == 0
        assert not seen or window.start_ms == at_ms
        assert list(shape.containing(window.end_ms - 1)) == [window]
        seen.append(window)
        at_ms = window.end_ms
    if "months" in unit:
        assert len(seen) == (last.year - first.year) * 12 + last.month - first.month + 1
    else:
        left_out = name in ("Pacific/Apia", "Pacific/Kwajalein")
        assert len(seen) == (last.date() - first.date()).days + 1 - left_out


@settings(deadline=None)
@given(shapes, instants)
def test_every_instant_is_in_as_many_windows_as_days_or_months_allow(shape: CalendarShape, instant: int) -> None:
    windows = list(shape.containing(instant))
    assert windows == sorted(set(windows), reverse=True)
    assert len(windows) in (shape.size // shape.every, shape.size // shape.every + 1)
    for window in windows:
        assert window.start_ms <= instant < window.end_ms
        assert window.end_ms - window.start_ms <= shape.longest_ms
        assert window.start_ms % shape.grain_ms == window.end_ms % shape.grain_ms == 0


def windows_of(shape: CalendarShape, first: int, last: int) -> set[Window]:
    """By brute force: the windows of the years from `first` up to `last`, from dates and the rules alone."""
    starts = []
    day = date(first, 1, 1)
    while day.year < last:
        number = (day.year - 1970) * 12 + day.month - 1 if shape.months else (day - date(1969, 12, 29)).days
        if not shape.months or day.day == 1:
            starts.append((number, beginning(day, shape.offset_ms, shape.timezone)))
        day += timedelta(days=1)
    begins = dict(starts)
    return {
        Window(start_ms=start_ms, end_ms=begins[number + shape.size])
        for number, start_ms in starts
        if number % shape.every == 0 and number + shape.size in begins
    }


@cache
def beginning(day: date, offset_ms: int, timezone: str) -> int:
    """The first instant, to half a minute, at which clocks show a local time or a later one."""
    wall = datetime(day.year, day.month, day.day) + timedelta(milliseconds=offset_ms)
    utc = wall.replace(tzinfo=UTC) - timedelta(hours=26)
    for step in (timedelta(minutes=15), timedelta(seconds=30)):
        while utc.astimezone(RULES[timezone]).replace(tzinfo=None) < wall:
            utc += step
        utc -= step
    return int((utc + timedelta(seconds=30)).timestamp() * 1000)


@settings(deadline=None, max_examples=25)
@given(shapes, st.sampled_from([1993, 2007, 2011, 2018, 2025]), st.data())
def test_windows_agree_with_dates_that_are_counted_one_by_one(
    shape: CalendarShape, year: int, data: st.DataObject
) -> None:
    expected = windows_of(shape, year - 2, year + 3)
    for _ in range(20):
        start_ms = data.draw(st.integers(ms(year, 1, 1), ms(year + 1, 1, 1)))
        inside = Window(start_ms=start_ms, end_ms=start_ms + data.draw(st.integers(1, 3 * DAY_MS)))
        holding = sorted(w for w in expected if w.start_ms <= start_ms < w.end_ms)
        near = st.sampled_from([w.end_ms for w in holding]) | st.integers(start_ms - DAY_MS, start_ms + 100 * DAY_MS)
        after_ms, until_ms = sorted((data.draw(near), data.draw(near)))
        assert list(shape.containing(start_ms)) == holding[::-1]
        assert shape.last_end_ms(start_ms) == holding[-1].end_ms
        around = [w for w in holding if w.end_ms >= inside.end_ms]
        ending = [w for w in around if after_ms < w.end_ms <= until_ms]
        assert list(shape.ending(inside, after_ms=after_ms, until_ms=until_ms)) == ending
        assert last_end_ms([shape], inside) == max((w.end_ms for w in around), default=inside.end_ms)


@settings(deadline=None)
@given(shapes, st.integers(-(10**14), 3 * 10**14))
def test_an_instant_that_no_calendar_of_python_reaches_has_its_windows(shape: CalendarShape, instant: int) -> None:
    windows = list(shape.containing(instant))
    assert windows
    assert all(window.start_ms <= instant < window.end_ms for window in windows)


def test_a_day_in_berlin_has_23_or_25_hours_where_clocks_change() -> None:
    day = CalendarShape(size=1, every=1, timezone=BERLIN)
    assert lengths(day, ms(2025, 3, 28, 23), 3) == [24, 23, 24]
    assert lengths(day, ms(2025, 10, 24, 22), 3) == [24, 25, 24]
    week = CalendarShape(size=7, every=7, timezone=BERLIN)
    assert lengths(week, ms(2025, 3, 23, 23), 2) == [167, 168], "Monday the 24th to Monday the 31st of March"
    assert lengths(week, ms(2025, 10, 19, 22), 2) == [169, 168]
    month = CalendarShape(size=1, every=1, months=True, timezone=BERLIN)
    assert lengths(month, ms(2025, 1, 31, 23), 2) == [28 * 24, 31 * 24 - 1]


def test_weeks_begin_on_monday_and_with_an_offset_on_another_day() -> None:
    (week,) = CalendarShape(size=7, every=7, timezone=BERLIN).containing(ms(2025, 7, 17))
    assert (week.start_ms, week.end_ms) == (ms(2025, 7, 13, 22), ms(2025, 7, 20, 22))
    sunday = CalendarShape(size=7, every=7, offset_ms=6 * DAY_MS, timezone=BERLIN)
    (week,) = sunday.containing(ms(2025, 7, 17))
    assert (week.start_ms, week.end_ms) == (ms(2025, 7, 12, 22), ms(2025, 7, 19, 22))


def test_a_day_that_starts_at_six_starts_at_six_on_both_sides_of_a_change() -> None:
    day = CalendarShape(size=1, every=1, offset_ms=6 * HOUR_MS, timezone=BERLIN)
    starts = [next(day.containing(ms(2025, 3, d, 12))).start_ms for d in (29, 30, 31)]
    assert starts == [ms(2025, 3, 29, 5), ms(2025, 3, 30, 4), ms(2025, 3, 31, 4)]


def test_quarters_and_years_begin_with_january() -> None:
    (quarter,) = CalendarShape(size=3, every=3, months=True).containing(ms(2024, 2, 29))
    assert (quarter.start_ms, quarter.end_ms) == (ms(2024, 1, 1), ms(2024, 4, 1))
    (year,) = CalendarShape(size=12, every=12, months=True).containing(ms(2024, 2, 29))
    assert (year.start_ms, year.end_ms) == (ms(2024, 1, 1), ms(2025, 1, 1))
    rolling = CalendarShape(size=3, every=1, months=True)
    assert [w.start_ms for w in rolling.containing(ms(2024, 2, 29))] == [
        ms(2024, 2, 1),
        ms(2024, 1, 1),
        ms(2023, 12, 1),
    ]


def test_a_day_without_a_midnight_begins_with_the_first_instant_of_its_date() -> None:
    day = CalendarShape(size=1, every=1, timezone="America/Sao_Paulo")
    assert lengths(day, ms(2018, 11, 3, 3), 3) == [24, 23, 24], "4 November 2018 began at 01:00"
    (window,) = day.containing(ms(2018, 11, 4, 12))
    assert window.start_ms == ms(2018, 11, 4, 3)
    assert lengths(day, ms(2019, 2, 16, 2), 2) == [25, 24], "its last hour came twice"
    assert lengths(CalendarShape(size=1, every=1, timezone="Asia/Beirut"), ms(2025, 3, 29, 22), 2) == [23, 24]


def test_a_date_that_was_left_out_has_no_window() -> None:
    day = CalendarShape(size=1, every=1, timezone="Pacific/Apia")
    assert lengths(day, ms(2011, 12, 29, 10), 2) == [24, 24]
    (before,), (after,) = day.containing(ms(2011, 12, 30, 9)), day.containing(ms(2011, 12, 30, 10))
    assert before.end_ms == after.start_ms == ms(2011, 12, 30, 10)
    inside = Window(start_ms=after.start_ms, end_ms=after.start_ms + HOUR_MS)
    assert list(day.ending(inside, after_ms=0, until_ms=10**15)) == [after]
    assert list(day.ending(inside, after_ms=0, until_ms=after.start_ms)) == []


@pytest.mark.parametrize(
    ("name", "offset_ms", "minutes"),
    [
        ("UTC", 0, 24 * 60),
        (BERLIN, 0, 60),
        (BERLIN, 6 * HOUR_MS, 60),
        ("America/New_York", 0, 60),
        ("Asia/Kolkata", 0, 30),
        ("Asia/Kathmandu", 0, 15),
        ("Asia/Tokyo", 0, 180),
        ("America/St_Johns", 0, 30),
        ("America/St_Johns", HOUR_MS // 2, 1),  # clocks leapt over it, at a minute past midnight
        ("Pacific/Apia", 0, 60),
    ],
)
def test_panes_are_as_long_as_the_offsets_of_the_zone_allow(name: str, offset_ms: int, minutes: int) -> None:
    day = CalendarShape(size=1, every=1, offset_ms=offset_ms, timezone=name)
    assert pane_length_ms([day]) == minutes * 60_000


def test_shapes_of_both_kinds_share_panes() -> None:
    both = [CalendarShape(size=1, every=1, timezone=BERLIN), FixedShape(size_ms=90 * 60_000, every_ms=90 * 60_000)]
    assert pane_length_ms(both) == HOUR_MS // 2
    assert longest_ms(both) == 25 * HOUR_MS


def test_steps_and_offsets_that_leave_time_out_are_refused() -> None:
    for wrong in ({"size": 1, "every": 2}, {"size": 1, "every": 0}, {"size": 1, "every": 1, "offset_ms": DAY_MS}):
        with pytest.raises(ValueError, match="a window must"):
            CalendarShape(**wrong)
    with pytest.raises(ValueError, match="first step"):
        CalendarShape(size=1, every=1, months=True, offset_ms=28 * DAY_MS)


def test_hopping_windows_come_in_order_and_once_across_a_date_that_was_left_out() -> None:
    week = CalendarShape(size=7, every=1, timezone="Pacific/Apia")
    windows = sorted({w for day in range(60) for w in week.containing(ms(2011, 12, 1) + day * DAY_MS)})
    assert all(a.start_ms <= b.start_ms and a.end_ms <= b.end_ms and a != b for a, b in pairwise(windows))
