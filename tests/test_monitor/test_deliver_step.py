"""What deliver decides, over time: when it writes, what it sends again, and what it commits."""

import random
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.batches import batch_of

from monitor.delivery.reading import OwnMessage
from monitor.delivery.step import CommitOffsets, DeliverStep, Stop, Write
from sinks.destination import Dropped, Written
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.records import RECORDS, Source, encode
from sinks.records.record import VERSION_KEY
from sinks.records.reject_messages import Reject, encode_reject
from sinks.retry import Backoff

A, B = ("drift.results", 0), ("drift.results", 1)
AWAY = SinkUnavailable("away", retry_after_s=1.0)
ALL = frozenset(RECORDS)


def late(*offsets: int, model: str = "m") -> pa.RecordBatch:
    """A batch with a row for each offset of its source."""
    row = {"model": model, "version": "1", "pane_start_ms": 0, "n": 1, "source_topic": "s", "source_partition": 0}
    return batch_of(RECORDS["late_dropped"], [{**row, "source_offset": offset} for offset in offsets])


def message(offset: int, batch: pa.RecordBatch | None = None, partition: tuple[str, int] = A) -> OwnMessage:
    body = encode(late(offset) if batch is None else batch, Source(topic="s", partition=0, offset=offset))
    return OwnMessage(partition=partition, offset=offset, body=body)


def newer(offset: int) -> OwnMessage:
    batch = late(offset)
    metadata = {**batch.schema.metadata, VERSION_KEY: b"2"}
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema.with_metadata(metadata)) as writer:
        writer.write_batch(batch)
    return OwnMessage(partition=A, offset=offset, body=sink.getvalue().to_pybytes())


def step_of(takes: frozenset[str] = ALL, first: tuple[pa.RecordBatch, ...] = (), batch_rows: int = 100) -> DeliverStep:
    """Partitions assigned, connected to the destination at 0 s; a second's interval; pauses of 1, 2, 4 and 8 s."""
    backoff = Backoff(first_s=1, most_s=8, jitter=0)
    step = DeliverStep(takes, batch_rows=batch_rows, batch_interval_s=1.0, backoff=backoff, first=first)
    step.assign([A, B])
    if not first:
        write = step.next(0.0, quiet=True)
        assert write == Write(())
        step.wrote(write, Written(), 0.0, 0.0)
    return step


def offsets_in(action: object) -> list[int]:
    assert isinstance(action, Write)
    return [row["source_offset"] for batch in action.batches for row in batch.to_pylist()]


# When a write happens -------------------------------------------------------------------------------------------------


def test_a_row_is_written_at_once_when_nothing_more_waits_and_then_committed() -> None:
    step = step_of()
    step.take([message(7)], 5.0)
    assert step.next(5.0, quiet=False) is None
    write = step.next(5.0, quiet=True)
    assert offsets_in(write) == [7]
    assert step.wrote(write, Written(), 5.1, 0.0) == {"late_dropped": 1}
    commit = step.next(5.1, quiet=False)
    assert commit == CommitOffsets({A: 8})
    assert step.done == {A: None, B: None}
    assert step.committing(commit) == 5.0
    assert step.done == {A: 8, B: None}
    assert step.next(5.1, quiet=True) is None
    assert not step.in_hand


def test_small_writes_do_not_follow_each_other_too_soon() -> None:
    step = step_of()
    step.take([message(0)], 5.0)
    step.wrote(step.next(5.0, quiet=True), Written(), 5.0, 0.0)
    step.committing(step.next(5.0, quiet=True))
    step.take([message(1)], 5.01)
    assert step.next(5.02, quiet=True) is None
    assert step.wait_s(5.02) == pytest.approx(0.08)
    assert offsets_in(step.next(5.1, quiet=True)) == [1]


@pytest.mark.parametrize(("n", "now_s", "writes"), [(9, 5.5, False), (9, 6.0, True), (10, 5.0, True)])
def test_while_more_comes_a_write_waits_until_it_is_full_or_its_interval_is_over(
    n: int, now_s: float, writes: bool
) -> None:
    step = step_of(batch_rows=10)
    step.take([message(offset) for offset in range(n)], 5.0)
    assert (step.next(now_s, quiet=False) is not None) is writes
    assert step.has_room is (n < 10)


def test_messages_of_no_interest_are_committed_and_never_reach_the_destination() -> None:
    step = step_of(takes=frozenset({"drift_score"}))
    step.take([message(0), message(1)], 5.0)
    assert step.next(5.0, quiet=True) == CommitOffsets({A: 2})


