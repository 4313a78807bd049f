"""The two-sample Kolmogorov-Smirnov statistic of many rows in one pass over their counts.

A module of its own, for Numba is loaded by what computes with it only.
"""

from typing import Any

from detectors.compiled import compiled


@compiled
def largest_steps(
    reference: Any, n_reference: Any, current: Any, n_current: Any, single_valued: Any, statistic: Any, bound: Any
) -> None:
    """Fill `statistic` (rows,), the largest difference of the two distribution functions at a cell's end, and `bound`
    (rows,), the largest of min(r, l) over the cells that may hold more than one value.

    A side without rows counts as one of one row. Differences are taken as integers while their products fit, so that
    one division rounds once.
    """
    for row in range(reference.shape[0]):
        m, n = max(n_reference[row], 1), max(n_current[row], 1)
        scale = float(m) * float(n)
        exact = scale < 2.0**62
        rows_before, rows_after = 0, 0
        largest, share = 0.0, 0.0
        for cell in range(reference.shape[1]):
            before, after = reference[row, cell], current[row, cell]
            if before == 0 and after == 0:
                continue
            rows_before += before
            rows_after += after
            if exact:
                largest = max(largest, float(abs(rows_after * m - rows_before * n)))
            else:
                largest = max(largest, abs(float(rows_after) * m - float(rows_before) * n))
            if before > 0 and after > 0 and not single_valued[row, cell]:
                share = max(share, min(before / m, after / n))
        statistic[row] = largest / scale
        bound[row] = share
