"""The probability of a class as a rising function of its score's cell.

References
----------
Barlow, Bartholomew, Bremner & Brunk (1972), Statistical Inference under Order Restrictions, ch. 1: pool adjacent
violators. Zadrozny & Elkan (2002), Transforming classifier scores into accurate multiclass probability estimates, KDD,
694-699.
"""

import numpy as np

from detectors.arrays import Floats


def rising_share(positive: Floats, n: Floats) -> Floats:
    """(n_cells,) the share of positive rows in each cell, the nearest by weighted squares that never falls.

    Parameters
    ----------
    positive, n: (n_cells,) positive rows, and rows.

    Returns
    -------
    Empty cells lie between their neighbours; all is 0.5 without any row.

    >>> import numpy as np
    >>> rising_share(np.array([1.0, 0.0, 0.0, 3.0]), np.array([4.0, 2.0, 0.0, 4.0])).round(3).tolist()
    [0.167, 0.167, 0.458, 0.75]
    """
    from scipy.optimize import isotonic_regression

    filled = np.flatnonzero(n > 0.0)
    if filled.size == 0:
        return np.full(n.size, 0.5)
    shares = isotonic_regression(positive[filled] / n[filled], weights=n[filled]).x
    return between(np.asarray(shares, dtype=np.float64), filled, n.size)


def between(values: Floats, filled: np.ndarray[tuple[int], np.dtype[np.intp]], n_cells: int) -> Floats:
    """(n_cells,) the values of the filled cells, on a line between them in the empty ones, and flat at the ends."""
    return np.interp(np.arange(n_cells), filled, values).astype(np.float64)


def cell_means(total: Floats, n: Floats) -> Floats:
    """(n_cells,) the mean of each cell; empty cells lie between their neighbours, and all is NaN without any row."""
    filled = np.flatnonzero(n > 0.0)
    if filled.size == 0:
        return np.full(n.size, np.nan)
    return between(total[filled] / n[filled], filled, n.size)
