"""p-values of statistics without a known distribution: a seeded parametric bootstrap.

Both sides are drawn again and again from the pooled proportions, and the statistic's place among the draws is its
p-value. Only counts are needed, so raw rows need not be kept.

- The generator is seeded from the counts of the row: the same counts give the same p-value on every worker, and the
  global generator is neither read nor touched.
- `DRAWS` draws resolve p down to 1/200. With thousands of columns Benjamini-Hochberg needs far smaller ones, so beyond
  the tenth largest draw the tail is that of a Pearson type III distribution (a shifted gamma) with the draws' mean,
  variance and skewness, joined continuously: an extrapolation, good for ordering and correction, not for the digits.
- Draws are multinomial: exact for any sizes, small or huge.

References
----------
Efron & Tibshirani (1993), An Introduction to the Bootstrap, Chapman & Hall, chapter 16 (tests from a pooled
sample). Davison & Hinkley (1997), Bootstrap Methods and their Application, Cambridge, section 4.2: (b + 1) / (R +
1). Knijnenburg, Wessels, Reinders & Shmulevich (2009), Fewer permutations, more accurate P-values, Bioinformatics
25(12), i161-i168: a fitted tail where fewer than ten draws exceed.
Winkler, Ridgway, Douaud, Nichols & Smith (2016), Faster permutation inference in brain imaging, NeuroImage 141,
502-516: the three-moment gamma tail.
"""

import hashlib
from collections.abc import Callable
from typing import Final

import numpy as np
from scipy import special

from detectors.arrays import Floats, Ints
from detectors.comparison import Comparison

DRAWS: Final = 199
_EXCEEDING: Final = 10  # draws that must exceed a statistic for their share to be its p-value

# (draws, cells) proportions of the reference and of the live side -> (draws,) statistics
Statistic = Callable[[Floats, Floats], Floats]


def calibrated(comparison: Comparison, observed: Floats, statistic: Statistic) -> Floats:
    """(rows,) bootstrap p-values of `observed`, (rows,); NaN where it is, and where the
    comparison is not testable. `statistic` must not depend on empty
    cells."""
    p_values = np.full(observed.shape, np.nan)
    for row in np.flatnonzero(~np.isnan(observed) & comparison.testable):
        reference, current = comparison.reference.counts[row], comparison.current.counts[row]
        filled = (reference > 0) | (current > 0)
        p_values[row] = _bootstrap(reference[filled], current[filled], float(observed[row]), statistic)
    return p_values


def _bootstrap(reference: Ints, current: Ints, observed: float, statistic: Statistic) -> float:
    n, m = int(reference.sum()), int(current.sum())
    pooled = (reference + current) / (n + m)
    draw = generator(reference, current).multinomial
    r = draw(n, pooled, size=DRAWS) / n
    l = draw(m, pooled, size=DRAWS) / m  # noqa: E741  # the design's letter
    return tail_p(statistic(r, l), observed)


def generator(reference: Ints, current: Ints) -> np.random.Generator:
    """Seeded from the filled cells of both sides: equal counts draw equally, on every machine."""
    digest = hashlib.blake2b(digest_size=16)
    digest.update(reference.astype("<i8").tobytes() + b"|" + current.astype("<i8").tobytes())
    return np.random.Generator(np.random.PCG64(int.from_bytes(digest.digest(), "little")))


def tail_p(draws: Floats, observed: float) -> float:
    """P(statistic >= observed), from draws under the null hypothesis.

    Parameters
    ----------
    draws: (draws,) statistics.
    observed: the statistic asked about.

    Returns
    -------
    In [0, 1], not increasing in `observed`.
    """
    slack = 1e-12 * max(abs(observed), 1e-300)  # equal statistics may differ in the last bit
    exceeding = int(np.sum(draws >= observed - slack))
    spread = float(draws.std())
    if exceeding >= _EXCEEDING or spread == 0.0:
        return (exceeding + 1) / (draws.size + 1)
    junction = float(np.sort(draws)[-_EXCEEDING])
    at_junction, beyond = pearson3_sf(np.array([junction, observed]), draws)
    return float((_EXCEEDING + 1) / (draws.size + 1) * min(1.0, beyond / at_junction))


def pearson3_sf(x: Floats, draws: Floats) -> Floats:
    """The survival function of the Pearson III distribution with the draws' first three moments; normal when not
    skewed."""
    mean, std = draws.mean(), draws.std()
    skew = float(np.mean(((draws - mean) / std) ** 3))
    z = (x - mean) / std
    if skew < 1e-3:  # the gamma's shape grows as 4 / skew^2: beyond this it is a normal distribution
        return np.asarray(special.ndtr(-z), dtype=np.float64)
    shape = 4.0 / skew**2
    return np.asarray(special.gammaincc(shape, np.maximum(shape + z * np.sqrt(shape), 0.0)), dtype=np.float64)
