"""Whether the predictions that have labels are like those that have none: labels may only come for the approved.

Where they differ, a measured metric is that of the labelled ones, and the estimate without labels covers the others.

References
----------
Bergsma (2013), A bias-correction for Cramér's V and Tschuprow's T, Journal of the Korean Statistical Society 42(3),
323-328. Little & Rubin (2019), Statistical Analysis with Missing Data, 3rd ed., ch. 1: missing completely at random.
"""

import math
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats, Ints

LEAST_EXPECTED: Final = 5.0
MATTERS: Final = 0.1
"""Cramér's V of a small effect (Cohen 1988)."""


class Censoring(msgspec.Struct, frozen=True, kw_only=True):
    """How the labelled differ from the others over the cells of a score or over segments.

    Attributes
    ----------
    effect: Cramér's V, bias-corrected, in [0, 1]; NaN where a side is empty.
    p_value: of "labels come alike in all cells" (chi-square).
    labelled: (n_cells,) the share that has a label; NaN in empty cells.
    selective: p_value is at most alpha and the effect at least 0.1.
    """

    effect: float
    p_value: float
    labelled: tuple[float, ...]
    selective: bool


def censoring(total: Ints, labelled: Ints, alpha: float = 0.05) -> Censoring:
    """Compare the predictions with labels with those without.

    Use it on windows of one age, mature ones: in young windows the labelled are those whose labels come quickly.

    Parameters
    ----------
    total, labelled: (n_cells,) predictions in each cell, and those of them with a label. Coarse cells, deciles for
        instance: neighbours below 5 expected rows of either kind are joined.
    alpha: in (0, 1).

    >>> import numpy as np
    >>> found = censoring(np.full(10, 100), np.array([10, 20, 30, 40, 50, 60, 70, 80, 90, 95]))
    >>> round(found.effect, 2), found.selective
    (0.55, True)
    """
    from scipy import stats

    with np.errstate(divide="ignore", invalid="ignore"):
        shares = np.where(total > 0, labelled / np.maximum(total, 1), math.nan)
    others = total - labelled
    n, n_labelled, n_others = int(total.sum()), int(labelled.sum()), int(others.sum())
    told = tuple(shares.tolist())
    if n_labelled <= 0 or n_others <= 0 or int(labelled.min()) < 0 or int(others.min()) < 0:
        return Censoring(effect=math.nan, p_value=math.nan, labelled=told, selective=False)
    last = _ends(total.astype(np.float64) * (min(n_labelled, n_others) / n))
    group = np.minimum(np.cumsum(last) - last, int(last.sum()) - 1)
    table = np.stack([np.bincount(group, weights=side) for side in (labelled, others)])
    if table.shape[1] < 2:
        return Censoring(effect=0.0, p_value=1.0, labelled=told, selective=False)
    found = stats.chi2_contingency(table, correction=False)
    k = table.shape[1]
    squared = max(float(found.statistic) / n - (k - 1) / (n - 1), 0.0)
    # Of two rows and k columns, both corrected.
    least = min(k - (k - 1) ** 2 / (n - 1), 2.0 - 1.0 / (n - 1)) - 1.0
    effect = min(math.sqrt(squared / least), 1.0) if least > 0.0 else 0.0
    p = float(found.pvalue)
    return Censoring(effect=effect, p_value=p, labelled=told, selective=p <= alpha and effect >= MATTERS)


def _ends(expected: Floats) -> Bools:
    """(n_cells,) whether a run of cells with enough expected rows ends here; the rest joins the last run."""
    ends = np.zeros(expected.size, dtype=np.bool_)
    held = 0.0
    for cell, rows in enumerate(expected.tolist()):
        held += rows
        if held >= LEAST_EXPECTED:
            ends[cell], held = True, 0.0
    if not ends.any():
        ends[-1] = True
    return ends
