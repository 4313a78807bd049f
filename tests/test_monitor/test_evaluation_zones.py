"""Windows of the calendar through the evaluator: both laws where clocks change, and every event in its local day."""

from collections.abc import Sequence

from hypothesis import given, settings
from hypothesis import strategies as st
from support.flow import Event, expected_scores, last_revisions, make_watched, message_of
from support.machine import REFERENCE, Machine, clock, run_all
from support.zones import HOUR_MS, ms

from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.watched import Watched
from monitor.eventtime.calendar_shape import CalendarShape
from monitor.eventtime.windows import FixedShape
from monitor.sketching.messages import SketchMessage

DAY_MS = 24 * HOUR_MS
BERLIN = "Europe/Berlin"
DAY = CalendarShape(size=1, every=1, timezone=BERLIN)
MONTH = CalendarShape(size=1, every=1, months=True, timezone=BERLIN)
FIGURES = ("statistic", "effect", "p_value", "q_value", "drifted", "n_reference", "n_current", "error_bound")


def watched(*shapes: CalendarShape | FixedShape, **changes: object) -> Watched:
    fields = {"shapes": shapes, "lateness_ms": HOUR_MS, "retention_ms": 40 * DAY_MS, **changes}
    return make_watched(REFERENCE, **fields)


def split(
    events: Sequence[Event], sizes: Sequence[int], partitions: Sequence[int], model: Watched
) -> list[SketchMessage]:
    """The events in messages of these sizes, dealt to source partitions; at the end all show the latest time."""
    n, position, messages = max(partitions) + 1, 0, []
    latest = dict.fromkeys(range(n), -1)
    while position < len(events):
        part = events[position : position + sizes[len(messages) % len(sizes)]]
        source = partitions[len(messages) % len(partitions)]
        latest[source] = max(latest[source], *(e.time_ms for e in part))
        messages.append(message_of(part, REFERENCE, model, [clock(source, latest[source])], n))
        position += len(part)
    end_ms = max(e.time_ms for e in events)
    return [*messages, message_of([], REFERENCE, model, [clock(p, end_ms) for p in range(n)], n)]


def figures(rows: dict[tuple[object, ...], object]) -> dict[tuple[object, ...], str]:
    return {key: repr([getattr(row, name, None) for name in FIGURES]) for key, row in rows.items()}


def last_of(machine: Machine) -> dict[tuple[object, ...], object]:
    """The last revisions of all that was scored, and of the verdicts on it."""
    return dict(last_revisions([*machine.scores, *machine.verdicts]))


