"""Pearson's chi-square test of homogeneity."""

from typing import Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.cells_null import NullMoments, null_moments
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.registry import Scores, debiased, register
from detectors.selection import selection_noise

MINIMUM_EXPECTED: Final = 5.0
_FEW: Final = 30.0  # expected in every cell, from which the statistic is as good as a chi-square


@register
class ChiSquare:
    """Pearson's chi-square of the 2 x B table of reference and live counts.

    The textbook test. Its statistic grows with the number of rows, so it is no effect size: prefer `js` or `psi` with a
    threshold, and use this where only significance is wanted.

    Parameters: `bins` (10). `default_threshold` 0: significance alone decides.

    Statistic: at least 0, unbounded; sum of (observed - expected)^2 / expected over both sides, expected from the
    pooled proportions. Cells whose smaller expected count is below 5 are merged into one; if that is still below 5 it
    joins the cell with the smallest expected count among the others (the first of equals). The tail of a categorical
    column, with what the reference never held, is not merged: new categories must show, however few. The rule looks at
    pooled counts only, never at the difference. Then it equals `scipy.stats.chi2_contingency(correction=False)` of the
    merged table.

    Effect: sqrt((statistic - df) / (n m / (n + m))), at least 0: the root of the squared differences of proportions,
    each over its pooled proportion, less what unchanged data make of it. Of a two-cell table whose rates p and p + d
    differ, it is some d / sqrt(p (1 - p)).

    p-value: chi-square with (merged cells - 1) degrees of freedom; where the tail expects fewer than 5, the three
    moments of the cells themselves (`detectors.cells_null`). Assumes independent rows. Dependent ones: an F
    distribution with the panes' design effect (`detectors.dependence`).

    Edge cases: one cell left gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("chi2", rng.normal(size=20_000), rng.normal(0.5, size=5_000))
    >>> bool(scores.statistic[0] > 900), bool(scores.p_value[0] < 1e-9)
    (True, True)

    Source: Pearson (1900), On the criterion that a given system of deviations..., Philosophical Magazine 50(302),
    157-175; the rule of 5: Cochran (1954), Some methods for strengthening the common chi-square tests, Biometrics
    10(4), 417-451.
    """

    name = "chi2"
    kinds = frozenset(Kind)
    grid: Final = "bins"
    default_threshold = 0.0
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference.counts.astype(float), comparison.current.counts.astype(float)
        n, m = (np.maximum(side.n, 1)[:, None].astype(float) for side in (comparison.reference, comparison.current))
        small, home = _merging(_expected(comparison), _tail(comparison))
        a, b = _merge(reference, small, home), _merge(current, small, home)
        expected = _merge(comparison.expected, small, home)
        null = null_moments(chi2_term, expected, comparison.n_current, comparison.n_reference)
        # Of a 2 x B table: sum over cells of (m a - n b)^2 / (n m (a + b)).
        total = a + b
        filled = total > 0.0
        terms = np.divide((m * a - n * b) ** 2, n * m * total, out=np.zeros_like(a), where=filled)
        statistic = np.sum(terms, axis=1)
        df = np.sum(filled, axis=1) - 1
        least = np.min(total * np.minimum(n, m) / (n + m), axis=1, where=filled, initial=np.inf)
        sparse = least < _FEW
        free = np.maximum(df, 0).astype(np.float64)
        null = NullMoments(
            mean=np.where(sparse, null.mean, free),
            variance=np.where(sparse, null.variance, 2.0 * free),
            third=np.where(sparse, null.third, 8.0 * free),
        ).shifted(np.where(free > 0.0, selection_noise(comparison).sum(axis=0), 0.0))
        with np.errstate(divide="ignore", invalid="ignore"):
            effect = debiased(statistic, null.mean * design.ratio) / np.sqrt(n * m / (n + m))[:, 0]
            dispersion = statistic / np.where(null.mean > 0.0, null.mean, np.nan)
        return Scores.of(
            comparison,
            statistic=statistic,
            effect=effect,
            p_value=null.sf(statistic),
            p_panes=design.quadratic_sf(statistic, null.mean, null.variance),
            dispersion=dispersion,
        )


def chi2_term(live: Floats, reference: Floats, ratio: float) -> Floats:
    """What a cell adds to the statistic; see `detectors.cells_null`."""
    both = live + reference
    term: Floats = np.divide((live - ratio * reference) ** 2, ratio * both, out=np.zeros(both.shape), where=both > 0.0)
    return term


def _expected(comparison: Comparison) -> Floats:
    """(rows, cells) what the smaller side would hold in each cell if both sides had the pooled proportions."""
    m, n = (np.maximum(side.n, 1).astype(np.float64) for side in (comparison.reference, comparison.current))
    pooled = comparison.reference.counts + comparison.current.counts
    counts: Floats = pooled * (np.minimum(m, n) / (m + n))[:, None]
    return counts


def _tail(comparison: Comparison) -> Bools:
    """(rows, cells) True in the cell of a categorical column that is never merged away."""
    tail = np.zeros(comparison.single_valued.shape, dtype=np.bool_)
    if comparison.kind is Kind.CATEGORICAL:
        tail[np.arange(tail.shape[0]), np.argmin(comparison.single_valued, axis=1)] = True
    return tail


def _merging(counts: Floats, tail: Bools) -> tuple[Bools, Ints]:
    """By expected counts: which cells (rows, cells) leave their place, and the cell (rows,) that takes them in."""
    small = (counts < MINIMUM_EXPECTED) & ~tail
    pooled = np.sum(np.where(small, counts, 0.0), axis=1)
    smallest_other = np.argmin(np.where(small | tail, np.inf, counts), axis=1)
    first_small = np.argmax(small, axis=1)
    enough = (pooled >= MINIMUM_EXPECTED) | np.all(small | tail, axis=1)
    return small, np.where(enough, first_small, smallest_other)


def _merge(counts: Floats, small: Bools, home: Ints) -> Floats:
    table = np.where(small, 0.0, counts)
    table[np.arange(home.size), home] += np.sum(np.where(small, counts, 0.0), axis=1)
    return table
