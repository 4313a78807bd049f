"""The source partitions that an ingest worker reads: offsets, event-time clocks, and who has fallen silent. Pure.

`now_s` is a monotonic wall clock in seconds, passed in.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.eventtime.watermark import Clock
from monitor.sketching.messages import SourceRange

SourcePartition = tuple[str, int]
"""A source topic and the number of one of its partitions."""


@dataclass(slots=True, kw_only=True)
class _Partition:
    first: int = -1
    next: int = -1
    committed: int = -1
    max_event_ms: int | None = None
    committed_max_event_ms: int | None = None
    end: int = -1
    quiet_since_s: float
    at_end: bool = False
    idle: bool = False


class Partitions:
    """What has been read of each assigned partition since the last commit."""

    def __init__(self, idle_timeout_s: float) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._partitions: dict[SourcePartition, _Partition] = {}
        self._reported: dict[SourcePartition, Clock] = {}

    def assign(self, assigned: list[SourcePartition], now_s: float) -> None:
        """Start afresh with these partitions."""
        self._partitions = {key: _Partition(quiet_since_s=now_s) for key in assigned}
        self._reported = {}

    def read(self, key: SourcePartition, first: int, last: int) -> None:
        """Offsets `[first, last]` of a partition were read. What was only read ends no silence: see `saw`."""
        partition = self._partitions[key]
        partition.first = first if partition.first < 0 else min(partition.first, first)
        partition.next = max(partition.next, last + 1)
        partition.at_end = partition.idle = False

    def reached_end(self, key: SourcePartition, end: int) -> None:
        """Nothing was left to read of a partition at offset `end`: nor is anything, if no later offset was read.

        The broker says so. Lag would count the markers of transactions.
        """
        partition = self._partitions.get(key)
        if partition is not None and end >= partition.next:
            partition.end, partition.at_end = end, True

    def saw(self, key: SourcePartition, event_ms: int, now_s: float) -> None:
        """An event of this time was accepted from a partition: it is not silent.

        Rejects move no clock. A partition that brings nothing else would hold back the windows of all models for ever.
        """
        partition = self._partitions[key]
        partition.quiet_since_s = now_s
        partition.max_event_ms = event_ms if partition.max_event_ms is None else max(partition.max_event_ms, event_ms)

    def find_idle(self, now_s: float) -> None:
        """Mark the partitions that have nothing left to read and have been silent too long."""
        for partition in self._partitions.values():
            partition.idle = partition.at_end and now_s - partition.quiet_since_s >= self._idle_timeout_s

    def restart_idle_timers(self, now_s: float) -> None:
        """Start every idle timer again: nothing was read for a while, and what came meanwhile is still to be read."""
        for partition in self._partitions.values():
            partition.quiet_since_s = now_s

    def to_commit(self) -> dict[SourcePartition, int]:
        """The offset to go on from, of every partition that was read since the last commit; if none was, of all.

        Kafka checks whether a worker still has its partitions when it is sent an offset, and then only. Empty as long
        as no partition has shown an event or its end.
        """
        read = {key: p.next for key, p in self._partitions.items() if p.first >= 0}
        places = {key: max(p.next, p.end) for key, p in self._partitions.items()}
        return read or {key: place for key, place in places.items() if place >= 0}

    def ranges(self) -> list[SourceRange]:
        """The offsets that this commit absorbs."""
        return [
            SourceRange(topic=topic, partition=number, first=p.first, last=p.next - 1)
            for (topic, number), p in self._partitions.items()
            if p.first >= 0
        ]

    def clocks(self) -> list[Clock]:
        """The clock of every assigned partition."""
        return [
            Clock(topic=topic, partition=number, max_event_ms=p.max_event_ms, idle=p.idle)
            for (topic, number), p in self._partitions.items()
        ]

    def changed(self) -> bool:
        """Whether there is anything to commit: something was read, or a clock differs from the one last reported."""
        return any(p.first >= 0 for p in self._partitions.values()) or any(
            self._reported.get((c.topic, c.partition)) != c for c in self.clocks()
        )

    def committed(self) -> None:
        """The commit was acknowledged."""
        for partition in self._partitions.values():
            if partition.first >= 0:
                partition.committed = partition.next
                partition.first = -1
            partition.committed_max_event_ms = partition.max_event_ms
        self._reported = {(clock.topic, clock.partition): clock for clock in self.clocks()}

    def rolled_back(self, now_s: float, unread: Iterable[SourcePartition] = ()) -> set[SourcePartition]:
        """Forget what was read since the last commit. The partitions to read again: `unread` are some of them."""
        again = {key for key, p in self._partitions.items() if p.first >= 0} | self._partitions.keys() & unread
        for key, partition in self._partitions.items():
            if key in again:
                partition.end, partition.at_end = -1, False
            partition.first, partition.next = -1, partition.committed
            partition.max_event_ms = partition.committed_max_event_ms
        self.restart_idle_timers(now_s)
        return again

    def done(self) -> dict[SourcePartition, int | None]:
        """The first offset of each partition that is not committed; None where nothing is known of it yet.

        What lies before the end is done where nothing was read since: markers of transactions, or nothing.
        """
        known = {
            key: max(p.committed, p.end if p.first < 0 and p.at_end else -1) for key, p in self._partitions.items()
        }
        return {key: place if place >= 0 else None for key, place in known.items()}

    @property
    def assigned(self) -> list[SourcePartition]:
        """The partitions, in the order in which they were assigned."""
        return list(self._partitions)
