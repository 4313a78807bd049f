"""Evidence over time of one version on one reference: an e-detector a cell. Pure.

Cells that did not move bet the same on the same windows, so that one detector stands for all of them (`base`), and only
those that moved of late have their own. The last windows are kept as they came, behind a checkpoint: one that late
events revise is replaced, and the evidence since is counted again.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from detectors.edetector import EDetector, Evidence
from monitor.decisions.moved import ClosedWindow, Family, MovedCell

DETECTOR: Final = EDetector()
MOST_PANES: Final[Mapping[Family, int]] = {
    "inputs": 96, "labels": 1_000, "delays": 1_000, "due": 1_000, "skew": 96,
}  # fmt: skip
"""Windows that can still be revised: of what rests on labels, which has few columns, as long as labels come. What comes
for an earlier one is shown in its rows and moves no evidence."""
FEWEST_PANES: Final = 8
"""Enough to say how many are quiet, whatever the retention."""
MOST_CELLS: Final = 1_000
"""Cells with evidence of their own, the strongest: a bound on the state. The others begin anew, which is valid, too."""
_AT_BASE: Final = 1.05


class Cell(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A cell that moved.

    Attributes
    ----------
    evidence: of its e-detector.
    last: its last verdict whose effect mattered.
    drifted: its last verdict that it drifted; None while there is none.
    last_end_ms: the end of the last window in which an open alert would hold; None while there is none.
    n_drifted: windows in which it drifted since it is kept.
    turned_ms: the start of the window in which it drifted for another cause than before; None while it did not.
    run_ms, run_end_ms: the last unbroken run of windows in which it drifted; None before the first.
    """

    evidence: Evidence
    last: MovedCell
    drifted: MovedCell | None = None
    last_end_ms: int | None = None
    n_drifted: int = 0
    turned_ms: int | None = None
    run_ms: int | None = None
    run_end_ms: int | None = None

    @property
    def onset_ms(self) -> int | None:
        """Where its change is placed: not before it began to be about what it is about now."""
        if self.evidence.onset_ms is None:
            return self.turned_ms
        return max(self.evidence.onset_ms, self.turned_ms or self.evidence.onset_ms)

    @property
    def place(self) -> tuple[str, str]:
        """Segment and column."""
        return self.last.segment, self.last.column


