"""What moved, a line a column: of its runs in all segments the one to tell, and how many others there are."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from monitor.api.queries.verdicts import Run


@dataclass(frozen=True, slots=True, kw_only=True)
class MovedColumn:
    """One column that drifted: where it is told, in all rows or else in the segment where it is strongest.

    Attributes
    ----------
    top: the run to tell.
    others: runs in other segments that go on as `top` does, and are as much the season, the strongest first.
    beside: what else it is compared with, and drifted from in the same way.
    """

    top: Run
    others: tuple[Run, ...]
    beside: tuple[str, ...] = ()

    @property
    def lasts(self) -> bool:
        """Whether the newest window is one of the run."""
        return self.top.lasts


def moved_columns(runs: Sequence[Run]) -> list[MovedColumn]:
    """Those that go on first, what is only the season last of them, all rows before segments, then by strength.

    Columns that changed once and went back are told once too, after the others.
    """
    by_column: dict[tuple[str, str], list[Run]] = {}
    for run in runs:
        by_column.setdefault((run.column, run.compare), []).append(run)
    found = []
    for own in by_column.values():
        own.sort(key=_order)
        top = own[0]
        found.append(
            MovedColumn(
                top=top,
                others=tuple(run for run in own[1:] if run.lasts == top.lasts and bool(run.season) == bool(top.season)),
            )
        )
    found.sort(key=lambda one: (*_order(one.top), one.top.column))
    of_column: dict[tuple[str, bool, bool], list[MovedColumn]] = {}
    for one in found:
        of_column.setdefault((one.top.column, one.lasts, bool(one.top.season)), []).append(one)
    return [replace(first, beside=tuple(one.top.compare for one in more)) for first, *more in of_column.values()]


def _order(run: Run) -> tuple[bool, bool, bool, float]:
    return (not run.lasts, bool(run.season), bool(run.segment), -(run.strength or 0.0))
