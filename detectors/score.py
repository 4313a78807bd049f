"""Live sketches against a baseline: every method, column and segment of one window.

Pure and deterministic: the same counts give the same scores to the bit, in the same order.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.baseline import Baseline, Counts
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.errors import LayoutMismatch
from detectors.panes import PaneStudy
from detectors.plan import Grid, PlanKey, plan_of
from detectors.reference import WHOLE, Reference
from detectors.registry import Scores, get
from detectors.settings import Setting, check_settings
from detectors.sketch import Sketch
from detectors.stack import Stack, stacked
from detectors.tables import Table, compare, compare_events, tabulate

__all__ = ["CALIBRATIONS", "MIN_SAMPLES", "ScoreColumns", "Setting", "comparison_of", "score", "score_stack"]

MIN_SAMPLES: Final = 50
MIN_VALUES: Final = 10
"""Valid values on either side, below which a method that looks at values is left out of a column's verdict."""
EVENTS: Final = "@coverage"
"""The column under which whole events are scored."""
Calibration = Literal["theory", "panes", "extrapolated"]
CALIBRATIONS: Final[tuple[Calibration, ...]] = ("theory", "panes", "extrapolated")
Reason = Literal["", "few events", "absent", "nothing to compare with"]
REASONS: Final[tuple[Reason, ...]] = ("", "few events", "absent", "nothing to compare with")
"""Why columns of a segment were not scored: the segment has too few events, they do not speak of the columns, or the
side to compare with is not there."""
_CELLS_AT_ONCE: Final = 2_000_000  # of a comparison matrix: 16 MB


class ScoreColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The evidence of one window, a row each method, column and segment, as arrays (rows,).

    Attributes
    ----------
    segments, columns, methods: the names that the next three point into.
    segment, column, method: int32, what was scored.
    statistic: the method's; signed where the method is.
    effect: its debiased size, at least 0.
    p_value: in [0, 1]: the larger of theory's and of the reference's panes'.
    calibration: int32 into `CALIBRATIONS`, which of the two it was.
    threshold: the setting's.
    in_verdict: False of a setting that is evidence alone.
    n_reference, n_current: what the two sides' proportions are of.
    error_bound: how far the statistic of the raw values can be from this one; 0 when exact.
    scored, not_scored: (segments,) columns that a verdict can be given on, and the others.
    reason: (segments,) int32 into `REASONS`, why there are others.
    """

    segments: tuple[str, ...]
    columns: tuple[str, ...]
    methods: tuple[str, ...]
    segment: Codes
    column: Codes
    method: Codes
    statistic: Floats
    effect: Floats
    p_value: Floats
    calibration: Codes
    threshold: Floats
    in_verdict: Bools
    n_reference: Ints
    n_current: Ints
    error_bound: Floats
    scored: Ints
    not_scored: Ints
    reason: Codes

    def __len__(self) -> int:
        return self.segment.size


def score(
    reference: Reference,
    sketches: Mapping[str, Sketch],
    settings: Sequence[Setting],
    min_samples: int = MIN_SAMPLES,
    *,
    length_ms: int | None = None,
) -> ScoreColumns:
    """Score a window.

    Parameters
    ----------
    reference: with the same segment names; each segment is compared with its own, on the whole's grid.
    sketches: the window's, by segment name; "" is the whole.
    settings: a method that does not apply to a column's kind leaves the column out.
    min_samples: fewer rows of a segment's or a column's reference can never be scored; of the window see `_enough`.
    length_ms: the window's, in milliseconds, for the reference's panes; None: rows are taken as independent.

    Returns
    -------
    By segment name, then in the order of the settings, then in the order of the columns; then what is told of whole
    events, under the column `EVENTS`. Nothing where neither side holds anything of what a method counts.

    Raises
    ------
    LayoutMismatch: a sketch was counted in other cells than the reference's.
    ConfigurationError: see `check_settings`.
    """
    if any(sketch.layout != reference.layout for sketch in sketches.values()):
        raise LayoutMismatch("a live sketch was counted in other cells than the reference's")
    return score_stack(
        reference, stacked(reference.layout, sketches), settings, min_samples, study=reference.study(length_ms)
    )


def score_stack(
    reference: Reference,
    window: Stack,
    settings: Sequence[Setting],
    min_samples: int = MIN_SAMPLES,
    *,
    study: PaneStudy | None = None,
    baseline: Counts | None = None,
) -> ScoreColumns:
    """As `score`, of a window that was added up from its panes as stacks in the reference's cells.

    Parameters
    ----------
    study: what panes of the window's length show of dependence; None: rows are taken as independent.
    baseline: what to compare with in the reference's place.
    """
    layout = reference.layout
    check_settings(layout, settings)
    n, at_once = len(window.names), max(1, _CELLS_AT_ONCE // max(1, layout.n_cells))
    parts = []
    for start in range(0, max(n, 1), at_once):
        part = window.part(start, start + at_once)
        side = Baseline.matching(reference, baseline, part.names)
        parts.append(_Part(reference, part, side, settings, min_samples, study))
    return _joined(reference, settings, window.names, parts)


def comparison_of(
    reference: Reference, sketches: Mapping[str, Sketch], grid: Grid, *, kind: Kind = Kind.NUMERIC, bins: int = 10
) -> Comparison:
    """What a method is given for all columns of a kind, segments by name: for those who call a method by hand."""
    layout = reference.layout
    columns = layout.numeric if kind is Kind.NUMERIC else layout.categorical
    key = (kind, grid, columns, bins)
    plan = plan_of(reference, key)
    side = Baseline.pinned(reference, sorted(sketches))
    return compare(side.pin(key, plan, grid), plan, grid, tabulate(layout, stacked(layout, sketches)))


class _Part:
    """Some segments' scores, a matrix each setting, and which rows of it stand."""

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
        self._reference, self._baseline, self._study = reference, baseline, study
        self._live = tabulate(reference.layout, window)
        enough = _enough(self._live, min_samples, study)
        self.scorable = (baseline.table.spoken >= min_samples) & (window.events[:, :1] > 0)
        self.scored = self.scorable & enough & (self._live.spoken >= _few(min_samples))
        few = window.events[:, 0] < _few(min_samples)
        self.reason = np.where(~(self.scorable & ~self.scored).any(axis=1), 0, np.where(few | ~enough[:, 0], 1, 2))
        self._comparisons: dict[PlanKey, Comparison] = {}
        self.blocks = [block for setting in settings for block in self._setting(setting, window, min_samples)]

    def _setting(self, setting: Setting, window: Stack, min_samples: int) -> "list[_Block]":
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
                pinned = self._baseline.pin(key, plan, method.grid)
                self._comparisons[key] = compare(pinned, plan, method.grid, self._live)
            comparison = self._comparisons[key]
            chosen = np.array(columns, dtype=np.int64)
            stands = self.scored[:, chosen].reshape(-1)
            if method.grid != "rates":
                stands &= (comparison.n_reference >= MIN_VALUES) & (comparison.n_current >= MIN_VALUES)
            design = DesignEffect.none(stands.size)
            if self._study is not None:
                design = self._study.design(setting.method, self.names, chosen, comparison.n_current)
            blocks.append(_Block(setting, chosen, comparison, method.score(comparison, design), stands, self._study))
        return blocks

    def _events(self, setting: Setting, window: Stack, min_samples: int) -> "list[_Block]":
        layout = self._reference.layout
        if WHOLE not in self.names or not (layout.features and layout.prediction):
            return []
        whole = self.names.index(WHOLE)
        comparison = compare_events(self._baseline.events[whole], window.events[whole], min_samples)
        scores = get(setting.method).score(comparison, DesignEffect.none(1))
        column = np.array([len(layout.columns)], dtype=np.int64)
        return [_Block(setting, column, comparison, scores, comparison.testable, None, segment=whole)]


