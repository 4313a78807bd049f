"""The two laws, on the pure evaluator: any split and order gives the same results, and so does any crash."""

import math
from collections import defaultdict
from collections.abc import Sequence
from types import SimpleNamespace

import msgspec
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import objects_of
from support.flow import (
    MINUTE_MS,
    Event,
    expected_scores,
    last_revisions,
    make_watched,
    message_of,
    scores_of,
    windows_of,
)
from support.machine import MODEL, REFERENCE, Machine, clock, run_all

from monitor.evaluation.evaluator import Evaluator
from monitor.eventtime.watermark import Clocks, advanced
from monitor.eventtime.windows import Window
from monitor.sketching.messages import SketchMessage
from sinks.records import source_of

FIGURES = (
    "statistic",
    "effect",
    "p_value",
    "calibration",
    "q_value",
    "threshold",
    "drifted",
    "n_reference",
    "n_current",
    "error_bound",
)

events_strategy = st.lists(
    st.builds(
        Event,
        st.integers(0, 20 * MINUTE_MS),
        st.floats(-4, 4).map(lambda x: round(x, 3)),
        st.integers(0, 3),
        st.integers(0, 2),
        st.integers(0, 1),
    ),
    min_size=1,
    max_size=60,
)


def split(events: Sequence[Event], sizes: Sequence[int], partitions: Sequence[int]) -> list[SketchMessage]:
    """The events in messages of these sizes, dealt to source partitions; each partition's clock after its events."""
    n = max(partitions, default=0) + 1
    messages, latest, position, turn = [], dict.fromkeys(range(n), -1), 0, 0
    while position < len(events):
        part = events[position : position + max(1, sizes[turn % len(sizes)])]
        source = partitions[turn % len(partitions)]
        latest[source] = max(latest[source], *(e.time_ms for e in part))
        messages.append(message_of(part, REFERENCE, MODEL, [clock(source, latest[source])], n))
        position, turn = position + len(part), turn + 1
    end_ms = max(e.time_ms for e in events)
    # At the end every partition has shown the same time, so that the same windows are over.
    messages.append(message_of([], REFERENCE, MODEL, [clock(p, end_ms) for p in range(n)], n))
    return messages


def assert_equal(
    rows: dict[tuple[object, ...], SimpleNamespace], expected: dict[tuple[object, ...], SimpleNamespace]
) -> None:
    assert rows.keys() == expected.keys()
    for key, want in expected.items():
        for figure in figures_of(want):
            got, wanted = getattr(rows[key], figure), getattr(want, figure)
            assert got == wanted or (got != got and wanted != wanted), (key, figure, got, wanted)


@settings(max_examples=60, deadline=None)
@given(
    events_strategy,
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
)
def test_any_split_and_any_order_inside_the_retention_gives_the_results_of_the_raw_events(
    events: list[Event], sizes: list[int], partitions: list[int]
) -> None:
    machine = run_all(split(events, sizes, partitions))
    until_ms = max(e.time_ms for e in events) - MODEL.lateness_ms
    assert_equal(last_of(machine), expected_scores(events, REFERENCE, MODEL, until_ms))
    assert not machine.late


# Minutes between an event's window and the removal of its pane, and how far apart events lie: many parts of the index.
retentions_ms = st.sampled_from([0, MINUTE_MS, 3 * MINUTE_MS, 60 * MINUTE_MS])
stretches = st.sampled_from([1, 50])


