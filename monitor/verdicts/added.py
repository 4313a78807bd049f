"""More methods, or more segments, that did not change: what they do to windows that had no verdict before."""

from collections.abc import Sequence
from typing import Final

import numpy as np

from detectors.reference import WHOLE
from detectors.stack import stacked
from monitor.evaluation.compared import ComparedWindow
from monitor.verdicts.product import ALPHA, MIN_SAMPLES, SETTINGS, built_from
from monitor.verdicts.quiet_windows import N_REFERENCE, quiet_rows
from monitor.verdicts.references import count
from monitor.verdicts.worlds import IID, draw

FEWER: Final = tuple(setting for setting in SETTINGS if setting.method in ("location", "js", "missing"))
STEPS: Final = ("three methods to all", "the whole alone to ten segments beside it")


def added_round(seed: Sequence[int], n_windows: dict[int, int]) -> dict[tuple[str, int], tuple[int, int]]:
    """By step and rows: windows without a verdict in the smaller family, and those of them with one in the larger."""
    rng = np.random.default_rng(seed)
    built = built_from(draw(IID, rng, N_REFERENCE), [n_rows * IID.step_ms for n_rows in n_windows])
    layout = built.reference.layout
    result = {}
    for n_rows, number in n_windows.items():
        study = built.reference.study(n_rows * IID.step_ms)
        counts = dict.fromkeys(STEPS, (0, 0))
        for windows in quiet_rows(IID, rng, n_rows, number):
            for sketches in count(built, windows):
                families = ((sketches, FEWER), ({WHOLE: sketches[WHOLE]}, SETTINGS), (sketches, SETTINGS))
                few, whole, everything = (
                    bool(
                        ComparedWindow.of(
                            built.reference,
                            stacked(layout, own),
                            settings,
                            min_samples=MIN_SAMPLES,
                            alpha=ALPHA,
                            study=study,
                        ).verdicts.drifted.any()
                    )
                    for own, settings in families
                )
                for step, before in zip(STEPS, (few, whole), strict=True):
                    quiet, turned = counts[step]
                    counts[step] = (quiet + (not before), turned + (everything and not before))
        result.update({(step, n_rows): pair for step, pair in counts.items()})
    return result
