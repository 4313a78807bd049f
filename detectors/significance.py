"""From statistics to p-values, and from p-values to q-values.

References
----------
Benjamini & Hochberg (1995), Controlling the false discovery rate, Journal of the Royal Statistical Society B 57(1),
289-300.
"""

import numpy as np

from detectors.arrays import Floats, Ints


def benjamini_hochberg(p: Floats) -> Floats:
    """q-values: the smallest false discovery rate at which each hypothesis is rejected.

    Parameters
    ----------
    p: (..., family) p-values; every row along the last axis is a family of its own, and NaN is in no family.

    Returns
    -------
    The same shape; NaN where p is. Equals `scipy.stats.false_discovery_control` on the p-values of a family.
    """
    size = p.shape[-1]
    if size == 0:
        return p.copy()
    order = np.argsort(p, axis=-1, kind="stable")  # NaN last
    ranked = np.take_along_axis(p, order, axis=-1)
    family = np.sum(~np.isnan(p), axis=-1, keepdims=True)
    scaled = ranked * (family / np.arange(1, size + 1))
    scaled[np.isnan(scaled)] = np.inf
    q = np.minimum(np.minimum.accumulate(scaled[..., ::-1], axis=-1)[..., ::-1], 1.0)
    result = np.empty_like(p)
    np.put_along_axis(result, order, q, axis=-1)
    return np.where(np.isnan(p), np.nan, result)


def chi2_sf(statistic: Floats, df: Ints) -> Floats:
    """The chi-square survival function; 1 where nothing is free to differ (df below 1)."""
    from scipy import special

    free = df >= 1
    return np.where(free, special.chdtrc(np.where(free, df, 1), np.maximum(statistic, 0.0)), 1.0)


def effective_size(n: Ints, m: Ints) -> Floats:
    """The effective size n m / (n + m): that of the one sample with the variance of a difference of two. NaN where both
    are 0."""
    total = (n + m).astype(np.float64)
    size: Floats = np.divide(n.astype(np.float64) * m, total, out=np.full(total.shape, np.nan), where=total > 0)
    return size


def two_proportion_z(successes_a: Ints, n_a: Ints, successes_b: Ints, n_b: Ints) -> tuple[Floats, Floats]:
    """The pooled two-proportion z-test, two-sided, without continuity correction.

    z squared is Pearson's chi-square of the 2 x 2 table. Where both rates are 0, or both 1, z is 0 and p is 1; where a
    side is empty both are NaN.

    Returns
    -------
    z, positive where b has the larger rate, and p.
    """
    from scipy import special

    with np.errstate(divide="ignore", invalid="ignore"):
        rate = (successes_a + successes_b) / (n_a + n_b)
        spread = np.sqrt(rate * (1.0 - rate) * (1.0 / n_a + 1.0 / n_b))
        z = (successes_b / n_b - successes_a / n_a) / spread
    z = np.where((spread == 0.0) & (n_a > 0) & (n_b > 0), 0.0, z)
    z = np.where((n_a > 0) & (n_b > 0), z, np.nan)
    return z, special.erfc(np.abs(z) / np.sqrt(2.0))


def cross_difference(a: Ints, n_a: Ints, b: Ints, n_b: Ints) -> tuple[Floats, Floats]:
    """Numerator and denominator of b / n_b - a / n_a; a side without rows counts as one of one row.

    Subtracted as integers, while their products fit, so that one division rounds once: 0.3 - 0.2 of floats is below
    0.1, and a threshold of 0.1 would not be reached.
    """
    n_a, n_b = np.maximum(n_a, 1), np.maximum(n_b, 1)
    denominator: Floats = n_a.astype(np.float64) * n_b
    exact = (b * n_a - a * n_b).astype(np.float64)
    return np.where(denominator < 2.0**62, exact, b.astype(np.float64) * n_a - a.astype(np.float64) * n_b), denominator


def rate_difference(successes_a: Ints, n_a: Ints, successes_b: Ints, n_b: Ints) -> tuple[Floats, Floats]:
    """|rate b - rate a| and its two-sided p-value by `two_proportion_z`; NaN where a side is empty."""
    numerator, denominator = cross_difference(successes_a, n_a, successes_b, n_b)
    _, p_value = two_proportion_z(successes_a, n_a, successes_b, n_b)
    return np.where((n_a > 0) & (n_b > 0), np.abs(numerator) / denominator, np.nan), p_value