def test_rows_of_no_interest_are_passed_over_unread_and_what_is_newer_is_not() -> None:
    whole = message(7)
    broken = OwnMessage(partition=A, offset=8, body=whole.body[:-40])  # its rows are damaged, its record can be told
    scores = step_of(frozenset({"drift_score"}))
    assert scores.take([whole, broken], 5.0).corrupt == ()
    assert len(step_of().take([whole, broken], 5.0).corrupt) == 1
    assert scores.take([newer(9)], 5.0).newer is not None


def test_a_reject_reaches_a_destination_that_takes_rejects_and_no_other() -> None:
    reject = Reject(
        source_topic="t", source_partition=0, source_offset=3, event_index=0, model="m", reason="schema", detail="",
        time_ms=0, raw=b"\xff",
    )  # fmt: skip
    headers, body = encode_reject(reject)
    own = OwnMessage(partition=A, offset=0, body=body, is_reject=True, headers=headers)
    for takes, expected in ((ALL, [b"\xff"]), (ALL - {"reject"}, [])):
        step = step_of(takes)
        step.take([own], 5.0)
        action = step.next(5.0, quiet=True)
        found = [row["raw"] for batch in getattr(action, "batches", ()) for row in batch.to_pylist()]
        assert found == expected


def test_the_first_rows_are_written_before_any_other_and_until_they_are_accepted() -> None:
    step = step_of(first=(late(100, 101),))
    write = step.next(0.0, quiet=False)
    assert offsets_in(write) == [100, 101]
    step.wrote(write, Written(left=(late(101),), because=AWAY), 0.0, 0.0)
    step.assign([A])  # what was in hand is let go, these rows are not
    step.take([message(0)], 0.5)
    assert step.next(0.5, quiet=True) is None
    write = step.next(1.0, quiet=True)
    assert offsets_in(write) == [100, 101, 0]
    step.wrote(write, Written(), 1.0, 0.0)
    assert step.next(1.0, quiet=True) == CommitOffsets({A: 1})


# What is sent again ---------------------------------------------------------------------------------------------------


def test_what_was_accepted_is_not_sent_twice_and_nothing_is_committed_before_the_rest_is() -> None:
    step = step_of()
    step.take([message(0, late(0, 1, 2)), message(1, late(3, 4))], 5.0)
    write = step.next(5.0, quiet=True)
    accepted = step.wrote(write, Written(left=(late(2), late(3, 4)), because=AWAY), 5.0, 0.0)
    assert accepted == {"late_dropped": 2}
    assert step.next(5.9, quiet=True) is None
    write = step.next(6.0, quiet=True)
    assert offsets_in(write) == [2, 3, 4]
    accepted = step.wrote(write, Written(dropped=(Dropped(rows=late(3), reason="no"),)), 6.0, 0.0)
    assert accepted == {"late_dropped": 2}
    assert step.next(6.0, quiet=True) == CommitOffsets({A: 2})


def test_pauses_grow_while_nothing_is_accepted_and_begin_anew_when_something_is() -> None:
    step = step_of()
    step.take([message(0, late(0, 1))], 0.0)
    tries, now_s = [], 1.0
    for number in range(6):
        write = step.next(now_s, quiet=True)
        tries.append(now_s)
        if number == 3:
            step.wrote(write, Written(left=(late(1),), because=AWAY), now_s, 0.0)
        else:
            step.refused(AWAY, now_s, 0.0)
        assert step.obstacle == "away"
        assert not step.has_room
        now_s += step.wait_s(now_s)
    assert tries == [1, 2, 4, 8, 9, 11]


def test_a_service_that_says_how_long_to_wait_is_not_asked_earlier_whatever_the_jitter() -> None:
    step = step_of()
    step.take([message(7)], 5.0)
    assert isinstance(step.next(5.0, quiet=True), Write)
    step.refused(SinkUnavailable("429", retry_after_s=60.0), 5.0, 0.99)
    assert step.next(64.9, quiet=True) is None
    assert isinstance(step.next(65.0, quiet=True), Write)


def test_partitions_that_are_taken_away_take_their_rows_with_them() -> None:
    step = step_of()
    step.take([message(0), message(0, partition=B)], 5.0)
    write = step.next(5.0, quiet=True)
    step.refused(AWAY, 5.0, 0.0)
    step.assign([B])
    step.take([message(5), message(0, partition=B)], 5.5)
    write = step.next(6.0, quiet=True)
    assert offsets_in(write) == [0]
    step.wrote(write, Written(), 6.0, 0.0)
    assert step.next(6.0, quiet=True) == CommitOffsets({B: 1})


def test_offsets_that_the_broker_did_not_take_are_given_out_again_but_not_at_once() -> None:
    step = step_of()
    step.take([message(0)], 5.0)
    step.wrote(step.next(5.0, quiet=True), Written(), 5.0, 0.0)
    commit = step.next(5.0, quiet=True)
    step.committing(commit)
    step.commit_failed(commit, 5.2)
    assert step.next(5.2, quiet=True) is None
    assert step.next(5.4, quiet=True) == commit


