"""What Driftline says of windows, by its own path and with its defaults."""

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np

from detectors.baseline import Counts
from detectors.settings import Setting
from detectors.stack import stacked
from monitor.config.methods import DEFAULT_METHODS, default_threshold
from monitor.config.schema import CompareSettings
from monitor.evaluation.baselines import study_of
from monitor.evaluation.compare import Compare
from monitor.evaluation.compared import ComparedWindow
from monitor.evaluation.pane_cache import SumCache
from monitor.evaluation.same_seasons import same_seasons
from monitor.eventtime.seasons import Season
from monitor.eventtime.windows import Window
from monitor.verdicts.awake import Cell, Power, at_once, column_of, power, reference_rows
from monitor.verdicts.changes import KINDS, Kind
from monitor.verdicts.references import Built, build, count
from monitor.verdicts.worlds import STEP_MS, Rows

SETTINGS: Final = tuple(Setting(method=name, threshold=default_threshold(name)) for name in DEFAULT_METHODS)
MIN_SAMPLES: Final = 50
ALPHA: Final = 0.05


def built_from(rows: Rows, lengths_ms: Sequence[int], season: Season | None = None) -> Built:
    """The reference that these rows make; with its seasons of a kind where windows are to be compared with them."""
    compare = () if season is None else (CompareSettings(season=season),)
    return build(rows, lengths_ms, DEFAULT_METHODS, **({"compare": compare} if compare else {}))


def compared(
    built: Built,
    windows: Sequence[Rows],
    length_ms: int,
    settings: Sequence[Setting] = SETTINGS,
    season: Season | None = None,
    pane_ms: int | None = None,
) -> Iterator[ComparedWindow]:
    """Each window's scores and verdicts, beside the reference or its same seasons (UTC).

    `pane_ms` are those of the panes that the windows are added up from; None: as long as the windows.
    """
    reference, sums = built.reference, SumCache()
    study = study_of(Compare(season=season), reference, length_ms)
    for part in at_once(windows):
        for rows, sketches in zip(part, count(built, part), strict=True):
            start_ms = int(rows.times_ms[0])
            window = Window(start_ms=start_ms, end_ms=start_ms + length_ms)
            yield ComparedWindow.of(
                reference,
                stacked(reference.layout, sketches),
                settings,
                min_samples=MIN_SAMPLES,
                alpha=ALPHA,
                study=study,
                baseline=None
                if season is None
                else its_seasons(built, season, rows, window, pane_ms or length_ms, sums),
            )


def its_seasons(built: Built, season: Season, rows: Rows, window: Window, pane_ms: int, sums: SumCache) -> Counts:
    """The reference's rows of the window's seasons, as `evaluate` mixes them."""
    panes, n = np.unique((rows.times_ms - window.start_ms) // pane_ms, return_counts=True)
    starts_ms = window.start_ms + panes * pane_ms  # a window begins where a pane does
    its_panes = [
        (Window(start_ms=start_ms, end_ms=start_ms + pane_ms), int(number))
        for start_ms, number in zip(starts_ms.tolist(), n, strict=True)
    ]
    side = same_seasons(Compare(season=season), built.reference, its_panes, sums)
    assert side is not None
    return side


def awake_round(seed: Sequence[int], n_windows: dict[int, int], kinds: Sequence[Kind] = KINDS) -> dict[Cell, Power]:
    """What is found of changes in windows against one reference."""
    built = built_from(reference_rows(seed), [n_rows * STEP_MS for n_rows in n_windows])

    def judge(windows: Sequence[Rows], kind: Kind) -> list[bool]:
        name = column_of(kind)
        found = [own.verdicts for own in compared(built, windows, windows[0].n * STEP_MS)]
        return [bool(np.any(own.drifted & (own.column == own.columns.index(name)))) for own in found]

    return power(judge, seed, n_windows, kinds)
