"""The watermark: how far event time is complete, from what each source partition has shown.

A partition's clock is the largest event time seen in it. The watermark is the smallest clock over all source
partitions, less the model's allowed lateness. A partition that is idle (nothing left to read, and silent for
`idle_timeout`) is left out; when every partition is idle the farthest clock counts, which is where the same stream
would have brought them had they fallen silent one after the other. It never goes back.

Source: the low watermark of Akidau et al., "MillWheel", VLDB 2013, and Begoli et al., "Watermarks in stream processing
systems", VLDB 2021.
"""

from collections.abc import Iterable, Mapping

import msgspec


class Clock(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What one source partition has shown. `max_event_ms` is None until it held an event."""

    topic: str
    partition: int
    max_event_ms: int | None = None
    idle: bool = False


class Clocks(msgspec.Struct, frozen=True, kw_only=True):
    """The latest clock of every source partition that has reported, and how many there are to wait for.

    `n_partitions` maps each source topic to its number of partitions. Until that many have reported there is no
    watermark: a partition that nobody has read yet may hold anything.
    """

    clocks: tuple[Clock, ...] = ()
    n_partitions: dict[str, int] = {}

    def advance(self, reported: Iterable[Clock], n_partitions: Mapping[str, int]) -> "Clocks":
        """The clocks after a report. A clock never goes back, so reports may be repeated or come late."""
        latest = {(clock.topic, clock.partition): clock for clock in self.clocks}
        for clock in reported:
            key = (clock.topic, clock.partition)
            seen = [c.max_event_ms for c in (latest.get(key), clock) if c is not None and c.max_event_ms is not None]
            latest[key] = Clock(
                topic=clock.topic, partition=clock.partition, max_event_ms=max(seen, default=None), idle=clock.idle
            )
        # A topic that is no longer read no longer holds time back, nor does a partition that one made again lacks.
        topics = dict(n_partitions) or self.n_partitions
        known = (c for c in latest.values() if c.partition < topics.get(c.topic, 0))
        return Clocks(clocks=tuple(sorted(known, key=lambda c: (c.topic, c.partition))), n_partitions=topics)

    def low_ms(self) -> int | None:
        """The smallest clock over all partitions that are not idle; None while any has yet to report."""
        if not self.n_partitions or len(self.clocks) < sum(self.n_partitions.values()):
            return None
        active = [clock.max_event_ms for clock in self.clocks if not clock.idle]
        if not active:
            return max((c.max_event_ms for c in self.clocks if c.max_event_ms is not None), default=None)
        seen = [event_ms for event_ms in active if event_ms is not None]
        return min(seen) if len(seen) == len(active) else None


def advanced(watermark_ms: int | None, low_ms: int | None, lateness_ms: int) -> int | None:
    """The watermark after the sources reached `low_ms`: less the lateness, and never back."""
    if low_ms is None:
        return watermark_ms
    return max(low_ms - lateness_ms, watermark_ms) if watermark_ms is not None else low_ms - lateness_ms
