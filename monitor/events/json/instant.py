"""Times to milliseconds, compiled: the plain forms of `monitor.events.times`; the rest is left to Python.

Source: RFC 3339, section 5.6; days from a date: Hinnant (2021), chrono-compatible low-level date algorithms,
`days_from_civil`.
"""

from typing import Any, Final

import numpy as np

from detectors.compiled import compiled
from monitor.events.times import MAX_TIMESTAMP_MS, TimeRule

TIMES, PER, MIN_MS, NAIVE, SECONDS = range(5)
"""Of a clock: numbers are multiplied by `TIMES` after they were divided by `PER`; the earliest time; whether a text
without an offset is UTC, else it is left to Python; whether numbers are seconds."""

_NO_DIGITS: Final = -1_000_000_000
_1, _2, _3, _4, _5, _6, _7, _8, _10, _11, _13, _14, _16, _17, _19 = (
    np.uint64(i) for i in (1, 2, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 16, 17, 19)
)


def clock_of(rule: TimeRule) -> Any:
    """(5,) int64: a rule as the compiled functions read it."""
    return np.array([*rule.scale, rule.min_ms, rule.is_utc, rule.unit == "s"], dtype=np.int64)


@compiled
def of_integer(number: Any, clock: Any) -> Any:
    """Milliseconds of an int64 number; -1 where it is no time."""
    if number < 0:
        return np.int64(-1)
    whole = number // clock[PER]
    if whole > MAX_TIMESTAMP_MS // clock[TIMES]:
        return np.int64(-1)
    found = whole * clock[TIMES]
    return found if found >= clock[MIN_MS] else np.int64(-1)


@compiled
def of_float(number: Any, clock: Any) -> Any:
    """Milliseconds of a float64 number; -1 where it is no time. See `monitor.events.times.milliseconds_of`."""
    if not 0.0 <= number < 9e18:
        return np.int64(-1)
    whole = np.floor(number)
    if np.int64(whole) // clock[PER] > MAX_TIMESTAMP_MS // clock[TIMES]:
        return np.int64(-1)
    found = np.int64(whole) // clock[PER] * clock[TIMES]
    if clock[SECONDS]:
        found += np.int64(np.rint((number - whole) * 1e6)) // 1_000
    return found if clock[MIN_MS] <= found <= MAX_TIMESTAMP_MS else np.int64(-1)


@compiled
def of_texts(data: Any, offsets: Any, clock: Any, out: Any) -> None:
    """Milliseconds of the texts at `offsets` (n + 1,) int64 of `data`, which ends with `words.PADDING`; else -1."""
    for row in range(out.size):
        out[row] = instant(data, np.uint64(offsets[row]), np.uint64(offsets[row + 1]), clock)


@compiled
def _digits(data: Any, at: Any, n: Any) -> Any:
    """The number in `n` digits, or a very negative one where they are not all digits."""
    found: Any = 0
    for i in range(n):
        byte = np.int64(data[at + np.uint64(i)])
        if not 0x30 <= byte <= 0x39:
            return _NO_DIGITS
        found = found * 10 + byte - 0x30
    return found


@compiled
def instant(data: Any, at: Any, end: Any, clock: Any) -> Any:
    """Milliseconds since 1970 UTC of the text in [at, end); -1 where it is not of a plain form, or out of bounds."""
    if end < at + _10:
        return np.int64(-1)
    year, month, day = _digits(data, at, 4), _digits(data, at + _5, 2), _digits(data, at + _8, 2)
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 30 + (month + month // 8) % 2 if month != 2 else 29 if leap else 28
    marks = data[at + _4] == 0x2D and data[at + _7] == 0x2D
    if not (marks and year >= 1970 and 1 <= month <= 12 and 1 <= day <= days):
        return np.int64(-1)
    hour = minute = second = 0
    fraction: Any = 0
    offset = 0
    if end == at + _10:
        at += _10
    else:
        if end < at + _19:
            return np.int64(-1)
        hour, minute = _digits(data, at + _11, 2), _digits(data, at + _14, 2)
        second = _digits(data, at + _17, 2)
        between = data[at + _10] == 0x54 or data[at + _10] == 0x20
        if not (between and data[at + _13] == 0x3A and data[at + _16] == 0x3A):
            return np.int64(-1)
        if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
            return np.int64(-1)
        at += _19
        unit = 100
        if at < end and data[at] == 0x2E:
            at += _1
            n = 0
            while at < end and 0x30 <= data[at] <= 0x39:
                fraction += unit * np.int64(data[at] - 0x30)
                unit //= 10
                n += 1
                at += _1
            if n == 0:
                return np.int64(-1)
    known = clock[NAIVE] != 0
    if at < end and (data[at] == 0x2B or data[at] == 0x2D):
        if end != at + _6:
            return np.int64(-1)
        hours, minutes = _digits(data, at + _1, 2), _digits(data, at + _4, 2)
        if not (data[at + _3] == 0x3A and 0 <= hours <= 23 and 0 <= minutes <= 59):
            return np.int64(-1)
        offset = (hours * 60 + minutes) * (1 if data[at] == 0x2B else -1)
        at += _6
        known = True
    elif at < end and data[at] == 0x5A:
        at += _1
        known = True
    elif end == at + _4 and data[at] == 0x20 and data[at + _1] == 0x55 and data[at + _2] == 0x54:
        if data[at + _3] != 0x43:
            return np.int64(-1)
        at += _4  # " UTC", as BigQuery writes it
        known = True
    if at != end or not known:
        return np.int64(-1)
    # Counted from March, so that the leap day is a year's last.
    shifted = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    found = ((days * 24 + hour) * 60 + minute - offset) * 60_000 + second * 1000 + fraction
    return found if clock[MIN_MS] <= found <= MAX_TIMESTAMP_MS else np.int64(-1)
