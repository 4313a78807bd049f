"""How many events a model usually has in an hour of the week, and which windows had hardly any. Pure.

A window without a single event has no row: it shows as the gap before the next one, or once event time has passed it.
"""

from collections.abc import Iterable
from statistics import median
from typing import Final

import msgspec

from monitor.decisions.moved import ClosedWindow
from monitor.decisions.tiling import Tiling

MOST_RECENT: Final = 400
"""Windows whose counts late events may still change."""
LOOKED_AT: Final = 48
"""Windows, the last, that may be silent."""
FEWEST_BEFORE: Final = 3
"""Windows of an hour of the week from which on there is a usual number."""
FEWEST_EVENTS: Final = 50
"""Where there are usually fewer, chance alone makes windows without any."""
_BEFORE: Final = 8
_HOUR_MS: Final = 3_600_000
_MONDAY: Final = 72  # hours: 1970 began on a Thursday
_WEEK: Final = 168


class Counted(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The events of one window, by version."""

    start_ms: int
    end_ms: int
    n: dict[str, int] = {}

    @property
    def total(self) -> int:
        """Of all versions."""
        return sum(self.n.values())


class Usual(msgspec.Struct, frozen=True, kw_only=True):
    """The last windows in order, and the counts of earlier ones by hour of the week."""

    recent: tuple[Counted, ...] = ()
    slots: dict[int, tuple[int, ...]] = {}


class Silent(msgspec.Struct, frozen=True, kw_only=True):
    """A window with `n` events where there are usually `usual`."""

    start_ms: int
    end_ms: int
    n: int
    usual: float


def count(usual: Usual, windows: Iterable[ClosedWindow], tiling: Tiling, now_ms: int) -> Usual:
    """Take in the events of windows, and the gaps between them up to `now_ms` (event time)."""
    known = {(one.start_ms, one.end_ms): one for one in usual.recent}
    first_ms = usual.recent[0].start_ms if usual.recent else None
    for window in windows:
        if window.n_events is None or (first_ms is not None and window.start_ms < first_ms):
            continue
        key = (window.start_ms, window.end_ms)
        before = known.get(key, Counted(start_ms=key[0], end_ms=key[1]))
        known[key] = msgspec.structs.replace(before, n={**before.n, window.version: window.n_events})
    recent: list[Counted] = []
    for one in (known[key] for key in sorted(known)):
        if recent and recent[-1].end_ms < one.start_ms:
            recent += _gaps(recent[-1].end_ms, one.start_ms, tiling)
        recent.append(one)
    if recent:
        recent += _gaps(recent[-1].end_ms, now_ms, tiling)
    slots = dict(usual.slots)
    for one in recent[:-MOST_RECENT]:
        slot = _slot(one.start_ms, tiling)
        slots[slot] = (*slots.get(slot, ()), one.total)[-_most(tiling) :]
    return Usual(recent=tuple(recent[-MOST_RECENT:]), slots=slots)


def silent(usual: Usual, tiling: Tiling, fewest: float) -> list[Silent]:
    """Of the last windows those with fewer events than `fewest` of what is usual."""
    if fewest <= 0.0:
        return []
    before: dict[int, list[int]] = {slot: list(counts) for slot, counts in usual.slots.items()}
    lowest = min((min(counts) for counts in before.values() if counts), default=None)
    n_before, none_came = sum(map(len, before.values())), False
    found = []
    most = _most(tiling)
    for number, one in enumerate(usual.recent):
        own = before.setdefault(_slot(one.start_ms, tiling), [])
        total = one.total
        if number >= len(usual.recent) - LOOKED_AT:
            expected = None
            if len(own) >= FEWEST_BEFORE:
                expected = float(median(own[-most:]))
            elif total == 0 and n_before >= _BEFORE and lowest is not None:
                expected = float(lowest)  # never before was there so little
            if expected is not None and expected >= FEWEST_EVENTS and total < fewest * expected:
                found.append(Silent(start_ms=one.start_ms, end_ms=one.end_ms, n=total, usual=expected))
        own.append(total)
        # That nothing comes is usual only once events came again: else a silence would be over by its own length.
        if total == 0:
            none_came = True
        else:
            lowest = min(total, total if lowest is None else lowest, 0 if none_came else total)
            none_came = False
        n_before += 1
    return found


def _gaps(start_ms: int, until_ms: int, tiling: Tiling) -> Iterable[Counted]:
    gaps: list[Counted] = []
    following = tiling.after(start_ms)
    while following is not None and following.end_ms <= until_ms:
        gaps.append(Counted(start_ms=following.start_ms, end_ms=following.end_ms))
        if len(gaps) > MOST_RECENT:
            del gaps[0]
        following = tiling.after(following.end_ms)
    return gaps


def hour_of_week(start_ms: int, length_ms: int) -> int:
    """In [0, 168), from Monday 00:00 UTC on; -1 for all windows of a week and longer."""
    return -1 if length_ms >= _WEEK * _HOUR_MS else (start_ms // _HOUR_MS + _MONDAY) % _WEEK


def _slot(start_ms: int, tiling: Tiling) -> int:
    return hour_of_week(start_ms, tiling.pane_ms)


def _most(tiling: Tiling) -> int:
    """Counts of a slot that are remembered: eight weeks."""
    return _BEFORE * max(1, min(12, _HOUR_MS // tiling.pane_ms))
