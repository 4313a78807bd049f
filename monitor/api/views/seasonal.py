"""Columns that only the season explains, with how little they differ from it."""

from collections.abc import Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from monitor.api.queries import verdicts
from monitor.api.queries.verdicts import Run, Scope
from monitor.api.source import Source
from monitor.api.views.moved import MovedColumn


@dataclass(frozen=True, slots=True, kw_only=True)
class SeasonalColumn:
    """One column whose newest windows differ from the whole reference, and not from its season or the weeks before.

    Attributes
    ----------
    top: the run to tell. n_others: runs in other segments of which the same is so.
    beside: what it does not differ from, and the effect beside that, over the smallest that counts, in the last window
        of the run; None where there was no measure.
    """

    top: Run
    n_others: int
    beside: tuple[tuple[str, float | None], ...]


def seasonal_columns(source: Source, scope: Scope, found: Sequence[MovedColumn], most: int) -> list[SeasonalColumn]:
    """Of the columns that are only the season, the first `most`."""
    return [_measured(source, scope, one) for one in found[:most]]


def _measured(source: Source, scope: Scope, one: MovedColumn) -> SeasonalColumn:
    run = one.top
    last = replace(scope, segment=run.segment, compare="", from_ms=run.end_ms - 1, to_ms=run.end_ms)
    strengths = {cell.compare: cell.strength for cell in verdicts.cells(source, last, run.column)}
    beside = tuple((compare, strengths.get(compare)) for compare in run.season.split(", "))
    return SeasonalColumn(top=run, n_others=len(one.others), beside=beside)
