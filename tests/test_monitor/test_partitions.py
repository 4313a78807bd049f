"""What an ingest worker knows of its source partitions: offsets, clocks, silence, and the way back after a rollback."""

import dataclasses

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from monitor.eventtime.partitions import Partitions
from monitor.eventtime.watermark import Clock
from monitor.sketching.messages import SourceRange

A, B = ("predictions", 0), ("predictions", 1)
IDLE_S = 60.0


def assigned(*keys: tuple[str, int], now_s: float = 0.0) -> Partitions:
    partitions = Partitions(IDLE_S)
    partitions.assign(list(keys), now_s)
    return partitions


def clock(key: tuple[str, int], max_event_ms: int | None, *, idle: bool = False) -> Clock:
    return Clock(topic=key[0], partition=key[1], max_event_ms=max_event_ms, idle=idle)


def test_what_was_read_is_committed_from_the_next_offset_on_and_reported_as_a_range() -> None:
    partitions = assigned(A, B)
    partitions.read(A, 10, 14)
    partitions.read(A, 15, 19)
    assert partitions.to_commit() == {A: 20}
    assert partitions.ranges() == [SourceRange(topic="predictions", partition=0, first=10, last=19)]
    partitions.committed()
    assert not partitions.ranges()


def test_the_clock_of_every_partition_is_told_also_of_one_that_held_nothing() -> None:
    partitions = assigned(A, B)
    partitions.read(A, 0, 2)
    for event_ms in (50, 70, 60):
        partitions.saw(A, event_ms, now_s=1.0)
    assert partitions.clocks() == [clock(A, 70), clock(B, None)]


def test_an_event_at_the_epoch_is_an_event() -> None:
    partitions = assigned(A)
    partitions.read(A, 0, 0)
    partitions.saw(A, 0, now_s=1.0)
    assert partitions.clocks() == [clock(A, 0)]


def test_a_partition_is_idle_only_at_its_end_and_silent_for_long_enough() -> None:
    #  event ....... end ....... 59 s: not yet ... 60 s: idle ... event: not idle ... end, and silent: idle
    partitions = assigned(A)
    partitions.read(A, 0, 5)
    partitions.saw(A, 7, now_s=100.0)
    partitions.find_idle(now_s=1_000.0)
    assert partitions.clocks() == [clock(A, 7)], "there may be a backlog: only the broker can say that it is the end"
    partitions.reached_end(A, 6)
    partitions.find_idle(now_s=100.0 + IDLE_S - 1)
    assert partitions.clocks() == [clock(A, 7)]
    partitions.find_idle(now_s=100.0 + IDLE_S)
    assert partitions.clocks() == [clock(A, 7, idle=True)]
    partitions.read(A, 6, 6)
    partitions.saw(A, 8, now_s=200.0)
    assert partitions.clocks() == [clock(A, 8)]
    partitions.find_idle(now_s=900.0)
    assert partitions.clocks() == [clock(A, 8)], "the end that was reached before is no longer the end"
    partitions.reached_end(A, 7)
    partitions.find_idle(now_s=900.0)
    assert partitions.clocks() == [clock(A, 8, idle=True)]


def test_a_partition_that_brings_only_rejects_is_silent() -> None:
    partitions = assigned(A, B)
    for second in range(1, 100):
        for key in (A, B):
            partitions.read(key, second, second)
            partitions.reached_end(key, second + 1)
        partitions.saw(A, second * 1_000, now_s=second)
        partitions.find_idle(now_s=second)
        partitions.committed()
        assert partitions.clocks() == [clock(A, second * 1_000), clock(B, None, idle=second >= IDLE_S)]


def test_rejects_that_are_still_to_be_read_are_a_backlog() -> None:
    partitions = assigned(A)
    partitions.reached_end(A, 0)
    partitions.read(A, 0, 9)
    partitions.find_idle(now_s=IDLE_S)
    assert partitions.clocks() == [clock(A, None)]


@pytest.mark.parametrize(("end", "idle"), [(10, False), (12, False), (13, True), (14, True)])
def test_an_end_that_was_followed_by_messages_is_none(end: int, idle: bool) -> None:
    # Of a commit all messages are told first, then all ends: [end at 10, message 10, ...] left the end standing.
    partitions = assigned(A)
    partitions.read(A, 10, 12)
    partitions.reached_end(A, end)
    partitions.find_idle(now_s=IDLE_S)
    assert partitions.clocks() == [clock(A, None, idle=idle)]


