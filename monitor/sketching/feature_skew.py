"""Feature skew on `drift.sketches`: counts of pairs by column, and the exact sums of their differences, as bytes."""

import msgspec

from detectors.feature_skew import ColumnSkew
from detectors.performance.exact import ExactMoments


class ColumnCounts(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """A `detectors.feature_skew.ColumnSkew`, whose sums have more bits than an integer of the format."""

    n_equal: int = 0
    n_unequal: int = 0
    n_served_only: int = 0
    n_recomputed_only: int = 0
    n: int = 0
    total: bytes = b""
    squares: bytes = b""


class FeatureSkewEntry(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Pairs of one version, pane of predictions and pane of label time, by column; negative where pairs were taken
    back."""

    version: str
    pane_start_ms: int
    label_pane_ms: int
    columns: dict[str, ColumnCounts]


class FeatureSkewDelta(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """New pairs of one model. `reference` is the digest of the one that what was served was decoded by."""

    model: str
    reference: str
    pane_ms: int
    entries: list[FeatureSkewEntry]


def encoded(skew: ColumnSkew) -> ColumnCounts:
    """As it travels."""
    return ColumnCounts(
        n_equal=skew.n_equal,
        n_unequal=skew.n_unequal,
        n_served_only=skew.n_served_only,
        n_recomputed_only=skew.n_recomputed_only,
        n=skew.differences.n,
        total=_bytes(skew.differences.total),
        squares=_bytes(skew.differences.squares),
    )


def decoded(counts: ColumnCounts) -> ColumnSkew:
    """What travelled."""
    return ColumnSkew(
        n_equal=counts.n_equal,
        n_unequal=counts.n_unequal,
        n_served_only=counts.n_served_only,
        n_recomputed_only=counts.n_recomputed_only,
        differences=ExactMoments(n=counts.n, total=_number(counts.total), squares=_number(counts.squares)),
    )


def added(one: dict[str, ColumnCounts], other: dict[str, ColumnCounts]) -> dict[str, ColumnCounts]:
    """The sums by column."""
    found = dict(one)
    for name, counts in other.items():
        found[name] = encoded(decoded(found[name]) + decoded(counts)) if name in found else counts
    return found


def _bytes(number: int) -> bytes:
    """The power of two that divides it (2 bytes), then the odd rest: sums in units of 2^-1074 end in many zeros."""
    if not number:
        return b""
    zeros = (number & -number).bit_length() - 1
    odd = number >> zeros
    return zeros.to_bytes(2, "little") + odd.to_bytes(odd.bit_length() // 8 + 1, "little", signed=True)


def _number(data: bytes) -> int:
    return int.from_bytes(data[2:], "little", signed=True) << int.from_bytes(data[:2], "little")
