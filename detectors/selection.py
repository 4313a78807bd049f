"""What choosing the largest categories of a sample does to their counts.

The categories that are cells of their own are those with the largest counts in the reference: some of them by chance. In
the next sample they are smaller, and the tail is larger. By Good's identity the categories with T rows and more hold
T N_T rows too many, N_T the number of categories with exactly T. On the scale s = 2 sqrt(rows), where a count's standard
deviation is 1, with D categories per unit of s at the cut, that is sqrt(T) D rows; and the squared deviations of the
chosen cells from their true shares add up to -dD/ds more than sampling makes.

References
----------
Good (1953), The population frequencies of species and the estimation of population parameters, Biometrika 40(3-4),
237-264. Efron (2011), Tweedie's formula and selection bias, Journal of the American Statistical Association 106(496),
1602-1614.
"""

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.columns import Kind
from detectors.comparison import Comparison

_REACH: Final = 1.5  # of s to either side, in which categories are counted


def excess(counts: Ints, n_own: int) -> tuple[float, float]:
    """What the chosen categories hold too much of.

    Parameters
    ----------
    counts: (categories,) rows of each, largest first.
    n_own: the first so many are cells of their own.

    Returns
    -------
    Rows, and the sum of squared deviations in units of their variance; 0 where nothing was left out.
    """
    if n_own >= counts.size or n_own == 0:
        return 0.0, 0.0
    places = 2.0 * np.sqrt(counts)
    cut = (places[n_own - 1] + places[n_own]) / 2.0
    above = float(np.sum((places > cut) & (places <= cut + _REACH)))
    below = float(np.sum((places <= cut) & (places >= cut - _REACH)))
    density, slope = (above + below) / (2.0 * _REACH), (above - below) / _REACH**2
    return density * cut / 2.0, max(-slope, 0.0)


def selection_noise(comparison: Comparison) -> Floats:
    """(2, rows) by how much choosing raises a statistic like a chi-square, on average: through the tail, and through the
    cells that were chosen."""
    reference = comparison.reference
    share = comparison.n_current / np.maximum(comparison.n_current + comparison.n_reference, 1)
    rows = np.arange(reference.n.size)
    if comparison.kind is not Kind.CATEGORICAL:
        return np.zeros((2, rows.size))
    tail = reference.counts[rows, np.argmin(comparison.single_valued, axis=1)]
    chosen, spread = comparison.chosen
    return np.stack([share * chosen**2 / np.maximum(tail, 1), share * spread])


def widened(comparison: Comparison) -> Floats:
    """(rows, cells) by what factor choosing widens the differences of the cells: of the tail; 1 elsewhere."""
    factor = np.ones(comparison.reference.counts.shape)
    if comparison.kind is Kind.CATEGORICAL:
        rows = np.arange(factor.shape[0])
        factor[rows, np.argmin(comparison.single_valued, axis=1)] = np.sqrt(1.0 + selection_noise(comparison)[0])
    return factor
