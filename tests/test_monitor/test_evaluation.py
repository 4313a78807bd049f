"""The two laws, on the pure evaluator: any split and order gives the same results, and so does any crash."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace

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
    scores_of,
    windows_of,
)

from detectors.score import Score
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.turn import MissingReference
from monitor.evaluation.watched import Watched
from monitor.sketch_messages import SketchMessage, decode, encode
from monitor.watermark import Clock, Clocks, advanced
from monitor.windows import Window, WindowShape
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


def run_all(messages: Sequence[SketchMessage], model: Watched = MODEL) -> Machine:
    machine = Machine(Evaluator([model]))
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
    assert_equal(last_revisions(machine.scores), scores_of(over, REFERENCE, model))
    assert sum(row.n for batch in machine.sent for row in batch.late) == n_late


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


def test_an_old_pane_is_removed_without_its_reference() -> None:
    model = make_watched(REFERENCE, lateness_ms=0, retention_ms=10 * MINUTE_MS)
    machine = one_by_one(at(0.5), model=model)
    machine.take(1, message_of([], REFERENCE, MODEL, [clock(0, 17 * MINUTE_MS)], 1))
    machine.evaluator = Evaluator([replace(model, references={})])
    for offset, minute, n in ((2, 18, 1), (3, 19, 0)):
        machine.take(offset, message_of([], REFERENCE, MODEL, [clock(0, minute * MINUTE_MS)], 1))
        assert len(panes_in(machine)) == n


def test_a_late_event_counts_in_the_windows_that_are_open_or_within_their_retention() -> None:
    # windows of 2 and of 12 minutes, retention 1: at 7 [2, 4) may not be scored again, and [0, 12) is open
    shapes = (WindowShape(size_ms=12 * MINUTE_MS, every_ms=12 * MINUTE_MS), *MODEL.shapes[:1])
    model = make_watched(REFERENCE, shapes=shapes, lateness_ms=0, retention_ms=MINUTE_MS)
    machine = one_by_one(at(2.5), at(7), at(2.6, 5), at(14), at(2.7, 3), model=model)
    ks = [row for row in machine.scores if (row.segment, row.method) == ("", "ks")]
    counted = [(row.window_start_ms // MINUTE_MS, row.window_end_ms // MINUTE_MS, row.n_current) for row in ks]
    assert counted == [(2, 4, 10), (0, 12, 25), (6, 8, 10)]
    assert [row.n for batch in machine.sent for row in batch.late] == [3]
    profiled = [
        r
        for b in machine.sent
        for r in b.profiles
        if (r.segment, r.column, r.pane_start_ms) == ("", "value", 2 * MINUTE_MS)
    ]
    assert [(row.n, row.revision) for row in profiled] == [(10, 1), (15, 2)], "a pane's profile counts every event"


def test_panes_of_an_earlier_length_count_in_the_windows_that_hold_them_whole() -> None:
    hour, day = 60 * MINUTE_MS, 24 * 60 * MINUTE_MS
    days = make_watched(REFERENCE, shapes=(WindowShape(size_ms=day, every_ms=day),), lateness_ms=0)
    both = make_watched(REFERENCE, shapes=(*days.shapes, WindowShape(size_ms=hour, every_ms=hour)), lateness_ms=0)
    before = message_of(at(5 * 60) + at(23 * 60), REFERENCE, days, [clock(0, 23 * hour)], 1)
    after = message_of(at(23.5 * 60), REFERENCE, both, [clock(0, day)], 1)
    machine = Machine(Evaluator([days]))
    machine.take(0, before)
    machine.evaluator = Evaluator([both])
    machine.take(1, message_of(at(6 * 60), REFERENCE, days, [], 0))  # ingest is restarted a little later
    machine.take(2, after)
    ks = [row for row in machine.scores if (row.segment, row.method) == ("", "ks")]
    assert [(row.window_start_ms // hour, row.window_end_ms // hour, row.n_current) for row in ks] == [
        (0, 24, 40),
        (23, 24, 10),
    ]


def test_panes_of_an_earlier_shorter_length_add_up_to_the_longer_ones() -> None:
    hour = 60 * MINUTE_MS
    half = make_watched(REFERENCE, shapes=(WindowShape(size_ms=hour // 2, every_ms=hour // 2),), lateness_ms=0)
    whole = make_watched(REFERENCE, shapes=(WindowShape(size_ms=hour, every_ms=hour),), lateness_ms=0)
    machine = Machine(Evaluator([half]))
    machine.take(0, message_of(at(5), REFERENCE, half, [clock(0, 6 * MINUTE_MS)], 1))
    machine.evaluator = Evaluator([whole])
    machine.take(1, message_of(at(10) + at(40), REFERENCE, half, [clock(0, hour)], 1))
    assert [
        (row.window_end_ms, row.n_current) for row in machine.scores if (row.segment, row.method) == ("", "ks")
    ] == [(hour, 30)]


def test_a_message_reads_and_writes_what_it_touches_however_many_panes_live() -> None:
    model = make_watched(REFERENCE, shapes=MODEL.shapes[:1], lateness_ms=0, retention_ms=10**9)
    n = 1_000
    machine = one_by_one(*(at(2 * minute, 1) for minute in range(n)), model=model)
    assert len(panes_in(machine)) == n
    read: list[bytes] = []

    class Watching(dict[bytes, bytes]):
        def get(self, key: bytes, default: object = None) -> object:  # type: ignore[override]
            read.append(key)
            return super().get(key, default)

    message = message_of(at(2 * n, 1), REFERENCE, model, [clock(0, 2 * n * MINUTE_MS)], 1)
    step = Evaluator([model]).advance(Watching(machine.local), message, Source(topic="s", partition=0, offset=n))
    assert len(read) <= 8
    assert sum(len(value or b"") for _key, value in step.writes) < 5_000
    assert step.n_windows == {"m": 1}


def panes_in(machine: Machine) -> list[bytes]:
    return [key for key in machine.local if b"\xa4pane" in key]


def test_a_model_that_is_no_longer_configured_is_counted() -> None:
    message = message_of(at(0.5), REFERENCE, MODEL, [clock(0, 0)], 1)
    renamed = msgspec.structs.replace(message, deltas=[msgspec.structs.replace(message.deltas[0], model="gone")])
    step = Evaluator([MODEL]).advance({}, renamed, Source(topic="s", partition=0, offset=0))
    assert step.n_unknown_model == {"gone": 10}


@pytest.mark.parametrize("crash_after", range(12))
def test_the_state_of_a_model_that_is_no_longer_configured_leaves_when_it_would_have(crash_after: int) -> None:
    model = make_watched(REFERENCE, lateness_ms=0, retention_ms=60 * MINUTE_MS)
    machine = one_by_one(at(0.5), at(9), model=model)
    machine.evaluator = Evaluator([make_watched(REFERENCE, name="other")])
    kept: list[int] = []
    for offset, minute in enumerate((50, 68, 69, 77, 78, 79, 80), start=2):
        message = message_of([], REFERENCE, model, [clock(0, minute * MINUTE_MS)], 1)
        machine.take(offset, message, crash_after)
        assert machine.take(offset, message)
        kept.append(len(panes_in(machine)))
    # pane [0, 2) leaves at 68, [8, 10) at 76, each with the message after the one that brought the watermark there
    assert kept == [2, 2, 1, 1, 0, 0, 0]
    assert machine.local == machine.changelog
    assert set(machine.local) == {b"seal"}


def test_a_model_that_comes_back_into_the_configuration_finds_its_panes() -> None:
    model = make_watched(REFERENCE, lateness_ms=0)
    machine = one_by_one(at(0.5), model=model)
    machine.evaluator = Evaluator([make_watched(REFERENCE, name="other")])
    machine.take(1, message_of([], REFERENCE, model, [clock(0, MINUTE_MS)], 1))
    machine.evaluator = Evaluator([model])
    machine.take(2, message_of(at(1.5), REFERENCE, model, [clock(0, 2 * MINUTE_MS)], 1))
    ks = [row for row in machine.scores if (row.segment, row.method, row.window_start_ms) == ("", "ks", 0)]
    assert [(row.n_current, row.revision) for row in ks] == [(20, 1)]
