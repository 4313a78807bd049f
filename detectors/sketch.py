"""What is kept of the rows of one segment in one pane: counts in the reference's cells, and moments.

`merge` is addition. Everything that is counted is the same to the bit for any split of the rows and any order of
merges; mean and M2 are sums of floats and agree to 1e-12 (see `Sketch.same`).

References
----------
Chan, Golub & LeVeque (1983), Algorithms for computing the sample variance, The American Statistician 37(3),
242-247.
"""

from typing import Any, Final, Self

import numpy as np

from detectors.arrays import Floats, Integers, Ints
from detectors.errors import LayoutMismatch
from detectors.frequent import EMPTY, Frequent
from detectors.layout import Layout

_SQUARES_UNDERFLOW: Final = 1e-150


class Sketch:
    """Counts and moments of all columns of one model version, for one segment and one span of time.

    Treat it as immutable: sketches of one batch share memory. Valid means neither null, nor invalid, nor absent.

    Attributes
    ----------
    layout: the reference's.
    n: rows.
    n_both: those that speak of their features and of their prediction (see `with_features`).
    counts: (layout.n_cells,) int64, valid values in each cell. A copy where they are kept in fewer bytes (`kept`).
    kept: the same as they are in memory, in any integer type. After `merge` and `decode` it is the narrowest that holds
        them, a byte or two for a pane of some thousand rows: never sum it, for NumPy does not widen it.
    nulls, invalid: (n_columns,) int64. `n - valid - nulls - invalid` rows had no such column at all.
    minimum, maximum: (n_numeric,) float64 of the valid values; +inf and -inf when there are none. None of the moments
        is -0.0: which of two zeros came first would show.
    mean: (n_numeric,) float64 of the valid values; 0 when there are none.
    m2: (n_numeric,) float64, sum of squared deviations from the mean; +inf when it overflows.
    frequent: (n_categorical,) the most frequent unseen values. Approximate; no part of equality.
    """

    __slots__ = ("frequent", "invalid", "kept", "layout", "m2", "maximum", "mean", "minimum", "n", "n_both", "nulls")

    def __init__(
        self,
        *,
        layout: Layout,
        n: int,
        n_both: int,
        counts: Integers,
        nulls: Ints,
        invalid: Ints,
        minimum: Floats,
        maximum: Floats,
        mean: Floats,
        m2: Floats,
        frequent: tuple[Frequent, ...],
    ) -> None:
        self.layout = layout
        self.n = n
        self.n_both = n_both
        self.kept = counts
        self.nulls = nulls
        self.invalid = invalid
        self.minimum = minimum
        self.maximum = maximum
        self.mean = mean
        self.m2 = m2
        self.frequent = frequent

    @classmethod
    def empty(cls, layout: Layout) -> Self:
        """The sketch of no rows: the identity of `merge`."""
        n_columns, n_numeric = len(layout.columns), len(layout.numeric)
        return cls(
            layout=layout,
            n=0,
            n_both=0,
            counts=np.zeros(layout.n_cells, dtype=np.int64),
            nulls=np.zeros(n_columns, dtype=np.int64),
            invalid=np.zeros(n_columns, dtype=np.int64),
            minimum=np.full(n_numeric, np.inf),
            maximum=np.full(n_numeric, -np.inf),
            mean=np.zeros(n_numeric),
            m2=np.zeros(n_numeric),
            frequent=(EMPTY,) * len(layout.categorical),
        )

    @property
    def counts(self) -> Ints:
        """(layout.n_cells,) int64, valid values in each cell."""
        counts: Ints = self.kept.astype(np.int64, copy=False)
        if counts is not self.kept:  # a copy: to write to it would change nothing
            counts.flags.writeable = False
        return counts

    @property
    def valid(self) -> Ints:
        """(n_columns,) values that lie in a cell."""
        if not self.layout.columns:
            return np.zeros(0, dtype=np.int64)
        return np.add.reduceat(self.counts, self.layout.offsets[:-1])  # no column is without cells

    @property
    def with_features(self) -> int:
        """Rows that speak of their features: those columns are absent from a row all together, or not at all."""
        return self._rows_with(self.layout.features)

    @property
    def with_prediction(self) -> int:
        """Rows that speak of their prediction, likewise."""
        return self._rows_with(self.layout.prediction)

    def _rows_with(self, columns: tuple[int, ...]) -> int:
        there = self.valid + self.nulls + self.invalid
        return int(there[list(columns)].max(initial=0))

    @property
    def std(self) -> Floats:
        """(n_numeric,) population standard deviation; NaN where there is no valid value, +inf where it overflows."""
        n = self.valid[self.layout.numeric_indices]
        variance = np.divide(self.m2, n, out=np.full(n.size, np.nan), where=n > 0)
        std: Floats = np.sqrt(variance)
        return std

    def merge(self, other: "Sketch") -> "Sketch":
        """The sketch of both sets of rows. Associative and commutative; `empty` is its identity.

        Raises
        ------
        LayoutMismatch: the two were counted in different cells.
        """
        if self.layout != other.layout:
            raise LayoutMismatch("sketches of different references cannot be merged")
        mean, m2 = _merge_moments(self, other)
        return Sketch(
            layout=self.layout,
            n=self.n + other.n,
            n_both=self.n_both + other.n_both,
            counts=_added(self.kept, other.kept),
            nulls=self.nulls + other.nulls,
            invalid=self.invalid + other.invalid,
            minimum=np.minimum(self.minimum, other.minimum) + 0.0,  # -0.0 + 0.0 is 0.0
            maximum=np.maximum(self.maximum, other.maximum) + 0.0,
            mean=mean,
            m2=m2,
            frequent=tuple(a.merge(b) for a, b in zip(self.frequent, other.frequent, strict=True)),
        )

    def same(self, other: "Sketch", rtol: float = 1e-12) -> bool:
        """Whether both are sketches of the same rows, as far as the two laws promise.

        What is counted, and the extremes, must be identical. Means and standard deviations may differ by `rtol` of the
        column's largest magnitude (a sum of floats is only as exact as its terms are large), and by 1e-150, below which
        squares underflow. `frequent` is left out.
        """
        exact = ("counts", "nulls", "invalid", "minimum", "maximum")
        if self.layout != other.layout or (self.n, self.n_both) != (other.n, other.n_both):
            return False
        if not all(np.array_equal(getattr(self, name), getattr(other, name)) for name in exact):
            return False
        magnitude = np.where(self.minimum <= self.maximum, np.maximum(-self.minimum, self.maximum), 0.0)
        tolerance = rtol * magnitude + _SQUARES_UNDERFLOW
        pairs = ((self.mean, other.mean), (np.nan_to_num(self.std), np.nan_to_num(other.std)))
        return all(bool(np.all((a == b) | (np.abs(a - b) <= tolerance))) for a, b in pairs)

    def encode(self) -> bytes:
        """Compact bytes; see `detectors.wire`."""
        from detectors.wire import encode_sketch  # wire builds sketches: the import would go round in a circle

        return encode_sketch(self)

    @classmethod
    def decode(cls, data: bytes, layout: Layout) -> "Sketch":
        """The sketch that `encode` wrote.

        Raises
        ------
        MalformedSketch: no sketch, truncated, corrupt, or of an unknown format version.
        LayoutMismatch: a sketch, but of another reference.
        """
        from detectors.wire import decode_sketch

        return decode_sketch(data, layout)

    def __repr__(self) -> str:
        return f"Sketch(n={self.n}, {self.layout!r})"


