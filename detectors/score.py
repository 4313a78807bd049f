"""Live sketches against the reference: every method, column and segment of one window.

Pure and deterministic: the same counts give the same scores to the bit, in the same order.
"""

import weakref
from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.errors import LayoutMismatch
from detectors.plan import Plan, plan_bins, plan_cells, plan_rates
from detectors.reference import WHOLE, Reference
from detectors.registry import Scores, get
from detectors.settings import Setting, check_settings
from detectors.significance import benjamini_hochberg
from detectors.sketch import Sketch
from detectors.tables import Grid, Pinned, Stack, Table, compare, compare_events, pin, stacked, tabulate

__all__ = ["MIN_SAMPLES", "ScoreColumns", "Setting", "comparison_of", "score"]

MIN_SAMPLES: Final = 200
EVENTS: Final = "@coverage"
"""The column under which whole events are scored."""
_CELLS_AT_ONCE: Final = 2_000_000  # of a comparison matrix: 16 MB

_PlanKey = tuple[Kind, Grid, tuple[int, ...], int]
_plans: "weakref.WeakKeyDictionary[Reference, dict[_PlanKey, Plan]]" = weakref.WeakKeyDictionary()


class _Halves(msgspec.Struct, kw_only=True):
    """The reference's side of comparisons of these segments."""

    names: tuple[str, ...]
    table: Table
    by_plan: dict[_PlanKey, Pinned] = msgspec.field(default_factory=dict)


_halves: "weakref.WeakKeyDictionary[Reference, _Halves]" = weakref.WeakKeyDictionary()


class ScoreColumns(msgspec.Struct, frozen=True, kw_only=True):
    """The verdicts of one window, a row each method, column and segment, as arrays (rows,).

    Attributes
    ----------
    segments, columns, methods: the names that the next three point into.
    segment, column, method: int32, what was scored.
    statistic: the effect, at least 0; NaN when a side has no value.
    p_value: in [0, 1]; NaN when insufficient.
    q_value: Benjamini-Hochberg over the sufficient columns of this segment and method; NaN when insufficient.
    threshold: the setting's.
    drifted: statistic >= threshold and q_value <= alpha; never when insufficient.
    insufficient: a side has fewer than `min_samples` values (or the reference lacks the segment): no verdict.
    n_reference, n_current: what the two sides' proportions are of.
    error_bound: how far the statistic of the raw values can be from this one; 0 when exact.
    """

    segments: tuple[str, ...]
    columns: tuple[str, ...]
    methods: tuple[str, ...]
    segment: Codes
    column: Codes
    method: Codes
    statistic: Floats
    p_value: Floats
    q_value: Floats
    threshold: Floats
    drifted: Bools
    insufficient: Bools
    n_reference: Ints
    n_current: Ints
    error_bound: Floats

    def __len__(self) -> int:
        return self.segment.size


def score(
    reference: Reference,
    sketches: Mapping[str, Sketch],
    settings: Sequence[Setting],
    min_samples: int = MIN_SAMPLES,
) -> ScoreColumns:
    """Score a window.

    Parameters
    ----------
    reference: with the same segment names; each segment is compared with its own, on the whole's grid.
    sketches: the window's, by segment name; "" is the whole.
    settings: a method that does not apply to a column's kind leaves the column out.
    min_samples: fewer values on either side is no verdict.

    Returns
    -------
    By segment name, then in the order of the settings, then in the order of the columns; then what is told of whole
    events, under the column `EVENTS`.

    Raises
    ------
    LayoutMismatch: a sketch was counted in other cells than the reference's.
    ConfigurationError: see `check_settings`.
    """
    if any(sketch.layout != reference.layout for sketch in sketches.values()):
        raise LayoutMismatch("a live sketch was counted in other cells than the reference's")
    return score_stack(reference, stacked(reference.layout, sketches), settings, min_samples)


