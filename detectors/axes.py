"""From a reference's rows to the weights of its derived columns, the same for the same rows in any order.

Sums of floats depend on their order, so the second moments are summed over whole numbers: a deviation is rounded to
1/4096 of a standard deviation and cut at 256 of them, and float64 adds such products without an error (a matrix
product of 4,096 rows stays below 2^53), whatever the order. The mean and deviation of a column are those of its sorted
values.

| case | rule |
|---|---|
| a feature without two different finite values | left out; fewer than two that are left is an error |
| singular covariance | distance and projections leave out axes of a deviation up to 1/1000; the residual has them |
| more than 64 axes | distance and projections look at the 32 leading and the 32 last |
| more than 32 axes beyond 95 % of the variance | the residual looks at the 32 last |
"""

import math
from collections.abc import Mapping
from typing import Final, NamedTuple, Self

import numpy as np

from detectors.accumulate import moments
from detectors.arrays import Floats, Ints
from detectors.derived import N_JOINT, Derived, rounded
from detectors.errors import InvalidSetting

EXPLAINED: Final = 0.95
"""Share of the variance that the leading axes hold; the residual is what they leave."""

MAX_AXES: Final = 64
SMALLEST: Final = 1e-6
"""Variance of an axis, in the mean of all axes, up to which it is one that the reference does not vary along."""

SMALLEST_RESIDUAL: Final = 1e-2
"""The least that counts as the residual's unit: below it lies what float32 or six printed digits make of a number."""

_SEED: Final = 20_150_401  # any constant: every worker and every build has the same projections
_STEPS: Final = 4096.0
_MOST: Final = 256.0 * _STEPS
_ROWS: Final = 4096  # _MOST ** 2 * _ROWS is 2 ** 52
_BLOCKS: Final = 1024  # of so many rows, and their sum is below 2 ** 63


class SecondMoments:
    """Sums of products of standardised features, exact, so that the order of rows leaves no trace.

    Parameters
    ----------
    features, centre, scale: as in `Derived`; see `second_moments`.
    """

    def __init__(self, features: Ints, centre: Floats, scale: Floats) -> None:
        self.features, self.centre, self.scale = features, centre, scale
        self.n = 0
        self._blocks = 0
        self._recent = np.zeros((features.size, features.size), dtype=np.int64)
        self._older = self._recent.astype(object)

    def add(self, numeric: Floats) -> None:
        """Take in rows: (n_numeric, n) float64. Those without any of the features are left out."""
        for start in range(0, numeric.shape[1], _ROWS):
            own = numeric[self.features, start : start + _ROWS]
            there = np.isfinite(own)
            with np.errstate(over="ignore", invalid="ignore"):
                z = (own - self.centre[:, np.newaxis]) / self.scale[:, np.newaxis]
            whole = np.where(there, np.clip(np.rint(z * _STEPS), -_MOST, _MOST), 0.0)
            self.n += int(there.any(axis=0).sum())
            self._recent += (whole @ whole.T).astype(np.int64)
            self._blocks += 1
            if self._blocks % _BLOCKS == 0:
                self._older += self._recent  # Python's integers, which have no end
                self._recent[:] = 0

    @property
    def covariance(self) -> Floats:
        """(p, p) of the standardised features, a missing one taken as the mean."""
        found: Floats = ((self._older + self._recent) / (max(self.n, 1) * int(_STEPS) ** 2)).astype(np.float64)
        return found


class Spread(NamedTuple):
    """Mean, standard deviation and largest magnitude of a column's values; the deviation may be 0 or infinite."""

    mean: float
    deviation: float
    magnitude: float

    @classmethod
    def of(cls, ordered: Floats) -> Self:
        """Of (n,) finite values, n at least 1, in ascending order: a sum depends on it in the last bits."""
        mean, m2 = moments(ordered)
        return cls(mean, math.sqrt(m2 / ordered.size), float(max(-ordered[0], ordered[-1])))

    @property
    def standard(self) -> tuple[float, float] | None:
        """Centre and scale, without the digits that depend on the machine that sums; None if the column does not vary,
        or so far that squares overflow."""
        if not 1e-300 < self.deviation < 1e300 or self.deviation <= 1e-12 * self.magnitude:
            return None
        fraction, exponent = math.frexp(self.deviation)
        scale = math.ldexp(round(math.ldexp(fraction, 30)), exponent - 30)
        unit = math.ldexp(1.0, exponent - 24)
        steps = self.mean / unit
        return (round(steps) * unit if abs(steps) < 2.0**52 else self.mean), scale


def second_moments(spreads: Mapping[int, Spread]) -> SecondMoments:
    """Nothing summed yet, of the features that vary.

    Parameters
    ----------
    spreads: by position in `layout.numeric`, of all numeric features that have values.

    Raises
    ------
    InvalidSetting: fewer than two vary.
    """
    standards = {position: spread.standard for position, spread in sorted(spreads.items())}
    good = {position: standard for position, standard in standards.items() if standard is not None}
    if len(good) < 2:
        raise InvalidSetting(f"{len(good)} numeric features vary, and it takes two to vary together")
    centre, scale = np.array(list(good.values())).T
    return SecondMoments(np.array(list(good), dtype=np.int64), centre, scale)


def derived_of(summed: SecondMoments) -> Derived:
    """The weights that the reference's moments give."""
    values, vectors = np.linalg.eigh(summed.covariance)  # ascending
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    kept = _kept(values)
    whitening = (vectors[:, kept] / np.sqrt(values[kept])).T  # (r, p), each row an axis
    projections, among = _projections(vectors[:, kept], whitening)
    left = _residual(values)
    unit = max(float(np.sqrt(values[left].sum())), SMALLEST_RESIDUAL)
    parts = [projections, np.empty((0, values.size)) if among else whitening, vectors[:, left].T / unit]
    weights = np.concatenate(parts)
    return Derived(
        features=summed.features,
        centre=summed.centre,
        scale=summed.scale,
        weights=rounded(weights),
        distance=0 if among else N_JOINT,
        residual=weights.shape[0] - left.size,
    )


def _kept(values: Floats) -> Ints:
    """The axes of distance and projections: those the reference varies along, at most 64, largest first."""
    kept = np.flatnonzero(values > SMALLEST * values.mean())  # the mean is 1, or less where values are missing
    if kept.size > MAX_AXES:
        kept = np.concatenate([kept[: MAX_AXES // 2], kept[-MAX_AXES // 2 :]])
    return kept


def _residual(values: Floats) -> Ints:
    """The axes beyond those that hold 95 % of the variance; at least the last, at most 32."""
    held = np.cumsum(values) / values.sum()
    leading = min(int(np.searchsorted(held, EXPLAINED)) + 1, values.size - 1)
    return np.arange(max(leading, values.size - MAX_AXES // 2), values.size)


def _projections(vectors: Floats, whitening: Floats) -> tuple[Floats, bool]:
    """Directions of whitened space, and whether they are a whole orthonormal basis of it: then their squares add up to
    the distance's, which costs nothing more.

    They are drawn in the space of the features and carried over by the axes, so that neither the sign of an axis nor
    how axes of equal variance are turned makes a difference.
    """
    r = whitening.shape[0]
    drawn = np.random.Generator(np.random.PCG64(_SEED)).standard_normal((max(r, N_JOINT), vectors.shape[0])) @ vectors
    if r < N_JOINT:
        return drawn / np.linalg.norm(drawn, axis=1, keepdims=True) @ whitening, False
    basis, triangle = np.linalg.qr(drawn.T)
    return (basis * np.sign(np.diagonal(triangle))).T @ whitening, True
