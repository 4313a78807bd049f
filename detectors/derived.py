"""Derived columns: what the numeric features of a row say together, with weights that the reference holds.

| column | value | of unchanged data |
|---|---|---|
| `@distance` | Mahalanobis distance: the norm of the row's whitened features | chi, about the root of their number |
| `@residual` | PCA reconstruction error: the norm of what the leading axes leave of the row | root mean square 1 |
| `@joint.1` ... `@joint.16` | fixed random projections of the whitened features | mean 0, variance 1 |

A feature is taken as its deviation from the reference's mean in standard deviations, z, rounded to 1/16384 and at
most 4096; a null or invalid one is 0, which is the mean. All three are norms or values of `weights @ z`, rounded to
multiples of 1/1024. A row that has no numeric feature at all, whether it does not speak of features or all of them are
missing, has no derived value: it is absent, since an imputed row would say "exactly as the reference", and the nulls
count in the columns where they lie.

**Exact sums.** A row's value must not depend on the rows beside it, nor on the machine: a matrix product adds in an
order that depends on both. So weights have as few bits as it takes for `weights @ z` to be exact in float64 in every
order: z has 12 bits before the point and 14 after it, a weight 27 less the bits of the number of features. What that
rounds away is half a step of z in each feature, divided by the deviation of the smallest axis that is kept.

`detectors.axes` makes the weights, `detectors.derive` computes the columns.

References
----------
Mahalanobis (1936), On the generalised distance in statistics, Proceedings of the National Institute of Sciences of
India 2(1), 49-55.
Jackson & Mudholkar (1979), Control procedures for residuals associated with principal component analysis,
Technometrics 21(3), 341-349.
"""

from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.errors import MalformedReference

DISTANCE: Final = "@distance"
RESIDUAL: Final = "@residual"
JOINT: Final = "@joint"
N_JOINT: Final = 16

DERIVED_COLUMNS: Final = (DISTANCE, RESIDUAL, *(f"{JOINT}.{number}" for number in range(1, N_JOINT + 1)))
"""The names, in the order of every layout, batch and sketch; no feature can have one of them."""

Z_STEPS: Final = 16384.0
"""Standardised features are multiples of its inverse."""

Z_LIMIT: Final = 4096.0
"""Standard deviations beyond which a feature counts as this far."""

_NAMES: Final = frozenset(DERIVED_COLUMNS)


def is_derived(name: str) -> bool:
    """Whether a column of this name is derived."""
    return name in _NAMES


def verdict_column(name: str) -> str:
    """The column whose verdict a column belongs to: itself, or `@joint` for each of the projections."""
    return JOINT if name in _NAMES and name.startswith(f"{JOINT}.") else name


def rounded(weights: Floats) -> Floats:
    """Weights (m, p) with as many bits, of the largest in each row, as leave `weights @ z` exact."""
    bits = 27 - (weights.shape[1] - 1).bit_length()
    found = weights
    for _ in range(2):  # the first may round the largest up to a power of two, which has one bit more
        _, exponent = np.frexp(np.abs(found).max(axis=1, keepdims=True, initial=0.0))
        found = np.ldexp(np.rint(np.ldexp(found, bits - exponent)), exponent - bits) + 0.0
    return found


class Derived:
    """How the derived columns follow from a row's features. Immutable; equal if all numbers are.

    Attributes
    ----------
    features: (p,) int64, the positions in `layout.numeric` of the features that are looked at, ascending.
    centre, scale: (p,) float64, the reference's mean and standard deviation of each; finite, scale above 0.
    weights: (m, p) float64. Rows 0 to 15 give the projections.
    distance: the first of the rows whose squares add up to the distance's; 0 where the projections are among them.
    residual: the first of the rows whose squares add up to the residual's; it ends the distance's.
    """

    __slots__ = ("centre", "distance", "features", "residual", "scale", "weights")

    def __init__(
        self, *, features: Ints, centre: Floats, scale: Floats, weights: Floats, distance: int, residual: int
    ) -> None:
        p, m = features.size, weights.shape[0]
        if p < 2 or np.any(np.diff(features) <= 0) or features[0] < 0:
            raise MalformedReference("derived columns need two features or more, in the layout's order")
        if centre.shape != (p,) or scale.shape != (p,) or weights.shape != (m, p):
            raise MalformedReference("the weights of the derived columns do not fit their features")
        if not all(np.isfinite(part).all() for part in (centre, 1.0 / scale, weights)) or np.any(scale <= 0.0):
            raise MalformedReference("the weights of the derived columns are not finite")
        if not (0 <= distance < residual < m and residual >= N_JOINT):
            raise MalformedReference("the derived columns have no rows of weights")
        if not np.array_equal(weights, rounded(weights)):
            raise MalformedReference("the weights of the derived columns have too many digits to add up exactly")
        # One memory order and one type, or the kernel is compiled again for another.
        self.features: Ints = np.ascontiguousarray(features, dtype=np.int64)
        self.centre: Floats = np.ascontiguousarray(centre, dtype=np.float64)
        self.scale: Floats = np.ascontiguousarray(scale, dtype=np.float64)
        self.weights: Floats = np.ascontiguousarray(weights, dtype=np.float64)
        self.distance = distance
        self.residual = residual

    def encode(self) -> bytes:
        """The bytes that a reference file keeps, and that its digest is of."""
        return msgspec.msgpack.encode(
            _Record(
                features=self.features.astype("<i8").tobytes(),
                centre=(self.centre + 0.0).astype("<f8").tobytes(),
                scale=self.scale.astype("<f8").tobytes(),
                weights=(self.weights + 0.0).astype("<f8").tobytes(),
                distance=self.distance,
                residual=self.residual,
            )
        )

    @classmethod
    def decode(cls, data: bytes) -> "Derived":
        """What `encode` wrote.

        Raises
        ------
        MalformedReference: it did not write this.
        """
        try:
            record = msgspec.msgpack.decode(data, type=_Record)
            centre, scale, weights = (
                np.frombuffer(part, dtype="<f8") for part in (record.centre, record.scale, record.weights)
            )
            return cls(
                features=np.frombuffer(record.features, dtype="<i8"),
                centre=centre,
                scale=scale,
                weights=weights.reshape(-1, max(centre.size, 1)),
                distance=record.distance,
                residual=record.residual,
            )
        except (msgspec.DecodeError, ValueError, RecursionError) as error:
            raise MalformedReference(f"the weights of the derived columns are corrupt: {error}") from error

    def __eq__(self, other: object) -> bool:
        return self.encode() == other.encode() if isinstance(other, Derived) else NotImplemented

    def __hash__(self) -> int:
        return hash(self.encode())

    def __repr__(self) -> str:
        return f"Derived({self.features.size} features, {self.weights.shape[0]} rows of weights)"


class _Record(msgspec.Struct, frozen=True):
    features: bytes
    centre: bytes
    scale: bytes
    weights: bytes
    distance: int
    residual: int
