"""Lengths and steps of windows: on the clock (``1h``, ``7d``), or of the calendar (``1w``, ``1mo``)."""

import re
from dataclasses import dataclass
from typing import Literal

from monitor.config.durations import UNITS_MS, format_duration, parse_duration

EXAMPLE = "a duration such as 90s, 15m, 1h or 7d, or 1w or 1mo"

MAX_MONTHS = 120
MAX_WEEKS = 520

_CALENDAR = re.compile(r"([1-9][0-9]{0,3})(w|mo)")
_DAY_MS = UNITS_MS["d"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A length of time: so many milliseconds, weeks or calendar months."""

    n: int
    unit: Literal["ms", "w", "mo"] = "ms"

    @property
    def days(self) -> int | None:
        """How many days it is; None for months, and for what is not whole days."""
        if self.unit == "ms":
            return None if self.n % _DAY_MS else self.n // _DAY_MS
        return self.n * 7 if self.unit == "w" else None

    @property
    def months(self) -> int | None:
        """How many months it is; None for what is not written in months."""
        return self.n if self.unit == "mo" else None

    @property
    def shortest_ms(self) -> int:
        """What it is at the least: weeks are 7 times 24 hours, months 28 such days."""
        return self.n * {"ms": 1, "w": 7 * _DAY_MS, "mo": 28 * _DAY_MS}[self.unit]

    def __str__(self) -> str:
        """As it is written in the configuration."""
        return format_duration(self.n) if self.unit == "ms" else f"{self.n}{self.unit}"


def parse_span(text: str) -> Span:
    """Read a length of time above 0.

    Raises
    ------
    ValueError
        Not one. The message gives an example and does not repeat `text`.
    """
    if match := _CALENDAR.fullmatch(text):
        span = Span(n=int(match[1]), unit="w" if match[2] == "w" else "mo")
        most = Span(n=MAX_WEEKS if span.unit == "w" else MAX_MONTHS, unit=span.unit)
        if span.n > most.n:
            raise ValueError(f"expected a duration of at most {most}")
        return span
    try:
        duration_ms = parse_duration(text)
    except ValueError as error:
        # What is too long is told so; what is no duration is told every way to write one.
        raise ValueError(str(error) if "at most" in str(error) else f"expected {EXAMPLE}") from None
    if duration_ms == 0:
        raise ValueError("expected a duration of at least 1ms")
    return Span(n=duration_ms)
