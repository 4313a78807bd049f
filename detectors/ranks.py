"""Rank statistics of many rows in one pass over their counts, compiled.

Values in one cell are tied. The pooled mid-rank of a cell, as a share, is the proportion of the pooled values below it
and half of that in it.
"""

from typing import Any

from detectors.compiled import compiled


@compiled
def rank_moments(reference: Any, n_reference: Any, current: Any, n_current: Any, out: Any) -> None:
    """Fill `out` (4, rows): the live side's mean less the reference's of the pooled mid-rank u and of (u - 1/2)^2, and
    the variances of both in the pooled values. Zeros where a side is empty."""
    for row in range(reference.shape[0]):
        m, n = float(n_reference[row]), float(n_current[row])
        out[:, row] = 0.0
        if m == 0.0 or n == 0.0:
            continue
        below = 0.0
        first, second, square, fourth = 0.0, 0.0, 0.0, 0.0
        for cell in range(reference.shape[1]):
            before, after = reference[row, cell], current[row, cell]
            if before == 0 and after == 0:
                continue
            share = (before + after) / (m + n)
            u = below + share / 2.0 - 0.5
            below += share
            difference = after / n - before / m
            first += difference * u
            second += difference * u * u
            square += share * u * u
            fourth += share * u * u * u * u
        out[0, row], out[1, row] = first, second
        out[2, row], out[3, row] = square, max(fourth - square * square, 0.0)
