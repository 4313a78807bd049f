"""The two-sample Kolmogorov-Smirnov statistic of many rows in one pass over their counts.

A module of its own, for Numba is loaded by what computes with it only.
"""

from typing import Any

import numpy as np

from detectors.compiled import compiled


@compiled
def largest_steps(
    reference: Any,
    n_reference: Any,
    current: Any,
    n_current: Any,
    single_valued: Any,
    statistic: Any,
    bound: Any,
    dispersion: Any,
) -> None:
    """Fill `statistic` (rows,), the largest difference D of the two distribution functions at a cell's end, `bound`
    (rows,), the largest of min(r, l) over the cells that may hold more than one value, and `dispersion` (rows,), the
    sum of r D^2 over that of r F (1 - F), F the reference's distribution function; NaN where the latter is 0.

    A side without rows counts as one of one row. Differences are taken as integers while their products fit, so that
    one division rounds once.
    """
    for row in range(reference.shape[0]):
        m, n = max(n_reference[row], 1), max(n_current[row], 1)
        scale = float(m) * float(n)
        exact = scale < 2.0**62
        rows_before, rows_after = 0, 0
        largest, share = 0.0, 0.0
        squares, spread = 0.0, 0.0
        for cell in range(reference.shape[1]):
            before, after = reference[row, cell], current[row, cell]
            if before == 0 and after == 0:
                continue
            rows_before += before
            rows_after += after
            if exact:
                step = float(abs(rows_after * m - rows_before * n))
            else:
                step = abs(float(rows_after) * m - float(rows_before) * n)
            largest = max(largest, step)
            squares += before * (step / scale) ** 2
            spread += before * (rows_before / m) * (1.0 - rows_before / m)
            if before > 0 and after > 0 and not single_valued[row, cell]:
                share = max(share, min(before / m, after / n))
        statistic[row] = largest / scale
        bound[row] = share
        dispersion[row] = squares / spread if spread > 0.0 else np.nan
