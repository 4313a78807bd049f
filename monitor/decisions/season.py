"""Whether drift of inputs is the season: it comes and goes with the hour or the weekday, or is none beside it. Pure."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from typing import Final

from monitor.decisions.alert import Alert
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.words import safe

_DAY_MS: Final = 86_400_000
_HOUR_MS: Final = 3_600_000
_MONDAY: Final = 3  # days: 1970 began on a Thursday
_AGREE: Final = 0.9
_MOST: Final = 0.9
"""A column that drifts in more windows than this has no rhythm."""
_FEWEST: Final = 3
"""Times that each hour, or weekday, must have come."""


def seasonal_columns(
    alert: Alert | None, windows: Sequence[ClosedWindow], seasonal: Sequence[ClosedWindow], pane_ms: int
) -> str:
    """A sentence that says so; "" where it is not the season, or nothing drifted.

    Parameters
    ----------
    alert: of inputs that drifted.
    windows, seasonal: beside the whole reference, and beside the same season, where that is compared too.
    """
    if alert is None:
        return ""
    column = next((one for one in alert.columns if not one.follows), alert.columns[0])
    flags = _flags(windows, column.segment, column.column)
    share = sum(flags.values()) / max(len(flags), 1)
    if seasonal:
        beside = _flags(seasonal, column.segment, column.column)
        own = sum(beside.values()) / max(len(beside), 1)
        if share > 0.0 and own <= 0.2 * share:
            return (
                f"It is the season: {safe(column.column)} drifted in {100 * share:.0f} % of the windows beside the "
                f"whole reference, and in {100 * own:.0f} % beside the same season."
            )
        return ""
    if pane_ms > _DAY_MS or not 1.0 - _MOST <= share <= _MOST:
        return ""
    slots: dict[str, Callable[[int], int]] = {
        "hour of the day": lambda at_ms: at_ms // _HOUR_MS % 24,
        "day of the week": lambda at_ms: (at_ms // _DAY_MS + _MONDAY) % 7,
    }
    for name, slot_of in slots.items():
        if name == "hour of the day" and pane_ms >= _DAY_MS:
            continue
        by_slot: dict[int, list[bool]] = defaultdict(list)
        for start_ms, drifted in flags.items():
            by_slot[slot_of(start_ms)].append(drifted)
        if len(by_slot) < 2 or min(map(len, by_slot.values())) < _FEWEST:
            continue
        agree = sum(max(sum(own), len(own) - sum(own)) for own in by_slot.values()) / len(flags)
        loud = [slot for slot, own in by_slot.items() if 2 * sum(own) > len(own)]
        if agree >= _AGREE and 0 < len(loud) < len(by_slot):
            return (
                f"It is probably the season: {safe(column.column)} drifts with the {name}, in {len(loud)} of "
                f"{len(by_slot)}, which foretells {100 * agree:.0f} % of the windows."
            )
    return ""


def _flags(windows: Sequence[ClosedWindow], segment: str, column: str) -> dict[int, bool]:
    """By the start of the window, whether the cell drifted."""
    flags: dict[int, bool] = {}
    for one in windows:
        if one.family == "inputs" and (one.n_whole or one.n_segments):
            drifted = any(cell.drifted and cell.place == (segment, column) for cell in one.moved)
            flags[one.start_ms] = flags.get(one.start_ms, False) or drifted
    return flags
