"""Where the values of each cell count, and how far from there they can be.

Inside the reference's range a value counts at the mean of the whole reference's values in its cell. What lies outside
is known by more than a count: the sum of all values is n times their mean, and what the cells inside hold of it is
known, so that the mean of those outside follows.
"""

from typing import Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats
from detectors.comparison import Comparison, Side

Exponents = NDArray[np.int32]  # of two
_SQUARE: Final = 1.6  # mean square over squared mean: 2 of an exponential tail, 1.6 of half a normal one


class Placement(msgspec.Struct, frozen=True, kw_only=True):
    """Of both sides. All but `exponent` are over 2^exponent, that of the row's largest magnitude: exact, and no
    difference overflows.

    Attributes
    ----------
    reference, current: (rows, cells) the places; not decreasing, padding repeats the end.
    reference_reach, current_reach: (rows, cells) the largest distance from there to a value of the cell.
    exponent: (rows,).
    """

    reference: Floats
    current: Floats
    reference_reach: Floats
    current_reach: Floats
    exponent: Exponents


def placement(comparison: Comparison) -> Placement:
    """For a comparison on "cells"."""
    exponent = _exponent(comparison)
    reference, reference_reach = _places(comparison, comparison.reference, exponent)
    current, current_reach = _places(comparison, comparison.current, exponent)
    return Placement(
        reference=reference,
        current=current,
        reference_reach=reference_reach,
        current_reach=current_reach,
        exponent=exponent,
    )


def _exponent(comparison: Comparison) -> Exponents:
    sides = (comparison.reference, comparison.current)
    ends = [comparison.range_minimum, comparison.range_maximum]
    ends += [end for side in sides for end in (side.minimum, side.maximum)]
    magnitude = np.abs(np.stack([*ends], axis=1))
    _, exponent = np.frexp(np.max(magnitude, axis=1, where=np.isfinite(magnitude), initial=0.0))
    found: Exponents = exponent.astype(np.int32)
    return found


def _places(comparison: Comparison, side: Side, exponent: Exponents) -> tuple[Floats, Floats]:
    """(rows, cells) places and reaches of one side."""
    by = -exponent
    edges = np.ldexp(comparison.edges, by[:, None])
    low, high = np.ldexp(comparison.range_minimum, by), np.ldexp(comparison.range_maximum, by)
    # A side without values has infinite extremes, and none outside.
    least = np.fmin(np.where(np.isfinite(side.minimum), np.ldexp(side.minimum, by), low), low)
    most = np.fmax(np.where(np.isfinite(side.maximum), np.ldexp(side.maximum, by), high), high)
    lower, upper = edges[:, :-1], edges[:, 1:]
    below, above = np.isneginf(lower), np.isposinf(upper)
    lower = np.where(below, least[:, None], np.where(above, high[:, None], lower))
    upper = np.where(above, most[:, None], np.where(below, low[:, None], upper))
    means = np.ldexp(comparison.cell_means, by[:, None])
    places = np.where(np.isnan(means), lower + (upper - lower) / 2.0, means)
    rows, last = np.arange(places.shape[0]), np.argmax(above, axis=1)  # padding follows it
    n_below, n_above = side.counts[:, 0].astype(np.float64), side.counts[rows, last].astype(np.float64)
    n_below = np.where(last > 0, n_below, 0.0)
    n_above = np.where(last > 0, n_above, 0.0)
    inside = side.counts.astype(np.float64)
    inside[:, 0] = 0.0
    inside[rows, last] = 0.0
    held = np.where(inside > 0.0, places, 0.0)
    mean = np.ldexp(side.mean, by)
    with np.errstate(over="ignore"):
        m2 = np.ldexp(np.ldexp(side.m2, by), by)
    total = side.n * mean - np.sum(inside * held, axis=1) - n_below * low - n_above * high
    # Squares about the range's middle, where little cancels.
    middle = low + (high - low) / 2.0
    squares = m2 + side.n * (mean - middle) ** 2 - np.sum(inside * (held - middle[:, None]) ** 2, axis=1)
    u, v = _distances(n_below, n_above, total, squares, (high - low) / 2.0, low - least, most - high)
    places[:, 0] = np.where(n_below > 0.0, low - u, places[:, 0])
    places[rows, last] = np.where(n_above > 0.0, high + v, places[rows, last])
    beyond = np.arange(places.shape[1]) > last[:, None]
    places = np.where(beyond, places[rows, last][:, None], places)
    reach = np.where(comparison.single_valued, 0.0, np.maximum(places - lower, upper - places))
    return places, np.where(beyond, 0.0, reach)


def _distances(
    n_below: Floats,
    n_above: Floats,
    total: Floats,
    squares: Floats,
    half: Floats,
    most_below: Floats,
    most_above: Floats,
) -> tuple[Floats, Floats]:
    """(rows,) mean distances u and v from the range of the values below and above it.

    `total` is n_above v - n_below u. Where both ends hold values, the sum of the squared distances from the range's
    middle, `squares`, decides, a mean squared distance from the range being taken as `_SQUARE` times the square of the
    mean one. `half` is half the range's width.
    """
    both = (n_below > 0.0) & (n_above > 0.0)
    lows, highs = np.maximum(n_below, 1.0), np.maximum(n_above, 1.0)
    # Sum over both ends of n (half^2 + 2 half d + _SQUARE d^2) = squares, with v = (total + lows u) / highs.
    with np.errstate(over="ignore", invalid="ignore"):
        quadratic = _SQUARE * (lows + lows**2 / highs)
        linear = 4.0 * half * lows + 2.0 * _SQUARE * total * lows / highs
        constant = (lows + highs) * half**2 + 2.0 * half * total + _SQUARE * total**2 / highs - squares
        root = np.sqrt(np.maximum(linear**2 - 4.0 * quadratic * constant, 0.0))
        below = np.nan_to_num((root - linear) / (2.0 * quadratic), nan=0.0, posinf=0.0)
    below = np.clip(np.where(both, below, -total / lows), 0.0, most_below)
    above = np.clip((total + np.where(both, lows * below, 0.0)) / highs, 0.0, most_above)
    # What the end above cannot take, the one below does.
    below = np.where(both, np.clip((highs * above - total) / lows, 0.0, most_below), below)
    return below, above