def test_after_a_rollback_what_is_read_again_is_a_backlog() -> None:
    partitions = assigned(A, B)
    for key in (A, B):
        partitions.read(key, 0, 9)
        partitions.saw(key, 100, now_s=1.0)
        partitions.reached_end(key, 10)
    partitions.committed()
    partitions.read(A, 10, 19)
    partitions.saw(A, 200, now_s=2.0)
    partitions.reached_end(A, 20)
    partitions.rolled_back(now_s=50.0)
    partitions.find_idle(now_s=50.0 + IDLE_S - 1)
    assert partitions.clocks() == [clock(A, 100), clock(B, 100)], "nobody read while the commit was tried"
    partitions.find_idle(now_s=50.0 + IDLE_S)
    assert partitions.clocks() == [clock(A, 100), clock(B, 100, idle=True)], "of B nothing is to be read again"


def test_what_was_read_and_never_told_is_a_backlog_after_a_rollback_too() -> None:
    partitions = assigned(A, B)
    partitions.reached_end(B, 0)
    partitions.read(A, 0, 9)
    assert partitions.rolled_back(now_s=0.0, unread=[B, ("predictions", 9)]) == {A, B}, "what is another's is not ours"
    partitions.find_idle(now_s=IDLE_S)
    assert partitions.clocks() == [clock(A, None), clock(B, None)]


def test_idle_timers_start_anew_when_they_are_restarted() -> None:
    partitions = assigned(A)
    partitions.reached_end(A, 0)
    partitions.restart_idle_timers(now_s=500.0)
    partitions.find_idle(now_s=500.0 + IDLE_S - 1)
    assert partitions.clocks() == [clock(A, None)]
    partitions.find_idle(now_s=500.0 + IDLE_S)
    assert partitions.clocks() == [clock(A, None, idle=True)]


def test_every_commit_has_an_offset_by_which_kafka_knows_whose_the_partitions_are() -> None:
    partitions = assigned(A, B)
    assert partitions.to_commit() == {}, "nothing is known of them yet"
    partitions.reached_end(B, 7)
    assert partitions.to_commit() == {B: 7}
    partitions.read(A, 0, 9)
    assert partitions.to_commit() == {A: 10}, "what was read is enough"
    partitions.committed()
    assert partitions.to_commit() == {A: 10, B: 7}
    partitions.reached_end(A, 12)
    assert partitions.to_commit() == {A: 12, B: 7}, "markers of transactions are behind the last message"
    partitions.read(A, 12, 14)
    partitions.reached_end(A, 15)
    assert partitions.ranges() == [SourceRange(topic="predictions", partition=0, first=12, last=14)]
    partitions.rolled_back(now_s=1.0)
    assert partitions.to_commit() == {A: 10, B: 7}, "an end behind what was rolled back is no place to go on from"


def test_an_empty_partition_is_idle_some_time_after_it_was_assigned() -> None:
    partitions = assigned(A, now_s=500.0)
    partitions.reached_end(A, 0)
    partitions.find_idle(now_s=500.0 + IDLE_S - 1)
    assert partitions.clocks() == [clock(A, None)]
    partitions.find_idle(now_s=500.0 + IDLE_S)
    assert partitions.clocks() == [clock(A, None, idle=True)]


def test_the_end_of_a_partition_that_was_taken_away_is_not_heard() -> None:
    partitions = assigned(A)
    partitions.reached_end(B, 0)
    assert partitions.clocks() == [clock(A, None)]


def test_clocks_are_committed_once_also_when_nothing_was_read() -> None:
    partitions = assigned(A, B)
    assert partitions.changed(), "a new reader tells its clocks at once: others may wait for them"
    partitions.committed()
    assert not partitions.changed()
    partitions.reached_end(A, 0)
    assert not partitions.changed(), "the end alone says nothing to anybody"
    partitions.find_idle(now_s=IDLE_S)
    assert partitions.changed(), "who falls silent lets windows close"
    partitions.committed()
    assert not partitions.changed()
    partitions.read(B, 0, 0)
    assert partitions.changed(), "a message that held no event must be committed all the same"


