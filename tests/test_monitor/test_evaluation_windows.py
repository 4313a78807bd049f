"""When windows are scored, opened again and forgotten, message by message."""

from dataclasses import replace

import msgspec
import pytest
from support.flow import (
    MINUTE_MS,
    make_watched,
    message_of,
)
from support.machine import MODEL, REFERENCE, Machine, at, clock, one_by_one

from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.eventtime.windows import FixedShape


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
    (late,) = machine.late
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
    profiles = [row for row in machine.profiles if row.segment == "" and row.column == "value"]
    assert [(row.pane_start_ms, row.n) for row in profiles] == [(0, 10), (2 * MINUTE_MS, 10)]


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
    shapes = (FixedShape(size_ms=12 * MINUTE_MS, every_ms=12 * MINUTE_MS), *MODEL.shapes[:1])
    model = make_watched(REFERENCE, shapes=shapes, lateness_ms=0, retention_ms=MINUTE_MS)
    machine = one_by_one(at(2.5), at(7), at(2.6, 5), at(14), at(2.7, 3), model=model)
    ks = [row for row in machine.scores if (row.segment, row.method) == ("", "ks")]
    counted = [(row.window_start_ms // MINUTE_MS, row.window_end_ms // MINUTE_MS, row.n_current) for row in ks]
    assert counted == [(2, 4, 10), (0, 12, 25), (6, 8, 10)]
    assert [row.n for row in machine.late] == [3]
    profiled = [r for r in machine.profiles if (r.segment, r.column, r.pane_start_ms) == ("", "value", 2 * MINUTE_MS)]
    assert [(row.n, row.revision) for row in profiled] == [(10, 1), (15, 2)], "a pane's profile counts every event"


def test_panes_of_an_earlier_length_count_in_the_windows_that_hold_them_whole() -> None:
    hour, day = 60 * MINUTE_MS, 24 * 60 * MINUTE_MS
    days = make_watched(REFERENCE, shapes=(FixedShape(size_ms=day, every_ms=day),), lateness_ms=0)
    both = make_watched(REFERENCE, shapes=(*days.shapes, FixedShape(size_ms=hour, every_ms=hour)), lateness_ms=0)
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
    whole = [row for row in machine.windows if row.segment == ""]
    assert [(row.window_start_ms // hour, row.partial) for row in whole] == [(0, False), (23, True)]


def test_panes_of_an_earlier_shorter_length_add_up_to_the_longer_ones() -> None:
    hour = 60 * MINUTE_MS
    half = make_watched(REFERENCE, shapes=(FixedShape(size_ms=hour // 2, every_ms=hour // 2),), lateness_ms=0)
    whole = make_watched(REFERENCE, shapes=(FixedShape(size_ms=hour, every_ms=hour),), lateness_ms=0)
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
