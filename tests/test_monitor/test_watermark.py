"""The watermark waits for the slowest partition that is not idle, and never goes back."""

from hypothesis import given
from hypothesis import strategies as st

from monitor.eventtime.watermark import Clock, Clocks, advanced

TWO = {"predictions": 2}


def clock(partition: int, event_ms: int | None, *, idle: bool = False, topic: str = "predictions") -> Clock:
    return Clock(topic=topic, partition=partition, max_event_ms=event_ms, idle=idle)


def test_there_is_no_watermark_until_every_partition_has_reported() -> None:
    clocks = Clocks().advance([clock(0, 100)], TWO)
    assert clocks.low_ms() is None
    assert clocks.advance([clock(1, 70)], TWO).low_ms() == 70


def test_a_partition_that_never_held_an_event_holds_time_back_until_it_is_idle() -> None:
    clocks = Clocks().advance([clock(0, 100), clock(1, None)], TWO)
    assert clocks.low_ms() is None
    assert clocks.advance([clock(1, None, idle=True)], TWO).low_ms() == 100


def test_an_idle_partition_is_left_out_and_counts_again_when_it_wakes() -> None:
    clocks = Clocks().advance([clock(0, 100), clock(1, 50, idle=True)], TWO)
    assert clocks.low_ms() == 100
    assert clocks.advance([clock(1, 60)], TWO).low_ms() == 60


def test_when_all_are_idle_the_farthest_clock_counts() -> None:
    clocks = Clocks().advance([clock(0, 100, idle=True), clock(1, 50, idle=True)], TWO)
    assert clocks.low_ms() == 100


def test_a_new_reader_that_has_seen_nothing_does_not_turn_a_clock_back() -> None:
    clocks = Clocks().advance([clock(0, 100), clock(1, 90)], TWO)
    assert clocks.advance([clock(0, None), clock(1, None)], TWO).low_ms() == 90


def test_a_topic_that_is_no_longer_read_does_not_hold_time_back() -> None:
    both = {"predictions": 1, "features": 1}
    clocks = Clocks().advance([clock(0, 100), clock(0, 10, topic="features")], both)
    assert clocks.low_ms() == 10
    assert clocks.advance([], {"predictions": 1}).low_ms() == 100


def test_a_topic_made_again_with_fewer_partitions_is_not_held_back_by_those_it_had() -> None:
    clocks = Clocks().advance([clock(0, 100), clock(1, 100)], TWO)
    assert clocks.advance([clock(0, 900)], {"predictions": 1}).low_ms() == 900


reports = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 1000)), max_size=20)


@given(reports, st.randoms())
def test_the_order_of_reports_does_not_matter(events: list[tuple[int, int]], random: object) -> None:
    def after(order: list[tuple[int, int]]) -> int | None:
        clocks = Clocks()
        for partition, event_ms in order:
            clocks = clocks.advance([clock(partition, event_ms)], TWO)
        return clocks.low_ms()

    shuffled = list(events)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert after(shuffled) == after(events)


@given(st.lists(st.one_of(st.none(), st.integers(0, 1000)), max_size=20), st.integers(0, 100))
def test_the_watermark_never_goes_back(lows: list[int | None], lateness_ms: int) -> None:
    watermark_ms: int | None = None
    for low_ms in lows:
        after_ms = advanced(watermark_ms, low_ms, lateness_ms)
        assert watermark_ms is None or (after_ms is not None and after_ms >= watermark_ms)
        watermark_ms = after_ms
