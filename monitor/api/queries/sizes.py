"""The lengths of windows, as SQL tells them from their ends."""

from typing import Final

SIZE: Final = (
    "multiIf(dateDiff('second', window_start, window_end) BETWEEN 82800 AND 90000, 86400, "
    "dateDiff('second', window_start, window_end) BETWEEN 601200 AND 608400, 604800, "
    "dateDiff('second', window_start, window_end) BETWEEN 2415600 AND 2682000, 2592000, "
    "dateDiff('second', window_start, window_end))"
)
"""Seconds. Days, weeks and months of a calendar differ in length by the clocks' hour and by days; they are one size."""
IN_SPAN: Final = (
    "window_end > fromUnixTimestamp64Milli({from_ms:Int64}, 'UTC') "
    "AND window_end <= fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') "
    "AND window_start < fromUnixTimestamp64Milli({to_ms:Int64}, 'UTC') "
    "AND window_start >= fromUnixTimestamp64Milli({from_ms:Int64} - {reach_ms:Int64}, 'UTC')"
)
"""Windows that end in the span. The bound on their start is what ClickHouse leaves out whole months by: `reach_ms`."""


def size_of(length_s: int) -> int:
    """What `SIZE` makes of a length."""
    for size_s, least, most in (
        (86_400, 82_800, 90_000),
        (604_800, 601_200, 608_400),
        (2_592_000, 2_415_600, 2_682_000),
    ):
        if least <= length_s <= most:
            return size_s
    return length_s


def reach_ms(size_s: int) -> int:
    """A bound on the length of windows of this size, those of a calendar included."""
    return size_s * 1_100 + 7_200_000


def size_name(size_s: int) -> str:
    """``1 hour``, ``7 days``, ``1 month``."""
    if size_s == 2_592_000:
        return "1 month"
    for name, seconds in (("week", 604_800), ("day", 86_400), ("hour", 3_600), ("minute", 60), ("second", 1)):
        if size_s % seconds == 0:
            n = size_s // seconds
            return f"{n} {name}" if n == 1 else f"{n} {name}s"
    return f"{size_s} seconds"