def test_a_rollback_restores_offsets_and_clocks_and_says_where_to_read_again() -> None:
    partitions = assigned(A, B)
    partitions.read(A, 0, 9)
    partitions.saw(A, 100, now_s=1.0)
    partitions.committed()
    partitions.read(A, 10, 19)
    partitions.saw(A, 900, now_s=2.0)
    partitions.read(B, 5, 6)
    partitions.saw(B, 800, now_s=2.0)
    assert partitions.rolled_back(now_s=3.0) == {A, B}
    assert partitions.clocks() == [clock(A, 100), clock(B, None)]
    assert (partitions.to_commit(), partitions.ranges()) == ({A: 10}, [])
    assert not partitions.rolled_back(now_s=3.0)
    partitions.read(A, 10, 12)
    assert partitions.ranges() == [SourceRange(topic="predictions", partition=0, first=10, last=12)]
    assert partitions.to_commit() == {A: 13}


def test_a_new_assignment_starts_afresh() -> None:
    partitions = assigned(A)
    partitions.read(A, 0, 9)
    partitions.saw(A, 100, now_s=1.0)
    partitions.committed()
    partitions.assign([A, B], now_s=2.0)
    assert partitions.clocks() == [clock(A, None), clock(B, None)]
    assert partitions.changed()
    assert partitions.assigned == [A, B]
    partitions.assign([], now_s=3.0)
    assert partitions.assigned == []
    assert not partitions.changed()


def test_what_is_done_is_what_was_committed_and_an_end_where_nothing_is_left() -> None:
    partitions = assigned(A, B)
    assert partitions.done() == {A: None, B: None}, "where the group stands only the broker knows"
    partitions.read(A, 10, 14)
    partitions.reached_end(B, 7)
    assert partitions.done() == {A: None, B: 7}, "what was only read may be rolled back"
    partitions.committed()
    assert partitions.done() == {A: 15, B: 7}
    partitions.reached_end(A, 16)
    assert partitions.done() == {A: 16, B: 7}, "the marker of a transaction is no message"
    partitions.read(A, 16, 19)
    assert partitions.done() == {A: 15, B: 7}
    partitions.rolled_back(now_s=1.0)
    assert partitions.done() == {A: 15, B: 7}


@dataclasses.dataclass
class Log:
    """What really happened to one partition: the oracle."""

    event_times_ms: list[int] = dataclasses.field(default_factory=list)
    read: int = 0
    committed: int = 0


class CommitOrRollBack(RuleBasedStateMachine):
    """Any reads, commits and rollbacks: what is committed is exactly the log, each event once."""

    def __init__(self) -> None:
        super().__init__()
        self.partitions = assigned(A, B)
        self.logs = {A: Log(), B: Log()}
        self.absorbed: dict[tuple[str, int], list[range]] = {A: [], B: []}

    @rule(key=st.sampled_from([A, B]), times_ms=st.lists(st.integers(0, 1_000), min_size=1, max_size=5))
    def read(self, key: tuple[str, int], times_ms: list[int]) -> None:
        log = self.logs[key]
        # After a rollback the same events come again; only then new ones.
        log.event_times_ms += times_ms[max(0, len(log.event_times_ms) - log.read) :]
        last = min(len(log.event_times_ms), log.read + len(times_ms)) - 1
        self.partitions.read(key, log.read, last)
        self.partitions.saw(key, max(log.event_times_ms[log.read : last + 1]), now_s=0.0)
        log.read = last + 1

    @precondition(lambda self: self.partitions.changed())
    @rule()
    def commit(self) -> None:
        for source in self.partitions.ranges():
            self.absorbed[source.topic, source.partition].append(range(source.first, source.last + 1))
        for key, next_ in self.partitions.to_commit().items():
            assert next_ == self.logs[key].read
            self.logs[key].committed = next_
        self.partitions.committed()

    @rule()
    def roll_back(self) -> None:
        again = self.partitions.rolled_back(now_s=0.0)
        for key, log in self.logs.items():
            assert (key in again) == (log.read > log.committed)
            log.read = log.committed

    @invariant()
    def every_committed_event_was_absorbed_once(self) -> None:
        for key, ranges in self.absorbed.items():
            assert [offset for part in ranges for offset in part] == list(range(self.logs[key].committed))

    @invariant()
    def clocks_are_of_what_was_read_and_not_rolled_back(self) -> None:
        for key, told in zip((A, B), self.partitions.clocks(), strict=True):
            log = self.logs[key]
            assert told.max_event_ms == max(log.event_times_ms[: log.read], default=None)


CommitOrRollBack.TestCase.settings = settings(max_examples=60, stateful_step_count=25, deadline=None)
TestCommitOrRollBack = CommitOrRollBack.TestCase
