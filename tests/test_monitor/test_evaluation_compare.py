"""What windows are compared with beside the pinned reference: trailing panes, seasons, another version. Both laws."""

from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import objects_of
from support.flow import MINUTE_MS, Event, make_batch, make_watched, message_of
from support.machine import REFERENCE, Machine, clock

from detectors.baseline import Counts
from detectors.score import score_stack
from detectors.stack import stacked
from monitor.evaluation.compare import Compare
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.trail import block_length_ms
from monitor.evaluation.watched import Watched
from monitor.eventtime.seasons import seasons_in, seasons_of
from monitor.eventtime.windows import FixedShape, Window
from monitor.sketching.batch import sketch_batch
from monitor.sketching.messages import SketchMessage

HOUR_MS = 60 * MINUTE_MS
FIGURES = ("statistic", "effect", "p_value", "calibration", "threshold", "n_reference", "n_current", "error_bound")
TRAILING = Compare(trailing_ms=64 * MINUTE_MS)
OTHER = Compare(version="1")


def watched(*compare: Compare, **changes: object) -> Watched:
    fields = {
        "shapes": (FixedShape(size_ms=2 * MINUTE_MS, every_ms=MINUTE_MS),),
        "lateness_ms": MINUTE_MS,
        "retention_ms": MINUTE_MS,
        "min_samples": 2,
        "compare": compare,
        **changes,
    }
    return make_watched(REFERENCE, **fields)


