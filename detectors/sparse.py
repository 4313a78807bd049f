"""Which rows are too sparse for the chi-square distribution of `psi` and `js`.

Both statistics are Pearson's chi-square to second order. What the next orders add to their mean under the null
hypothesis is, with lambda the count that a cell expects on the smaller side, 1 / (2 lambda) a cell for PSI and
3 / (8 lambda) for JS (a Poisson count's moments, the larger side taken as known); the chi-square's standard deviation
is sqrt(2 (B - 1)). So the rule has two parts: no filled cell expects fewer than five, as for Pearson's own (Cochran
1954), and what is added is no more than a tenth of the standard deviation. Ten equal cells pass from 120 rows on, 256
from 2,900. The five alone is not enough: 100 equal cells that expect 6 each reject 28 % (PSI) and 16 % (JS) of
unchanged windows.

Only pooled counts are looked at, never the difference.

References
----------
Cochran (1954), Some methods for strengthening the common chi-square tests, Biometrics 10(4), 417-451.
"""

from typing import Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.comparison import Comparison

MINIMUM_EXPECTED: Final = 5.0
_BIAS: Final = 0.1  # standard deviations


def expected(comparison: Comparison) -> Floats:
    """(rows, cells) what the smaller side would hold in each cell if both sides had the pooled proportions."""
    m, n = (np.maximum(side.n, 1).astype(np.float64) for side in (comparison.reference, comparison.current))
    pooled = comparison.reference.counts + comparison.current.counts
    counts: Floats = pooled * (np.minimum(m, n) / (m + n))[:, None]
    return counts


def sparse(comparison: Comparison) -> Bools:
    """(rows,) True where the chi-square distribution is too far from the true one; never where one cell is filled."""
    counts = expected(comparison)
    filled = counts > 0.0
    least = np.min(counts, axis=1, where=filled, initial=np.inf)
    bias = np.sum(np.divide(0.5, counts, out=np.zeros_like(counts), where=filled), axis=1)
    freedom = np.sum(filled, axis=1) - 1
    spread = np.sqrt(2.0 * np.maximum(freedom, 0))
    result: Bools = (freedom > 0) & ((least < MINIMUM_EXPECTED) | (bias > _BIAS * spread))
    return result


def filled_cells(comparison: Comparison) -> Ints:
    """(rows,) how many cells at least one side fills."""
    filled = (comparison.reference.counts > 0) | (comparison.current.counts > 0)
    return np.asarray(np.sum(filled, axis=1), dtype=np.int64)
