"""What the evidence comes to at the end of a window, one finding a cause. Pure.

A finding says what moved, since when and how surely; whether that is told is the machine's
(`monitor.decisions.machine`).
"""

import math
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Final

import msgspec

from monitor.config.decisions import AlertSettings, Cause
from monitor.decisions.alert import MovedColumn, Severity
from monitor.decisions.cause import INPUTS, is_derived, is_improvement, is_prediction, is_sharp
from monitor.decisions.moved import MovedCell
from monitor.decisions.track import DETECTOR, Cell, Track
from monitor.decisions.usual import Silent
from monitor.decisions.weights import Weights

QUIET_PANES: Final = 5
"""Quiet windows after which drift is over, if `resolve_after` has passed; of what breaks at once,
`QUIET_PANES_SHARP`."""
QUIET_PANES_SHARP: Final = 2
_AT_ONCE_P: Final = 1e-6
# From which effect on a single window leaves no doubt, in the methods' own units; near the most that they can be.
_AT_ONCE: Final = {
    "missing": 0.5, "invalid": 0.5, "pairs": 0.5, "unseen": 0.9, "out_of_range": 0.9, "coverage": 0.5, "ks": 0.75,
    "js": 0.75, "hellinger": 0.75, "tvd": 0.75, "linf": 0.75, "location": 1.3, "mean": 3.0,
    "wasserstein": 3.0, "psi": 5.0,
}  # fmt: skip
_UPSTREAM_SLACK: Final = 3
"""Panes by which what follows may seem to begin before its cause."""


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What is found on one cause; none is found once all that moved has been quiet for long enough.

    Attributes
    ----------
    raises: enough for an alert, and in the last window too.
    at_once: a single window said it.
    columns: what moved, the largest effect times importance first.
    severity: by effect and share of importance.
    onset_ms: where the change is placed.
    run_ms: the start of the last unbroken run of windows in which the strongest drifted.
    value, level: the evidence, and from which on it raises.
    n_windows: in which the first of `columns` drifted.
    p_value: the first's, in its last window that drifted.
    version, reference: of the first.
    """

    cause: Cause
    columns: tuple[MovedColumn, ...]
    onset_ms: int
    raises: bool = False
    at_once: bool = False
    severity: Severity = "warning"
    value: float = 0.0
    level: float = 1.0
    run_ms: int = 0
    n_windows: int = 0
    p_value: float = 1.0
    version: str = ""
    reference: str = ""


class _Live(msgspec.Struct, frozen=True, kw_only=True):
    """A cell with its share of the budget."""

    cell: Cell
    track: Track
    weight: float

    @property
    def value(self) -> float:
        return self.weight * self.cell.evidence.value


def findings(
    tracks: Sequence[Track],
    settings: AlertSettings,
    *,
    end_ms: int,
    pane_ms: int,
    silenced: Collection[tuple[str, str, str]] = (),
    kinds: int = 1,
) -> dict[Cause, Finding]:
    """What the tracks come to at the end of a window.

    Parameters
    ----------
    silenced: (cause, segment, column) that raise nothing now.
    kinds: of verdicts that the model has, `Policy.n_kinds`.
    """
    level = DETECTOR.level(budget_ms=settings.false_alarms.per_ms, n=settings.false_alarms.n, pane_ms=pane_ms)
    level *= settings.calibration
    by_cause: dict[Cause, list[_Live]] = defaultdict(list)
    weight = Weights(tracks, kinds)
    for track in tracks:
        at_whole = {
            cell.last.column: (cell.drifted or cell.last).cause
            for cell in track.cells
            if not cell.last.segment and _is_live(cell, track, settings, end_ms)
        }
        for cell in track.cells:
            live = _Live(cell=cell, track=track, weight=weight.of(cell, track))
            by_cause[cause_now(cell, at_whole)].append(live)
    found = {}
    for cause, lives in by_cause.items():
        heard = [one for one in lives if (cause, *one.cell.place) not in silenced]
        finding = _finding(cause, lives, heard, settings, end_ms, level)
        if finding is not None:
            found[cause] = finding
    return found


def cause_now(cell: Cell, at_whole: Mapping[str, Cause]) -> Cause:
    """What a cell speaks of, beside what the whole's columns do (`at_whole`).

    A segment alone, where the whole's column stands still, is a subgroup; where the column is gone, it is part of that.
    """
    cause = (cell.drifted or cell.last).cause
    if cell.last.segment and at_whole.get(cell.last.column) == "schema":
        return "schema"
    if cause in ("data_drift", "prediction_drift") and cell.last.segment and cell.last.column not in at_whole:
        return "subgroup"
    return cause


def silence_finding(silent: Sequence[Silent], ends_ms: Sequence[int], settings: AlertSettings) -> Finding | None:
    """What windows with hardly any events come to; `ends_ms` are the ends of the last windows, in order."""
    if not silent or not ends_ms:
        return None
    last = silent[-1]
    n_quiet = sum(end_ms > last.end_ms for end_ms in ends_ms)
    if n_quiet >= QUIET_PANES_SHARP:
        return None
    # The unbroken run up to the last silent one.
    run = [last]
    for one in reversed(silent[:-1]):
        if one.end_ms != run[-1].start_ms:
            break
        run.append(one)
    column = MovedColumn(
        column="@events",
        segment="",
        direction="none at all" if last.n == 0 else "fewer events",
        quantity="events a window",
        before=last.usual,
        after=float(last.n),
        effect=1.0 - last.n / last.usual,
        threshold=1.0 - settings.fewest_events,
        method="silence",
        since_ms=run[-1].start_ms,
        importance=1.0,
    )
    return Finding(
        cause="silence",
        columns=(column,),
        onset_ms=run[-1].start_ms,
        raises=n_quiet == 0,
        at_once=True,
        severity="critical" if last.n == 0 or len(run) > 1 else "warning",
        n_windows=len(run),
    )


def grouped(
    found: dict[Cause, Finding], opened: Collection[Cause], pane_ms: int, followed: Collection[str] = ()
) -> dict[Cause, Finding]:
    """Findings that only follow from another are listed in it, so that one broken column is one alert.

    What the model says moves with its inputs: prediction drift, subgroups of columns that moved in the whole, and
    columns derived from all features are listed with the inputs' alert that is open or due, unless they began well
    before it. An alert that is open on its own stays so, and what was listed once (`followed`, columns) stays listed.
    """
    upstream = [cause for cause in INPUTS if cause in found and (cause in opened or found[cause].raises)]
    if not upstream:
        return found
    first = upstream[0]
    grouping = dict(found)
    for cause in ("data_drift", "prediction_drift", "subgroup"):
        own = found.get(cause)
        if own is None or cause in opened or cause == first:
            continue
        listed = {one.column for other in upstream if other != cause for one in found[other].columns}
        follows = all(
            one.column in listed or is_derived(one.column) or is_prediction(one.column) for one in own.columns
        )
        again = any(one.column in followed for one in own.columns)
        if follows and (again or own.run_ms >= found[first].onset_ms - _UPSTREAM_SLACK * pane_ms):
            del grouping[cause]
            columns = tuple(msgspec.structs.replace(one, follows=True) for one in own.columns)
            grouping[first] = msgspec.structs.replace(grouping[first], columns=(*grouping[first].columns, *columns))
    return grouping


def _finding(
    cause: Cause, lives: Sequence[_Live], heard: Sequence[_Live], settings: AlertSettings, end_ms: int, level: float
) -> Finding | None:
    shown = [one for one in lives if _is_live(one.cell, one.track, settings, end_ms)]
    if not shown:
        return None
    ranked = sorted(shown, key=lambda one: _rank(one, settings))
    value = math.fsum(sorted(one.value for one in heard))
    fresh = [one for one in heard if one.cell.last_end_ms == one.track.now_ms(end_ms) and one.cell.last.drifted]
    fresh = [one for one in fresh if not is_improvement(one.cell.last.direction)]
    at_once = any(is_enormous(one.cell.last) for one in fresh)
    if settings.raise_when.by_evidence:
        raises = bool(fresh) and (value >= level or at_once)
    else:
        raises = at_once or any(_n_drifted(one, settings.raise_when.n) >= settings.raise_when.k for one in fresh)
    strongest = max(shown, key=lambda one: (one.value, _rank(one, settings)))
    first = ranked[0]
    return Finding(
        cause=cause,
        columns=tuple(_column(one, settings) for one in ranked),
        onset_ms=_onset_ms(strongest),
        run_ms=strongest.cell.run_ms or 0,
        raises=raises,
        at_once=at_once,
        severity=_severity(cause, shown, settings),
        value=value,
        level=level,
        n_windows=first.cell.n_drifted,
        p_value=(first.cell.drifted or first.cell.last).p_value,
        version=first.track.version,
        reference=first.track.reference,
    )


def _is_live(cell: Cell, track: Track, settings: AlertSettings, end_ms: int) -> bool:
    """Whether it drifted, and has not been quiet for long enough since."""
    if cell.drifted is None or cell.last_end_ms is None:
        return False
    sharp = is_sharp(cell.drifted.direction)
    n_quiet = sum(pane.start_ms >= cell.last_end_ms for pane in track.panes)
    if n_quiet < (QUIET_PANES_SHARP if sharp else QUIET_PANES):
        return True
    return not sharp and track.now_ms(end_ms) - cell.last_end_ms < settings.resolve_after_ms


def _n_drifted(one: _Live, n: int) -> int:
    """In how many of the last `n` windows the cell drifted."""
    places = [{cell.place for cell in pane.moved if cell.drifted} for pane in one.track.panes[-n:]]
    return sum(one.cell.place in drifted for drifted in places)


def _importance(column: str, settings: AlertSettings) -> float:
    """Of a feature as configured; of what the model says and does, and of derived columns, that of the largest."""
    if column.startswith("@"):
        return max([1.0, *settings.importance.values()])
    return settings.importance.get(column, 1.0)


def _rank(one: _Live, settings: AlertSettings) -> tuple[float, bool, str, str]:
    cell = one.cell.drifted or one.cell.last
    return (-cell.strength * _importance(cell.column, settings), bool(cell.segment), cell.segment, cell.column)


def _onset_ms(one: _Live) -> int:
    onset_ms = one.cell.onset_ms
    if onset_ms is not None:
        return onset_ms
    return next((pane.start_ms for pane in one.track.panes if pane.end_ms == one.cell.last_end_ms), one.track.last_ms)


def is_enormous(cell: MovedCell) -> bool:
    """Whether a single window leaves no doubt."""
    return cell.p_value <= _AT_ONCE_P and cell.effect >= _AT_ONCE.get(cell.method, math.inf)


def _severity(cause: Cause, shown: Iterable[_Live], settings: AlertSettings) -> Severity:
    """Critical: what is gone; or effects that are large on what matters."""
    if cause == "schema":
        return "critical"
    cells = [(one.cell.drifted or one.cell.last, one.track) for one in shown]
    if any(is_enormous(cell) and not cell.segment for cell, _ in cells):
        return "critical"
    large = {cell.column for cell, _ in cells if cell.strength >= settings.critical and not cell.segment}
    if any(column.startswith("@") and not is_derived(column) for column in large):
        return "critical"
    n_features = max((track.n_whole for _, track in cells), default=1)
    listed = settings.importance
    total = math.fsum(listed.values()) + max(n_features - len(listed), 0)
    share = math.fsum(_importance(column, settings) for column in sorted(large)) / max(total, 1e-9)
    return "critical" if large and share >= settings.critical_share else "warning"


def _column(one: _Live, settings: AlertSettings) -> MovedColumn:
    cell = one.cell.drifted or one.cell.last
    return MovedColumn(
        column=cell.column,
        segment=cell.segment,
        direction=cell.direction,
        quantity=cell.quantity,
        before=cell.before,
        after=cell.after,
        effect=cell.effect,
        threshold=cell.threshold,
        method=cell.method,
        since_ms=_onset_ms(one),
        importance=_importance(cell.column, settings),
    )
