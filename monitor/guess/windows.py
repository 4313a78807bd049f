"""How long windows may be, by how many events come and for how long. Pure."""

from typing import Final

import msgspec

_MINUTE_MS: Final = 60_000
_DAY_MS: Final = 86_400_000
_SIZES: Final = (
    ("1d", _DAY_MS), ("6h", 6 * 3_600_000), ("1h", 3_600_000), ("15m", 15 * _MINUTE_MS), ("5m", 5 * _MINUTE_MS),
    ("1m", _MINUTE_MS),
)  # fmt: skip
_ENOUGH: Final = 200
"""Events of a window: fewer tell little of a column, and nothing of a segment."""
_WINDOWS: Final = 4
"""So many of them the data should hold."""


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """Events that have a time, and the first and the last of these (milliseconds)."""

    n: int
    first_ms: int
    last_ms: int

    @property
    def per_day(self) -> float:
        """Events a day; of data of less than a minute, as if they were of one."""
        return self.n * _DAY_MS / max(self.last_ms - self.first_ms, _MINUTE_MS)


def window_size(rate: Rate) -> str:
    """Days where they hold enough; shorter windows where the data are of few days, a week where events are rare."""
    span_ms = rate.last_ms - rate.first_ms
    if rate.per_day < _ENOUGH and span_ms >= 4 * 7 * _DAY_MS:
        return "7d"
    return next(
        (
            name
            for name, size_ms in _SIZES
            if span_ms >= _WINDOWS * size_ms and rate.per_day * size_ms / _DAY_MS >= _ENOUGH
        ),
        next((name for name, size_ms in _SIZES if span_ms >= _WINDOWS * size_ms), "1m"),
    )
