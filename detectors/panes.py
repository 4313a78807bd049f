"""What the reference's own panes show of how far unchanged windows differ: the study that `reference build` makes.

A reference with times is cut into panes of a window's length, and each pane is compared with the rest of the reference:
by every method, in every column and segment. The mean dispersion over the panes is the design effect
(`detectors.dependence`). It is itself a noisy figure, so:

- segments share what they show: the excess over 1 of all of them together, per row of a pane, times the segment's own
  rows. A segment of a tenth of the rows differs by less than the whole does.
- A design effect counts only where it is more than noise: where it exceeds 1 by two standard errors, or where the mean
  over all columns does. Otherwise independent rows would lose power to it.
- A window with more rows than a pane usually has is given more of it, in proportion: what moves all rows of an hour
  together does not average out when the hour is busier.

Where the reference is too short for 32 panes of the window's length, shorter ones are taken, and the design effect
grows by what it grew from panes of half their length: an extrapolation, which promises no rate.
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.dependence import DesignEffect

LEAST_PANES: Final = 32
MOST_PANES: Final = 64
_MOST_CHOSEN: Final = 64


class PaneStudy(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Design effects of windows of one length.

    Attributes
    ----------
    length_ms: of the windows, milliseconds.
    pane_ms: of the panes that were compared, milliseconds; at most `length_ms`.
    n_panes: how many.
    segments: (n_segments,) sorted.
    rows: (n_segments,) rows that a window of `length_ms` has of each, on average.
    season: the name of the seasons within which panes were compared with the rest; "" is all of the reference.
    effects: by method, (n_segments, n_columns): at least 1; 1 where the method does not apply.
    nus: by method with statistics like a chi-square, (n_segments, n_columns): the degrees of freedom that the panes
        show.
    """

    length_ms: int
    pane_ms: int
    n_panes: int
    segments: tuple[str, ...]
    rows: tuple[float, ...]
    effects: Mapping[str, tuple[tuple[float, ...], ...]]
    nus: Mapping[str, tuple[tuple[float, ...], ...]] = {}
    season: str = ""

    @property
    def extrapolated(self) -> bool:
        """Whether the panes were shorter than the windows, by more than clocks that change make of a day."""
        return self.pane_ms < 0.9 * self.length_ms

    def for_length(self, length_ms: int) -> "PaneStudy":
        """Of windows of another length, which have rows in proportion."""
        if length_ms == self.length_ms:
            return self
        factor = length_ms / self.length_ms
        return msgspec.structs.replace(self, length_ms=length_ms, rows=tuple(rows * factor for rows in self.rows))

    def usual_rows(self, names: Sequence[str]) -> Floats:
        """(names,) rows of such a window; NaN of segments that the reference does not have."""
        known = dict(zip(self.segments, self.rows, strict=True))
        return np.array([known.get(name, np.nan) for name in names], dtype=np.float64)

    def design(self, method: str, names: Sequence[str], columns: Ints, n_current: Ints) -> DesignEffect:
        """Of the rows of a comparison: segment by segment, the columns in each."""
        if method not in self.effects:
            return DesignEffect.none(len(names) * columns.size)
        key = (method, tuple(names), columns.tobytes())
        if key not in self._chosen:
            if len(self._chosen) >= _MOST_CHOSEN:
                self._chosen.clear()
            self._chosen[key] = self._choose(method, names, columns)
        excess, usual, nu = self._chosen[key]
        with np.errstate(divide="ignore", invalid="ignore"):
            busier = np.fmax(n_current / usual, 1.0)
        return DesignEffect(ratio=1.0 + excess * busier, df=np.full(excess.size, max(self.n_panes - 1.0, 1.0)), nu=nu)

    def _choose(self, method: str, names: Sequence[str], columns: Ints) -> tuple[Floats, Floats, Floats]:
        """(rows,) each: the excess of the design effects over 1, the usual rows, and the degrees of freedom."""
        effects, nus = self._arrays
        place = {name: position for position, name in enumerate(self.segments)}
        own = np.array([place.get(name, len(place)) for name in names], dtype=np.int64)  # the last row: independent
        chosen = np.ix_(own, columns)
        excess = (effects[method][chosen] - 1.0).reshape(-1)
        nu = nus[method][chosen].reshape(-1) if method in nus else np.full(excess.size, np.inf)
        return excess, np.repeat(self.usual_rows(names), columns.size), nu

    @functools.cached_property
    def _chosen(self) -> dict[tuple[str, tuple[str, ...], bytes], tuple[Floats, Floats, Floats]]:
        """What was chosen for windows before: most have the same segments."""
        return {}

    @functools.cached_property
    def _arrays(self) -> tuple[dict[str, Floats], dict[str, Floats]]:
        """The effects and the degrees of freedom by method, (n_segments + 1, n_columns): last, of independent rows."""
        return (
            {name: np.vstack([value, np.ones_like(value[0])]) for name, value in self.effects.items()},
            {name: np.vstack([value, np.full_like(value[0], np.inf)]) for name, value in self.nus.items()},
        )
