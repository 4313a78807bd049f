"""Durations as people write them (``90s``, ``15m``, ``1h``, ``7d``, ``500ms``) and as integer milliseconds."""

import re

UNITS_MS = {"d": 86_400_000, "h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}

MAX_DURATION_MS = 3_660 * UNITS_MS["d"]
"""Ten years: far more than any window, far less than where sums of durations and times leave 64 bits."""

EXAMPLE = "a duration such as 500ms, 90s, 15m, 1h or 7d"

_DURATION = re.compile(r"([0-9]{1,15})(ms|s|m|h|d)")


def parse_duration(text: str) -> int:
    """The duration in milliseconds.

    Parameters
    ----------
    text
        A whole number and one unit (ms, s, m, h, d) with nothing between; "0" alone is also a duration.

    Returns
    -------
    int
        Milliseconds, from 0 to `MAX_DURATION_MS`.

    Raises
    ------
    ValueError
        Not a duration. The message gives an example and does not repeat `text`.
    """
    if text == "0":
        return 0
    match = _DURATION.fullmatch(text)
    if match is None:
        raise ValueError(f"expected {EXAMPLE}")
    duration_ms = int(match[1]) * UNITS_MS[match[2]]
    if duration_ms > MAX_DURATION_MS:
        raise ValueError(f"expected a duration of at most {format_duration(MAX_DURATION_MS)}")
    return duration_ms


def format_duration(duration_ms: int) -> str:
    """The shortest exact way to write a duration: the largest unit that divides it (``5400000`` is ``90m``)."""
    if duration_ms == 0:
        return "0s"
    unit = next(unit for unit, size_ms in UNITS_MS.items() if duration_ms % size_ms == 0)
    return f"{duration_ms // UNITS_MS[unit]}{unit}"
