"""Seasons: the hours of the day, the hours of the week, the days of the week, in UTC or on a zone's clocks.

A season is a number: hour_of_day 0 to 23, hour_of_week 0 (Monday, 0 h) to 167, day_of_week 0 (Monday) to 6.
"""

import functools
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from monitor.eventtime.windows import Window
from monitor.eventtime.zones import zone

Season = Literal["hour_of_day", "hour_of_week", "day_of_week"]
SEASONS: Final[tuple[Season, ...]] = ("hour_of_day", "hour_of_week", "day_of_week")

_HOUR_MS: Final = 3_600_000
_MONDAY: Final = 72  # hours: 1970 began on a Thursday
_QUARTER_MS: Final = 900_000  # clocks are a multiple of this ahead of UTC

Times = npt.NDArray[np.int64]


def season_name(kind: Season, timezone: str = "UTC") -> str:
    """What seasons on a zone's clocks are called: `hour_of_week`, `hour_of_week Europe/Berlin`."""
    return kind if timezone == "UTC" else f"{kind} {timezone}"


def seasons_of(times_ms: Times, kind: Season, timezone: str = "UTC") -> Times:
    """(n,) the season of each instant (milliseconds UTC)."""
    hours = (times_ms + _offsets_ms(times_ms, timezone)) // _HOUR_MS
    if kind == "hour_of_day":
        return hours % 24
    of_week = (hours + _MONDAY) % 168
    return of_week if kind == "hour_of_week" else of_week // 24


def seasons_in(window: Window, kind: Season, timezone: str = "UTC") -> tuple[int, ...]:
    """The seasons that a window has a part of, ascending."""
    if window.end_ms - window.start_ms > 8 * 24 * _HOUR_MS:  # a week and what clocks may change by
        return tuple(range({"hour_of_day": 24, "hour_of_week": 168, "day_of_week": 7}[kind]))
    return tuple(time_in_seasons(window, kind, timezone))


@functools.lru_cache(maxsize=1_024)
def time_in_seasons(window: Window, kind: Season, timezone: str = "UTC") -> Mapping[int, int]:
    """By season that a window has a part of, ascending, how long that is altogether (milliseconds)."""
    first = window.start_ms // _QUARTER_MS
    instants = np.arange(first, -(-window.end_ms // _QUARTER_MS), dtype=np.int64) * _QUARTER_MS
    instants[0] = window.start_ms
    lengths_ms = np.diff(instants, append=window.end_ms)
    seasons, place = np.unique(seasons_of(instants, kind, timezone), return_inverse=True)
    times_ms = np.zeros(seasons.size, dtype=np.int64)
    np.add.at(times_ms, place, lengths_ms)
    return MappingProxyType(dict(zip(seasons.tolist(), times_ms.tolist(), strict=True)))


def _offsets_ms(times_ms: Times, timezone: str) -> Times:
    clocks = zone(timezone)
    at = np.searchsorted(np.array(clocks.changes_ms, dtype=np.int64), times_ms, side="right")
    return np.array(clocks.offsets_ms, dtype=np.int64)[at]
