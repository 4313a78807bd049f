"""A side made of parts in other proportions than their own: the reference's hours, each as often as the window has it.

A window of 400 hours has some hours of the week three times and others twice. Beside the plain sum of the reference's
hours its mean differs, though nothing has changed in any hour. So part h counts f_h-fold, f_h the window's rows of h
over the part's: the sum then has the proportions that an unchanged window has on average.

Weights cost rows. A sum of m_h rows each f_h-fold varies as a plain sample of (sum f m)^2 / sum f^2 m rows does (Kish):
to so many the sum is scaled, so that every null distribution, which depends on the number of rows, holds for it as it
is. Counts stay whole numbers: the running sum over a column's cells is rounded, and so no distribution function is
off by more than half a row, and categories of less than a row are thinned to one in so many, as a smaller sample does.

References
----------
Kish (1965), Survey Sampling, Wiley, section 11.7: the loss of rows by weighting. Holt & Smith (1979), Post
stratification, Journal of the Royal Statistical Society A 142(1), 33-46.
"""

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np

from detectors.arrays import Floats, Ints
from detectors.layout import Layout
from detectors.sketch import Sketch
from detectors.stack import Stack

Part = Mapping[str, Sketch]
_ALIKE: Final = 1e-9  # factors that differ by less are the same


def alike(factors: Sequence[float]) -> bool:
    """Whether a mixture with these factors is the plain sum of its parts."""
    return min(factors, default=0.0) >= (1.0 - _ALIKE) * max(factors, default=0.0)


def mixture(layout: Layout, parts: Sequence[Part], factors: Sequence[float]) -> Stack:
    """The parts, each counted `factors[h]`-fold, as a sample of as many rows as it is worth.

    Parameters
    ----------
    layout: of the parts.
    parts: sketches by segment, a part each; a segment that a part lacks has no rows there.
    factors: at least 0, one a part. Only their ratios matter; where all are equal it is the plain sum.

    Returns
    -------
    With all segments of the parts that have a factor above 0.
    """
    used = [(part, float(factor)) for part, factor in zip(parts, factors, strict=True) if factor > 0.0]
    names = tuple(sorted({name for part, _ in used for name in part}))
    n_segments, n_columns, n_numeric = len(names), len(layout.columns), len(layout.numeric)
    events, counts = np.zeros((n_segments, 4)), np.zeros((n_segments, layout.n_cells))
    nulls, invalid = np.zeros((2, n_segments, n_columns))
    minimum, maximum = np.full((n_segments, n_numeric), np.inf), np.full((n_segments, n_numeric), -np.inf)
    mean, m2 = np.zeros((2, n_segments, n_numeric))
    for row, name in enumerate(names):
        own = [(part[name], factor) for part, factor in used if name in part]
        squares = sum(factor**2 * sketch.n for sketch, factor in own)
        worth = sum(factor * sketch.n for sketch, factor in own) / squares if squares else 1.0
        scaled = [(sketch, worth * factor) for sketch, factor in own]
        for sketch, factor in scaled:
            events[row] += factor * np.array([sketch.n, sketch.with_features, sketch.with_prediction, sketch.n_both])
            counts[row] += factor * sketch.kept
            nulls[row] += factor * sketch.nulls
            invalid[row] += factor * sketch.invalid
            np.minimum(minimum[row], sketch.minimum, out=minimum[row])
            np.maximum(maximum[row], sketch.maximum, out=maximum[row])
        mean[row], m2[row] = _moments(scaled, layout)
    return Stack(
        names=names,
        events=_whole(events),
        counts=_rounded(layout, counts),
        nulls=_whole(nulls),
        invalid=_whole(invalid),
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        m2=m2,
    )


def _rounded(layout: Layout, counts: Floats) -> Ints:
    """(segments, n_cells) whole numbers whose running sums over each column's cells are within half of those given."""
    if not counts.shape[1]:
        return _whole(counts)
    first = layout.offsets[:-1]
    running = np.cumsum(counts, axis=1)
    before = np.where(first > 0, running[:, first - 1], 0.0)
    ends = _whole(running - np.repeat(before, np.diff(layout.offsets), axis=1))
    rounded: Ints = np.diff(ends, axis=1, prepend=0)
    rounded[:, first] = ends[:, first]
    return rounded


def _whole(values: Floats) -> Ints:
    # Halves upwards, with room for the rounding of sums of floats.
    return np.floor(values + (0.5 + 1e-6)).astype(np.int64)


def _moments(own: Sequence[tuple[Sketch, float]], layout: Layout) -> tuple[Floats, Floats]:
    """(n_numeric,) mean and sum of squared deviations of one segment's weighted values."""
    rows = [factor * sketch.valid[layout.numeric_indices] for sketch, factor in own]
    total = np.sum(rows, axis=0)
    with np.errstate(over="ignore", invalid="ignore"):  # squares of huge units are infinite, as those of a sketch are
        shares = [np.divide(n, total, out=np.zeros(total.shape), where=total > 0.0) for n in rows]
        mean = sum(share * sketch.mean for share, (sketch, _) in zip(shares, own, strict=True))
        squares = sum(
            factor * sketch.m2 + np.where(n > 0.0, n * (sketch.mean - mean) ** 2, 0.0)
            for n, (sketch, factor) in zip(rows, own, strict=True)
        )
    return np.asarray(mean) + 0.0, np.where(total > 0.0, squares, 0.0)
