"""What a model usually has at an hour of the week, beside what comes."""

from monitor.api.queries.fleet import Earlier
from monitor.api.queries.models import Sized
from monitor.api.views.fleet import asked_hours, fleet_lines

HOUR_MS = 3_600_000
WEEK_MS = 168 * HOUR_MS


def hourly(last_ms: int, written_ms: int, size_s: int = 3_600) -> Sized:
    return Sized(
        model="m", version="1", size_s=size_s, first_ms=0, last_ms=last_ms, written_ms=written_ms, windows=2_000,
        last_events=1_200,
    )  # fmt: skip


def earlier(start_ms: int, hour: int, *events: int) -> list[Earlier]:
    """Windows of the same hour of the week, the last week's first, after one that starts then."""
    seen = [(start_ms - number * WEEK_MS, n) for number, n in enumerate([7, *events])]
    return [Earlier(model="m", version="1", size_s=3_600, hour_of_week=hour, seen=seen)]


def test_events_stand_beside_what_is_usual_at_their_hour_of_the_week() -> None:
    """The window itself does not count, and two earlier ones say nothing."""
    start_ms = 20 * WEEK_MS + 96 * HOUR_MS  # a Monday: 1970 began on a Thursday
    now_ms = start_ms + HOUR_MS + 60_000
    own = hourly(start_ms + HOUR_MS, start_ms + HOUR_MS)
    assert asked_hours([own], now_ms) == [0]
    said = [
        fleet_lines([own], [], [], {}, now_ms, earlier(start_ms, hour, *events))[0].usual
        for hour, events in ((0, (6_000, 60_000, 54_000)), (0, (6_000, 60_000)), (1, (6_000, 60_000, 54_000)))
    ]
    assert said == ["usually 900 events/min at this hour", "", ""]


def test_a_silent_model_is_told_by_what_it_usually_has_now() -> None:
    """Its newest window ended four hours ago: that hour's events say nothing of this one's."""
    last_ms = 20 * WEEK_MS
    own = hourly(last_ms, last_ms + 86_400_000)  # it reads a day late
    now_ms = own.written_ms + 4 * HOUR_MS + 60_000
    assert asked_hours([own], now_ms) == [76]
    counts = earlier(last_ms + 4 * HOUR_MS, 76, 54_000, 54_000, 54_000)
    (line,) = fleet_lines([own], [], [], {}, now_ms, counts)
    assert (line.state, line.state_text) == ("silent", "silent for 4 h (usually 900 events/min at this hour)")
