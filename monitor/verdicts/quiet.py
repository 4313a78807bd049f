"""How often verdicts are false: windows of unchanged data, whole and segments together."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from math import gcd
from typing import Final

import numpy as np

from detectors.reference import WHOLE
from monitor.evaluation.compared import ComparedWindow
from monitor.eventtime.seasons import Season
from monitor.verdicts.product import built_from, compared
from monitor.verdicts.quiet_windows import N_REFERENCE, quiet_rows
from monitor.verdicts.worlds import AR, IID, SEASONS, World, draw

SIZES: Final = (200, 500, 2_000, 5_000, 20_000)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A world, what its windows are compared with (None: the whole reference), and the most false windows, per cent."""

    world: World
    season: Season | None = None
    at_most: float | None = None

    @property
    def name(self) -> str:
        """As the page gives it."""
        return f"{self.world.name}, `season: {self.season}`" if self.season else self.world.name


CASES: Final = (
    Case(world=IID, at_most=7.0),
    Case(world=AR, at_most=10.0),
    Case(world=SEASONS, season="hour_of_week", at_most=5.0),
    Case(world=SEASONS),
)


@dataclass(slots=True)
class Tally:
    """Windows of one cell of the table.

    `by_reference` gives the windows of each reference, and those with a false verdict; `verdicts` counts all false
    verdicts by method, column and whether they are of the whole.
    """

    n: int = 0
    false: int = 0
    by_reference: list[tuple[int, int]] = field(default_factory=list)
    verdicts: Counter[tuple[str, str, bool]] = field(default_factory=Counter)

    def __add__(self, other: "Tally") -> "Tally":
        return Tally(
            n=self.n + other.n,
            false=self.false + other.false,
            by_reference=[*self.by_reference, *other.by_reference],
            verdicts=self.verdicts + other.verdicts,
        )

    @property
    def share(self) -> float:
        """Of the windows that have a false verdict."""
        return self.false / self.n

    @property
    def standard_error(self) -> float:
        """Of the share: by its scatter over references, and at least that of independent windows."""
        independent = float(np.sqrt(max(self.share * (1.0 - self.share), 1.0 / self.n) / self.n))
        if len(self.by_reference) < 2:
            return independent
        shares = [false / n for n, false in self.by_reference]
        return max(float(np.std(shares, ddof=1) / np.sqrt(len(shares))), independent)

    def add(self, window: ComparedWindow) -> None:
        """Count one window."""
        found = window.verdicts
        rows = np.flatnonzero(found.drifted).tolist()
        self.n += 1
        self.false += bool(rows)
        for row in rows:
            whole = found.segments[found.segment[row]] == WHOLE
            self.verdicts[found.methods[found.method[row]], found.columns[found.column[row]], whole] += 1


def quiet_round(
    world: World, seed: Sequence[int], n_windows: dict[int, int], season: Season | None = None
) -> dict[int, Tally]:
    """One reference, and windows of each size against it, or against its same seasons."""
    rng = np.random.default_rng(seed)
    built = built_from(draw(world, rng, N_REFERENCE), [n_rows * world.step_ms for n_rows in n_windows], season)
    pane_ms = gcd(*n_windows) * world.step_ms  # one model with windows of all these lengths
    tallies = {}
    for n_rows, number in n_windows.items():
        tally = Tally()
        for windows in quiet_rows(world, rng, n_rows, number):
            for window in compared(built, windows, n_rows * world.step_ms, season=season, pane_ms=pane_ms):
                tally.add(window)
        tally.by_reference.append((tally.n, tally.false))
        tallies[n_rows] = tally
    return tallies
