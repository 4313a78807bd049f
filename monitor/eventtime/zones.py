"""Time zones as tables of integers: which offset from UTC a zone's clocks have, and when they show a time first.

The rules come from the package `tzdata`, never from the machine: workers whose systems are of different years must cut
time at the same instants. They are read once a zone, for the years from 1990 to 2100; before and after these, the first
and the last offset go on.

Source: the IANA time zone database, https://www.iana.org/time-zones; RFC 9636 (TZif).
"""

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from importlib import resources
from itertools import pairwise
from zoneinfo import ZoneInfo

_FIRST, _LAST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_STEP = timedelta(days=1)  # no zone has changed its clocks twice within a day since 1990
_SECOND = timedelta(seconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Zone:
    """The clocks of one zone.

    Attributes
    ----------
    name
        As the IANA database calls it.
    changes_ms: (n - 1,)
        The instants at which the clocks change, ascending (milliseconds UTC).
    offsets_ms: (n,)
        What local clocks are ahead of UTC: before the first change, then from each change on.
    least_offset_ms, greatest_offset_ms
        The bounds of `offsets_ms`.
    """

    name: str
    changes_ms: tuple[int, ...]
    offsets_ms: tuple[int, ...]
    least_offset_ms: int
    greatest_offset_ms: int

    @property
    def spread_ms(self) -> int:
        """How much an interval between two local times may be longer or shorter than the clocks say."""
        return self.greatest_offset_ms - self.least_offset_ms

    def offset_ms(self, instant_ms: int) -> int:
        """What local clocks are ahead of UTC at an instant."""
        return self.offsets_ms[bisect_right(self.changes_ms, instant_ms)]

    def first_instant_ms(self, local_ms: int) -> int:
        """The first instant at which local clocks show `local_ms` (milliseconds since 1970, local) or later.

        Of a time that comes twice the first; of one that is left out, the change that leaves it out. It never falls as
        `local_ms` grows.
        """
        at = bisect_right(self.changes_ms, local_ms - self.greatest_offset_ms)  # until then no clock showed it
        while True:
            instant_ms = local_ms - self.offsets_ms[at]
            if at:
                instant_ms = max(instant_ms, self.changes_ms[at - 1])
            if at == len(self.changes_ms) or instant_ms < self.changes_ms[at]:
                return instant_ms
            at += 1

    def leaps(self) -> list[tuple[int, int]]:
        """When clocks were put forward, and by how much: `(change_ms, leap_ms)`."""
        leaps = [after - before for before, after in pairwise(self.offsets_ms)]
        return [(change_ms, leap) for change_ms, leap in zip(self.changes_ms, leaps, strict=True) if leap > 0]


@cache
def zone_names() -> frozenset[str]:
    """The names of all zones."""
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())


@cache
def zone(name: str) -> Zone:
    """The zone of this name.

    Raises
    ------
    LookupError
        There is none.
    """
    if name not in zone_names():
        raise LookupError(f"no time zone is called {name!r}")
    with resources.files("tzdata").joinpath("zoneinfo", *name.split("/")).open("rb") as file:
        rules = ZoneInfo.from_file(file, key=name)
    changes_ms, offsets_ms = [], [_offset_ms(rules, _FIRST)]
    instant = _FIRST
    while instant < _LAST:
        following = instant + _STEP
        if _offset_ms(rules, following) != offsets_ms[-1]:
            changes_ms.append((_change(rules, instant, following) - _EPOCH) // _MS)
            offsets_ms.append(_offset_ms(rules, following))
        instant = following
    return Zone(
        name=name,
        changes_ms=tuple(changes_ms),
        offsets_ms=tuple(offsets_ms),
        least_offset_ms=min(offsets_ms),
        greatest_offset_ms=max(offsets_ms),
    )


def _change(rules: ZoneInfo, before: datetime, after: datetime) -> datetime:
    """The second at which the clocks change from what they were at `before` to what they are at `after`."""
    old_ms = _offset_ms(rules, before)
    while after - before > _SECOND:
        middle = before + (after - before) // _SECOND // 2 * _SECOND
        before, after = (middle, after) if _offset_ms(rules, middle) == old_ms else (before, middle)
    return after


def _offset_ms(rules: ZoneInfo, instant: datetime) -> int:
    offset = instant.astimezone(rules).utcoffset()
    assert offset is not None  # a ZoneInfo always has one
    return offset // _MS
