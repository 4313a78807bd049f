"""Moments of sums of the absolute values of correlated normal variables.

Of two standard normal variables with correlation r, the covariance of the absolute values is

    (2 / pi) (sqrt(1 - r^2) + r arcsin(r) - 1) = (2 / pi) (r^2 / 2 + r^4 / 24 + r^6 / 80 + ...),

where r^2 is often a product of what belongs to each, so that sums over pairs are products of sums. The third cumulant
of a sum has no such form: its part that comes from pairs is taken from the second Hermite polynomial of each absolute
value, H2(x) / sqrt(2 pi), as of a sum of squares, times a factor for what the higher ones take back.

Source: Nabeya (1951), Absolute moments in 2-dimensional normal distribution, Annals of the Institute of Statistical
Mathematics 3(1), 2-6.
"""

from typing import Final

import numpy as np

from detectors.arrays import Floats

_SERIES: Final = (1 / 2, 1 / 24, 1 / 80, 5 / 896)
SQUARES: Final = tuple(
    (power, 2.0 / np.pi * share) for power, share in [*enumerate(_SERIES, 1), (8, np.pi / 2.0 - 1.0 - sum(_SERIES))]
)
"""(power of r^2, factor): the covariance as a sum; the last stands for all that follow, and is right at r = 1."""
MEAN: Final = float(np.sqrt(2.0 / np.pi))
"""Of the absolute value of a standard normal variable."""
THIRD: Final = float(np.sqrt(2.0 / np.pi) * (4.0 / np.pi - 1.0))
"""Its third central moment."""
TAKEN_BACK: Final = 0.5
"""0.57 for weakly, 0.43 for fully correlated variables."""


def third_of_squares(trace: Floats) -> Floats:
    """(rows,) what pairs and triples add to the third cumulant: `trace` is that of (S R)^3 less that of S^3, S the
    standard deviations and R the correlations."""
    third: Floats = TAKEN_BACK * MEAN**3 * trace
    return third
