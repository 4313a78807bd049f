"""Makes a `PaneStudy`: each pane of the reference compared with the rest of it. What it means: `detectors.panes`."""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.baseline import Baseline
from detectors.columns import Kind
from detectors.dependence import DesignEffect
from detectors.layout import Layout
from detectors.panes import PaneStudy
from detectors.plan import plan_of
from detectors.reference import WHOLE, Reference
from detectors.registry import get
from detectors.stack import Stack
from detectors.tables import compare

_LEAST_ROWS: Final = 10  # of a pane's segment, or of the rest, for its statistics to be looked at
_NEVER: Final = 1 << 62
_ERRORS: Final = 2.0  # standard errors by which a design effect exceeds 1 to count
# How steady a method's dispersion is over independent panes: its variance is 2 over this. 1 is a squared normal
# variable.
_STEADINESS: Final = {"ks": 2.5, "bins": 4.0, "rates": 2.0}
_LEAST_COLUMNS: Final = 3  # of one kind, to say what they have in common
_NO_SCATTER: Final = 1e9  # degrees of freedom
_DIGITS: Final = 6  # means are sums of floats: what is kept must not depend on the order of the rows


def study(
    reference: Reference,
    panes: Sequence[Stack],
    methods: Sequence[str],
    *,
    length_ms: int,
    pane_ms: int,
    season: str = "",
    rests: Sequence[Stack] | None = None,
    new_rows: Sequence[Mapping[str, Ints]] = (),
    growth: float = 1.0,
) -> PaneStudy:
    """The design effects of windows of one length.

    Parameters
    ----------
    reference: that the panes are part of.
    panes: the reference's rows pane by pane; at least two.
    methods: names of registered methods; "events" are left out.
    length_ms, pane_ms: of the windows, and of the panes, in milliseconds.
    season, rests: the kind of season, and for each pane what to compare it with; None: all that is not in the pane.
    new_rows: for each pane by segment, (n_columns,) its rows whose category no other pane has; empty: not known.
    growth: factor on the excess of the design effects over 1, of windows longer than the panes.
    """
    layout = reference.layout
    names = tuple(sorted(reference.sketches))
    shape = (len(panes), len(names), len(layout.columns))
    rows = np.zeros(shape)
    dispersion = {name: np.full(shape, np.nan) for name in methods if get(name).grid != "events"}
    freedom = {name: np.full(shape, np.nan) for name in dispersion}
    whole = Baseline.pinned(reference, names)

    for number, pane in enumerate(panes):
        live = Baseline.of(reference, pane, names).table
        if new_rows:
            live.unseen[:] = np.stack([new_rows[number].get(name, np.zeros(shape[2], np.int64)) for name in names])
        rest = Baseline.of(reference, _rest(layout, reference, pane) if rests is None else rests[number], names)
        rest.rare = whole.rare
        usable = (live.spoken >= _LEAST_ROWS) & (rest.table.spoken >= _LEAST_ROWS)
        rows[number] = live.spoken
        for name, found in dispersion.items():
            method = get(name)
            for kind in sorted(method.kinds):
                columns = layout.numeric_indices if kind is Kind.NUMERIC else layout.categorical_indices
                if not columns.size:
                    continue
                key = (kind, method.grid, tuple(columns.tolist()), 10)
                plan = plan_of(reference, key)
                # Not testable: nobody reads the p-values, and methods may spare themselves the work.
                comparison = compare(rest.pin(key, plan, method.grid), plan, method.grid, live, _NEVER)
                scores = method.score(comparison, DesignEffect.none(comparison.n_reference.size))
                for kept, values in ((found, scores.dispersion), (freedom[name], scores.freedom)):
                    own = values.reshape(len(names), columns.size)
                    # Infinite, of what the rest lacks altogether or of squares that overflow, it tells nothing.
                    kept[number][:, columns] = np.where(usable[:, columns] & np.isfinite(own), own, np.nan)
    usual = np.nanmean(rows.max(axis=2, initial=0.0), axis=0) * (length_ms / pane_ms)
    whole_at = names.index(WHOLE)
    return PaneStudy(
        length_ms=length_ms,
        pane_ms=pane_ms,
        n_panes=len(panes),
        season=season,
        segments=names,
        rows=tuple(np.round(usual, 3).tolist()),
        effects={
            name: _rows_of(_effects(values, rows, whole_at, _steadiness(name), growth))
            for name, values in dispersion.items()
        },
        nus={
            name: _rows_of(_nus(values, freedom[name], whole_at, layout))
            for name, values in dispersion.items()
            if np.isfinite(freedom[name]).any()
        },
    )


def mean_excess(made: PaneStudy) -> float:
    """How far the design effects of the whole exceed 1, over all methods and columns."""
    whole = made.segments.index(WHOLE)
    excess = [float(np.mean(effects[whole])) - 1.0 for effects in made.effects.values()]
    return sum(excess) / max(len(excess), 1)


def _steadiness(method: str) -> float:
    return _STEADINESS.get(method, _STEADINESS.get(get(method).grid, 1.0))