class _Block:
    """One setting's results on the columns of one kind, (segments * columns,), and which of them stand."""

    def __init__(
        self,
        setting: Setting,
        columns: Ints,
        comparison: Comparison,
        scores: Scores,
        stands: Bools,
        study: PaneStudy | None,
        *,
        segment: int | None = None,
    ) -> None:
        rows = np.flatnonzero(stands & ~scores.silent & np.isfinite(scores.p_value))
        segments = rows // columns.size if segment is None else np.full(rows.size, segment)
        theory, panes = scores.p_value[rows], scores.p_panes[rows]
        by_panes = panes > theory  # NaN compares as False
        code = CALIBRATIONS.index("extrapolated" if study is not None and study.extrapolated else "panes")
        self.setting = setting
        self.arrays: dict[str, NDArray[Any]] = {
            "segment": segments,
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


def _joined(
    reference: Reference, settings: Sequence[Setting], names: tuple[str, ...], parts: Sequence[_Part]
) -> ScoreColumns:
    """All rows by segment, then setting, then column."""
    methods = tuple(dict.fromkeys(setting.method for setting in settings))
    orders = {id(setting): position for position, setting in enumerate(settings)}
    starts = np.cumsum([0, *(len(part.names) for part in parts)])
    blocks = [(start, block) for start, part in zip(starts, parts, strict=False) for block in part.blocks]
    sizes = np.array([len(block) for _, block in blocks], dtype=np.int64)

    def joined(name: str, kind: type) -> NDArray[Any]:
        return np.concatenate([np.empty(0), *(block.arrays[name] for _, block in blocks)]).astype(kind, copy=False)

    def repeated(values: Sequence[Any], kind: type) -> NDArray[Any]:
        return np.repeat(np.array(values, dtype=kind), sizes)

    segment = joined("segment", np.int64) + repeated([start for start, _ in blocks], np.int64)
    setting = repeated([orders[id(block.setting)] for _, block in blocks], np.int64)
    column = joined("column", np.int32)
    order = np.lexsort((column, setting, segment))
    floats = {name: joined(name, np.float64)[order] for name in ("statistic", "effect", "p_value", "error_bound")}
    none = np.zeros((0, len(reference.layout.columns)), dtype=np.bool_)
    scorable = np.concatenate([none, *(part.scorable for part in parts)])
    scored = np.concatenate([none, *(part.scored for part in parts)])
    return ScoreColumns(
        segments=names,
        columns=(*(one.name for one in reference.layout.columns), EVENTS),
        methods=methods,
        segment=segment[order].astype(np.int32),
        column=column[order],
        method=repeated([methods.index(block.setting.method) for _, block in blocks], np.int32)[order],
        calibration=joined("calibration", np.int32)[order],
        threshold=repeated([block.setting.threshold for _, block in blocks], np.float64)[order],
        in_verdict=repeated([block.setting.verdict for _, block in blocks], np.bool_)[order],
        n_reference=joined("n_reference", np.int64)[order],
        n_current=joined("n_current", np.int64)[order],
        scored=scored.sum(axis=1).astype(np.int64),
        not_scored=(scorable & ~scored).sum(axis=1).astype(np.int64),
        reason=np.concatenate([np.empty(0), *(part.reason for part in parts)]).astype(np.int32),
        **floats,
    )
