"""p-values of statistics without a known distribution: a permutation test, from counts alone.

The pooled rows are dealt to both sides again and again (`detectors.permutation`), and the statistic's place among the
dealings is its p-value. Only counts are needed, so raw rows need not be kept.

- The generator is seeded from the counts of the row: the same counts give the same p-value on every worker, and the
  global generator is neither read nor touched.
- The dealings are exact for any sizes and any sparse cells, and down to 10 exceeding ones so is the p-value (b + 1) /
  (R + 1), for cells that were fixed before the rows were. With thousands of columns Benjamini-Hochberg needs far
  smaller ones than 1/200, so beyond the tenth largest draw the tail is that of a Pearson type III distribution (a
  shifted gamma) with the draws' mean, variance and skewness, joined continuously: an extrapolation, good for ordering
  and correction, not for the digits.
- A reference holds no unseen category by construction, and a dealt one would. So the dealt rows are counted as real
  ones are: what is dealt to the reference is known to it, and a category that the reference was dealt nothing of is
  unseen. Nothing is kept of which unseen values were equal. A category that a reference of m rows lacks holds about
  one row in m at most, so the unseen rows are taken for categories of n / m rows, of one where n is the smaller. That
  is as they are when nothing has changed, or too careful. A category that a segment's reference lacks, and the whole
  does not, is no unseen one.

Levels, measured at 5 % on unchanged windows of m reference and n live rows (psi, js, hellinger, tvd, linf):

| categories | m | n | p <= 0.05 in |
|---|---|---|---|
| 300 and 1,000, Zipf | 100,000 | 1,000 and 10,000 | 3 to 6 % |
| 300, all alike | 2,000 | 2,000 | 3 to 4 % |
| 300, Zipf: a tenth of the live rows unseen | 1,000 | 300 to 10,000 | 0 to 5 %: too few where n is not below m |
| 1,000, Zipf: a fifth of the live rows unseen | 1,000 | 10,000 | 100 %: the unseen are far rarer than one in m |
| 5,000, Zipf: 4,000 of them in `other` | 100,000 | 1,000 and 10,000 | 5 to 10 % and 17 to 92 %: see below |
| a boolean that is true once in 100,000 | 1,000,000 | 100,000 | 0 to 2 %: it takes few values |

With more than 1,000 categories these p-values are too small where the reference has not met all of them: what `other`
holds is only known as a sum, and so is never dealt into `unseen`. Of 20,000 categories all windows are rejected.

Cost: about 1 ms for 300 categories, 3 to 12 ms for 1,000.

References
----------
Davison & Hinkley (1997), Bootstrap Methods and their Application, Cambridge, section 4.3 (permutation tests) and
4.2: (b + 1) / (R + 1). Knijnenburg, Wessels, Reinders & Shmulevich (2009), Fewer permutations, more accurate P-values,
Bioinformatics 25(12), i161-i168: a fitted tail where fewer than ten draws exceed.
Winkler, Ridgway, Douaud, Nichols & Smith (2016), Faster permutation inference in brain imaging, NeuroImage 141,
502-516: the three-moment gamma tail.
"""

from collections.abc import Callable
from typing import Final

import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.comparison import Comparison
from detectors.permutation import dealt

_MOST_UNSEEN: Final = 2_000  # categories: 199 draws of them take 3 MB
_MOST_KEPT: Final = 64 << 20  # bytes of dealings that wait for the next method
_EXCEEDING: Final = 10  # draws that must exceed a statistic for their share to be its p-value

# (draws, cells) proportions of the reference and of the live side -> (draws,) statistics
Statistic = Callable[[Floats, Floats], Floats]


def calibrated(comparison: Comparison, observed: Floats, statistic: Statistic, rows: Bools | None = None) -> Floats:
    """p-values of statistics from the dealings of their own rows.

    Parameters
    ----------
    comparison: of all rows.
    observed: (rows,) what `statistic` is of the comparison's proportions.
    statistic: must not depend on empty cells.
    rows: (rows,) which are asked for; None for all.

    Returns
    -------
    (rows,); NaN where `observed` is, where the comparison is not testable, and where nobody asked.
    """
    p_values = np.full(observed.shape, np.nan)
    asked = ~np.isnan(observed) & comparison.testable
    for row in np.flatnonzero(asked if rows is None else asked & rows):
        r, l = _dealt_once(comparison, int(row))  # noqa: E741  # the design's letter
        draws = statistic(r / comparison.reference.counts[row].sum(), l / comparison.current.counts[row].sum())
        p_values[row] = tail_p(draws, float(observed[row]))
    return p_values