@pytest.mark.parametrize(
    "written",
    [
        Written(left=(late(0, 1),), because=AWAY),
        Written(left=(late(0),)),
        Written(because=AWAY),
        Written(dropped=(Dropped(rows=late(0), reason="x"), Dropped(rows=late(0), reason="x"))),
    ],
)
def test_a_destination_that_gives_back_what_it_was_not_given_is_stopped(written: Written) -> None:
    step = step_of()
    step.take([message(0)], 5.0)
    write = step.next(5.0, quiet=True)
    with pytest.raises(SinkRejected, match="a fault of the destination"):
        step.wrote(write, written, 5.0, 0.0)


# Corrupt, newer, ends -------------------------------------------------------------------------------------------------


def test_a_corrupt_message_is_left_out_told_and_committed() -> None:
    step = step_of()
    broken = OwnMessage(partition=A, offset=1, body=b"nonsense")
    reading = step.take([message(0), broken, message(2)], 5.0)
    assert [problem.message.offset for problem in reading.corrupt] == [1]
    write = step.next(5.0, quiet=True)
    assert offsets_in(write) == [0, 2]
    step.wrote(write, Written(), 5.0, 0.0)
    assert step.next(5.0, quiet=True) == CommitOffsets({A: 3})


def test_what_comes_before_a_newer_message_is_written_and_committed_and_then_the_role_stops() -> None:
    step = step_of()
    step.take([message(0), newer(1), message(2)], 5.0)
    assert not step.has_room
    write = step.next(5.0, quiet=False)
    assert offsets_in(write) == [0]
    step.wrote(write, Written(), 5.0, 0.0)
    commit = step.next(5.0, quiet=False)
    assert commit == CommitOffsets({A: 1})
    step.committing(commit)
    stop = step.next(5.0, quiet=False)
    assert isinstance(stop, Stop)
    assert "drift.results, partition 0, offset 1" in stop.because
    assert "version 2" in stop.because


def test_markers_behind_the_last_message_count_as_done() -> None:
    step = step_of()
    step.reached_end(A, 10)
    assert step.done == {A: 10, B: None}
    step.take([message(10)], 5.0)
    step.reached_end(A, 12)
    assert step.done == {A: 10, B: None}, "the message before the marker is not written"
    step.wrote(step.next(5.0, quiet=True), Written(), 5.0, 0.0)
    step.committing(step.next(5.0, quiet=True))
    assert step.done == {A: 12, B: None}


# Whatever happens -----------------------------------------------------------------------------------------------------


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 2**32), st.integers(1, 30))
def test_whatever_happens_no_offset_is_given_out_before_its_rows_are_accepted_and_none_is_lost(
    seed: int, n: int
) -> None:
    """A destination of moods, rebalances, and commits that fail; what is lost in one life is read again."""
    chance = random.Random(seed)
    step = step_of(batch_rows=5)
    log = [late(offset) for offset in range(n)]
    accepted: Counter[int] = Counter()
    committed = at = 0
    now_s = 0.0
    for _ in range(100_000):
        if committed == n:
            break
        now_s += chance.choice([0.01, 0.5, 10.0])
        if chance.random() < 0.05:
            step.assign([A])
            at = committed
        if at < n and step.has_room and chance.random() < 0.7:
            step.take([message(at, log[at])], now_s)
            at += 1
        action = step.next(now_s, quiet=chance.random() < 0.5)
        if isinstance(action, Write):
            rows = offsets_in(action)
            taken = chance.randrange(len(rows) + 1)
            accepted.update(rows[:taken])
            rest = rows[taken:]
            written = Written(left=(late(*rest),), because=AWAY) if rest else Written()
            step.wrote(action, written, now_s, chance.random())
        elif isinstance(action, CommitOffsets):
            assert all(accepted[offset] for offset in range(action.offsets[A]))
            step.committing(action)
            if chance.random() < 0.2:
                step.commit_failed(action, now_s)
            else:
                committed = max(committed, action.offsets[A])
    assert committed == n


def test_rows_of_a_new_reference_are_written_before_what_is_in_hand_and_until_they_are_accepted() -> None:
    step = step_of(first=(late(100),))
    step.wrote(step.next(0.0, quiet=False), Written(), 0.0, 0.0)
    step.take([message(0)], 1.0)
    step.renew([late(200)])
    step.assign([A])  # what was in hand is let go, these rows are not
    step.take([message(0)], 1.5)
    write = step.next(1.5, quiet=False)
    assert offsets_in(write) == [200, 0]
    step.wrote(write, Written(), 1.5, 0.0)
    assert step.next(2.6, quiet=True) == CommitOffsets({A: 1})
