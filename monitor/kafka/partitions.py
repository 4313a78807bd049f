"""The source partitions that an ingest worker reads: offsets, event-time clocks, and who has fallen silent. Pure.

`now_s` is a monotonic wall clock in seconds, passed in.
"""

from dataclasses import dataclass

from monitor.sketch_messages import SourceRange
from monitor.watermark import Clock

TopicPartition = tuple[str, int]


@dataclass(slots=True, kw_only=True)
class _Partition:
    first: int = -1
    next: int = -1
    committed: int = -1
    max_event_ms: int | None = None
    committed_max_event_ms: int | None = None
    last_read_s: float
    at_end: bool = False
    idle: bool = False


class Partitions:
    """What has been read of each assigned partition since the last commit."""

    def __init__(self, idle_timeout_s: float) -> None:
        self._idle_timeout_s = idle_timeout_s
        self._partitions: dict[TopicPartition, _Partition] = {}
        self._reported: dict[TopicPartition, Clock] = {}

    def assign(self, assigned: list[TopicPartition], now_s: float) -> None:
        """Start afresh with these partitions."""
        self._partitions = {key: _Partition(last_read_s=now_s) for key in assigned}
        self._reported = {}

    def read(self, key: TopicPartition, first: int, last: int, now_s: float) -> None:
        """Offsets `[first, last]` of a partition were read."""
        partition = self._partitions[key]
        partition.first = first if partition.first < 0 else min(partition.first, first)
        partition.next = max(partition.next, last + 1)
        partition.last_read_s = now_s
        partition.at_end = partition.idle = False

    def reached_end(self, key: TopicPartition) -> None:
        """Nothing is left to read of a partition for now (the broker said so: lag would count transaction markers)."""
        if key in self._partitions:
            self._partitions[key].at_end = True

    def saw(self, key: TopicPartition, event_ms: int) -> None:
        """An event of this time was accepted from a partition."""
        partition = self._partitions[key]
        partition.max_event_ms = event_ms if partition.max_event_ms is None else max(partition.max_event_ms, event_ms)

    def find_idle(self, now_s: float) -> None:
        """Mark the partitions that have nothing left to read and have been silent too long."""
        for partition in self._partitions.values():
            partition.idle = partition.at_end and now_s - partition.last_read_s >= self._idle_timeout_s

    def to_commit(self) -> dict[TopicPartition, int]:
        """The offset to go on from, of every partition that was read since the last commit."""
        return {key: p.next for key, p in self._partitions.items() if p.first >= 0}

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

    def rolled_back(self) -> dict[TopicPartition, int]:
        """Forget what was read since the last commit; where to read again from (-1: from the group's own offset)."""
        again = {key: p.committed for key, p in self._partitions.items() if p.first >= 0}
        for partition in self._partitions.values():
            partition.first, partition.next = -1, partition.committed
            partition.max_event_ms = partition.committed_max_event_ms
        return again

    def __len__(self) -> int:
        return len(self._partitions)
