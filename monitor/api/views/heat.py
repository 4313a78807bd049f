"""Cells of the heat map: of a window's comparisons the one to draw, and whether what differs is only the season."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from monitor.api.queries.verdicts import Cell

_LIKE_SEASONS: Final = ("season", "trailing")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatCell:
    """One column in one window.

    Attributes
    ----------
    cell: the strongest comparison that drifted, else the strongest.
    season: where the column drifted beside the pinned reference alone, and not beside the same season or the trailing
        weeks, what it did not drift beside; else "".
    """

    cell: Cell
    season: str = ""

    @property
    def drifted(self) -> bool:
        """Whether it changed, the season apart."""
        return self.cell.drifted and not self.season


def heat_cells(cells: Sequence[Cell]) -> list[HeatCell]:
    """One a column and window, in the order in which these come first."""
    found: dict[tuple[str, int, int], list[Cell]] = {}
    for one in cells:
        found.setdefault((one.column, one.start_ms, one.end_ms), []).append(one)
    return [_together(own) for own in found.values()]


def _together(own: Sequence[Cell]) -> HeatCell:
    top = max(own, key=lambda one: (one.drifted, one.strength or 0.0))
    beside = sorted(one.compare for one in own if one.compare.startswith(_LIKE_SEASONS))
    pinned_alone = top.drifted and all(one.compare == "pinned" for one in own if one.drifted)
    return HeatCell(cell=top, season=", ".join(beside) if pinned_alone else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeatLine:
    """One column of the table behind the map.

    Attributes
    ----------
    n_drifted, n_season, n_windows: windows in which it changed, in which it was only the season, and all.
    strength, end_ms: the largest effect over the smallest that counts, and the end of its window.
    """

    column: str
    n_drifted: int
    n_season: int
    n_windows: int
    strength: float
    end_ms: int


def heat_lines(cells: Sequence[HeatCell]) -> list[HeatLine]:
    """By column, the most drifted first."""
    found: dict[str, list[HeatCell]] = {}
    for one in cells:
        found.setdefault(one.cell.column, []).append(one)
    lines = []
    for column, own in found.items():
        top = max((one.cell for one in own), key=lambda cell: cell.strength or 0.0)
        lines.append(
            HeatLine(
                column=column,
                n_drifted=sum(one.drifted for one in own),
                n_season=sum(bool(one.season) for one in own),
                n_windows=len(own),
                strength=top.strength or 0.0,
                end_ms=top.end_ms,
            )
        )
    return sorted(lines, key=lambda line: (-line.n_drifted, -line.strength, line.column))
