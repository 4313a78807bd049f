"""Some segments' evidence: each setting's scores as matrices, and which of them stand."""

from collections.abc import Sequence
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Bools, Ints
from detectors.baseline import Baseline
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.panes import PaneStudy
from detectors.plan import PlanKey, plan_of
from detectors.reference import WHOLE, Reference
from detectors.registry import Scores, get
from detectors.settings import Setting
from detectors.stack import Stack
from detectors.tables import Table, compare, compare_events, tabulate

MIN_VALUES: Final = 10
"""Valid values on either side, below which a method that looks at values is left out of a column's verdict."""
Calibration = Literal["theory", "panes", "extrapolated"]
CALIBRATIONS: Final[tuple[Calibration, ...]] = ("theory", "panes", "extrapolated")


class Evidence:
    """Of some segments, of one window or of several one below the other.

    `baseline` has the same segments, each once, sorted.

    Attributes
    ----------
    names: (segments,) as the stack's.
    scorable: (segments, n_columns) whether the other side has rows enough; `scored`: and the window has.
    reason: (segments,) int, why not all that is scorable is scored, into `detectors.score.REASONS`.
    blocks: each setting's results, by kind of column.
    """

    def __init__(
        self,
        reference: Reference,
        window: Stack,
        baseline: Baseline,
        settings: Sequence[Setting],
        min_samples: int,
        study: PaneStudy | None,
    ) -> None:
        self.names = window.names
        self._reference, self._study = reference, study
        live = tabulate(reference.layout, window)
        place = {name: position for position, name in enumerate(baseline.names)}
        beside = np.array([place[name] for name in self.names], dtype=np.int64)
        enough = _enough(live, min_samples, study)
        self.scorable = (baseline.table.spoken[beside] >= min_samples) & (window.events[:, :1] > 0)
        self.scored = self.scorable & enough & (live.spoken >= _few(min_samples))
        few = window.events[:, 0] < _few(min_samples)
        self.reason = np.where(~(self.scorable & ~self.scored).any(axis=1), 0, np.where(few | ~enough[:, 0], 1, 2))
        # What is not scored is not compared. The whole is: its shares say what those of segments are expected to be.
        is_whole = np.array([name == WHOLE for name in self.names], dtype=np.bool_)
        self._wholes = np.flatnonzero(is_whole)
        self._places = np.flatnonzero(self.scored.any(axis=1) | is_whole)
        self._live, self._side = live.part(self._places), baseline.part(beside[self._places])
        self._comparisons: dict[PlanKey, Comparison] = {}
        self.blocks = [block for setting in settings for block in self._setting(setting, window, min_samples)]

    def _setting(self, setting: Setting, window: Stack, min_samples: int) -> "list[Block]":
        method = get(setting.method)
        if method.grid == "events":
            return self._events(setting, window, min_samples)
        blocks = []
        for kind in Kind:
            columns = setting.chosen(self._reference.layout, kind)
            if not columns:
                continue
            key = (kind, method.grid, columns, setting.bins if method.grid == "bins" else 0)
            if key not in self._comparisons:
                plan = plan_of(self._reference, key)
                pinned = self._side.pin(key, plan, method.grid)
                few = 1 if method.grid == "rates" else MIN_VALUES
                self._comparisons[key] = compare(pinned, plan, method.grid, self._live, few)
            comparison = self._comparisons[key]
            chosen = np.array(columns, dtype=np.int64)
            stands = self.scored[np.ix_(self._places, chosen)].reshape(-1)
            if method.grid != "rates":
                stands &= (comparison.n_reference >= MIN_VALUES) & (comparison.n_current >= MIN_VALUES)
            design = DesignEffect.none(stands.size)
            if self._study is not None:
                design = self._study.design(setting.method, self._live.names, chosen, comparison.n_current)
            scores = method.score(comparison, design)
            blocks.append(Block(setting, self._places, chosen, comparison, scores, stands, self._study))
        return blocks

    def _events(self, setting: Setting, window: Stack, min_samples: int) -> "list[Block]":
        layout = self._reference.layout
        if not (self._wholes.size and layout.features and layout.prediction):
            return []
        before = self._side.events[np.searchsorted(self._places, self._wholes)]
        comparison = compare_events(before, window.events[self._wholes], min_samples)
        scores = get(setting.method).score(comparison, DesignEffect.none(self._wholes.size))
        column = np.array([len(layout.columns)], dtype=np.int64)
        return [Block(setting, self._wholes, column, comparison, scores, comparison.testable, None)]


class Block:
    """One setting's results on the columns of one kind in some segments, (segments * columns,), and which of them
    stand."""

    def __init__(
        self,
        setting: Setting,
        segments: Ints,
        columns: Ints,
        comparison: Comparison,
        scores: Scores,
        stands: Bools,
        study: PaneStudy | None,
    ) -> None:
        rows = np.flatnonzero(stands & ~scores.silent & np.isfinite(scores.p_value))
        theory, panes = scores.p_value[rows], scores.p_panes[rows]
        by_panes = panes > theory  # NaN compares as False
        code = CALIBRATIONS.index("extrapolated" if study is not None and study.extrapolated else "panes")
        self.setting = setting
        self.arrays: dict[str, NDArray[Any]] = {
            "segment": segments[rows // columns.size],
            "column": columns[rows % columns.size],
            "statistic": scores.statistic[rows],
            "effect": scores.effect[rows],
            "p_value": np.where(by_panes, panes, theory),
            "calibration": np.where(by_panes, code, 0),
            "n_reference": comparison.n_reference[rows],
            "n_current": comparison.n_current[rows],
            "error_bound": scores.error_bound[rows],
        }

    def __len__(self) -> int:
        return len(self.arrays["segment"])


def _enough(live: Table, min_samples: int, study: PaneStudy | None) -> Bools:
    """(segments, 1) whether each segment of a window has rows enough.

    Where the reference's panes tell how many rows such a window of the segment usually has, half of `min_samples` is
    enough for one that usually has that many, and others need twice as many: so a segment near the bound is scored in
    every window or in none.
    """
    events = live.spoken.max(axis=1, initial=0)
    if study is None:
        enough = events >= min_samples
    else:
        usual = study.usual_rows(live.names)
        bound = np.where(np.isnan(usual), min_samples, np.where(usual >= min_samples, min_samples / 2, 2 * min_samples))
        enough = events >= bound
    return np.asarray(enough, dtype=np.bool_)[:, None]


def _few(min_samples: int) -> int:
    """Rows of one column in a segment that has enough, below which the column is not scored."""
    return max(min_samples // 2, 1)