def _dealt_once(comparison: Comparison, row: int) -> tuple[Ints, Ints]:
    """`_null` of a row, kept for the next method while there is room: dealing is the dearest part."""
    kept = comparison.dealings
    if row in kept:
        return kept[row]
    reference, current = comparison.reference.counts[row], comparison.current.counts[row]
    sides = _null(reference, current, int(comparison.n_categories[row]))
    if sum(r.nbytes + l.nbytes for r, l in (*kept.values(), sides)) <= _MOST_KEPT:  # noqa: E741
        kept[row] = sides
    return sides


def _null(reference: Ints, current: Ints, n_categories: int) -> tuple[Ints, Ints]:
    """(draws, cells) counts of both sides, dealt again and counted as a reference and a live window are."""
    filled = np.flatnonzero((reference > 0) | (current > 0))
    known = filled < n_categories
    unseen = np.flatnonzero(filled == n_categories + 1)
    complete = bool(np.all(reference[:n_categories] > 0))  # the whole; a segment may lack a category that is known
    reference, current = reference[filled], current[filled]
    if not n_categories or not unseen.size or reference[unseen[0]]:
        return dealt(reference, current)
    m, n, place = int(reference.sum()), int(current.sum()), int(unseen[0])
    size = -(-n // m)  # rows of a category that the reference just missed
    parts = np.zeros(0, dtype=np.int64)
    if size > 1:
        size = max(size, -(-int(current[place]) // _MOST_UNSEEN))
        parts = np.full(int(current[place]) // size, size)
    none = np.zeros(parts.size + 1, dtype=np.int64)
    rest = current - np.where(np.arange(current.size) == place, parts.sum(), 0)
    r, l = dealt(np.append(reference, none), np.concatenate([rest, parts, none[:1]]))  # noqa: E741
    gone = np.concatenate([known & complete, np.ones(parts.size, dtype=np.bool_), [False]]) & (r == 0)
    l[:, place] += np.sum(l, axis=1, where=gone)
    l[gone] = 0
    # Single unseen rows that are dealt to the reference are known to it, and the live side lacks them.
    r[:, -1], r[:, place] = r[:, place], 0
    return r, l


def tail_p(draws: Floats, observed: float) -> float:
    """P(statistic >= observed), from draws under the null hypothesis.

    Parameters
    ----------
    draws: (draws,) statistics.
    observed: the statistic asked about.

    Returns
    -------
    In [0, 1], not increasing in `observed`, and the same for `draws` and `observed` times any power of two.
    """
    # In units of the largest draw, a power of two: exact, and no moment overflows or vanishes.
    _, exponent = np.frexp(np.max(np.abs(draws)))
    draws = np.ldexp(draws, -exponent)
    with np.errstate(over="ignore"):
        observed = min(float(np.ldexp(observed, -exponent)), np.finfo(np.float64).max)
    slack = 1e-12 * max(abs(observed), 1e-300)  # equal statistics may differ in the last bit
    exceeding = int(np.sum(draws >= observed - slack))
    spread = float(draws.std())
    if exceeding >= _EXCEEDING or spread == 0.0:
        return (exceeding + 1) / (draws.size + 1)
    junction = float(np.sort(draws)[-_EXCEEDING])
    at_junction, beyond = pearson3_sf(np.array([junction, observed]), draws)
    share = beyond / at_junction if at_junction > beyond else 1.0
    return float((_EXCEEDING + 1) / (draws.size + 1) * share)


def pearson3_sf(x: Floats, draws: Floats) -> Floats:
    """The survival function of the Pearson III distribution with the draws' first three moments; normal when not
    skewed."""
    from scipy import special

    mean, std = draws.mean(), draws.std()
    skew = float(np.mean(((draws - mean) / std) ** 3))
    with np.errstate(over="ignore"):  # infinitely far is a probability of 0
        z = (x - mean) / std
    if skew < 1e-3:  # the gamma's shape grows as 4 / skew^2: beyond this it is a normal distribution
        return np.asarray(special.ndtr(-z), dtype=np.float64)
    shape = 4.0 / skew**2
    with np.errstate(over="ignore"):
        place = np.maximum(shape + z * np.sqrt(shape), 0.0)
    return np.asarray(special.gammaincc(shape, place), dtype=np.float64)