def score_stack(
    reference: Reference, window: Stack, settings: Sequence[Setting], min_samples: int = MIN_SAMPLES
) -> ScoreColumns:
    """As `score`, of a window that was added up from its panes as stacks in the reference's cells."""
    layout = reference.layout
    check_settings(layout, settings)
    n, at_once = len(window.names), max(1, _CELLS_AT_ONCE // max(1, layout.n_cells))
    by_column = [setting for setting in settings if get(setting.method).grid != "events"]
    blocks: list[_Block] = []
    for start in range(0, n, at_once):
        blocks += _score_segments(reference, window.part(start, start + at_once), by_column, min_samples)
    scores = _columns(reference, window.names, by_column, blocks)
    if WHOLE in window.names and layout.features and layout.prediction:
        for setting in settings:
            if get(setting.method).grid == "events":
                pinned, live = _stack_of(reference, (WHOLE,)).events[0], window.events[window.names.index(WHOLE)]
                scores = _joined(scores, _score_events(pinned, live, setting, min_samples))
    return scores


def comparison_of(
    reference: Reference, sketches: Mapping[str, Sketch], grid: Grid, *, kind: Kind = Kind.NUMERIC, bins: int = 10
) -> Comparison:
    """What a method is given for all columns of a kind, segments by name: for those who call a method by hand."""
    layout = reference.layout
    names = sorted(sketches)
    columns = layout.numeric if kind is Kind.NUMERIC else layout.categorical
    plan = _plan(reference, (kind, grid, columns, bins))
    pinned = pin(reference, plan, grid, tabulate(layout, _stack_of(reference, names)))
    return compare(pinned, plan, grid, tabulate(layout, stacked(layout, sketches)))


class _Block(msgspec.Struct, kw_only=True):
    """One setting's results: arrays (segments, its columns in layout order)."""

    setting: Setting
    columns: Ints
    statistic: Floats
    p_value: Floats
    q_value: Floats
    error_bound: Floats
    insufficient: Bools
    n_reference: Ints
    n_current: Ints


def _score_segments(
    reference: Reference,
    window: Stack,
    settings: Sequence[Setting],
    min_samples: int,
) -> list[_Block]:
    layout = reference.layout
    live, pinned = tabulate(layout, window), _halves_of(reference, window.names)
    comparisons: dict[_PlanKey, Comparison] = {}
    blocks = [_block(reference, setting, pinned, live, min_samples, comparisons) for setting in settings]
    for method in {setting.method for setting in settings}:  # one family a method, however many settings name it
        family = [block for block in blocks if block.setting.method == method]
        q_values = benjamini_hochberg(np.concatenate([block.p_value for block in family], axis=1))
        ends = np.cumsum([block.columns.size for block in family])[:-1]
        for block, q_value in zip(family, np.split(q_values, ends, axis=1), strict=True):
            block.q_value = q_value
    return blocks


def _stack_of(reference: Reference, names: Sequence[str]) -> Stack:
    """The reference's own segments of these names; empty where it has none."""
    empty = Sketch.empty(reference.layout)
    return stacked(reference.layout, {name: reference.sketches.get(name, empty) for name in names})


def _halves_of(reference: Reference, names: tuple[str, ...]) -> _Halves:
    """Kept for the next window, which mostly has the same segments."""
    kept = _halves.get(reference)
    if kept is None or kept.names != names:
        table = tabulate(reference.layout, _stack_of(reference, names))
        kept = _halves[reference] = _Halves(names=names, table=table)
    return kept


def _block(
    reference: Reference,
    setting: Setting,
    pinned: _Halves,
    live: Table,
    min_samples: int,
    comparisons: dict[_PlanKey, Comparison],
) -> _Block:
    method = get(setting.method)
    segments = live.counts.shape[0]
    parts: list[tuple[Ints, Comparison, Scores, Bools]] = []
    for kind in Kind:
        columns = setting.chosen(reference.layout, kind)
        if not columns:
            continue
        key = (kind, method.grid, columns, setting.bins if method.grid == "bins" else 0)
        if key not in comparisons:
            plan = _plan(reference, key)
            if key not in pinned.by_plan:
                pinned.by_plan[key] = pin(reference, plan, method.grid, pinned.table)
            comparisons[key] = compare(pinned.by_plan[key], plan, method.grid, live, min_samples)
        comparison = comparisons[key]
        parts.append((np.array(columns), comparison, method.score(comparison), ~comparison.testable))
    columns_of_parts = np.concatenate([np.empty(0, dtype=np.int64), *(part[0] for part in parts)])
    order = np.argsort(columns_of_parts, kind="stable")

    def joined(arrays: Sequence[Floats | Ints | Bools]) -> Floats:
        if not arrays:
            return np.empty((segments, 0))
        return np.concatenate([array.reshape(segments, -1) for array in arrays], axis=1)[:, order]

    insufficient = joined([part[3] for part in parts]).astype(np.bool_)
    return _Block(
        setting=setting,
        columns=columns_of_parts[order],
        statistic=joined([part[2].statistic for part in parts]),
        p_value=np.where(insufficient, np.nan, joined([part[2].p_value for part in parts])),
        q_value=np.empty(0),
        error_bound=joined([part[2].error_bound for part in parts]),
        insufficient=insufficient,
        n_reference=joined([part[1].n_reference for part in parts]).astype(np.int64),
        n_current=joined([part[1].n_current for part in parts]).astype(np.int64),
    )


def _score_events(reference: Ints, live: Ints, setting: Setting, min_samples: int) -> ScoreColumns:
    """The one row of a method on "events"."""
    comparison = compare_events(reference, live, min_samples)
    scores, few = get(setting.method).score(comparison), ~comparison.testable
    p_value = np.where(few, np.nan, scores.p_value)
    zero = np.zeros(1, dtype=np.int32)
    return ScoreColumns(
        segments=(WHOLE,),
        columns=(EVENTS,),
        methods=(setting.method,),
        segment=zero,
        column=zero,
        method=zero,
        statistic=scores.statistic,
        p_value=p_value,
        q_value=p_value,
        threshold=np.full(1, setting.threshold),
        drifted=(scores.statistic >= setting.threshold) & (p_value <= setting.alpha),
        insufficient=few,
        n_reference=comparison.n_reference,
        n_current=comparison.n_current,
        error_bound=scores.error_bound,
    )


def _joined(first: ScoreColumns, second: ScoreColumns) -> ScoreColumns:
    """The rows of both, in this order."""
    joined: dict[str, Any] = {}
    for name, names in (("segment", "segments"), ("column", "columns"), ("method", "methods")):
        own, others = getattr(first, names), getattr(second, names)
        joined[names] = (*own, *others)
        joined[name] = np.concatenate([getattr(first, name), getattr(second, name) + np.int32(len(own))])
    for field in ScoreColumns.__struct_fields__:
        if field not in joined:
            joined[field] = np.concatenate([getattr(first, field), getattr(second, field)])
    return ScoreColumns(**joined)


def _plan(reference: Reference, key: _PlanKey) -> Plan:
    plans = _plans.setdefault(reference, {})
    if key not in plans:
        kind, grid, columns, bins = key
        chosen = np.array(columns, dtype=np.int64)
        if grid == "bins":
            plans[key] = plan_bins(reference, kind, chosen, bins)
        elif grid == "cells":
            plans[key] = plan_cells(reference, chosen)
        else:
            plans[key] = plan_rates(reference.layout, kind, chosen)
    return plans[key]


def _columns(
    reference: Reference, names: Sequence[str], settings: Sequence[Setting], blocks: Sequence[_Block]
) -> ScoreColumns:
    """The blocks, one a setting for each part of the segments, side by side: by segment, then setting, then column."""
    n_settings = len(settings)
    widths = [block.columns.size for block in blocks[:n_settings]] or [0] * n_settings
    n = sum(widths)

    def joined(name: str, kind: type) -> NDArray[Any]:
        parts = [
            np.concatenate([getattr(block, name) for block in blocks[start : start + n_settings]], axis=1)
            for start in range(0, len(blocks), max(n_settings, 1))
        ]
        return np.concatenate([np.empty((0, n)), *parts]).reshape(-1).astype(kind, copy=False)

    def across(values: Sequence[float]) -> NDArray[Any]:
        """One value a setting, for each of its columns, in every segment."""
        return np.tile(np.repeat(values, np.array(widths, dtype=np.int64)), len(names))

    methods = tuple(dict.fromkeys(setting.method for setting in settings))
    statistic, q_value = joined("statistic", np.float64), joined("q_value", np.float64)
    threshold = across([setting.threshold for setting in settings]).astype(np.float64)
    columns = np.concatenate([np.empty(0), *(block.columns for block in blocks[:n_settings])])
    return ScoreColumns(
        segments=tuple(names),
        columns=tuple(column.name for column in reference.layout.columns),
        methods=methods,
        segment=np.repeat(np.arange(len(names), dtype=np.int32), n),
        column=np.tile(columns, len(names)).astype(np.int32),
        method=across([methods.index(setting.method) for setting in settings]).astype(np.int32),
        statistic=statistic,
        p_value=joined("p_value", np.float64),
        q_value=q_value,
        threshold=threshold,
        # NaN compares as False.
        drifted=(statistic >= threshold) & (q_value <= across([setting.alpha for setting in settings])),
        insufficient=joined("insufficient", np.bool_),
        n_reference=joined("n_reference", np.int64),
        n_current=joined("n_current", np.int64),
        error_bound=joined("error_bound", np.float64),
    )
