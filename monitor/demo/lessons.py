"""What a column's drift over months comes to: did it stay, come and go with the season, or were values missing? Pure.

A whole year is needed for the difference: what was away for months and is like the reference again in the last month
was a season; what is still away then has stayed. A reference of one month cannot tell one from the other beforehand.
"""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

import msgspec

AWAY: Final = 0.5
"""Of the windows that end in a month: from this share of drifted ones on the column was away in that month."""
MISSING: Final = frozenset({"more missing", "more invalid"})
"""Directions that tell of the data's way here, not of what the data describe."""


class DriftedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict that a column drifted in a window; the fields of `drift_verdict` as far as needed.

    Attributes
    ----------
    segment: "" is the whole.
    strength: effect over threshold.
    """

    segment: str
    column: str
    start_ms: int
    end_ms: int
    strength: float
    direction: str
    quantity: str
    before: float
    after: float
    q_value: float


class Lesson(msgspec.Struct, frozen=True, kw_only=True):
    """One column of one segment.

    Attributes
    ----------
    start_ms, end_ms: what has stayed: since when, to the end of its last window; else the longest time without an
        undrifted week in between.
    n_windows: that drifted.
    told: of the quantity that tells of most of them, the window with the largest effect.
    """

    segment: str
    column: str
    start_ms: int
    end_ms: int
    n_windows: int
    told: DriftedWindow


class Lessons(msgspec.Struct, frozen=True, kw_only=True):
    """Columns by what became of them, the strongest first.

    Attributes
    ----------
    last_month: the month that `stayed` and `seasonal` are judged by, 1 to 12; 0 without a window.
    n_months: months that windows end in.
    n_windows: of the whole.
    stayed: away in the last month.
    in_parts: the same of segments, of columns that did not stay away in the whole.
    seasonal: away in a month, and not in the last.
    now_and_then: drifted in windows, but not in half of any month's.
    gaps: times in which values of columns were missing, in the order of time; those that overlap together.
    """

    last_month: int
    n_months: int
    n_windows: int
    stayed: list[Lesson]
    in_parts: list[Lesson]
    seasonal: list[Lesson]
    now_and_then: list[Lesson]
    gaps: list[list[Lesson]]


def lessons(drifted: Sequence[DriftedWindow], ends_ms: Sequence[int]) -> Lessons:
    """Judge the columns.

    Parameters
    ----------
    drifted: verdicts of windows of one length, in any order.
    ends_ms: the ends of all windows of that length that were scored for the whole.
    """
    of_month = Counter(map(_month, ends_ms))
    last = max(of_month, default=(0, 0))
    columns: dict[tuple[str, str], list[DriftedWindow]] = {}
    gaps: dict[str, list[DriftedWindow]] = {}
    for one in sorted(drifted, key=lambda one: (one.start_ms, one.end_ms)):
        if one.direction not in MISSING:
            columns.setdefault((one.segment, one.column), []).append(one)
        elif not one.segment:
            gaps.setdefault(one.column, []).append(one)
    stayed, in_parts, seasonal, now_and_then = list[Lesson](), list[Lesson](), list[Lesson](), list[Lesson]()
    for (segment, _), own in columns.items():
        away = {month for month, n in Counter(_month(one.end_ms) for one in own).items() if n >= AWAY * of_month[month]}
        if last in away:
            (in_parts if segment else stayed).append(_lesson(_spells(own)[-1]))
        elif not segment:
            longest = max(_spells(own), key=lambda spell: spell[-1].end_ms - spell[0].start_ms)
            (seasonal if away else now_and_then).append(_lesson(longest, n_windows=len(own)))
    whole = {one.column for one in stayed}
    return Lessons(
        last_month=last[1],
        n_months=len(of_month),
        n_windows=len(ends_ms),
        stayed=_strongest_first(stayed),
        in_parts=_strongest_first([one for one in in_parts if one.column not in whole]),
        seasonal=_strongest_first(seasonal),
        now_and_then=_strongest_first(now_and_then),
        gaps=_together([_lesson(spell) for own in gaps.values() for spell in _spells(own)]),
    )


def spells(drifted: Sequence[DriftedWindow]) -> list[Lesson]:
    """The times in which windows of one column and segment drifted, in order; an undrifted week parts them."""
    return [_lesson(spell) for spell in _spells(sorted(drifted, key=lambda one: one.start_ms))]


def _spells(windows: Sequence[DriftedWindow]) -> list[list[DriftedWindow]]:
    """Windows in order, parted where one begins after the end of all before it."""
    found: list[list[DriftedWindow]] = []
    for one in windows:
        if found and one.start_ms <= found[-1][-1].end_ms:
            found[-1].append(one)
        else:
            found.append([one])
    return found


def _lesson(spell: Sequence[DriftedWindow], n_windows: int | None = None) -> Lesson:
    often = Counter(one.quantity for one in spell)
    quantity = max(often, key=lambda name: (often[name], name))
    told = max((one for one in spell if one.quantity == quantity), key=lambda one: (one.strength, -one.start_ms))
    return Lesson(
        segment=told.segment,
        column=told.column,
        start_ms=spell[0].start_ms,
        end_ms=spell[-1].end_ms,
        n_windows=len(spell) if n_windows is None else n_windows,
        told=told,
    )


def _together(gaps: Sequence[Lesson]) -> list[list[Lesson]]:
    """Those whose times overlap in one list, the strongest first."""
    found: list[list[Lesson]] = []
    for one in sorted(gaps, key=lambda one: (one.start_ms, one.end_ms, one.column)):
        if found and one.start_ms < max(other.end_ms for other in found[-1]):
            found[-1].append(one)
        else:
            found.append([one])
    return [_strongest_first(one) for one in found]


def _strongest_first(found: Sequence[Lesson]) -> list[Lesson]:
    return sorted(found, key=lambda one: (-one.told.strength, one.segment, one.column))


def _month(end_ms: int) -> tuple[int, int]:
    """The year and month in which a window ends; one that ends at midnight belongs to the day before."""
    day = datetime.fromtimestamp((end_ms - 1) / 1000, UTC)
    return day.year, day.month
