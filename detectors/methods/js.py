"""Jensen-Shannon distance."""

from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.calibration import calibrated
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.registry import Scores, register
from detectors.significance import chi2_sf, effective_size
from detectors.sparse import filled_cells, sparse


@register
class JensenShannon:
    """Jensen-Shannon distance: the square root of the divergence, in base 2.

    Bounded, finite for empty cells, a metric: the default for categorical columns and for thresholds that must mean the
    same on every column. Prefer `ks` on numeric columns where small shifts matter more than shape.

    Parameters: `bins` (10). `default_threshold` 0.1, a divergence of 0.01 bit, about PSI 0.055 for small changes.

    Statistic: in [0, 1]; 1 where the two sides share no cell. No floor. Exact: it is that of the raw values in the
    reference's quantile cells, as `scipy.spatial.distance.jensenshannon(base=2)` gives it.

    p-value: 8 ln 2 JSD / (1/n + 1/m), JSD the divergence in bits, is asymptotically chi-square with B - 1 degrees of
    freedom, B the cells that either side fills: the second-order expansion of JSD is Pearson's chi-square over 8 ln 2.
    Where the cells are too sparse for that (`detectors.sparse`) it comes from dealing the rows again, with a fitted
    tail (`detectors.calibration`, with its levels). Assumes independent rows.

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("js", rng.normal(size=20_000), rng.normal(0.5, size=5_000))
    >>> round(float(scores.statistic[0]), 2), bool(scores.p_value[0] < 1e-9)
    (0.21, True)

    Source: Lin (1991), Divergence measures based on the Shannon entropy, IEEE Transactions on Information Theory 37(1),
    145-151; the distance is a metric: Endres & Schindelin (2003), ibid. 49(7), 1858-1860.
    """

    name = "js"
    kinds = frozenset(Kind)
    grid: Final = "bins"
    default_threshold = 0.1
    symmetric = True

    def score(self, comparison: Comparison) -> Scores:
        """Score all rows at once."""
        reference, current = comparison.reference, comparison.current
        divergence = _divergence(reference.proportions(), current.proportions())
        statistic = np.where(comparison.empty, np.nan, np.minimum(np.sqrt(divergence / np.log(2.0)), 1.0))
        scaled = 8.0 * divergence * effective_size(current.n, reference.n)
        p_value = np.where(comparison.empty, np.nan, chi2_sf(scaled, filled_cells(comparison) - 1))
        few = sparse(comparison)
        observed = np.where(comparison.empty, np.nan, divergence)
        p_value = np.where(few, calibrated(comparison, observed, _divergence, few), p_value)
        return Scores(statistic=statistic, p_value=p_value, error_bound=np.zeros_like(statistic))


def _divergence(r: Floats, l: Floats) -> Floats:  # noqa: E741  # the design's letters
    """In nats; summed over the last axis."""
    from scipy import special

    middle = (r + l) / 2.0
    nats = np.sum(special.rel_entr(r, middle) + special.rel_entr(l, middle), axis=-1) / 2.0
    return np.asarray(np.maximum(nats, 0.0), dtype=np.float64)  # rounding can leave -1e-17
