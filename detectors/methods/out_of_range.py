"""Change in the rate of values out of the reference's range."""

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register
from detectors.significance import rate_difference


@register
class OutOfRange:
    """Change in the rate of values out of the reference's range: the share of values below the reference's minimum or
    above its maximum, as an absolute difference.

    Values the model never met in training. A handful is expected: of n live and m reference rows some 2 n / m.

    Parameters: none. `default_threshold` 0.01: one row in a hundred.

    Statistic: |rate live - rate reference|, in [0, 1], of all rows that had the column (valid, null and invalid ones).
    Exact. The direction is in the column's profile.

    p-value: P(K or more of the n valid live values lie out of the range), for one sample of m + n exchangeable values
    of which m, the valid ones of the same segment in the reference, drew the range. The z-test of two rates will not
    do: the reference's own rate is 0 by construction, and it rejects 10 to 20 % of unchanged windows. What the range of
    m values covers of a continuous distribution is Beta(m - 1, 2), so K is beta-binomial (n, 2, m - 1); or, from ranks
    alone: of all C(m + n, m) places of the reference's values in order, (j + 1) C(m + n - j - 2, m - 2) leave j live
    ones outside, and the sum over j >= K is

        P(K) = ((K + 1) + (n - K) / m) C(m + n - K - 1, m - 1) / C(m + n, m).

    Exact on continuous data, conservative with ties. A segment's range is part of the whole's, so with the segment's
    own m it is conservative too, where the whole's m would not be. Assumes independent rows.

    Edge cases: nothing outside gives 0 and p = 1; a side without rows gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> reference, live = np.arange(1000.0), np.arange(1000.0)
    >>> live[:100] = -1.0
    >>> float(compare("out_of_range", reference, live).statistic[0])
    0.1

    Source: Wilks (1941), Determination of sample sizes for setting tolerance limits, Annals of Mathematical Statistics
    12(1), 91-96; as a test, by counting exceedances: Gumbel & von Schelling (1950), ibid. 21(2), 247-262.
    """

    name = "out_of_range"
    kinds = frozenset({Kind.NUMERIC})
    grid: Final = "rates"
    default_threshold = 0.01
    symmetric = True

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        statistic, _ = rate_difference(reference.outside, reference.n, current.outside, current.n)
        valid = (side.n - side.nulls - side.invalid for side in (reference, current))
        p_value = np.where(comparison.empty, np.nan, exceedance_sf(current.outside, next(valid), next(valid)))
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))


def exceedance_sf(outside: Ints, m: Ints, n: Ints) -> Floats:
    """P(`outside` or more of n values lie out of the range of m others), 1 for none; all (rows,).

    C(m + n - K - 1, m - 1) / C(m + n, m) as a ratio of beta functions, in logarithms: no large ones are subtracted when
    few values are outside, whatever m and n.
    """
    from scipy import special

    k, size, of = (np.maximum(part, 1).astype(np.float64) for part in (outside, m, n))
    places = special.betaln(size + of - k, k + 1.0) - special.betaln(np.maximum(of - k, 0.0) + 1.0, k)
    sf = np.exp(places + np.log(size / k)) * (k + 1.0 + (of - k) / size)
    return np.where(outside > 0, np.clip(sf, 0.0, 1.0), 1.0)
