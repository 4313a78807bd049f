"""The lookup of `detectors.cells_null`, compiled."""

from typing import Any

import numpy as np

from detectors.compiled import compiled


@compiled
def summed_cells(
    expected: Any,
    ratio: Any,
    free: Any,
    table: Any,
    low: float,
    step: float,
    ratio_low: float,
    ratio_step: float,
    out: Any,
) -> None:
    """out[:, row] becomes the sum over the row's cells of the table's five values, bilinear in the logarithms.

    Below the table's first count everything is proportional to it; beyond its last, all stands still. The first three
    are weighed with `free`, (rows, cells).
    """
    n_counts, n_ratios = table.shape[0], table.shape[1]
    for row in range(expected.shape[0]):
        y = (np.log(max(ratio[row], 1e-300)) - ratio_low) / ratio_step
        y = min(max(y, 0.0), n_ratios - 1.000001)
        j = int(y)
        v = y - j
        for cell in range(expected.shape[1]):
            count = expected[row, cell]
            if count <= 0.0:
                continue
            x = (np.log(count) - low) / step
            scale = 1.0
            if x < 0.0:
                scale = np.exp(x * step)
            x = min(max(x, 0.0), n_counts - 1.000001)
            i = int(x)
            u = x - i
            weight = free[row, cell]
            for k in range(5):
                value = (table[i, j, k] * (1.0 - u) + table[i + 1, j, k] * u) * (1.0 - v) + (
                    table[i, j + 1, k] * (1.0 - u) + table[i + 1, j + 1, k] * u
                ) * v
                out[k, row] += scale * value * (weight if k < 3 else 1.0)


@compiled
def summed_between(
    expected: Any,
    ratio: Any,
    free: Any,
    tables: Any,
    first: Any,
    between: Any,
    low: float,
    step: float,
    ratio_low: float,
    ratio_step: float,
    out: Any,
) -> None:
    """As `summed_cells`, each row between two neighbours of several tables: `between` of the way from `first` on."""
    n_counts, n_ratios = tables.shape[1], tables.shape[2]
    ends = np.empty((2, 5))
    for row in range(expected.shape[0]):
        y = (np.log(max(ratio[row], 1e-300)) - ratio_low) / ratio_step
        y = min(max(y, 0.0), n_ratios - 1.000001)
        j = int(y)
        v = y - j
        ends[:] = 0.0
        for cell in range(expected.shape[1]):
            count = expected[row, cell]
            if count <= 0.0:
                continue
            x = (np.log(count) - low) / step
            scale = 1.0
            if x < 0.0:
                scale = np.exp(x * step)
            x = min(max(x, 0.0), n_counts - 1.000001)
            i = int(x)
            u = x - i
            weight = free[row, cell]
            for end in range(2):
                table = tables[first[row] + end]
                for k in range(5):
                    value = (table[i, j, k] * (1.0 - u) + table[i + 1, j, k] * u) * (1.0 - v) + (
                        table[i, j + 1, k] * (1.0 - u) + table[i + 1, j + 1, k] * u
                    ) * v
                    ends[end, k] += scale * value * (weight if k < 3 else 1.0)
        for k in range(5):
            out[k, row] = ends[0, k] * (1.0 - between[row]) + ends[1, k] * between[row]
