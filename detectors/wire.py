"""Sketches as bytes: versioned, in the narrowest integers that hold them, sparse when few cells are filled.

Not compressed: the message around many sketches is. Integers are little-endian; floats are kept to the bit.
"""

from itertools import pairwise
from typing import Any, Final

import msgspec
import numpy as np

from detectors.arrays import Bools, Integers, Ints
from detectors.errors import LayoutMismatch, MalformedSketch
from detectors.frequent import CAPACITY, EMPTY, Frequent
from detectors.layout import Layout
from detectors.sketch import Sketch

VERSION: Final = 2
"""2: `n_both`. Of 1 it follows from the tallies: every row of it spoke of its features."""
_UNREADABLE: Final = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)  # the last by arrays in arrays in arrays
_LARGEST: Final = 2**63 - 1
_ROUNDING: Final = 1e-9  # of the largest magnitude: a mean is a sum of floats
_WIDTHS: Final = (1, 2, 4, 8)  # bytes an unsigned integer
_KINDS: Final[dict[int, type[np.integer[Any]]]] = {1: np.uint8, 2: np.uint16, 4: np.uint32, 8: np.int64}


class _Integers(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`width` bytes a value; `index` empty means dense, else the places of `values` and zeros elsewhere."""

    width: int
    values: bytes
    index_width: int = 0
    index: bytes = b""


class _Unseen(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    position: int  # in layout.categorical
    values: list[bytes]  # UTF-8; a lone surrogate, which JSON can carry, passes through
    counts: list[int]
    error: int


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    fingerprint: bytes
    n: int
    counts: _Integers
    nulls: _Integers
    invalid: _Integers
    moments: bytes  # minimum, maximum, mean, m2: (4, n_numeric) float64
    frequent: list[_Unseen]
    n_both: int = -1


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)
_header = msgspec.msgpack.Decoder(list[Any])


def encode_sketch(sketch: Sketch) -> bytes:
    """About one to two bytes a cell for a window of 10,000 rows; `decode_sketch` gives the same sketch back."""
    moments = np.stack([sketch.minimum, sketch.maximum, sketch.mean, sketch.m2])
    unseen = [
        _Unseen(
            position=position,
            values=[value.encode("utf-8", "surrogatepass") for value in frequent.counts],
            counts=list(frequent.counts.values()),
            error=frequent.error,
        )
        for position, frequent in enumerate(sketch.frequent)
        if frequent.counts or frequent.error
    ]
    return _encoder.encode(
        _Wire(
            version=VERSION,
            fingerprint=sketch.layout.fingerprint,
            n=sketch.n,
            counts=_pack(sketch.kept),
            nulls=_pack(sketch.nulls),
            invalid=_pack(sketch.invalid),
            moments=moments.astype("<f8").tobytes(),
            frequent=unseen,
            n_both=sketch.n_both,
        )
    )


def decode_sketch(data: bytes, layout: Layout) -> Sketch:
    """The sketch in `data`.

    Raises
    ------
    MalformedSketch: no sketch, truncated, corrupt, or of an unknown format version.
    LayoutMismatch: a sketch, but of another reference.
    """
    try:
        wire = _decoder.decode(data)
    except _UNREADABLE as error:
        raise MalformedSketch(_version_fault(data) or f"no sketch: {error}") from error
    if not 1 <= wire.version <= VERSION:
        raise MalformedSketch(f"sketch format {wire.version}; this release reads {VERSION}")
    if wire.fingerprint != layout.fingerprint:
        raise LayoutMismatch("the sketch was counted in the cells of another reference")
    n_columns, n_numeric = len(layout.columns), len(layout.numeric)
    if len(wire.moments) != 4 * 8 * n_numeric:
        raise MalformedSketch("the moments are truncated")
    moments = np.frombuffer(wire.moments, dtype="<f8").reshape(4, n_numeric).astype(np.float64)
    sketch = Sketch(
        layout=layout,
        n=wire.n,
        n_both=wire.n_both,
        counts=_unpack(wire.counts, layout.n_cells),
        nulls=_unpack(wire.nulls, n_columns),
        invalid=_unpack(wire.invalid, n_columns),
        minimum=moments[0],
        maximum=moments[1],
        mean=moments[2],
        m2=moments[3],
        frequent=_frequent(wire.frequent, len(layout.categorical)),
    )
    if wire.version == 1:
        sketch.n_both = max(0, sketch.with_features + sketch.with_prediction - sketch.n)
    _check(sketch)
    sketch.kept = sketch.kept.astype(_KINDS[wire.counts.width])
    return sketch


def _pack(values: Integers) -> _Integers:
    width = _width(int(values.max(initial=0)))
    filled = values.nonzero()[0]
    index_width = _width(values.size)
    if filled.size * (width + index_width) < values.size * width:
        index = filled.astype(f"<u{index_width}").tobytes()
        return _Integers(width, values[filled].astype(f"<u{width}").tobytes(), index_width, index)
    return _Integers(width, values.astype(f"<u{width}").tobytes())


def _unpack(packed: _Integers, size: int) -> Ints:
    values = _integers(packed.values, packed.width)
    if not packed.index_width:
        if values.size != size:
            raise MalformedSketch(f"{values.size} counts where {size} belong")
        return values
    index = _integers(packed.index, packed.index_width)
    ascending = not (index[1:] <= index[:-1]).any()
    if index.size != values.size or not ascending or (index.size and index[-1] >= size):
        raise MalformedSketch("the places of the counts are corrupt")
    dense = np.zeros(size, dtype=np.int64)
    dense[index] = values
    return dense


def _integers(data: bytes, width: int) -> Ints:
    if width not in _WIDTHS or len(data) % width:
        raise MalformedSketch("the counts are truncated")
    values = np.frombuffer(data, dtype=f"<u{width}").astype(np.int64)
    if width == 8 and (values < 0).any():  # narrower ones are never that large
        raise MalformedSketch("a count is beyond 2^63")
    return values


def _width(largest: int) -> int:
    return next(width for width in _WIDTHS if largest < 1 << (8 * width))


def _frequent(packed: list[_Unseen], n_categorical: int) -> tuple[Frequent, ...]:
    frequent = [EMPTY] * n_categorical
    for item in packed:
        counts_fit = len(item.values) == len(item.counts) <= CAPACITY and all(count > 0 for count in item.counts)
        if not 0 <= item.position < n_categorical or not counts_fit or item.error < 0:
            raise MalformedSketch("the frequent values are corrupt")
        try:
            values = [value.decode("utf-8", "surrogatepass") for value in item.values]
        except UnicodeDecodeError as error:
            raise MalformedSketch("a frequent value is no text") from error
        frequent[item.position] = Frequent(counts=dict(zip(values, item.counts, strict=True)), error=item.error)
    return tuple(frequent)


def _check(sketch: Sketch) -> None:
    """What every sketch satisfies; a message that does not would poison every window it is added to."""
    n = sketch.n
    tallies, valid = (sketch.counts, sketch.nulls, sketch.invalid), sketch.valid
    if not 0 <= n <= _LARGEST or any(int(tally.max(initial=0)) > n for tally in tallies):
        raise MalformedSketch("more values than rows")
    if n > _LARGEST // max(sketch.counts.size + 2, 1):  # sums could overflow: by Python's integers
        counts, nulls, invalid = (tally.astype(object) for tally in tallies)
        cells = sketch.layout.offsets.tolist()
        exact = np.array([sum(counts[i:j]) for i, j in pairwise(cells)], dtype=object)
        too_many = bool(np.any(exact + nulls + invalid > n))
    else:
        too_many = bool((valid + sketch.nulls + sketch.invalid > n).any())
    if too_many or not 0 <= sketch.n_both <= n:
        raise MalformedSketch("more values than rows")
    _check_moments(sketch, valid[sketch.layout.numeric_indices] > 0)


def _check_moments(sketch: Sketch, filled: Bools) -> None:
    """`filled`, (n_numeric,): the columns that have values."""
    minimum, maximum, mean, m2 = sketch.minimum, sketch.maximum, sketch.mean, sketch.m2
    ordered = (-np.inf < minimum) & (minimum <= mean) & (mean <= maximum) & (maximum < np.inf) & (m2 >= 0.0)
    if (filled & ordered).all():  # as of nearly all: no rounding to be forgiven, and no column without values
        return
    untouched = (minimum == np.inf) & (maximum == -np.inf) & (mean == 0.0) & (m2 == 0.0)
    finite = np.isfinite(minimum) & np.isfinite(maximum) & np.isfinite(mean)
    with np.errstate(over="ignore", invalid="ignore"):  # of infinities, which are refused anyhow
        slack = _ROUNDING * np.maximum(np.abs(minimum), np.abs(maximum))
        inside = (minimum <= maximum) & (minimum - slack <= mean) & (mean <= maximum + slack)
    if not np.where(filled, finite & inside & (m2 >= 0.0), untouched).all():  # NaN compares as False
        raise MalformedSketch("the moments contradict the counts")


def _version_fault(data: bytes) -> str:
    """Tell a newer format apart from rubbish."""
    try:
        head = _header.decode(data)
    except _UNREADABLE:
        return ""
    if head and isinstance(head[0], int) and not 1 <= head[0] <= VERSION:
        return f"sketch format {head[0]}; this release reads {VERSION}"
    return ""
