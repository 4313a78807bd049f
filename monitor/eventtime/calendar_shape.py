"""Windows of the calendar: days, weeks and months as the clocks of a time zone show them.

A local day has 23 or 25 hours where clocks change, and none where a date was left out (Apia, 30 December 2011). It
begins at the first instant at which local clocks show the time of its beginning or a later one, so that the days tile
time in every zone. They are counted from Monday, 29 December 1969; months are counted from January 1970.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from math import gcd

from monitor.eventtime.windows import Window
from monitor.eventtime.zones import Zone, zone

DAY_MS = 86_400_000
LONGEST_MONTH_MS, SHORTEST_MONTH_MS = 31 * DAY_MS, 28 * DAY_MS
_MONDAY = -3  # 29 December 1969, in days since the epoch
_MONTH_MS = 146_097 * DAY_MS // 4_800  # on average: 400 years have 146,097 days


@dataclass(frozen=True, slots=True, kw_only=True)
class CalendarShape:
    """A family of windows of `size` local days, or of calendar months where `months` is set; one starts each `every`.

    Windows begin `offset_ms` (local time) into their first day or month. `timezone` is the name of a zone.
    """

    size: int
    every: int
    months: bool = False
    offset_ms: int = 0
    timezone: str = "UTC"

    def __post_init__(self) -> None:
        if not 0 < self.every <= self.size:
            raise ValueError(f"a window must start at least once in its own length: {self}")
        if not 0 <= self.offset_ms < (SHORTEST_MONTH_MS if self.months else self.every * DAY_MS):
            raise ValueError(f"a window must begin within its first step: {self}")

    @property
    def longest_ms(self) -> int:
        """No window of this shape is longer."""
        return self.size * (LONGEST_MONTH_MS if self.months else DAY_MS) + self._zone.spread_ms

    @property
    def usual_ms(self) -> int:
        """Days of 24 hours, or months of 30 days."""
        return self.size * (30 * DAY_MS if self.months else DAY_MS)

    @property
    def grain_ms(self) -> int:
        """Every window begins at a multiple of this."""
        return _grain_ms(self.timezone, self.offset_ms)

    def containing(self, start_ms: int) -> Iterator[Window]:
        """Every window of this shape that holds the instant `start_ms`, the latest first."""
        first = self._unit(start_ms) // self.every * self.every
        while (end_ms := self._start_ms(first + self.size)) > start_ms:
            yield Window(start_ms=self._start_ms(first), end_ms=end_ms)
            first -= self.every

    def ending(self, inside: Window, *, after_ms: int, until_ms: int) -> Iterator[Window]:
        """Every window of this shape that holds the whole of `inside` and ends in `(after_ms, until_ms]`, in order."""
        end = self._unit(max(inside.end_ms, after_ms + 1) - 1) + 1  # the first unit to begin there or later
        first = -((self.size - end) // self.every) * self.every
        while (start_ms := self._start_ms(first)) <= inside.start_ms:
            end_ms = self._start_ms(first + self.size)
            if end_ms > until_ms:
                return
            yield Window(start_ms=start_ms, end_ms=end_ms)
            first += self.every

    def last_end_ms(self, start_ms: int) -> int:
        """When the last window of this shape that holds the instant `start_ms` ends."""
        return self._start_ms(self._unit(start_ms) // self.every * self.every + self.size)

    @property
    def _zone(self) -> Zone:
        return zone(self.timezone)

    def _unit(self, instant_ms: int) -> int:
        """The last day or month (its number) that begins at the instant or before."""
        local_ms = instant_ms + self._zone.offset_ms(instant_ms) - self.offset_ms
        number = local_ms // _MONTH_MS if self.months else local_ms // DAY_MS - _MONDAY
        while self._start_ms(number) > instant_ms:
            number -= 1
        while self._start_ms(number + 1) <= instant_ms:
            number += 1
        return number

    def _start_ms(self, number: int) -> int:
        """When a day or a month begins."""
        day = _first_day(number) if self.months else number + _MONDAY
        return self._zone.first_instant_ms(day * DAY_MS + self.offset_ms)


@cache
def _grain_ms(timezone: str, offset_ms: int) -> int:
    """What the beginnings of all local days that begin `offset_ms` after midnight are multiples of.

    They are apart from UTC's by the zone's offsets. Where clocks leap over the beginning of a day, it begins with the
    leap.
    """
    clocks = zone(timezone)
    leaps = [
        change_ms
        for change_ms, leap_ms in clocks.leaps()
        if (offset_ms - change_ms - clocks.offset_ms(change_ms - 1)) % DAY_MS < leap_ms
    ]
    return gcd(DAY_MS, offset_ms, *clocks.offsets_ms, *leaps)


def _first_day(month: int) -> int:
    """The first day of a month, in days since the epoch, by the Gregorian calendar without beginning or end.

    Source: Hinnant, "chrono-compatible low-level date algorithms", https://howardhinnant.github.io/date_algorithms.html.
    """
    since_march = 1970 * 12 + month - 2  # the year's length shows in its last month, if it begins in March
    year = since_march // 12
    before_epoch = 719_468
    return year * 365 + year // 4 - year // 100 + year // 400 + (153 * (since_march % 12) + 2) // 5 - before_epoch
