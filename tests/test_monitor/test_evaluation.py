"""The two laws, on the pure evaluator: any split and order gives the same results, and so does any crash."""

import math
from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.flow import (
    MINUTE_MS,
    Event,
    expected_scores,
    last_revisions,
    make_reference,
    make_watched,
    message_of,
)

from detectors.score import Score
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.turn import MissingReference
from monitor.sketch_messages import SketchMessage, decode, encode
from monitor.watermark import Clock
from sinks.records import DriftScore, ResultBatch, decode_results, encode_results

REFERENCE = make_reference()
MODEL = make_watched(REFERENCE)
FIGURES = (
    "statistic",
    "p_value",
    "q_value",
    "threshold",
    "drifted",
    "insufficient",
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


class Machine:
    """What surrounds the evaluator in production, in miniature: a local store, its changelog, a log of results."""

    def __init__(self, evaluator: Evaluator) -> None:
        self.evaluator = evaluator
        self.local: dict[bytes, bytes] = {}
        self.changelog: dict[bytes, bytes] = {}
        self.sent: list[ResultBatch] = []
        self.committed = 0

    def take(self, offset: int, message: SketchMessage, crash_after: int | None = None) -> bool:
        """One message; after so many actions the process dies. True if it got to the acknowledgement."""
        step = self.evaluator.advance(
            self.local, decode(encode(message)), Source(topic="s", partition=0, offset=offset)
        )
        budget = math.inf if crash_after is None else crash_after
        for batch in step.results:
            if budget <= 0:
                return False
            self.sent.append(decode_results(encode_results(batch)))
            budget -= 1
        for key, value in [*step.writes, step.seal]:
            for store in (self.local, self.changelog):  # local first, as the role does
                if budget <= 0:
                    return False
                if value is None:
                    store.pop(key, None)
                else:
                    store[key] = value
                budget -= 1
        return True

    @property
    def scores(self) -> list[DriftScore]:
        return [row for batch in self.sent for row in batch.scores]


def run_all(messages: Sequence[SketchMessage]) -> Machine:
    machine = Machine(Evaluator([MODEL]))
    for offset, message in enumerate(messages):
        assert machine.take(offset, message)
    return machine


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


def clock(partition: int, event_ms: int) -> Clock:
    return Clock(topic="t", partition=partition, max_event_ms=event_ms if event_ms >= 0 else None)


def assert_equal(rows: dict[tuple[object, ...], DriftScore], expected: dict[tuple[object, ...], Score]) -> None:
    assert rows.keys() == expected.keys()
    for key, want in expected.items():
        for figure in FIGURES:
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
    assert_equal(last_revisions(machine.scores), expected_scores(events, REFERENCE, MODEL, until_ms))
    assert not [row for batch in machine.sent for row in batch.late]


@settings(max_examples=80, deadline=None)
@given(
    events_strategy,
    st.integers(1, 15),
    st.lists(st.tuples(st.integers(0, 14), st.booleans(), st.integers(0, 3)), max_size=25),
)
def test_a_crash_at_any_moment_with_or_without_the_local_disk_changes_nothing(
    events: list[Event], size: int, crashes: list[tuple[int, bool, int]]
) -> None:
    messages = split(events, [size], [0])
    undisturbed = run_all(messages)
    machine = Machine(Evaluator([MODEL]))
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
    assert machine.local == machine.changelog
    assert_repeats_are_equal(machine.sent)


def last_figures(machine: Machine) -> dict[tuple[object, ...], str]:
    return {key: repr([getattr(row, f) for f in FIGURES]) for key, row in last_revisions(machine.scores).items()}


def assert_repeats_are_equal(sent: Sequence[ResultBatch]) -> None:
    """A row of the same key, revision and source offset is the same row, however often it was sent."""
    seen: dict[tuple[object, ...], str] = {}
    for batch in sent:
        for row in batch.scores:
            key = (
                batch.source_offset,
                row.version,
                row.segment,
                row.column,
                row.method,
                row.window_start_ms,
                row.window_end_ms,
            )
            assert seen.setdefault(key, repr(row)) == repr(row)


def at(minute: float, n: int = 10) -> list[Event]:
    return [Event(int(minute * MINUTE_MS), float(i % 5), i % 3, i % 3) for i in range(n)]


def one_by_one(*parts: list[Event], model: object = MODEL) -> Machine:
    latest, messages = -1, []
    for part in parts:
        latest = max([latest, *(e.time_ms for e in part)])
        messages.append(message_of(part, REFERENCE, MODEL, [clock(0, latest)], 1))
    machine = Machine(Evaluator([model]))  # type: ignore[list-item]
    for offset, message in enumerate(messages):
        machine.take(offset, message)
    return machine


def test_a_window_is_scored_when_the_watermark_passes_its_end_and_not_before() -> None:
    # window [0, 2)   lateness 1   event at 2.9 -> watermark 1.9 : open    event at 3 -> watermark 2 : closed
    assert not one_by_one(at(0.5), at(2.9)).scores
    scores = one_by_one(at(0.5), at(2.9), at(3)).scores
    assert {(row.window_start_ms, row.window_end_ms) for row in scores if row.segment == ""} == {
        (0, 2 * MINUTE_MS),
        (-4 * MINUTE_MS, 2 * MINUTE_MS),
    }


def test_a_late_event_opens_its_windows_again_with_the_next_revision() -> None:
    scores = one_by_one(at(0.5), at(9), at(0.7)).scores
    revisions = [row.revision for row in scores if row.window_start_ms == 0 and row.window_end_ms == 2 * MINUTE_MS]
    whole = [
        (row.revision, row.n_current)
        for row in scores
        if (row.window_start_ms, row.window_end_ms, row.segment, row.method) == (0, 2 * MINUTE_MS, "", "ks")
    ]
    assert sorted(set(revisions)) == [1, 2]
    assert whole == [(1, 10), (2, 20)]


def test_what_is_older_than_the_retention_is_counted_and_not_scored() -> None:
    model = make_watched(REFERENCE, retention_ms=4 * MINUTE_MS)
    machine = one_by_one(at(0.5), at(30), at(0.7, 7), model=model)
    (late,) = [row for batch in machine.sent for row in batch.late]
    assert (late.n, late.pane_start_ms, late.source_offset) == (7, 0, 2)
    assert {row.revision for row in machine.scores} == {1}


def test_panes_that_no_window_can_need_are_removed() -> None:
    model = make_watched(REFERENCE, retention_ms=4 * MINUTE_MS)
    machine = one_by_one(*(at(minute) for minute in range(0, 200, 5)), model=model)
    panes = [key for key in machine.local if b"pane" in key]
    # retention 4 + longest window 6 + lateness 1, panes of 2 minutes with events every 5: a handful, not forty
    assert 1 <= len(panes) <= 5


def test_every_pane_is_profiled_once_it_is_over_and_profiles_count_every_event() -> None:
    machine = one_by_one(at(0.5), at(2.5), at(12))
    profiles = [row for batch in machine.sent for row in batch.profiles if row.segment == "" and row.column == "value"]
    assert [(row.pane_start_ms, row.n) for row in profiles] == [(0, 10), (2 * MINUTE_MS, 10)]


def test_sketches_on_a_reference_that_is_not_there_are_waited_for() -> None:
    model = make_watched(REFERENCE, references={})
    with pytest.raises(MissingReference, match=REFERENCE.digest[:12]):
        one_by_one(at(0.5), model=model)


def test_a_model_that_is_no_longer_configured_is_counted() -> None:
    message = message_of(at(0.5), REFERENCE, MODEL, [clock(0, 0)], 1)
    renamed = msgspec.structs.replace(message, deltas=[msgspec.structs.replace(message.deltas[0], model="gone")])
    step = Evaluator([MODEL]).advance({}, renamed, Source(topic="s", partition=0, offset=0))
    assert step.n_unknown_model == {"gone": 10}
