"""Change in the rate of values out of the reference's range."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.rates import rate_dispersion, rate_scores
from detectors.registry import Scores, debiased, register


@register
class OutOfRange:
    """Change in the rate of values out of the reference's range: the share of values below the reference's minimum or
    above its maximum, as an absolute difference.

    Values the model never met in training. A handful is expected: of n live and m reference rows some 2 n / m.

    Parameters: none. `default_threshold` 0.005: one row in two hundred.

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

    Effect: sqrt(statistic^2 - E), E its mean square on unchanged data, with K's mean 2 n / m and variance.

    Where the window is compared with live panes, which did not draw the range and have values out of it, it is the test
    of two rates, as `missing` is.

    Dependent rows: a value out of the range brings others. The design effect is that of the rate of values in the
    outermost cell of either end, by which K, n and m are divided.

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
    default_threshold = 0.005
    symmetric = True

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        m, n = (side.n - side.nulls - side.invalid for side in (reference, current))
        rows = np.maximum(current.n, 1)
        rate = np.abs(current.outside / rows - reference.outside / np.maximum(reference.n, 1))
        mean = 2.0 * n / np.maximum(m, 1)
        effect = debiased(rate**2, (mean + 1.5 * mean**2) * design.ratio / rows**2)
        p_value = exceedance_sf(current.outside.astype(np.float64), m.astype(np.float64), n.astype(np.float64))
        p_panes = design.only_dependent(
            exceedance_sf(current.outside / design.ratio, m / design.ratio, n / design.ratio)
        )
        live = reference.outside > 0  # the other side did not draw the range: then both rates are of one kind
        if live.any():
            rates = rate_scores(comparison, reference.outside, current.outside, design)
            effect, p_value = np.where(live, rates.effect, effect), np.where(live, rates.p_value, p_value)
            p_panes = np.where(live, rates.p_panes, p_panes)
        return Scores.of(
            comparison,
            statistic=rate,
            effect=effect,
            p_value=p_value,
            p_panes=p_panes,
            dispersion=rate_dispersion(comparison, reference.outer, current.outer),
            silent=current.outside + reference.outside == 0,
        )


def exceedance_sf(outside: Floats, m: Floats, n: Floats) -> Floats:
    """P(`outside` or more of n values lie out of the range of m others), 1 for none; all (rows,).

    C(m + n - K - 1, m - 1) / C(m + n, m) as a ratio of beta functions, in logarithms: no large ones are subtracted when
    few values are outside, whatever m and n.
    """
    from scipy import special

    result = np.ones(outside.size)
    there = (outside > 0).nonzero()[0]  # few columns have any
    k, size, of = np.maximum(outside[there], 1e-9), np.maximum(m[there], 1.0), np.maximum(n[there], 1.0)
    places = special.betaln(size + of - k, k + 1.0) - special.betaln(np.maximum(of - k, 0.0) + 1.0, k)
    sf = np.exp(places + np.log(size / k)) * (k + 1.0 + (of - k) / size)
    result[there] = np.clip(sf, 0.0, 1.0)
    return result
