"""Live sketches against a baseline: every method, column and segment of one window.

Pure and deterministic: the same counts give the same scores to the bit, in the same order.
"""

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any, Final, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.baseline import Baseline, Counts
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.errors import LayoutMismatch
from detectors.evidence import CALIBRATIONS, Evidence
from detectors.panes import PaneStudy
from detectors.plan import Grid, plan_of
from detectors.reference import Reference
from detectors.settings import Setting, check_settings
from detectors.sketch import Sketch
from detectors.stack import Stack, below, stacked
from detectors.tables import compare, tabulate

__all__ = [
    "CALIBRATIONS",
    "MIN_SAMPLES",
    "ScoreColumns",
    "Setting",
    "comparison_of",
    "score",
    "score_stack",
    "score_stacks",
]

MIN_SAMPLES: Final = 50
EVENTS: Final = "@coverage"
"""The column under which whole events are scored."""
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
    return score_stacks(reference, [window], settings, min_samples, study=study, baseline=baseline)[0]


def score_stacks(
    reference: Reference,
    windows: Sequence[Stack],
    settings: Sequence[Setting],
    min_samples: int = MIN_SAMPLES,
    *,
    study: PaneStudy | None = None,
    baseline: Counts | None = None,
) -> list[ScoreColumns]:
    """`score_stack` of each of the windows, beside the same baseline: a few are scored in little more time than one, as
    long as what is compared at once fits into a processor's cache."""
    layout = reference.layout
    check_settings(layout, settings)
    everything = below(windows)
    n, at_once = len(everything.names), max(1, _CELLS_AT_ONCE // max(1, layout.n_cells))
    parts = []
    for start in range(0, max(n, 1), at_once):
        part = everything.part(start, start + at_once)
        side = Baseline.matching(reference, baseline, tuple(sorted(set(part.names))))
        parts.append(Evidence(reference, part, side, settings, min_samples, study))
    return _joined(reference, settings, [window.names for window in windows], parts)


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


def _joined(
    reference: Reference, settings: Sequence[Setting], names: Sequence[tuple[str, ...]], parts: Sequence[Evidence]
) -> list[ScoreColumns]:
    """All rows of each window, whose segments `names` has, by segment, then setting, then column."""
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
    none = np.zeros((0, len(reference.layout.columns)), dtype=np.bool_)
    scorable = np.concatenate([none, *(part.scorable for part in parts)])
    scored = np.concatenate([none, *(part.scored for part in parts)])
    segment = segment[order].astype(np.int32)
    rows = {
        "column": column[order],
        "method": repeated([methods.index(block.setting.method) for _, block in blocks], np.int32)[order],
        "calibration": joined("calibration", np.int32)[order],
        "threshold": repeated([block.setting.threshold for _, block in blocks], np.float64)[order],
        "in_verdict": repeated([block.setting.verdict for _, block in blocks], np.bool_)[order],
        "n_reference": joined("n_reference", np.int64)[order],
        "n_current": joined("n_current", np.int64)[order],
        **{name: joined(name, np.float64)[order] for name in ("statistic", "effect", "p_value", "error_bound")},
    }
    segments = {
        "scored": scored.sum(axis=1).astype(np.int64),
        "not_scored": (scorable & ~scored).sum(axis=1).astype(np.int64),
        "reason": np.concatenate([np.empty(0), *(part.reason for part in parts)]).astype(np.int32),
    }
    ends = np.cumsum([0, *(len(own) for own in names)])
    row_ends = np.searchsorted(segment, ends)
    return [
        ScoreColumns(
            segments=own,
            columns=(*(one.name for one in reference.layout.columns), EVENTS),
            methods=methods,
            segment=segment[first_row:row_end] - np.int32(first),
            **{name: array[first_row:row_end] for name, array in rows.items()},
            **{name: array[first:end] for name, array in segments.items()},
        )
        for own, (first, end), (first_row, row_end) in zip(
            names, pairwise(ends.tolist()), pairwise(row_ends.tolist()), strict=True
        )
    ]
