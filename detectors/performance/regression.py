"""The metrics of a regression, from its performance sketch.

Sums are exact (`detectors.performance.exact`), so every metric but the quantiles is that of the raw rows.

References
----------
Hyndman & Fan (1996), Sample quantiles in statistical packages, The American Statistician 50(4), 361-365. Conover
(1999), Practical Nonparametric Statistics, 3rd ed., section 3.2: the interval of a quantile by ranks.
"""

import math
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.performance.intervals import Metric, Z, of_mean, on_log
from detectors.performance.sketch import PerformanceSketch

QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
"""Of the residual, target - prediction; their metrics are named `residual:0.05` and so on."""


def regression_metrics(sketch: PerformanceSketch) -> tuple[Metric, ...]:
    """MAE, RMSE, bias (mean of prediction - target), R2 and quantiles of the residual.

    Intervals: Student's of the mean for MAE and bias; delta method on the logarithm for RMSE, of the mean square, and
    for 1 - R2, whose variance rests on the sums of fourth order; by ranks for quantiles.

    Edge cases: NaN without rows; R2 is NaN where all targets are equal.

    >>> import numpy as np
    >>> from detectors.performance.examples import regression_sketch
    >>> rng = np.random.default_rng(7)
    >>> prediction = rng.normal(size=5_000)
    >>> sketch = regression_sketch(prediction, prediction + rng.normal(0.1, 0.5, size=5_000))
    >>> [(metric.name, round(metric.value, 2)) for metric in regression_metrics(sketch)][:4]
    [('mae', 0.4), ('rmse', 0.51), ('bias', -0.1), ('r2', 0.79)]
    """
    error, absolute, squared = (sketch.moment(name) for name in ("error", "absolute", "squared"))
    edges = np.array(sketch.space.residual_edges, dtype=np.float64)
    return (
        of_mean("mae", absolute.mean, absolute.variance, absolute.n, least=0.0),
        rmse(squared.mean, squared.variance, squared.n),
        of_mean("bias", error.mean, error.variance, error.n),
        _r2(sketch),
        *(residual_quantile(sketch.residuals, edges, q) for q in QUANTILES),
    )


def rmse(mean_square: float, variance: float, n: float) -> Metric:
    """The root of the mean square, of which `variance` is the rows' sample variance."""
    if not (n > 0.0 and mean_square >= 0.0):
        return Metric(name="rmse", value=math.nan, n=max(round(n), 0), method="delta")
    # One division after the other: the square of a tiny mean square is 0.
    relative = variance / mean_square / mean_square / n if mean_square > 0.0 else math.nan
    value = math.sqrt(mean_square)
    low, high = on_log(value, relative / 4.0)
    return Metric(name="rmse", value=value, n=round(n), ci_low=low, ci_high=high, method="delta")


def _r2(sketch: PerformanceSketch) -> Metric:
    target, squared = sketch.moment("target"), sketch.moment("squared")
    space, n = sketch.space, target.n
    if n < 2 or not target.m2 > 0.0:
        return Metric(name="r2", value=math.nan, n=max(n, 0), method="delta")
    spread = target.m2 / n
    lost = squared.mean / spread
    z = (target.mean - space.centre) / space.scale
    z2, z3, e2z, e2z2 = (sketch.moment(name) for name in ("target_2", "target_3", "squared_target", "squared_target_2"))
    fourth = z2.mean_square - 4.0 * z * z3.mean + 6.0 * z**2 * z2.mean - 3.0 * z**4
    cross = e2z2.mean - 2.0 * z * e2z.mean + z**2 * squared.mean
    unit = spread / space.scale**2
    relative = math.nan
    if squared.mean > 0.0:
        lost_fourth = squared.mean_square / squared.mean / squared.mean
        relative = lost_fourth - 2.0 * cross / squared.mean / unit + fourth / unit**2
    low, high = on_log(lost, relative / n)
    return Metric(name="r2", value=1.0 - lost, n=n, ci_low=1.0 - high, ci_high=1.0 - low, method="delta")


def residual_quantile(counts: Ints, edges: Floats, q: float) -> Metric:
    """The residual that the share q of all lies below.

    Linear within its cell. Error bound: the cell's width, infinite in the two outer cells, whose quantiles are given as
    the end of the reference's range. Interval: by ranks, n q -+ 1.96 sqrt(n q (1 - q)); an end that lies beyond that
    range is NaN, for how far beyond is not known.
    """
    n = int(counts.sum())
    name = f"residual:{q:g}"
    if n <= 0 or edges.size == 0:
        return Metric(name=name, value=math.nan, n=max(n, 0), method="ranks")
    half = Z * math.sqrt(n * q * (1.0 - q))
    value, bound = _at_rank(counts, edges, n * q)
    (low, low_bound), (high, high_bound) = (_at_rank(counts, edges, n * q + side) for side in (-half, half))
    beneath, above = float(edges[0]), float(edges[-1])
    return Metric(
        name=name,
        value=value,
        n=n,
        ci_low=math.nan if low_bound == math.inf and low == beneath else low,
        ci_high=math.nan if high_bound == math.inf and high == above else high,
        error_bound=bound,
        method="ranks",
    )


def _at_rank(counts: Ints, edges: Floats, rank: float) -> tuple[float, float]:
    ends = np.cumsum(counts)
    cell = min(int(np.searchsorted(ends, min(max(rank, 1e-9), float(ends[-1])))), counts.size - 1)
    if cell == 0:
        return float(edges[0]), math.inf
    if cell == edges.size:
        return float(edges[-1]), math.inf
    low, high = float(edges[cell - 1]), float(edges[cell])
    inside = (rank - float(ends[cell] - counts[cell])) / max(float(counts[cell]), 1.0)
    return low + (high - low) * min(max(inside, 0.0), 1.0), high - low
