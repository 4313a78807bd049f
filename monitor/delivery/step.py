"""When a destination is written to, what is sent again, and what is committed: deliver's decisions, without I/O.

The shell reads messages and gives them to `take`; `next` says what to do; `wrote` or `refused`, and `committed`, tell
how it went. Times are seconds of any clock that only goes forward.

Flush, then commit: offsets are given out for a commit only when every row of the messages before them was accepted or
dropped. Of a write that was accepted in part only the rest is sent again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import pyarrow as pa

from monitor.delivery.reading import OwnMessage, Partition, Reading, read
from sinks.destination import Written
from sinks.errors import DEFAULT_RETRY_AFTER_S, SinkRejected, SinkUnavailable
from sinks.records import record_of
from sinks.retry import Backoff

# What is in hand beside the messages that librdkafka keeps: no more is read before it is written.
MAX_BYTES: Final = 64 * 1024 * 1024
# While nothing more is waiting, rows are written at once, but not more often than this: each write costs a database
# about as much, however small.
MIN_INTERVAL_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class Write:
    """Write these batches, in the order of their messages; with none, connect to the destination."""

    batches: tuple[pa.RecordBatch, ...]


@dataclass(frozen=True, slots=True)
class CommitOffsets:
    """Commit these offsets: the first that is not done of each partition."""

    offsets: Mapping[Partition, int]


@dataclass(frozen=True, slots=True)
class GiveUp:
    """These batches were tried for the whole retry window: put them where a person finds them, then say `gave_up`."""

    batches: tuple[pa.RecordBatch, ...]
    because: str


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop: a message that a later release wrote is next, and must stay unread."""

    because: str