class Pane(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """What a closed window said, while it may be revised."""

    start_ms: int
    end_ms: int
    moved: tuple[MovedCell, ...] = ()


class Closed(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Until when a cell's windows belong to an alert that was resolved: they are no evidence for the next."""

    segment: str
    column: str
    until_ms: int


class Track(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of one family of verdicts on one version and reference.

    Attributes
    ----------
    n_whole, n_segments: the most cells that a window had; what the weights are shared over, so that they never grow.
    base, cells: after the last pane. `base_before`, `cells_before`: before the first of `panes`.
    panes: the last windows, in order.
    first_ms: the start of its first window.
    closed: what belongs to resolved alerts.
    hold_ms: how long cells are kept after they moved.
    """

    version: str
    reference: str
    first_ms: int
    family: Family = "inputs"
    n_whole: int = 0
    n_segments: int = 0
    base: Evidence = Evidence()
    cells: tuple[Cell, ...] = ()
    base_before: Evidence = Evidence()
    cells_before: tuple[Cell, ...] = ()
    panes: tuple[Pane, ...] = ()
    closed: tuple[Closed, ...] = ()
    hold_ms: int = 0

    def now_ms(self, end_ms: int) -> int:
        """Up to when its verdicts have come, at the end of a window: those that wait for labels or features lag."""
        return end_ms if self.family == "inputs" else self.last_ms

    @property
    def last_ms(self) -> int:
        """The end of its last window."""
        return self.panes[-1].end_ms if self.panes else self.first_ms

    @property
    def shares_with(self) -> tuple[str, str, str]:
        """Tracks of which this is the same share one part of the budget."""
        return self.version, self.reference, "labels" if self.family in ("delays", "due") else self.family


def absorb(
    track: Track, window: ClosedWindow, *, retention_ms: int, hold_ms: int = 0, fewest: int = FEWEST_PANES
) -> Track:
    """The track after one more window, or after a revision of one that is still kept; a revision of an earlier one
    changes nothing. Windows that ended within `retention_ms` are kept, and at least `fewest` of them; cells for
    `hold_ms` after they moved."""
    moved = tuple(sorted(window.moved, key=lambda cell: cell.place))
    pane = Pane(start_ms=window.start_ms, end_ms=window.end_ms, moved=moved)
    track = msgspec.structs.replace(
        track,
        hold_ms=hold_ms,
        n_whole=max(track.n_whole, window.n_whole),
        n_segments=max(track.n_segments, window.n_segments),
    )
    if not track.panes or pane.start_ms >= track.panes[-1].end_ms:
        base, cells = _advance(track, track.base, track.cells, pane)
        track = msgspec.structs.replace(track, base=base, cells=cells, panes=(*track.panes, pane))
        return _forget(track, retention_ms, fewest)
    if pane.start_ms < track.panes[0].start_ms:
        return track
    # A window that came late, or again. One that cuts across others is of windows that were configured before.
    others = [one for one in track.panes if one.end_ms <= pane.start_ms or one.start_ms >= pane.end_ms]
    panes = tuple(sorted([*others, pane], key=lambda one: one.start_ms))
    return _again(msgspec.structs.replace(track, panes=panes))


def close(track: Track, places: frozenset[tuple[str, str]], until_ms: int) -> Track:
    """The track once an alert on these cells is resolved: its windows are no evidence for another."""
    closed = {(one.segment, one.column): one for one in track.closed}
    for segment, column in places:
        closed[segment, column] = Closed(segment=segment, column=column, until_ms=until_ms)
    return msgspec.structs.replace(
        track,
        closed=tuple(closed[place] for place in sorted(closed)),
        cells=tuple(cell for cell in track.cells if cell.place not in places),
    )


def _again(track: Track) -> Track:
    base, cells = track.base_before, track.cells_before
    for pane in track.panes:
        base, cells = _advance(track, base, cells, pane)
    return msgspec.structs.replace(track, base=base, cells=cells)


def _advance(track: Track, base: Evidence, cells: tuple[Cell, ...], pane: Pane) -> tuple[Evidence, tuple[Cell, ...]]:
    closed = {(one.segment, one.column): one.until_ms for one in track.closed}
    used_up = {place for place, until_ms in closed.items() if pane.end_ms <= until_ms}
    moved = {cell.place: cell for cell in pane.moved if cell.place not in used_up}
    after = DETECTOR.advance(base, 1.0, pane.start_ms)
    kept: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        place = cell.place
        if place in used_up:
            continue
        own = moved.get(place)
        evidence = DETECTOR.advance(cell.evidence, 1.0 if own is None else own.evidence, pane.start_ms)
        held = cell.last_end_ms is not None and cell.last_end_ms > pane.start_ms - track.hold_ms
        if own is None and not held and evidence.onset_ms is None and evidence.value <= _AT_BASE * after.value:
            continue
        kept[place] = _seen(cell, evidence, own, pane)
    for place, own in moved.items():
        if place not in kept:
            # What a resolved alert has used up begins at nothing.
            start = Evidence() if place in closed else Evidence(base.sums)
            evidence = DETECTOR.advance(start, own.evidence, pane.start_ms)
            kept[place] = _seen(Cell(evidence=evidence, last=own), evidence, own, pane)
    if len(kept) > MOST_CELLS:
        strongest = sorted(kept, key=lambda place: (-kept[place].evidence.value, place))[:MOST_CELLS]
        kept = {place: kept[place] for place in strongest}
    return after, tuple(kept[place] for place in sorted(kept))


def _seen(cell: Cell, evidence: Evidence, own: MovedCell | None, pane: Pane) -> Cell:
    if own is None:
        return msgspec.structs.replace(cell, evidence=evidence)
    turned = own.drifted and cell.drifted is not None and own.cause != cell.drifted.cause
    return Cell(
        turned_ms=pane.start_ms if turned else cell.turned_ms,
        run_ms=pane.start_ms if own.drifted and cell.run_end_ms != pane.start_ms else cell.run_ms,
        run_end_ms=pane.end_ms if own.drifted else cell.run_end_ms,
        evidence=evidence,
        last=own,
        drifted=own if own.drifted else cell.drifted,
        last_end_ms=pane.end_ms if own.holds else cell.last_end_ms,
        n_drifted=cell.n_drifted + own.drifted,
    )


def _forget(track: Track, retention_ms: int, fewest: int) -> Track:
    """Move the checkpoint over windows that no late event can reach any more."""
    last_ms = track.panes[-1].end_ms
    n = len(track.panes)
    drop = 0
    while n - drop > fewest and (
        n - drop > MOST_PANES[track.family] or track.panes[drop].end_ms <= last_ms - retention_ms
    ):
        drop += 1
    if not drop:
        return track
    base, cells = track.base_before, track.cells_before
    for pane in track.panes[:drop]:
        base, cells = _advance(track, base, cells, pane)
    panes = track.panes[drop:]
    return msgspec.structs.replace(
        track,
        base_before=base,
        cells_before=cells,
        panes=panes,
        closed=tuple(one for one in track.closed if one.until_ms > panes[0].start_ms),
    )
