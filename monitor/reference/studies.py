"""What a reference's own panes show of windows, made while it is built. See `detectors.panes`."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from detectors.arrays import Ints
from detectors.panes import PaneStudy
from detectors.reference import Reference
from detectors.sketch import Sketch
from detectors.stack import Stack, added, stacked
from detectors.study import mean_excess, study
from monitor.config.methods import DEFAULT_METHODS
from monitor.config.schema import Model
from monitor.eventtime.seasons import Season, season_name, seasons_in
from monitor.eventtime.windows import Window
from monitor.reference.panes import PanePlan
from monitor.reference.rare import RareRows
from monitor.reference.sketches import Groups


def studied_methods(model: Model) -> tuple[str, ...]:
    """The methods whose design effects are kept: the default ones, and those that the configuration names."""
    return tuple(dict.fromkeys((*DEFAULT_METHODS, *(drift.method for drift in model.drift))))


def pane_studies(
    reference: Reference,
    methods: Sequence[str],
    plans: Iterable[PanePlan],
    groups: Iterable[Groups],
    rare: RareRows,
    panes_of_rows: Iterable[Ints],
    seasons: Sequence[tuple[Season, str]] = (),
) -> list[PaneStudy]:
    """One for each length of windows and kind of season; halved panes give the growth of the one before them."""
    made: dict[tuple[int, str], PaneStudy] = {}
    for plan, found, pane_of_row in zip(plans, groups, panes_of_rows, strict=True):
        sketches = [found.get(number, {}) for number in range(len(plan.starts_ms))]
        panes = [_whole_pane(reference, own) for own in sketches]
        new_rows = rare.of_panes(sketches, pane_of_row)
        for kind, timezone in ((None, ""), *seasons):
            one = study(
                reference,
                panes,
                methods,
                length_ms=plan.length_ms,
                pane_ms=plan.pane_ms,
                season="" if kind is None else season_name(kind, timezone),
                rests=None if kind is None else _rests(reference, plan, panes, kind, timezone),
                new_rows=new_rows,
            )
            key = (one.length_ms, one.season)
            made[key] = _grown(made[key], one) if key in made else one
    return list(made.values())


def wanted_seasons(model: Model) -> list[tuple[Season, str]]:
    """The kinds of seasons that the configuration compares with, and on which zone's clocks."""
    return list(dict.fromkeys((one.season, one.timezone) for one in model.compare if one.season))


def _rests(reference: Reference, plan: PanePlan, panes: Sequence[Stack], kind: Season, timezone: str) -> list[Stack]:
    """For each pane the rows of its seasons that are not its own."""
    layout = reference.layout
    seasons = reference.seasons.get(season_name(kind, timezone), {})
    stacks = {number: _whole_pane(reference, sketches) for number, sketches in seasons.items()}
    rests = []
    for start_ms, pane in zip(plan.starts_ms, panes, strict=True):
        window = Window(start_ms=start_ms, end_ms=start_ms + plan.pane_ms)
        own = [stacks[number] for number in seasons_in(window, kind, timezone) if number in stacks]
        rests.append(added(layout, own).without(layout, pane))
    return rests


def _grown(longer: PaneStudy, shorter: PaneStudy) -> PaneStudy:
    """Extrapolated to windows longer than the panes: by what doubling the panes' length has added."""
    excess, half = mean_excess(longer), mean_excess(shorter)
    growth = max(1.0, 2.0 - (1.0 + half) / (1.0 + excess))
    return msgspec.structs.replace(
        longer,
        effects={
            name: tuple(
                tuple(round(1.0 + (value * growth - 1.0), 6) if value > 1.0 else 1.0 for value in row) for row in rows
            )
            for name, rows in longer.effects.items()
        },
    )


def _whole_pane(reference: Reference, sketches: Mapping[str, Sketch]) -> Stack:
    empty = Sketch.empty(reference.layout)
    return stacked(reference.layout, {name: sketches.get(name, empty) for name in reference.sketches})
