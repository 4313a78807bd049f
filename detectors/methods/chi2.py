"""Pearson's chi-square test of homogeneity."""

from typing import Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register
from detectors.significance import chi2_sf
from detectors.sparse import MINIMUM_EXPECTED, expected


@register
class ChiSquare:
    """Pearson's chi-square of the 2 x B table of reference and live counts.

    The textbook test. Its statistic grows with the number of rows, so it is no effect size: prefer `js` or `psi` with a
    threshold, and use this where only significance is wanted.

    Parameters: `bins` (10). `default_threshold` 0: significance alone decides.

    Statistic: at least 0, unbounded; sum of (observed - expected)^2 / expected over both sides, expected from the
    pooled proportions. Cells whose smaller expected count is below 5 are merged into one; if that is still below 5 it
    joins the cell with the smallest expected count among the others (the first of equals). The rule looks at pooled
    counts only, never at the difference. Then it equals `scipy.stats.chi2_contingency(correction=False)` of the merged
    table.

    p-value: chi-square with (merged cells - 1) degrees of freedom. Assumes independent rows.

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

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference.counts.astype(float), comparison.current.counts.astype(float)
        n, m = (np.maximum(side.n, 1)[:, None].astype(float) for side in (comparison.reference, comparison.current))
        small, home = _merging(expected(comparison))
        a, b = _merge(reference, small, home), _merge(current, small, home)
        # Of a 2 x B table: sum over cells of (m a - n b)^2 / (n m (a + b)).
        total = a + b
        filled = total > 0.0
        terms = np.divide((m * a - n * b) ** 2, n * m * total, out=np.zeros_like(a), where=filled)
        statistic = np.where(comparison.empty, np.nan, np.sum(terms, axis=1))
        p_value = np.where(comparison.empty, np.nan, chi2_sf(statistic, np.sum(filled, axis=1) - 1))
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))


def _merging(counts: Floats) -> tuple[Bools, Ints]:
    """By expected counts: which cells (rows, cells) leave their place, and the cell (rows,) that takes them in."""
    small = counts < MINIMUM_EXPECTED
    pooled = np.sum(np.where(small, counts, 0.0), axis=1)
    smallest_other = np.argmin(np.where(small, np.inf, counts), axis=1)
    first_small = np.argmax(small, axis=1)
    enough = (pooled >= MINIMUM_EXPECTED) | np.all(small, axis=1)
    return small, np.where(enough, first_small, smallest_other)


def _merge(counts: Floats, small: Bools, home: Ints) -> Floats:
    table = np.where(small, 0.0, counts)
    table[np.arange(home.size), home] += np.sum(np.where(small, counts, 0.0), axis=1)
    return table