def events_of(seed: int, n: int, minutes: int) -> list[Event]:
    """In an order that is out by less than the lateness."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.integers(0, minutes * MINUTE_MS, n))
    order = np.argsort(times + rng.integers(0, MINUTE_MS, n), kind="stable")
    return [
        Event(int(times[i]), float(rng.normal()), int(rng.integers(0, 4)), int(rng.integers(0, 3)), int(i % 2))
        for i in order
    ]


def messages_of(events: Sequence[Event], sizes: Sequence[int], model: Watched) -> list[SketchMessage]:
    messages, position, latest = [], 0, -1
    while position < len(events):
        part = events[position : position + sizes[len(messages) % len(sizes)]]
        position += len(part)
        latest = max(latest, *(event.time_ms for event in part))
        messages.append(message_of(part, REFERENCE, model, [clock(0, latest)], 1))
    return [*messages, message_of([], REFERENCE, model, [clock(0, latest + 10 * MINUTE_MS)], 1)]


def run(messages: Sequence[SketchMessage], model: Watched) -> Machine:
    machine = Machine(Evaluator([model]))
    for offset, message in enumerate(messages):
        assert machine.take(offset, message)
    return machine


def figures(machine: Machine) -> dict[tuple[object, ...], str]:
    """The evidence by what it is of; of a window that was scored again the last."""
    return {
        (row.version, row.segment, row.column, row.method, row.window_start_ms, row.window_end_ms, row.compare): repr(
            [getattr(row, name) for name in FIGURES]
        )
        for row in objects_of(machine.sent, "drift_score")
    }


@settings(max_examples=6, deadline=None)
@given(
    st.integers(0, 1 << 30),
    st.lists(st.integers(20, 200), min_size=1, max_size=4),
    st.sampled_from([(TRAILING,), (Compare(), TRAILING), (Compare(trailing_ms=7 * MINUTE_MS), OTHER)]),
)
def test_sizes_of_messages_do_not_show_though_panes_have_gone_into_blocks(
    seed: int, sizes: list[int], compare: tuple[Compare, ...]
) -> None:
    model = watched(*compare)
    events = events_of(seed, 700, 45)
    bit_by_bit, at_once = (
        run(messages_of(events, sizes, model), model),
        run(messages_of(events, [len(events)], model), model),
    )
    assert figures(bit_by_bit) == figures(at_once)
    assert {key[-1] for key in figures(at_once)} == {one.name for one in compare}


@settings(max_examples=5, deadline=None)
@given(st.integers(0, 1 << 30), st.lists(st.tuples(st.integers(0, 400), st.integers(0, 30)), max_size=6))
def test_a_crash_anywhere_changes_no_block(seed: int, crashes: list[tuple[int, int]]) -> None:
    model = watched(TRAILING)
    messages = messages_of(events_of(seed, 600, 40), [60], model)
    whole = run(messages, model)
    machine, points = Machine(Evaluator([model])), dict(crashes)
    offset = 0
    while offset < len(messages):
        before = dict(machine.local), dict(machine.changelog)
        died = not machine.take(offset, messages[offset], points.pop(offset, None))
        if died:  # a transaction that was not committed leaves nothing in the state
            machine.local, machine.changelog = before
            continue
        offset += 1
    assert figures(machine) == figures(whole)
    assert machine.local == whole.local


def test_a_trailing_side_is_the_sum_of_the_panes_before_the_window_from_a_whole_block_on() -> None:
    model = watched(TRAILING)
    assert block_length_ms(model) == 2 * MINUTE_MS
    events = events_of(5, 3_000, 150)
    machine = run(messages_of(events, [37], model), model)
    rows = [row for row in objects_of(machine.sent, "drift_score") if (row.segment, row.method) == ("", "ks")]
    assert len(rows) > 200
    for row in rows:
        first_ms = (row.window_start_ms - TRAILING.trailing_ms) // (2 * MINUTE_MS) * (2 * MINUTE_MS)
        before = [event for event in events if first_ms <= event.time_ms < row.window_start_ms]
        assert row.n_reference == len(before), row


def test_state_of_a_trailing_side_is_bounded() -> None:
    model = watched(TRAILING)
    sizes = []
    machine = Machine(Evaluator([model]))
    for offset, message in enumerate(messages_of(events_of(3, 900, 270), [20], model)):
        assert machine.take(offset, message)
        sizes.append(len(machine.local))
    assert max(sizes[-10:]) <= max(sizes[15:25]) + 2  # what it holds after 4 h 30 min is what it held after two
    assert max(sizes) < 70  # 33 blocks, two minutes of panes of two versions in parts, and the indices


def test_another_version_is_compared_window_by_window_and_not_with_itself() -> None:
    model = watched(OTHER)
    events = events_of(8, 700, 30)
    machine = run(messages_of(events, [11], model), model)
    rows = [row for row in objects_of(machine.sent, "drift_score") if (row.segment, row.method) == ("", "ks")]
    assert {row.version for row in rows} == {"2"}
    for row in rows:
        inside = [e for e in events if e.version == 0 and row.window_start_ms <= e.time_ms < row.window_end_ms]
        assert row.n_reference == len(inside)


def test_a_late_event_of_the_version_compared_with_scores_the_others_again() -> None:
    model = watched(OTHER, retention_ms=30 * MINUTE_MS)
    early = [Event(30_000 + i, float(i), 0, 0, i % 2) for i in range(20)]
    late = [Event(40_000 + i, 9.0, 0, 0, 0) for i in range(5)]
    messages = [
        message_of(early, REFERENCE, model, [clock(0, 10 * MINUTE_MS)], 1),
        message_of([], REFERENCE, model, [clock(0, 11 * MINUTE_MS)], 1),
        message_of(late, REFERENCE, model, [clock(0, 12 * MINUTE_MS)], 1),
    ]
    rows = [row for row in objects_of(run(messages, model).sent, "drift_score") if row.segment == ""]
    seen = [(row.n_reference, row.revision) for row in rows if row.method == "ks"]
    assert set(seen) == {(10, 1), (15, 2)}


@pytest.mark.parametrize("kind", ["hour_of_day", "hour_of_week", "day_of_week"])
def test_seasons_of_a_window_are_those_of_its_instants(kind: str) -> None:
    rng = np.random.default_rng(3)
    for at_ms in rng.integers(1.2e12, 1.8e12, 40).tolist():
        start_ms = at_ms - at_ms % MINUTE_MS
        for length_ms in (HOUR_MS // 2, HOUR_MS, 26 * HOUR_MS, 24 * 9 * HOUR_MS):
            window = Window(start_ms=start_ms, end_ms=start_ms + length_ms)
            instants = np.arange(window.start_ms, window.end_ms, 60_000, dtype=np.int64)
            for timezone in ("UTC", "Europe/Berlin", "Asia/Kathmandu"):
                expected = np.unique(seasons_of(instants, kind, timezone)).tolist()  # type: ignore[arg-type]
                assert list(seasons_in(window, kind, timezone)) == expected  # type: ignore[arg-type]


def test_the_first_hour_of_a_week_is_mondays() -> None:
    monday_ms = np.array([1_735_516_800_000])  # 30 December 2024, 0 h UTC
    assert seasons_of(monday_ms, "hour_of_week").tolist() == [0]
    assert seasons_of(monday_ms - HOUR_MS, "hour_of_week").tolist() == [167]
    assert seasons_of(monday_ms, "hour_of_week", "Europe/Berlin").tolist() == [1]
    assert seasons_of(monday_ms, "day_of_week").tolist() == [0]


def test_a_window_beside_its_own_rows_has_no_effect() -> None:
    model = watched(TRAILING)
    batch = make_batch(events_of(1, 80, 1), REFERENCE)
    sketches = {key.segment: sketch for key, sketch in sketch_batch(batch, REFERENCE, 1 << 40) if key.version == "1"}
    stack = stacked(REFERENCE.layout, sketches)
    same = score_stack(REFERENCE, stack, model.settings, 2, baseline=Counts(stack=stack, live=True))
    assert len(same) >= 4
    assert np.all(same.statistic == 0.0)


def test_seasons_on_two_zones_clocks_are_told_apart() -> None:
    names = [Compare(season="hour_of_day", timezone=zone).name for zone in ("UTC", "Europe/Berlin", "Asia/Kolkata")]
    assert names == ["season hour_of_day", "season hour_of_day Europe/Berlin", "season hour_of_day Asia/Kolkata"]