def _effects(dispersion: Floats, rows: Floats, whole: int, steadiness: float, growth: float) -> Floats:
    """(segments, columns) from the dispersions and rows of (panes, segments, columns)."""
    n_panes, n_segments, n_columns = dispersion.shape
    there = ~np.isnan(dispersion)
    effects = np.ones((n_segments, n_columns))
    sigma = np.sqrt(2.0 / (steadiness * max(n_panes - 1, 1)))
    own = _means(dispersion[:, whole], there[:, whole])
    effects[whole] = _gated(own, sigma)
    others = np.arange(n_segments) != whole
    if others.any():
        known, seen = dispersion[:, others], there[:, others]
        n_rows = rows[:, others]
        excess = np.sum(np.where(seen, known - 1.0, 0.0), axis=(0, 1))
        weight = np.sum(np.where(seen, n_rows, 0.0), axis=(0, 1))
        per_row = np.divide(excess, weight, out=np.zeros(n_columns), where=weight > 0.0)
        n_seen = np.sum(np.any(seen, axis=0), axis=0)
        shared = _gated(
            1.0 + np.divide(excess, np.sum(seen, axis=(0, 1)), out=np.zeros(n_columns), where=n_seen > 0),
            sigma / np.sqrt(np.maximum(n_seen, 1)),
        )
        # A segment whose panes never had the statistic (no value in the outermost cells) depends as the others do.
        usual = _means(n_rows, np.where(seen.any(axis=0), seen, n_rows >= _LEAST_ROWS))
        effects[others] = np.where(shared > 1.0, np.maximum(1.0 + per_row * np.nan_to_num(usual), 1.0), 1.0)
    return np.round(1.0 + (effects - 1.0) * growth, _DIGITS)


def _nus(dispersion: Floats, freedom: Floats, whole: int, layout: Layout) -> Floats:
    """(segments, columns) degrees of freedom, from how the dispersions of (panes, segments, columns) scatter.

    `freedom` are those under independence, of the same shape. Segments share what they scatter. The whole has its own
    panes alone, too few for a variance: what columns of one kind show in common counts as much as it is steadier.
    """
    there = ~np.isnan(dispersion)
    n, mean, theory = there.sum(axis=0), _means(dispersion, there), _means(freedom, there)
    # Of what is 1 on average: squares of a dispersion in huge units overflow.
    relative = np.divide(dispersion, mean, out=np.ones(dispersion.shape), where=there & (mean > 0.0))
    scatter = np.sum((relative - 1.0) ** 2, axis=0) / np.maximum(n - 1, 1)
    known = (n >= _LEAST_ROWS) & (scatter > 0.0)
    scatter = np.where(known, scatter, 0.0)
    others = np.arange(scatter.shape[0]) != whole
    scatter[others] = scatter[others].sum(axis=0) / np.maximum(known[others].sum(axis=0), 1)
    for columns in (layout.numeric_indices, layout.categorical_indices):
        own = columns[known[whole, columns] & (theory[whole, columns] > 0.0)]
        if own.size >= _LEAST_COLUMNS:
            scatter[whole, own] = _shrunk(scatter[whole, own], theory[whole, own], n[whole, own])
    nus: Floats = np.divide(2.0, scatter, out=np.full(scatter.shape, _NO_SCATTER), where=scatter > 0.0)
    return nus.round(_DIGITS)


def _shrunk(scatter: Floats, theory: Floats, n: Ints) -> Floats:
    """(columns,) squared coefficients of variation, their ratio to theory's drawn to its mean over the columns.

    By so much as it differs by chance: the logarithm of a gamma variable's variance, of n panes, has the variance
    (2 + 12 / nu) / n.
    """
    ratio = np.log(scatter * theory / 2.0)
    noise = (2.0 + 12.0 / np.maximum(2.0 / scatter, 1.0)) / n
    between = max(float(np.var(ratio, ddof=1) - np.mean(noise)), 0.0)
    center = np.mean(ratio)
    shrunk: Floats = np.exp(center + between / (between + noise) * (ratio - center)) * 2.0 / theory
    return shrunk


def _gated(effect: Floats, sigma: Floats | float) -> Floats:
    """(columns,) the design effects that are more than noise, 1 elsewhere."""
    effect = np.nan_to_num(effect, nan=1.0)
    all_columns = np.mean(effect) > 1.0 + _ERRORS * np.mean(sigma) / np.sqrt(effect.size)
    return np.maximum(np.where((effect > 1.0 + _ERRORS * sigma) | all_columns, effect, 1.0), 1.0)


def _means(values: Floats, there: Floats) -> Floats:
    """Over the first axis, of what is there; NaN of nothing."""
    n = np.sum(there, axis=0)
    sums = np.sum(np.where(there, values, 0.0), axis=0)
    means: Floats = np.divide(sums, n, out=np.full(n.shape, np.nan), where=n > 0)
    return means


def _rows_of(values: Floats) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(row) for row in values.tolist())


def _rest(layout: Layout, reference: Reference, pane: Stack) -> Stack:
    """The reference without a pane. Its extremes stay: what they are without the pane is not known."""
    from detectors.sketch import Sketch
    from detectors.stack import stacked

    names = pane.names
    empty = Sketch.empty(layout)
    total = stacked(layout, {name: reference.sketches.get(name, empty) for name in names})
    return total.without(layout, pane)