def counts(machine: Machine) -> list[tuple[int, int, int, int]]:
    """Of each window of the whole, as it was scored: start, hours, events, revision."""
    return [
        (row.window_start_ms, (row.window_end_ms - row.window_start_ms) // HOUR_MS, row.events, row.revision)
        for row in machine.windows
        if row.segment == ""
    ]


def hourly(first_ms: int, until_ms: int) -> list[Event]:
    return [Event(t, float(t // HOUR_MS % 5), 0, 0) for t in range(first_ms, until_ms, HOUR_MS)]


# Around both changes of 2025, for zones whose clocks change on the hour, by half an hour, and at midnight.
models = st.sampled_from(
    [
        watched(DAY, MONTH, CalendarShape(size=7, every=1, timezone=BERLIN)),
        watched(
            CalendarShape(size=2, every=1, offset_ms=6 * HOUR_MS, timezone="Asia/Beirut"),
            FixedShape(size_ms=DAY_MS, every_ms=DAY_MS),
        ),
        watched(
            CalendarShape(size=7, every=7, timezone="Australia/Lord_Howe"),
            CalendarShape(size=1, every=1, timezone="Asia/Beirut"),
        ),
    ]
)
events_around = st.sampled_from([ms(2025, 3, 26), ms(2025, 10, 22)]).flatmap(
    lambda first_ms: st.lists(
        st.builds(
            Event,
            st.integers(0, 80).map(lambda steps: first_ms + steps * HOUR_MS * 2 + 90_000)
            | st.integers(first_ms, first_ms + 16 * DAY_MS),
            st.floats(-4, 4).map(lambda x: round(x, 3)),
            st.integers(0, 3),
            st.integers(0, 2),
            st.integers(0, 1),
        ),
        min_size=1,
        max_size=60,
    )
)


@settings(max_examples=60, deadline=None)
@given(
    models,
    events_around,
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
)
def test_any_split_and_order_gives_the_local_windows_of_the_raw_events(
    model: Watched, events: list[Event], sizes: list[int], partitions: list[int]
) -> None:
    machine = run_all(split(events, sizes, partitions, model), model)
    until_ms = max(e.time_ms for e in events) - model.lateness_ms
    expected = expected_scores(events, REFERENCE, model, until_ms)
    assert figures(last_of(machine)) == figures(expected)  # type: ignore[arg-type]
    assert not machine.late


@settings(max_examples=60, deadline=None)
@given(
    models,
    events_around,
    st.integers(1, 15),
    st.lists(st.tuples(st.integers(0, 14), st.booleans(), st.integers(0, 3)), max_size=25),
)
def test_a_crash_at_any_moment_changes_no_local_window(
    model: Watched, events: list[Event], size: int, crashes: list[tuple[int, bool, int]]
) -> None:
    messages = split(events, [size], [0], model)
    undisturbed = run_all(messages, model)
    machine = Machine(Evaluator([model]))
    offset, acknowledged, pending = 0, 0, list(crashes)
    while offset < len(messages):
        crash_after, disk_lost, uncommitted = pending.pop() if pending else (None, False, 0)
        if machine.take(offset, messages[offset], crash_after):
            offset += 1
            acknowledged = max(acknowledged, offset)
            continue
        if disk_lost:
            machine.local = dict(machine.changelog)
        offset = max(0, min(offset, acknowledged) - uncommitted)
    again, once = (figures(last_of(each)) for each in (machine, undisturbed))
    assert again == once
    assert machine.local == machine.changelog == undisturbed.local


def test_the_days_on_which_clocks_change_count_23_and_25_hours_of_events() -> None:
    model = watched(DAY)
    for first_ms, until_ms, hours in (
        (ms(2025, 3, 28, 23), ms(2025, 4, 1, 22), [24, 23, 24, 24]),
        (ms(2025, 10, 24, 22), ms(2025, 10, 28, 23), [24, 25, 24, 24]),
    ):
        messages = split(hourly(first_ms, until_ms + 2 * HOUR_MS), [5], [0], model)
        found = counts(run_all(messages, model))
        assert [(n_hours, n) for _, n_hours, n, _ in found] == [(n, n) for n in hours]
        assert found[0][0] == first_ms
        assert found[-1][0] + hours[-1] * HOUR_MS == until_ms


def test_a_local_month_counts_its_own_hours_and_closes_with_its_last() -> None:
    model = watched(MONTH)
    events = hourly(ms(2025, 1, 31, 23), ms(2025, 4, 1))
    open_ = split([e for e in events if e.time_ms < ms(2025, 3, 31, 23)], [100], [0], model)
    assert counts(run_all(open_, model)) == [(ms(2025, 1, 31, 23), 672, 672, 1)], "March lacks an hour of lateness"
    over = split([e for e in events if e.time_ms <= ms(2025, 3, 31, 23)], [100], [0], model)
    assert counts(run_all(over, model))[1:] == [(ms(2025, 2, 28, 23), 743, 743, 1)]


def test_a_late_event_opens_its_own_local_day_and_month_again() -> None:
    model = watched(DAY, MONTH)
    events = hourly(ms(2025, 3, 28, 23), ms(2025, 4, 1, 2))
    # 00:30 on 30 March in Berlin is 29 March in UTC; 23:30 of the same day is an hour nearer to UTC.
    late = [Event(ms(2025, 3, 29, 23, 30), 0.0, 0, 0), Event(ms(2025, 3, 30, 21, 30), 0.0, 0, 0)]
    machine = run_all(split([*events, *late], [len(events), 1, 1], [0], model), model)
    day_ms, month_ms = ms(2025, 3, 29, 23), ms(2025, 2, 28, 23)
    again = [row for row in counts(machine) if row[3] > 1]
    assert sorted(again) == [(month_ms, 743, 72, 2), (month_ms, 743, 73, 3), (day_ms, 23, 24, 2), (day_ms, 23, 25, 3)]
    assert not machine.late


def test_what_is_older_than_the_retention_of_its_local_day_is_late() -> None:
    model = watched(DAY, retention_ms=2 * HOUR_MS)
    closing = Event(ms(2025, 3, 31, 1), 0.0, 0, 0)  # the watermark is at 00:00: two hours after the day of 23
    for minute, n_late in ((59, 1), (60, 0)):
        late = Event(ms(2025, 3, 30, 21) + minute * 60_000, 0.0, 0, 0)
        machine = run_all(split([closing, late], [1], [0], model), model)
        assert sum(row.n for row in machine.late) == n_late


def test_panes_live_as_long_as_the_longest_month_and_the_change_of_clocks_ask() -> None:
    model = watched(MONTH, lateness_ms=0, retention_ms=0)
    assert model.horizon_ms == 31 * DAY_MS + HOUR_MS
    events = [Event(t, 0.0, 0, 0) for t in (ms(2025, 9, 30, 22), ms(2025, 10, 31, 22), ms(2025, 10, 31, 23))]
    found = counts(run_all(split(events, [1], [0], model), model))
    assert found == [(ms(2025, 9, 30, 22), 745, 2, 1)], "October's first hour was still there at its end"
