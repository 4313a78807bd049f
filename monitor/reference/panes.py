"""Which panes of a reference are compared with the rest of it, for windows of each length. Pure.

Panes lie on the grid of the windows, so the order of the rows does not matter. As many as 64 are taken, evenly over the
reference's time; where it is too short for 32 of the window's length, that is halved until there are as many.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Ints
from detectors.panes import LEAST_PANES, MOST_PANES

_SHORTEST_MS: Final = 1_000


class PanePlan(msgspec.Struct, frozen=True, kw_only=True):
    """The panes for windows of one length.

    Attributes
    ----------
    length_ms: of the windows.
    pane_ms: of the panes; shorter where the reference is too short.
    starts_ms: (n_panes,) when they begin, ascending.
    """

    length_ms: int
    pane_ms: int
    starts_ms: tuple[int, ...]

    def pane_of(self, times_ms: Ints) -> Ints:
        """(n,) the pane that each row lies in; -1 in none."""
        starts = np.array(self.starts_ms, dtype=np.int64)
        pane = np.searchsorted(starts, times_ms, side="right") - 1
        inside = (pane >= 0) & (times_ms < starts[np.maximum(pane, 0)] + self.pane_ms)
        return np.where(inside, pane, -1)


def pane_plans(times_ms: Ints, lengths_ms: Iterable[int], least: int = LEAST_PANES) -> list[PanePlan]:
    """The panes for each length of windows, and of half of those where they had to be shorter than the windows.

    Parameters
    ----------
    times_ms: (n,) of the rows that have a time.
    lengths_ms: of the windows.
    least: panes of a plan.

    Returns
    -------
    By length; none for a length that the reference does not reach even with the shortest panes. The plan of half the
    pane follows one that is shorter than its windows, and has the same `length_ms`.
    """
    plans: list[PanePlan] = []
    if not times_ms.size:
        return plans
    for length_ms in sorted(set(lengths_ms)):
        pane_ms = length_ms
        starts = _filled(times_ms, pane_ms)
        while starts.size < least and pane_ms // 2 >= _SHORTEST_MS:
            pane_ms //= 2
            starts = _filled(times_ms, pane_ms)
        if starts.size < least:
            continue
        plans.append(_plan(length_ms, pane_ms, starts))
        if pane_ms < length_ms and pane_ms // 2 >= _SHORTEST_MS:
            plans.append(_plan(length_ms, pane_ms // 2, _filled(times_ms, pane_ms // 2)))
    return plans


def _filled(times_ms: Ints, pane_ms: int) -> Ints:
    """The starts of the panes that have rows, without those that the reference's ends cut off."""
    starts: Ints = np.unique(times_ms // pane_ms) * pane_ms
    first, last = int(times_ms.min()), int(times_ms.max())
    whole = (starts >= first - pane_ms // 10) & (starts + pane_ms <= last + pane_ms // 10 + 1)
    return starts[whole]


def _plan(length_ms: int, pane_ms: int, starts: Ints) -> PanePlan:
    if starts.size > MOST_PANES:
        starts = starts[np.linspace(0, starts.size - 1, MOST_PANES).round().astype(np.int64)]
    return PanePlan(length_ms=length_ms, pane_ms=pane_ms, starts_ms=tuple(starts.tolist()))
