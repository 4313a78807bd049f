"""What a method gets: the counts of many (segment, column) pairs as matrices, both sides in the same cells."""

import functools

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import Kind


class Side(msgspec.Struct, frozen=True, kw_only=True):
    """The reference or the live window.

    Attributes
    ----------
    counts: (rows, cells) int64, padded with empty cells on the right; (rows, 0) for rates.
    n: (rows,) int64, what the method divides by. "bins" and "cells" of a numeric column: valid values; "bins" of a
        categorical one: valid and nulls, because nulls are a cell; "rates": valid, nulls and invalid.
    nulls, invalid, unseen, outside, outer: (rows,) int64. `unseen` is 0 for numeric columns; `outside`, what lies out
        of the reference's range, and `outer`, that and what lies in the outermost cell of either end of it, are 0 for
        categorical ones.
    minimum, maximum: (rows,) float64 of the valid values; +inf and -inf without any, NaN for categorical columns.
    mean, m2: (rows,) float64 of the valid values, and the sum of squared deviations from it; 0 without any, NaN for
        categorical columns.
    """

    counts: Ints
    n: Ints
    nulls: Ints
    invalid: Ints
    unseen: Ints
    outside: Ints
    outer: Ints
    minimum: Floats
    maximum: Floats
    mean: Floats
    m2: Floats

    def proportions(self) -> Floats:
        """(rows, cells) counts over n; 0 in a row without values."""
        shares: Floats = self.counts / np.maximum(self.n, 1)[:, None]
        return shares


class Comparison(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Many rows, each one column in one segment: reference against current.

    Attributes
    ----------
    kind: of all rows.
    reference, current: both sides, in the same cells.
    expected: (rows, cells) for "bins", else (rows, 0): the cells' proportions when nothing has changed, as the
        reference side tells them; see `detectors.tables.null_proportions`.
    singles, doubles: (rows,) float64 for "rates", rows of the reference whose category one row of the whole has, or
        two; 0 for numeric columns, other grids, and references that are live windows.
    chosen: (2, rows) for "bins" of categorical columns, what the reference's own cells hold too much of, because the
        largest categories are chosen: rows, and squared deviations; see `detectors.selection`. Else zeros.
    single_valued: (rows, cells) True where a cell can hold one value only, but for rounding; in "bins" of a categorical
        column the first that is False is the tail.
    edges: (rows, cells + 1) for "cells", else (rows, 0): cell i is `(edges[i], edges[i + 1]]`; the outer two are
        -inf and +inf, and padding repeats +inf.
    cell_means: (rows, cells) mean of the whole reference's values in each cell, NaN without any.
    range_minimum, range_maximum: (rows,) of the whole reference, which drew the grid; NaN without values.
    range_std: (rows,) standard deviation of the whole reference; NaN without values.
    min_samples: fewer values on either side are no verdict; see `testable`.
    """

    kind: Kind
    reference: Side
    current: Side
    expected: Floats
    singles: Floats
    doubles: Floats
    chosen: Floats
    single_valued: Bools
    edges: Floats
    cell_means: Floats
    range_minimum: Floats
    range_maximum: Floats
    range_std: Floats
    min_samples: int = 1

    @property
    def n_reference(self) -> Ints:
        """(rows,) what the reference's proportions are of."""
        return self.reference.n

    @property
    def n_current(self) -> Ints:
        """(rows,) what the live window's proportions are of."""
        return self.current.n

    @functools.cached_property
    def rank_moments(self) -> Floats:
        """(4, rows), see `detectors.ranks`; made once for all methods that look at ranks."""
        from detectors.ranks import rank_moments  # loads Numba, which only what computes needs

        out = np.empty((4, self.reference.n.size))
        rank_moments(self.reference.counts, self.reference.n, self.current.counts, self.current.n, out)
        return out

    @property
    def empty(self) -> Bools:
        """(rows,) True where a side has nothing to compare."""
        empty: Bools = (self.reference.n == 0) | (self.current.n == 0)
        return empty

    @property
    def testable(self) -> Bools:
        """(rows,) True where both sides have enough values for a verdict. A method need give no p-value elsewhere:
        exact ones of small samples are the dearest, and nobody reads them."""
        enough: Bools = (self.reference.n >= self.min_samples) & (self.current.n >= self.min_samples)
        return enough & ~self.empty
