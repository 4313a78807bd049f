"""What Driftline says of windows, by its own path and with its defaults."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from detectors.settings import Setting
from detectors.stack import stacked
from monitor.config.methods import DEFAULT_METHODS, default_threshold
from monitor.evaluation.compared import ComparedWindow
from monitor.verdicts.awake import Cell, Power, at_once, column_of, power, reference_rows
from monitor.verdicts.changes import KINDS, Kind
from monitor.verdicts.references import Built, build, count
from monitor.verdicts.worlds import STEP_MS, Rows

SETTINGS: Final = tuple(Setting(method=name, threshold=default_threshold(name)) for name in DEFAULT_METHODS)
MIN_SAMPLES: Final = 50
ALPHA: Final = 0.05


def built_from(rows: Rows, lengths_ms: Sequence[int]) -> Built:
    """The reference that these rows make."""
    return build(rows, lengths_ms, DEFAULT_METHODS)


def compared(
    built: Built, windows: Sequence[Rows], length_ms: int, settings: Sequence[Setting] = SETTINGS
) -> Iterator[ComparedWindow]:
    """Each window's scores and verdicts."""
    study = built.reference.study(length_ms)
    for part in at_once(windows):
        for sketches in count(built, part):
            stack = stacked(built.reference.layout, sketches)
            yield ComparedWindow.of(built.reference, stack, settings, min_samples=MIN_SAMPLES, alpha=ALPHA, study=study)


def awake_round(seed: Sequence[int], n_windows: dict[int, int], kinds: Sequence[Kind] = KINDS) -> dict[Cell, Power]:
    """What is found of changes in windows against one reference."""
    built = built_from(reference_rows(seed), [n_rows * STEP_MS for n_rows in n_windows])

    def judge(windows: Sequence[Rows], kind: Kind) -> list[bool]:
        name = column_of(kind)
        found = [own.verdicts for own in compared(built, windows, windows[0].n * STEP_MS)]
        return [bool(np.any(own.drifted & (own.column == own.columns.index(name)))) for own in found]

    return power(judge, seed, n_windows, kinds)
