"""RFC 3339 to milliseconds, compiled; the plain form only, the rest is left to Python.

Source: RFC 3339, section 5.6; days from a date: Hinnant (2021), chrono-compatible low-level date algorithms,
`days_from_civil`.
"""

from typing import Any, Final

import numpy as np

from detectors.compiled import compiled
from monitor.events.values import MAX_TIMESTAMP_MS

_NO_DIGITS: Final = -1_000_000_000
_1, _3, _4, _5, _6, _7, _8, _10, _11, _13, _14, _16, _17, _19, _20 = (
    np.uint64(i) for i in (1, 3, 4, 5, 6, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20)
)


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
def instant(data: Any, at: Any, end: Any) -> Any:
    """Milliseconds since 1970 UTC of the RFC 3339 text in [at, end); -1 where it is not of the plain form."""
    if end - at < _20:
        return np.int64(-1)
    year, month, day = _digits(data, at, 4), _digits(data, at + _5, 2), _digits(data, at + _8, 2)
    hour, minute = _digits(data, at + _11, 2), _digits(data, at + _14, 2)
    second = _digits(data, at + _17, 2)
    marks = (
        data[at + _4] == 0x2D and data[at + _7] == 0x2D and data[at + _10] == 0x54
        and data[at + _13] == 0x3A and data[at + _16] == 0x3A
    )  # fmt: skip
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    days = 30 + (month + month // 8) % 2 if month != 2 else 29 if leap else 28
    if not (marks and year >= 1970 and 1 <= month <= 12 and 1 <= day <= days):
        return np.int64(-1)
    if not (0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59):
        return np.int64(-1)
    at += _19
    fraction: Any = 0
    unit = 100
    if data[at] == 0x2E:
        at += _1
        n = 0
        while 0x30 <= data[at] <= 0x39:
            fraction += unit * np.int64(data[at] - 0x30)
            unit //= 10
            n += 1
            at += _1
        if n == 0:
            return np.int64(-1)
    offset = 0
    if data[at] == 0x2B or data[at] == 0x2D:
        hours, minutes = _digits(data, at + _1, 2), _digits(data, at + _4, 2)
        if not (data[at + _3] == 0x3A and 0 <= hours <= 23 and 0 <= minutes <= 59):
            return np.int64(-1)
        offset = (hours * 60 + minutes) * (1 if data[at] == 0x2B else -1)
        at += _6
    elif data[at] == 0x5A:
        at += _1
    else:
        return np.int64(-1)
    if at != end:
        return np.int64(-1)
    # Counted from March, so that the leap day is a year's last.
    shifted = year - (month <= 2)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    days = shifted * 365 + shifted // 4 - shifted // 100 + shifted // 400 + of_year - 719_468
    found = ((days * 24 + hour) * 60 + minute - offset) * 60_000 + second * 1000 + fraction
    return found if 0 <= found <= MAX_TIMESTAMP_MS else np.int64(-1)