@settings(max_examples=80, deadline=None)
@given(
    events_strategy,
    st.lists(st.integers(1, 20), min_size=1, max_size=5),
    st.lists(st.integers(0, 2), min_size=1, max_size=5),
    retentions_ms,
    stretches,
)
def test_a_window_counts_what_comes_until_the_retention_after_its_end_and_the_rest_is_late(
    events: list[Event], sizes: list[int], partitions: list[int], retention_ms: int, stretch: int
) -> None:
    model = make_watched(REFERENCE, retention_ms=retention_ms)
    events = stretched(events, stretch)
    messages = split(events, sizes, partitions)
    machine = run_all(messages, model)
    inside: dict[Window, list[Event]] = defaultdict(list)
    clocks, watermark_ms, n_late, position = Clocks(), None, 0, 0
    for message in messages:
        n = sum(entry.n for delta in message.deltas for entry in delta.entries if entry.segment == "")
        for event in events[position : position + n]:
            oldest_ms = -math.inf if watermark_ms is None else watermark_ms - retention_ms
            counted = [window for window in windows_of(event, model) if window.end_ms > oldest_ms]
            n_late += not counted
            for window in counted:
                inside[window].append(event)
        position += n
        clocks = clocks.advance(message.clocks, message.n_partitions)
        watermark_ms = advanced(watermark_ms, clocks.low_ms(), model.lateness_ms)
    assert watermark_ms is not None
    over = {window: part for window, part in inside.items() if window.end_ms <= watermark_ms}
    assert_equal(last_of(machine), scores_of(over, REFERENCE, model))
    assert sum(row.n for row in machine.late) == n_late


def stretched(events: list[Event], times: int) -> list[Event]:
    return [msgspec.structs.replace(event, time_ms=event.time_ms * times) for event in events]


@settings(max_examples=120, deadline=None)
@given(
    events_strategy,
    st.integers(1, 15),
    st.lists(st.tuples(st.integers(0, 14), st.booleans(), st.integers(0, 3)), max_size=25),
    retentions_ms,
    stretches,
)
def test_a_crash_at_any_moment_with_or_without_the_local_disk_changes_nothing(
    events: list[Event], size: int, crashes: list[tuple[int, bool, int]], retention_ms: int, stretch: int
) -> None:
    model = make_watched(REFERENCE, retention_ms=retention_ms)
    messages = split(stretched(events, stretch), [size], [0])
    undisturbed = run_all(messages, model)
    machine = Machine(Evaluator([model]))
    offset, acknowledged = 0, 0
    pending = list(crashes)
    while offset < len(messages):
        crash_after, disk_lost, uncommitted = pending.pop() if pending else (None, False, 0)
        if machine.take(offset, messages[offset], crash_after):
            offset += 1
            acknowledged = max(acknowledged, offset)
            continue
        if disk_lost:
            machine.local = dict(machine.changelog)
        # Offsets are committed some time after they are acknowledged: up to three messages come again.
        offset = max(0, min(offset, acknowledged) - uncommitted)
    assert last_figures(machine) == last_figures(undisturbed)
    assert machine.local == machine.changelog == undisturbed.local
    assert_repeats_are_equal(machine.sent)


def last_figures(machine: Machine) -> dict[tuple[object, ...], str]:
    return {key: repr([getattr(row, f) for f in figures_of(row)]) for key, row in last_of(machine).items()}


def figures_of(row: SimpleNamespace) -> list[str]:
    """Of a score, or of a verdict."""
    return [figure for figure in FIGURES if hasattr(row, figure)]


def last_of(machine: Machine) -> dict[tuple[object, ...], SimpleNamespace]:
    """The last revisions of all that was scored, and of the verdicts on it."""
    return last_revisions([*machine.scores, *machine.verdicts])


def assert_repeats_are_equal(sent: Sequence[pa.RecordBatch]) -> None:
    """A row of the same key, revision and source offset is the same row, however often it was sent."""
    seen: dict[tuple[object, ...], str] = {}
    for batch in sent:
        for row in [*objects_of([batch], "drift_score"), *objects_of([batch], "drift_verdict")]:
            key = (
                source_of(batch).offset,
                row.version,
                row.segment,
                row.column,
                "" if hasattr(row, "quantity") else row.method,
                row.window_start_ms,
                row.window_end_ms,
            )
            assert seen.setdefault(key, repr(row)) == repr(row)
