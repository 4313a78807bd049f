"""What a timestamp means: one rule for JSON, CSV, Parquet and Arrow. `TimeRule.read` is the specification.

| value | meaning |
|---|---|
| integer | so many `unit` since 1970 UTC |
| float | likewise; of seconds, to the microsecond that a float64 of this century holds |
| text of digits | the number |
| `2024-03-01T10:00`, `2024-03-01 10:00:00.123`, with `Z`, ` UTC`, `+02:00`, `+0200` or `+02` | that instant |
| the same without an offset, `2024-03-01`; a native time without a zone | clocks of `timezone` |

Fractions of a millisecond are dropped. What lies before `min_ms`, or after the year 9999, is no time: numbers in
another unit lie there, and `refusal` says which unit would fit.
"""

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Final, Literal

import msgspec

from monitor.eventtime.zones import zone

Unit = Literal["s", "ms", "us", "ns"]

MAX_TIMESTAMP_MS: Final = 253_402_300_799_999
"""The end of the year 9999."""

MIN_TIMESTAMP_MS: Final = 631_152_000_000
"""The year 1990: seconds of this century, taken for milliseconds, lie before it."""

SCALES: Final[dict[Unit, tuple[int, int]]] = {"s": (1_000, 1), "ms": (1, 1), "us": (1, 1_000), "ns": (1, 1_000_000)}
"""Milliseconds are so many times a number of the unit, after it was divided by so many."""

_WORDS: Final[dict[Unit, str]] = {"s": "seconds", "ms": "milliseconds", "us": "microseconds", "ns": "nanoseconds"}
_PLAUSIBLE_MS: Final = range(MIN_TIMESTAMP_MS, 4_102_444_800_000)  # to 2100: no number lies there in two units
_TOO_LARGE: Final = 9e18  # 64 bits hold no larger whole numbers
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MILLISECOND: Final = timedelta(milliseconds=1)
_NUMBER: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]{1,3})?")
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,30}")
_TEXT: Final = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})"
    r"(?:[Tt ]([0-9]{2}):([0-9]{2})(?::([0-9]{2})(?:\.([0-9]+))?)?)?"
    r"(?: ?(?:([Zz]|UTC)|([+-])([0-9]{2}):?([0-9]{2})?))?"
)


class TimeRule(msgspec.Struct, frozen=True, kw_only=True):
    """How a model's times are read.

    Attributes
    ----------
    unit
        of numbers.
    timezone
        whose clocks times without an offset are of; a name of the IANA database.
    min_ms
        the earliest time, milliseconds since 1970 UTC, from 0 on.
    """

    unit: Unit = "ms"
    timezone: str = "UTC"
    min_ms: int = MIN_TIMESTAMP_MS

    @property
    def scale(self) -> tuple[int, int]:
        """What numbers are multiplied by, and what they are divided by before."""
        return SCALES[self.unit]

    @property
    def is_utc(self) -> bool:
        """Whether times without an offset are UTC."""
        return self.timezone == "UTC"

    def read(self, value: object) -> int | None:
        """Milliseconds since 1970 UTC, from `min_ms` to `MAX_TIMESTAMP_MS`; None if it is no such time."""
        found = self._anywhere(value, self.unit)
        return found if found is not None and self.min_ms <= found <= MAX_TIMESTAMP_MS else None

    def refusal(self, value: object, where: str) -> str:
        """Why `read` takes a value for no time, in one sentence, with the setting that would fit if there is one."""
        if isinstance(value, bool) or not isinstance(value, int | float | str | date):
            return f"{where} is no time"
        shown = repr(value[:40]) if isinstance(value, str) else str(value)[:40]
        found = self._anywhere(value, self.unit)
        if found is None and (isinstance(value, str) or value != value):
            return f"{where} {shown} is no time: expected RFC 3339, such as 2024-03-01T10:00:00Z, or a number"
        number = _number(value)
        taken = f"{where} {shown}" if number is None else f"{where} {shown}, taken as {_WORDS[self.unit]},"
        lies = "lies before 1970" if number is not None and number < 0 else "lies after 9999"
        if found is not None and found < self.min_ms:
            lies = (
                f"lies in {_day(found)[:4]}, before `min_time` {_day(self.min_ms)}"
                if found >= 0
                else "lies before 1970"
            )
        for unit in SCALES if number is not None else ():
            fits = self._anywhere(number, unit)
            if fits is not None and fits in _PLAUSIBLE_MS and fits >= self.min_ms:
                return f"{taken} {lies}; `mapping: {{timestamp_unit: {unit}}}` would make it {_day(fits)}"
        if found is not None and 0 <= found < self.min_ms:
            return f"{taken} {lies}; no unit would fit: is it a time? an earlier `min_time` would let it in"
        return f"{taken} {lies}"

    def from_local(self, local_ms: int) -> int:
        """The instant at which the clocks of `timezone` show `local_ms`: of two the first."""
        return local_ms if self.is_utc else zone(self.timezone).first_instant_ms(local_ms)

    def _anywhere(self, value: object, unit: Unit) -> int | None:
        """As `read`, without its bounds."""
        if isinstance(value, bool):
            return None
        times, per = SCALES[unit]
        if isinstance(value, int):
            return value // per * times
        if isinstance(value, float):
            return milliseconds_of(value, unit)
        return self._of_text(value.strip(), unit) if isinstance(value, str) else None

    def _of_text(self, text: str, unit: Unit) -> int | None:
        number = _number(text)
        if number is not None:
            return self._anywhere(number, unit)
        found = _TEXT.fullmatch(text)
        if found is None:
            return None
        year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = found.groups()
        if hour is None and (utc or sign):
            return None
        try:
            at = datetime(
                int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=UTC
            )
        except ValueError:
            return None
        found_ms = (at - _EPOCH) // _MILLISECOND + int(f"{fraction or ''}000"[:3])
        if sign:
            if int(hours) > 23 or int(minutes or 0) > 59:
                return None
            offset_ms = (int(hours) * 60 + int(minutes or 0)) * 60_000
            return found_ms - offset_ms if sign == "+" else found_ms + offset_ms
        return found_ms if utc else self.from_local(found_ms)


def milliseconds_of(number: float, unit: Unit) -> int | None:
    """Milliseconds of a float64 in a unit; None below 0, and of no number. Seconds are read to the microsecond."""
    if not 0 <= number < _TOO_LARGE:
        return None
    whole = math.floor(number)
    times, per = SCALES[unit]
    found = whole // per * times
    return found + round((number - whole) * 1e6) // 1_000 if unit == "s" else found


def future(time_ms: int, now_ms: int) -> str:
    """Why a time that lies too far ahead is refused; a whole offset ahead may be clocks of another zone."""
    ahead_s = (time_ms - now_ms) // 1000
    hint = "; without an offset, `mapping: {timezone: ...}` says whose clocks it is of" if ahead_s <= 15 * 3600 else ""
    return f"timestamp {time_ms} is {ahead_s} s in the future{hint}"


def _number(value: object) -> int | float | None:
    """The number that a value is, or that a text spells."""
    if isinstance(value, int | float):
        return value
    if not isinstance(value, str):
        return None
    text = value.strip()
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _NUMBER.fullmatch(text) else None


def _day(time_ms: int) -> str:
    return (_EPOCH + timedelta(milliseconds=min(time_ms, MAX_TIMESTAMP_MS))).strftime("%Y-%m-%d")
