"""The reference's rows of a window's seasons, each as often as the window has it. Pure.

How many of its rows a window has of each season is what its panes tell: those of one pane lie in the seasons that it
has a part of, in proportion to the time in each and to the reference's own rows there. Panes are mostly shorter than a
season, or take each season once: then they have all that there is to know.

The whole's rows say it for all segments. A segment's own would be too few to weigh hours by; that its share of the rows
changes from hour to hour is in the reference's hours already.
"""

from collections.abc import Iterable, Mapping

from detectors.baseline import Counts
from detectors.mixture import alike, mixture
from detectors.reference import WHOLE, Reference
from detectors.sketch import Sketch
from detectors.stack import added, stacked
from monitor.evaluation.compare import Compare
from monitor.evaluation.pane_cache import SumCache
from monitor.eventtime.seasons import Season, time_in_seasons
from monitor.eventtime.windows import Window


def same_seasons(
    compare: Compare, reference: Reference, panes: Iterable[tuple[Window, int]], sums: SumCache
) -> Counts | None:
    """What a window is compared with.

    Parameters
    ----------
    compare: with a season.
    panes: the window's, in order of time, with the rows of the whole in each.
    sums: keeps plain sums: most windows of a day or less are compared with one.

    Returns
    -------
    In the reference's cells; None where it has no rows of the window's seasons.
    """
    assert compare.season is not None
    known = reference.seasons.get(compare.season_name, {})
    factors = season_factors(panes, compare.season, compare.timezone, rows_of(known))
    if not factors:
        return None
    layout, numbers = reference.layout, tuple(sorted(factors))
    if alike(list(factors.values())):
        key = ("season", reference.digest, compare.season_name, numbers)
        stack = sums.get(key, (), lambda: added(layout, [stacked(layout, known[number]) for number in numbers]))
    else:
        stack = mixture(layout, [known[number] for number in numbers], [factors[number] for number in numbers])
    return Counts(stack=stack, live=False)


def rows_of(known: Mapping[int, Mapping[str, Sketch]]) -> dict[int, int]:
    """By season the reference's rows; none of those without."""
    rows = {number: sketches[WHOLE].n for number, sketches in known.items() if WHOLE in sketches}
    return {number: n for number, n in rows.items() if n}


def season_factors(
    panes: Iterable[tuple[Window, int]], kind: Season, timezone: str, rows: Mapping[int, int]
) -> dict[int, float]:
    """By season of a window, by what its rows in the reference are multiplied to be as many as in the window.

    `panes` are in order of time, with their rows; `rows` are the reference's by season. Rows of seasons that the
    reference lacks count for nothing.
    """
    factors: dict[int, float] = {}
    for pane, n in panes:
        times_ms = time_in_seasons(pane, kind, timezone)
        own = {number: time_ms for number, time_ms in times_ms.items() if number in rows}
        expected = sum(time_ms * rows[number] for number, time_ms in own.items())
        for number, time_ms in own.items():
            factors[number] = factors.get(number, 0.0) + n * (time_ms / expected)
    return {number: factor for number, factor in factors.items() if factor > 0.0}
