"""Windows tile time: every instant is in as many windows of a shape as its step fits into its size."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.eventtime.windows import FixedShape, Window, last_end_ms, pane_length_ms

shapes = st.builds(
    lambda every, times, offset: FixedShape(size_ms=every * times, every_ms=every, offset_ms=offset % every),
    st.integers(1, 10_000),
    st.integers(1, 6),
    st.integers(0, 10_000),
)
instants = st.integers(-(10**13), 10**13)


@given(shapes, instants)
def test_every_instant_is_in_size_over_step_windows(shape: FixedShape, instant: int) -> None:
    windows = list(shape.containing(instant))
    assert len(windows) == shape.size_ms // shape.every_ms
    for window in windows:
        assert window.start_ms <= instant < window.end_ms
        assert window.end_ms - window.start_ms == shape.size_ms
        assert (window.start_ms - shape.offset_ms) % shape.every_ms == 0


@given(shapes, instants)
def test_tumbling_windows_meet_and_do_not_overlap(shape: FixedShape, instant: int) -> None:
    tumbling = FixedShape(size_ms=shape.size_ms, every_ms=shape.size_ms, offset_ms=shape.offset_ms)
    (window,) = tumbling.containing(instant)
    (following,) = tumbling.containing(window.end_ms)
    assert following.start_ms == window.end_ms


@given(st.lists(shapes, min_size=1, max_size=4), instants)
def test_a_window_is_a_whole_number_of_panes(several: list[FixedShape], instant: int) -> None:
    pane_ms = pane_length_ms(several)
    for window in (window for shape in several for window in shape.containing(instant)):
        assert window.start_ms % pane_ms == 0
        assert window.end_ms % pane_ms == 0


def test_an_hour_and_a_day_every_hour_have_panes_of_an_hour() -> None:
    hour_ms = 3_600_000
    day = FixedShape(size_ms=24 * hour_ms, every_ms=hour_ms)
    assert pane_length_ms([FixedShape(size_ms=hour_ms, every_ms=hour_ms), day]) == hour_ms
    assert len(list(day.containing(0))) == 24


@given(shapes, instants, st.integers(1, 20_000), st.integers(-70_000, 70_000), st.integers(0, 70_000))
def test_the_windows_around_an_interval_that_end_in_a_stretch_of_time(
    shape: FixedShape, start_ms: int, length_ms: int, after: int, until: int
) -> None:
    inside = Window(start_ms=start_ms, end_ms=start_ms + length_ms)
    after_ms, until_ms = start_ms + after, start_ms + after + until
    around = [w for w in shape.containing(start_ms) if w.end_ms >= inside.end_ms]
    expected = sorted(w for w in around if after_ms < w.end_ms <= until_ms)
    assert list(shape.ending(inside, after_ms=after_ms, until_ms=until_ms)) == expected
    assert last_end_ms([shape], inside) == max((w.end_ms for w in around), default=inside.end_ms)


def test_an_event_at_the_end_of_a_window_is_in_the_next() -> None:
    shape = FixedShape(size_ms=10, every_ms=10)
    assert list(shape.containing(9)) == [Window(start_ms=0, end_ms=10)]
    assert list(shape.containing(10)) == [Window(start_ms=10, end_ms=20)]


def test_an_event_before_the_epoch_has_a_window() -> None:
    assert list(FixedShape(size_ms=10, every_ms=10).containing(-1)) == [Window(start_ms=-10, end_ms=0)]


def test_a_step_longer_than_the_window_is_refused() -> None:
    with pytest.raises(ValueError, match="at least once"):
        FixedShape(size_ms=10, every_ms=11)