def _added(a: Integers, b: Integers) -> Integers:
    """The sum of counts, in the narrowest type that holds it: that is known before, so that nothing can overflow."""
    largest = int(a.max(initial=0)) + int(b.max(initial=0))
    return np.add(a, b, dtype=narrowest(largest), casting="unsafe")


def narrowest(largest: int) -> type[np.integer[Any]]:
    """The type of fewest bytes for counts up to `largest`; signed from 2^32 on, as all arithmetic with counts is."""
    return next((kind for kind in (np.uint8, np.uint16, np.uint32) if largest <= np.iinfo(kind).max), np.int64)


def _merge_moments(a: Sketch, b: Sketch) -> tuple[Floats, Floats]:
    """Chan's merge, written so that a and b may change places without changing a bit (-0.0 is 0.0), and so that means
    cannot overflow.

    mean = (n_a mean_a + n_b mean_b) / n;  M2 = M2_a + M2_b + (mean_b - mean_a)^2 n_a n_b / n
    """
    numeric = a.layout.numeric_indices
    n_a, n_b = a.valid[numeric].astype(np.float64), b.valid[numeric].astype(np.float64)
    n = np.maximum(n_a + n_b, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.where(a.mean == b.mean, a.mean, a.mean * (n_a / n) + b.mean * (n_b / n))
        between = ((a.mean - b.mean) * np.sqrt(n_a * n_b / n)) ** 2  # the root first: the square may overflow
    # Rounding may pass either, and of the largest float64 lead to infinity.
    mean = np.clip(mean, np.minimum(a.mean, b.mean), np.maximum(a.mean, b.mean))
    both = (n_a > 0) & (n_b > 0)
    mean = np.where(both, mean, np.where(n_a > 0, a.mean, b.mean))
    return mean + 0.0, a.m2 + b.m2 + np.where(both, between, 0.0)
