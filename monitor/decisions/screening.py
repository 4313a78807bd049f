"""Whether windows could raise anything at all: a bound on the evidence, for many windows at once. Pure.

`decide` follows each cell; most months of a quiet model need not be followed. The bound adds up the evidence of all
cells, whatever their cause, with weights that are at least those of `Track.weight`: where it never comes near the
level, and no window leaves no doubt on its own, `decide` raises nothing.
"""

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats
from monitor.config.decisions import AlertSettings
from monitor.decisions.finding import is_enormous
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.track import DETECTOR

# A cell that is dropped goes on at what cells that never moved have, 1.75 at most; and at 1/1.05 of what it had.
_BASE: Final = 2.0
_SLACK: Final = 1.05


def may_raise(groups: Sequence[Sequence[ClosedWindow]], settings: AlertSettings, pane_ms: int) -> bool:
    """Whether the policy may raise an alert on verdicts in these windows, which are in order; True where it is not
    known."""
    windows = [one for own in groups for one in own]
    if not settings.raise_when.by_evidence:
        return any(cell.drifted for one in windows for cell in one.moved)
    drifted = [any(cell.drifted for one in own for cell in one.moved) for own in groups]
    if not any(drifted):
        return False
    if any(cell.drifted and is_enormous(cell) for one in windows for cell in one.moved):
        return True
    level = settings.calibration * DETECTOR.level(
        budget_ms=settings.false_alarms.per_ms, n=settings.false_alarms.n, pane_ms=pane_ms
    )
    p, weights = _matrix(groups)
    total = weights @ DETECTOR.values(p)
    return bool(np.any((_SLACK * total + _BASE >= level) & np.array(drifted)))


def _matrix(groups: Sequence[Sequence[ClosedWindow]]) -> tuple[Floats, Floats]:
    """(cells, windows) p-values, 1 where a cell did not move, and (cells,) weights."""
    places: dict[tuple[str, str, str], int] = {}
    rows, columns, values = [], [], []
    for number, own in enumerate(groups):
        for one in own:
            for cell in one.moved:
                rows.append(places.setdefault((one.family, *cell.place), len(places)))
                columns.append(number)
                values.append(cell.evidence)
    p = np.ones((len(places), len(groups)))
    p[rows, columns] = values
    n_whole = _fewest(one.n_whole for own in groups for one in own)
    n_segments = _fewest(one.n_segments for own in groups for one in own)
    weights = np.array([0.5 / n_segments if segment else 1.0 / n_whole for _, segment, _ in places])
    return p, weights


def _fewest(numbers: Iterable[int]) -> int:
    return min((n for n in numbers if n), default=1)
