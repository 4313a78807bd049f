"""The retry window: what is tried for so long in vain is given up, once, and what comes next has its turn."""

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.batches import batch_of

from monitor.delivery.reading import OwnMessage
from monitor.delivery.step import CommitOffsets, DeliverStep, GiveUp, Write
from sinks.destination import Written
from sinks.errors import SinkUnavailable
from sinks.records import RECORDS, Source, encode
from sinks.retry import Backoff

A = ("drift.results", 0)
AWAY = SinkUnavailable("away", retry_after_s=1.0)


def rows(*offsets: int) -> pa.RecordBatch:
    row = {"model": "m", "version": "1", "pane_start_ms": 0, "n": 1, "source_topic": "s", "source_partition": 0}
    return batch_of(RECORDS["late_dropped"], [{**row, "source_offset": offset} for offset in offsets])


def message(offset: int) -> OwnMessage:
    return OwnMessage(partition=A, offset=offset, body=encode(rows(offset), Source(topic="s", partition=0, offset=0)))


def step_of(window_s: float | None) -> DeliverStep:
    step = DeliverStep(
        frozenset(RECORDS),
        batch_rows=10,
        batch_interval_s=1.0,
        backoff=Backoff(first_s=1, most_s=8, jitter=0),
        retry_window_s=window_s,
    )
    step.assign([A])
    write = step.next(0.0, quiet=True)
    assert isinstance(write, Write)
    step.wrote(write, Written(), 0.0, 0.0)
    return step


def offsets(action: Write | GiveUp) -> list[int]:
    return [row["source_offset"] for batch in action.batches for row in batch.to_pylist()]


def refused_until(step: DeliverStep, end_s: float, now_s: float = 5.0) -> GiveUp | None:
    """Time goes on in half seconds, and every write is refused."""
    while now_s < end_s:
        action = step.next(now_s, quiet=True)
        if isinstance(action, GiveUp):
            return action
        if isinstance(action, Write):
            step.refused(AWAY, now_s, 0.0)
        now_s += 0.5
    return None


def test_rows_are_given_up_when_their_window_is_over_and_not_before() -> None:
    step = step_of(10.0)
    step.take([message(7), message(8)], 5.0)
    assert refused_until(step, 15.0) is None
    action = step.next(15.0, quiet=True)
    assert isinstance(action, GiveUp)
    assert offsets(action) == [7, 8]
    assert action.because == "away"
    assert not step.has_room  # until they lie where a person finds them
    step.gave_up()
    assert step.next(15.0, quiet=True) == CommitOffsets({A: 9})
    assert step.obstacle == ""
    assert step.has_room


def test_what_comes_next_has_a_window_of_its_own() -> None:
    step = step_of(10.0)
    step.take([message(7)], 5.0)
    assert refused_until(step, 20.0) is not None
    step.gave_up()
    commit = step.next(20.0, quiet=True)
    assert isinstance(commit, CommitOffsets)
    step.committing(commit)
    step.take([message(8)], 20.0)
    assert refused_until(step, 30.0, 20.0) is None
    assert isinstance(step.next(30.0, quiet=True), GiveUp)


def test_without_a_window_nothing_is_ever_given_up() -> None:
    step = step_of(None)
    step.take([message(7)], 5.0)
    assert refused_until(step, 2000.0) is None


def test_of_a_write_that_was_accepted_in_part_only_the_rest_is_given_up() -> None:
    step = step_of(10.0)
    step.take([message(7), message(8)], 5.0)
    write = step.next(5.0, quiet=True)
    assert isinstance(write, Write)
    step.wrote(write, Written(left=write.batches[1:], because=AWAY), 5.0, 0.0)
    action = refused_until(step, 20.0, 6.0)
    assert action is not None
    assert offsets(action) == [8]


def test_partitions_that_are_taken_away_take_their_window_with_them() -> None:
    step = step_of(10.0)
    step.take([message(7)], 5.0)
    assert refused_until(step, 14.0) is None
    step.assign([A])
    assert step.next(30.0, quiet=True) == Write(())
    step.refused(AWAY, 30.0, 0.0)
    step.take([message(7)], 30.0)
    assert not isinstance(step.next(39.0, quiet=True), GiveUp)


def test_the_wait_ends_when_the_window_does() -> None:
    step = step_of(3.0)
    step.take([message(7)], 5.0)
    assert refused_until(step, 7.0) is None
    assert step.wait_s(7.0) == pytest.approx(1.0)


@given(st.lists(st.booleans(), min_size=1, max_size=60), st.floats(0.5, 20.0))
def test_whatever_is_accepted_or_not_each_row_is_written_or_given_up_once_before_it_is_committed(
    answers: list[bool], window_s: float
) -> None:
    step = step_of(window_s)
    done: list[int] = []
    offset, now_s = 0, 5.0
    for accepted in answers:
        if step.has_room:
            step.take([message(offset)], now_s)
            offset += 1
        action = step.next(now_s, quiet=True)
        if isinstance(action, Write):
            if accepted:
                done += offsets(action)
                step.wrote(action, Written(), now_s, 0.0)
            else:
                step.refused(AWAY, now_s, 0.0)
        elif isinstance(action, GiveUp):
            done += offsets(action)
            step.gave_up()
        elif isinstance(action, CommitOffsets):
            assert sorted(done) == list(range(action.offsets[A]))
            step.committing(action)
        now_s += 0.7
    assert len(done) == len(set(done))
