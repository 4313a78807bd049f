"""First Wasserstein distance."""

from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.cells_null import NullMoments
from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.dependence import DesignEffect
from detectors.placement import Exponents, Placement, placement
from detectors.registry import Scores, debiased, register
from detectors.significance import effective_size


@register
class Wasserstein:
    """Wasserstein-1 (earth mover's) distance, in standard deviations of the reference.

    How far the values moved, on average, in a unit that every column shares: a pure shift by d scores d / std. Prefer
    `ks` or `js` on heavy tails, where a few far values decide both this distance and the standard deviation.

    Parameters: none. `default_threshold` 0.1: a tenth of a standard deviation.

    Statistic: at least 0, at most the largest float64. A value in the reference's range counts at the mean of the whole
    reference's values in its cell; what lies outside, at its own mean, which follows from the sketch's mean
    (`detectors.placement`). The difference of the two means, which is exact, is the least that it can be. So a shift
    out of the range, whatever its size, is measured as of the raw values. The standard deviation is the whole
    reference's in every segment, so that segments compare. A constant reference has none: its magnitude is the unit
    then (a relative change), and 1 for a constant 0; the same where the standard deviation overflows.

    Error bound: that of the raw values differs by at most the sum over cells of l or r times the largest distance from
    a cell's place to its ends: no value is counted farther from itself (triangle inequality). A cell of one value adds
    0.

    Effect: sqrt(W^2 - E W^2), E that of unchanged data of these sizes.

    p-value: Pearson's type III distribution with the mean, variance and third moment of the Gaussian limit, a Brownian
    bridge at the cells' ends with the covariance (1/n + 1/m) (F(s) - F(s) F(t)), s <= t, of the pooled proportions; see
    `detectors.bridge`. Assumes independent rows and a few hundred on both sides. Measured on unchanged windows at 5 %:
    4 to 7 % of normal, lognormal and t(3) data from 200 rows on either side; 3 to 14 % on tails of index 1.5 and 1
    (Pareto, Cauchy), where one cell decides. Dependent rows: an F distribution of the square, with the panes' design
    effect (`detectors.dependence`).

    Edge cases: constant and unchanged gives 0 and p = 1; a side without values gives NaN.

    >>> import numpy as np
    >>> from detectors.examples import compare
    >>> rng = np.random.default_rng(7)
    >>> scores = compare("wasserstein", rng.normal(size=20_000), rng.normal(0.5, size=5_000))
    >>> round(float(scores.statistic[0]), 1), bool(scores.p_value[0] < 1e-6)
    (0.5, True)

    Source: Vaserstein (1969), Markov processes over denumerable products of spaces, Problemy Peredachi Informatsii
    5(3), 64-72; in one dimension as the area between distribution functions: Vallender (1974), Theory of Probability
    and its Applications 18(4), 784-786. The null distribution: del Barrio, Giné & Matrán (1999), Annals of Probability
    27(2), 1009-1071.
    """

    name = "wasserstein"
    kinds = frozenset({Kind.NUMERIC})
    grid: Final = "cells"
    default_threshold = 0.1
    symmetric = False  # the reference draws the grid and gives the unit

    def score(self, comparison: Comparison, design: DesignEffect) -> Scores:
        """Score all rows at once."""
        from detectors.bridge import absolute_steps  # loads Numba, which only what computes needs

        reference, current = comparison.reference, comparison.current
        where = placement(comparison)
        distance, moments = np.empty(reference.n.size), np.empty((3, reference.n.size))
        absolute_steps(*_side_by_side(comparison, where), distance, moments)
        bound = np.sum(
            reference.proportions() * where.reference_reach + current.proportions() * where.current_reach, axis=1
        )
        size = effective_size(current.n, reference.n)
        mean, variance, third = moments
        null = NullMoments(mean=np.where(mean > 0.0, 1.0, 0.0), variance=variance, third=third)
        square, spread = null.squared()
        with np.errstate(divide="ignore", invalid="ignore"):
            x = np.where(mean > 0.0, distance * np.sqrt(size) / mean, distance)
            share = debiased(np.ones(x.size), square * design.ratio / x**2)  # of the distance
            dispersion = x**2 / square
        unit = _unit(comparison)
        apart = np.abs(np.ldexp(current.mean, -where.exponent) - np.ldexp(reference.mean, -where.exponent))
        distance = np.maximum(distance, apart)
        return Scores.of(
            comparison,
            statistic=_in_units(distance, where.exponent, unit),
            effect=_in_units(distance * np.nan_to_num(share), where.exponent, unit),
            p_value=null.sf(x),
            p_panes=design.quadratic_sf(x**2, square, spread),
            dispersion=dispersion,
            error_bound=_in_units(bound, where.exponent, unit),
        )


def _side_by_side(comparison: Comparison, where: Placement) -> tuple[Ints, Ints, Floats]:
    """Counts of both sides and the places, (rows, 2 * cells): each side's own cell, the one at the smaller place
    first."""
    shape = (where.current.shape[0], -1)
    none = np.zeros_like(comparison.current.counts)
    swapped = where.current < where.reference
    reference, current = comparison.reference.counts, comparison.current.counts
    pairs = (
        (np.where(swapped, none, reference), np.where(swapped, reference, none)),
        (np.where(swapped, current, none), np.where(swapped, none, current)),
        (np.minimum(where.current, where.reference), np.maximum(where.current, where.reference)),
    )
    before, after, places = (np.stack(pair, axis=2).reshape(shape) for pair in pairs)
    return before, after, places


def _in_units(scaled: Floats, exponent: Exponents, unit: Floats) -> Floats:
    """From powers of two to the unit: scaled * 2^exponent / unit, at most the largest float64."""
    mantissa, own = np.frexp(unit)
    with np.errstate(over="ignore", invalid="ignore"):
        return np.minimum(np.ldexp(scaled / mantissa, exponent - own), np.finfo(np.float64).max)


def _unit(comparison: Comparison) -> Floats:
    """(rows,) what the distance is divided by; positive and finite."""
    magnitude = np.maximum(np.abs(comparison.range_minimum), np.abs(comparison.range_maximum))
    constant = comparison.range_minimum == comparison.range_maximum
    usable = ~constant & np.isfinite(comparison.range_std) & (comparison.range_std > np.finfo(float).tiny)
    unit = np.where(usable, comparison.range_std, magnitude)
    return np.where(unit > np.finfo(float).tiny, unit, 1.0)  # NaN, a reference without values, compares as False
