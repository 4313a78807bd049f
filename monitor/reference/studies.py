"""What a reference's own panes show of windows, made while it is built. See `detectors.panes`."""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from detectors.panes import PaneStudy
from detectors.reference import Reference
from detectors.sketch import Sketch
from detectors.stack import Stack, stacked
from detectors.study import mean_excess, study
from monitor.config.methods import DEFAULT_METHODS
from monitor.config.schema import Model
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
    panes_of_rows: Iterable[object],
) -> list[PaneStudy]:
    """One for each length of windows; that of the halved panes gives the growth of the one before it."""
    made: list[PaneStudy] = []
    for plan, found, pane_of_row in zip(plans, groups, panes_of_rows, strict=True):
        panes = [_whole_pane(reference, found.get(number, {})) for number in range(len(plan.starts_ms))]
        one = study(
            reference,
            panes,
            methods,
            length_ms=plan.length_ms,
            pane_ms=plan.pane_ms,
            new_rows=rare.of_panes([found.get(number, {}) for number in range(len(plan.starts_ms))], pane_of_row),
        )
        if made and made[-1].length_ms == one.length_ms:
            made[-1] = _grown(made[-1], one)
        else:
            made.append(one)
    return made


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
