"""Feature skew: what a model was served against what the same features are when they are computed again.

The values of one prediction are compared one with one, so nothing is estimated: a share of mismatches is a fact about
the window, and a test only says whether it is more than a pipeline of this size may show by accident. Prefer it to any
drift method where both values are at hand: two pipelines may give the same distribution and different values.

Counts and exact sums alone: they add up to the bit in any order, and a pair that is taken back leaves no trace.

References
----------
Breck, Cai, Nielsen, Salib & Sculley (2017), The ML test score, IEEE Big Data: Monitor 3, training and serving features
compute the same values. Clopper & Pearson (1934), Biometrika 26(4), 404-413: the exact binomial test.
"""

import math
from typing import Final, Self

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.performance.exact import ExactMoments, exact_moments

MATTERS: Final = 0.01
"""The share of mismatches that a column may have and not be skewed."""


class ColumnSkew(msgspec.Struct, frozen=True, kw_only=True):
    """Pairs of values of one column. Addition merges; pairs in which neither side has a value are not counted.

    Attributes
    ----------
    n_equal, n_unequal: both sides have a value, within the tolerance and beyond it.
    n_served_only, n_recomputed_only: one side has a value, and the other none: null, or invalid.
    differences: served less recomputed, of numbers whose difference is finite.
    """

    n_equal: int = 0
    n_unequal: int = 0
    n_served_only: int = 0
    n_recomputed_only: int = 0
    differences: ExactMoments = ExactMoments()

    def __add__(self, other: Self) -> Self:
        return type(self)(
            n_equal=self.n_equal + other.n_equal,
            n_unequal=self.n_unequal + other.n_unequal,
            n_served_only=self.n_served_only + other.n_served_only,
            n_recomputed_only=self.n_recomputed_only + other.n_recomputed_only,
            differences=self.differences + other.differences,
        )

    @property
    def n_one_sided(self) -> int:
        """Pairs with a value on one side alone."""
        return self.n_served_only + self.n_recomputed_only

    @property
    def n_compared(self) -> int:
        """Pairs with a value on either side."""
        return self.n_equal + self.n_unequal + self.n_one_sided

    @property
    def n_mismatched(self) -> int:
        """Those that differ: beyond the tolerance, or a value against none."""
        return self.n_unequal + self.n_one_sided

    @property
    def n_recomputed(self) -> int:
        """Pairs whose recomputed side has a value; 0: the column was not recomputed at all."""
        return self.n_equal + self.n_unequal + self.n_recomputed_only

    @property
    def share(self) -> float:
        """Of mismatches, in [0, 1]; NaN where nothing was compared."""
        return self.n_mismatched / self.n_compared if self.n_compared > 0 else math.nan

    @property
    def p_value(self) -> float:
        """In [0, 1]: of so many mismatches, or more, if `MATTERS` of all pairs had one; exact, one-sided. NaN where
        nothing was recomputed.

        >>> ColumnSkew(n_equal=970, n_unequal=30).p_value < 1e-6
        True
        >>> ColumnSkew(n_equal=1000).p_value
        1.0
        """
        if self.n_compared <= 0 or self.n_recomputed <= 0:
            return math.nan
        from scipy.stats import binom  # slow to import

        return float(binom.sf(self.n_mismatched - 1, self.n_compared, MATTERS))


def equal_numbers(served: Floats, recomputed: Floats, relative: float, absolute: float = 0.0) -> Bools:
    """(n,) whether finite numbers are equal: they differ by at most `relative` of the larger, or by `absolute`.

    So 0 equals nothing but 0 while `absolute` is 0, however small the other number is: `math.isclose` says the same.

    >>> equal_numbers(np.array([0.1, 0.0]), np.array([0.1 + 1e-9, 1e-9]), 1e-6).tolist()
    [True, False]
    """
    larger = np.maximum(np.abs(served), np.abs(recomputed))
    with np.errstate(over="ignore", invalid="ignore"):  # of two huge numbers the difference may be infinite
        equal: Bools = np.abs(served - recomputed) <= np.maximum(relative * larger, absolute)
    found: Bools = equal | (served == recomputed)
    return found


def column_skew(
    served_there: Bools,
    recomputed_there: Bools,
    equal: Bools,
    differences: Floats | None,
    sign: Ints,
    slots: Ints,
    n_slots: int,
) -> list[ColumnSkew]:
    """The counts of each slot.

    Parameters
    ----------
    served_there, recomputed_there: (n,) whether each side has a value.
    equal: (n,) whether the values are equal; looked at where both are there.
    differences: (n,) served less recomputed; those that are not finite are left out. None for categories.
    sign: (n,) 1 to add, -1 to take back.
    slots: (n,) in [0, n_slots).
    """
    both = served_there & recomputed_there
    kinds = (both & equal, both & ~equal, served_there & ~recomputed_there, ~served_there & recomputed_there)
    counts = [
        np.bincount(slots[kind], weights=sign[kind], minlength=n_slots).astype(np.int64).tolist() for kind in kinds
    ]
    moments = [ExactMoments()] * n_slots
    if differences is not None:
        moments = exact_moments(np.where(both, differences, np.nan), sign, slots, n_slots)
    return [
        ColumnSkew(
            n_equal=counts[0][slot],
            n_unequal=counts[1][slot],
            n_served_only=counts[2][slot],
            n_recomputed_only=counts[3][slot],
            differences=moments[slot],
        )
        for slot in range(n_slots)
    ]