class DeliverStep:
    """What is in hand for one destination.

    Parameters
    ----------
    takes
        Names of the records that it wants.
    batch_rows, batch_interval_s
        A write happens when so many rows are in hand, when the oldest has waited so long, or when nothing more waits.
    backoff
        The pauses between two tries.
    retry_window_s
        How long rows are tried, from the first refusal on, before they are given up; None: for ever.
    first
        Rows to write before any other: the references, without which profiles mean nothing in SQL.
    """

    def __init__(
        self,
        takes: frozenset[str],
        *,
        batch_rows: int,
        batch_interval_s: float,
        backoff: Backoff,
        retry_window_s: float | None = None,
        first: Sequence[pa.RecordBatch] = (),
    ) -> None:
        self._takes = takes
        self._batch_rows = batch_rows
        self._batch_interval_s = batch_interval_s
        self._backoff = backoff
        self._retry_window_s = float("inf") if retry_window_s is None else retry_window_s
        self._first = tuple(batch for batch in first if record_of(batch).name in takes)
        self._connected = False
        self._refusals = 0
        self._retry_s = 0.0
        self._refused_s: float | None = None  # when what is in hand was first refused
        self._wrote_s = float("-inf")
        self.obstacle = ""
        """What the destination said when it was last out of reach; empty when it is not."""
        self.done: dict[Partition, int | None] = {}
        """Of each partition that is assigned, the first offset that is not written; None: what the group has
        committed."""
        self._let_go()

    def assign(self, partitions: Iterable[Partition]) -> None:
        """These partitions are ours from now on, and no other. What was in hand is not committed, and read again."""
        self.done = dict.fromkeys(partitions)
        self._let_go()

    def _let_go(self) -> None:
        self._hand: tuple[pa.RecordBatch, ...] = () if self._connected else self._first
        self._rows = self._bytes = 0
        self._oldest_s: float | None = None
        self._ends: dict[Partition, int] = {}
        self._refused_s = None
        self._read: dict[Partition, int] = {}  # the offset after the last that was read, until it is given out
        self._flushed = False  # all that was read was written: what follows is the commit
        self._newer: str = ""

    def renew(self, first: Sequence[pa.RecordBatch]) -> None:
        """Write these before any other rows, as at the start: references that have taken the place of others."""
        self._first = tuple(batch for batch in first if record_of(batch).name in self._takes)
        if self._first:
            self._hand = (*self._first, *self._hand)
            self._connected = False

    @property
    def has_room(self) -> bool:
        """Whether more should be read."""
        return not self._newer and not self.obstacle and self._rows < self._batch_rows and self._bytes < MAX_BYTES

    @property
    def in_hand(self) -> bool:
        """Whether messages were read that are not given out for a commit."""
        return bool(self._read)

    def take(self, messages: Sequence[OwnMessage], now_s: float) -> Reading:
        """Take messages into hand. Those of partitions that are not ours any more are left out."""
        ours = [message for message in messages if message.partition in self.done]
        reading = read([] if self._newer else ours, self._takes)
        for message in ours[: reading.n_read]:
            self._read[message.partition] = message.offset + 1
        if reading.n_read and self._oldest_s is None:
            self._oldest_s = now_s
        self._flushed = self._flushed and not reading.n_read
        self._hand += reading.batches
        self._rows += sum(batch.num_rows for batch in reading.batches)
        self._bytes += sum(batch.nbytes for batch in reading.batches)
        if reading.newer is not None:
            self._newer = f"{reading.newer.message}: {reading.newer.because}"
        return reading

    def reached_end(self, partition: Partition, offset: int) -> None:
        """All of a partition before this offset was read, markers of transactions included, which are no messages."""
        if partition in self.done:
            self._ends[partition] = offset
            if partition not in self._read:
                self.done[partition] = max(self.done[partition] or 0, offset)

    def next(self, now_s: float, *, quiet: bool) -> Write | CommitOffsets | GiveUp | Stop | None:
        """What to do now, if anything.

        Parameters
        ----------
        quiet
            Nothing more is waiting to be read.
        """
        if self._hand and now_s >= self._expiry_s:
            return GiveUp(self._hand, self.obstacle)
        if now_s < self._retry_s:
            return None
        if not self._connected or self.obstacle:
            return Write(self._hand)
        if not self._flushed and not self._due(now_s, quiet=quiet):
            return None
        if self._hand:
            return Write(self._hand)
        if self._read:
            return CommitOffsets(dict(self._read))
        return Stop(self._newer) if self._newer else None

    @property
    def _expiry_s(self) -> float:
        """When what is in hand is given up. Nothing more is read meanwhile, so that all of it was refused together."""
        return float("inf") if self._refused_s is None else self._refused_s + self._retry_window_s

    def _due(self, now_s: float, *, quiet: bool) -> bool:
        if self._newer or not self.has_room:
            return True
        if self._oldest_s is None:
            return False
        return now_s >= self._oldest_s + self._batch_interval_s or (quiet and now_s >= self._wrote_s + MIN_INTERVAL_S)

    def wait_s(self, now_s: float) -> float:
        """How long to wait for more, at most, before `next` may say something else although nothing came."""
        if self.obstacle:
            return max(0.0, min(self._retry_s, self._expiry_s if self._hand else float("inf")) - now_s)
        if self._oldest_s is None:
            return float("inf")
        return max(0.0, min(self._oldest_s + self._batch_interval_s, self._wrote_s + MIN_INTERVAL_S) - now_s)

    def wrote(self, write: Write, written: Written, now_s: float, chance: float) -> Counter[str]:
        """The destination has answered; returns how many rows of each record it has accepted.

        Parameters
        ----------
        chance
            A random number in `[0, 1)`, for the pause before what is left is sent again.

        Raises
        ------
        SinkRejected
            It gave back more rows than it was given, or left some without saying why.
        """
        accepted = _rows_of(write.batches)
        accepted.subtract(_rows_of(written.left))
        accepted.subtract(_rows_of(dropped.rows for dropped in written.dropped))
        if any(n < 0 for n in accepted.values()) or bool(written.left) != (written.because is not None):
            raise SinkRejected("a fault of the destination: what it gave back is not what it was given")
        self._wrote_s = now_s
        self._hand = written.left
        self._rows, self._bytes = sum(b.num_rows for b in self._hand), sum(b.nbytes for b in self._hand)
        if written.because is not None:
            self._refusals = 0 if any(accepted.values()) else self._refusals  # it gets on
            self.refused(written.because, now_s, chance)
            return accepted
        self._connected = True
        self._is_done()
        return accepted

    def gave_up(self) -> None:
        """What was in hand lies where a person finds it: what comes next has its turn, and a window of its own."""
        self._hand, self._rows, self._bytes = (), 0, 0
        self._is_done()

    def _is_done(self) -> None:
        self.obstacle, self._refusals, self._retry_s, self._refused_s = "", 0, 0.0, None
        self._flushed = True

    def refused(self, error: SinkUnavailable, now_s: float, chance: float) -> None:
        """The destination is out of reach: everything is sent again after a pause."""
        self.obstacle = str(error)
        self._refused_s = now_s if self._refused_s is None else self._refused_s
        pause_s = self._backoff.pause_s(self._refusals, chance, asked_s=error.retry_after_s)
        if error.retry_after_s > DEFAULT_RETRY_AFTER_S:
            pause_s = max(pause_s, error.retry_after_s)  # it said so itself (Retry-After): not one moment earlier
        self._retry_s = now_s + pause_s
        self._refusals += 1

    def committing(self, commit: CommitOffsets) -> float | None:
        """The offsets are on their way to the broker; returns when the oldest of their messages was taken."""
        oldest_s, self._oldest_s = self._oldest_s, None
        for partition, offset in commit.offsets.items():
            self.done[partition] = max(offset, self._ends.get(partition, 0))
            if self._read.get(partition) == offset:
                del self._read[partition]
        return oldest_s

    def commit_failed(self, commit: CommitOffsets, now_s: float) -> None:
        """The broker did not take the offsets: they are given out again, unless later ones were read meanwhile."""
        for partition, offset in commit.offsets.items():
            if partition not in self._read and (self.done.get(partition) or 0) >= offset:
                self._read[partition] = offset
        if self._read and self._oldest_s is None:
            self._oldest_s = now_s
        self._flushed, self._wrote_s = False, now_s  # not again at once


def _rows_of(batches: Iterable[pa.RecordBatch]) -> Counter[str]:
    rows: Counter[str] = Counter()
    for batch in batches:
        rows[record_of(batch).name] += batch.num_rows
    return rows
