"""Confidence intervals of 95 %, rows independent, and the metric that carries one.

References
----------
Wilson (1927), Probable inference, the law of succession, and statistical inference, Journal of the American Statistical
Association 22(158), 209-212. Brown, Cai & DasGupta (2001), Interval estimation for a binomial proportion, Statistical
Science 16(2), 101-133.
"""

import math
from typing import Final

import msgspec

Z: Final = 1.959963984540054
"""The 97.5 % quantile of the normal distribution."""


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """A figure of merit.

    Attributes
    ----------
    name: as in the configuration: "roc_auc", "recall:<class>".
    value: NaN where it is undefined: no positive label, nothing said to be positive, no rows.
    n: rows it rests on.
    ci_low, ci_high: the 95 % interval of the value in the population that the rows are a sample of; NaN where unknown.
    error_bound: how far counting in cells may have moved the value; 0 where it is that of the raw rows. No part of the
        interval.
    method: of the interval.
    """

    name: str
    value: float
    n: int
    ci_low: float = math.nan
    ci_high: float = math.nan
    error_bound: float = 0.0
    method: str = ""


def wilson(successes: float, n: float) -> tuple[float, float]:
    """The score interval of a share; (NaN, NaN) without rows. Counts may be fractions, as an estimate's are."""
    if n <= 0.0:
        return math.nan, math.nan
    share = successes / n
    centre = (share + Z**2 / (2.0 * n)) / (1.0 + Z**2 / n)
    half = Z / (1.0 + Z**2 / n) * math.sqrt(max(share * (1.0 - share), 0.0) / n + Z**2 / (4.0 * n**2))
    # At the ends rounding would pass the share itself.
    return (0.0 if successes <= 0.0 else max(centre - half, 0.0)), (1.0 if successes >= n else min(centre + half, 1.0))


def share(name: str, successes: float, n: float) -> Metric:
    """A share with its Wilson interval; NaN without rows."""
    low, high = wilson(successes, n)
    value = successes / n if n > 0.0 else math.nan
    return Metric(name=name, value=value, n=round(n), ci_low=low, ci_high=high, method="wilson")


def on_logit(value: float, variance: float, n_least: float) -> tuple[float, float]:
    """The interval of a value in [0, 1] by the delta method on its log odds, which keeps it inside.

    At 0 and 1, and without variance, the Wilson interval of `n_least` rows: a delta method says nothing there.
    """
    if not 0.0 < value < 1.0 or not variance > 0.0:
        return wilson(value * n_least, n_least)
    place = math.log(value / (1.0 - value))
    half = Z * math.sqrt(variance) / (value * (1.0 - value))
    return 1.0 / (1.0 + math.exp(min(half - place, 700.0))), 1.0 / (1.0 + math.exp(max(-half - place, -700.0)))


def on_log(value: float, relative_variance: float) -> tuple[float, float]:
    """The interval of a positive value by the delta method on its logarithm; the value itself where it is 0."""
    if not value > 0.0 or not math.isfinite(relative_variance):
        return (value, value) if value == 0.0 else (math.nan, math.nan)
    factor = math.exp(min(Z * math.sqrt(max(relative_variance, 0.0)), 700.0))
    return value / factor, value * factor


def of_mean(name: str, mean: float, variance: float, n: float, least: float = -math.inf) -> Metric:
    """A mean with its Student interval.

    Parameters
    ----------
    variance: the sample variance of the rows, not of the mean; NaN below two rows.
    n: rows; may be the fraction that an estimate is worth.
    least: what no value is below.
    """
    from scipy import special

    if n < 2.0 or not (math.isfinite(variance) and variance >= 0.0):
        return Metric(name=name, value=mean, n=round(n), method="student t")
    half = float(special.stdtrit(n - 1.0, 0.975)) * math.sqrt(variance / n)
    low = max(mean - half, least)
    return Metric(name=name, value=mean, n=round(n), ci_low=low, ci_high=mean + half, method="student t")
