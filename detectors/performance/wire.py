"""Performance sketches as bytes: versioned, signed counts in as few bytes as hold them, sparse where few are filled.

Not compressed: the message around many sketches is. Nothing is rounded: `decode` gives the same sketch, to the bit.
"""

from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Ints
from detectors.errors import LayoutMismatch, MalformedSketch
from detectors.performance.exact import ExactMoments
from detectors.performance.sketch import PerformanceSketch, shapes_of
from detectors.performance.space import PerformanceSpace

VERSION: Final = 1
_WIDTHS: Final = range(1, 9)  # bytes: sums of losses rarely need more than five
_INDEX_WIDTHS: Final = (1, 2, 4)
_MOST_BYTES: Final = 1024  # of an exact sum: 2^8192 squares of the largest float64 fit


class _Packed(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`width` bytes a value, signed; `index` empty with `index_width` 0 means dense."""

    width: int
    values: bytes
    index_width: int = 0
    index: bytes = b""


class _Whole(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """The integer `signed << shift`."""

    signed: bytes
    shift: int


class _Moments(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    n: int
    total: _Whole
    squares: _Whole


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    fingerprint: bytes
    n: int
    n_invalid: int
    arrays: list[_Packed]  # outcomes, confusion, residuals, and the four columns of the sums
    moments: list[_Moments]


class _Head(msgspec.Struct, frozen=True, array_like=True):
    version: int


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Wire)
_head = msgspec.msgpack.Decoder(_Head)


def encode_performance(sketch: PerformanceSketch) -> bytes:
    """About 11 KB for a binary window of 10,000 matches with 25 columns, less where few cells are filled."""
    arrays = [sketch.outcomes, sketch.confusion, sketch.residuals, *sketch.sums.T]
    return _encoder.encode(
        _Wire(
            version=VERSION,
            fingerprint=sketch.space.fingerprint,
            n=sketch.n,
            n_invalid=sketch.n_invalid,
            arrays=[_pack(array.ravel()) for array in arrays],
            moments=[
                _Moments(n=moment.n, total=_whole(moment.total), squares=_whole(moment.squares))
                for moment in sketch.moments
            ],
        )
    )


def decode_performance(data: bytes, space: PerformanceSpace) -> PerformanceSketch:
    """The sketch in `data`.

    Raises
    ------
    MalformedSketch: no sketch, truncated, corrupt, or of an unknown format version.
    LayoutMismatch: a sketch, but of another reference.
    """
    try:
        version = _head.decode(data).version
        if version != VERSION:
            raise MalformedSketch(f"performance sketch format {version}; this release reads {VERSION}")
        wire = _decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise MalformedSketch(f"no performance sketch: {error}") from error
    if wire.fingerprint != space.fingerprint:
        raise LayoutMismatch("the performance sketch was counted in the cells of another reference")
    shapes = shapes_of(space)
    wanted = [shapes["outcomes"], shapes["confusion"], shapes["residuals"], *[(space.n_sum_cells,)] * 4]
    if len(wire.arrays) != len(wanted) or len(wire.moments) != len(space.names):
        raise MalformedSketch("arrays or moments are missing")
    arrays = [_unpack(packed, shape) for packed, shape in zip(wire.arrays, wanted, strict=True)]
    return PerformanceSketch(
        space=space,
        n=wire.n,
        n_invalid=wire.n_invalid,
        outcomes=arrays[0],
        confusion=arrays[1],
        residuals=arrays[2],
        sums=np.stack(arrays[3:], axis=1),
        moments=tuple(
            ExactMoments(n=moment.n, total=_integer(moment.total), squares=_integer(moment.squares))
            for moment in wire.moments
        ),
    )


def _pack(values: Ints) -> _Packed:
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    width = next(width for width in _WIDTHS if -(1 << 8 * width - 1) <= low and high < 1 << 8 * width - 1)
    filled = values.nonzero()[0]
    index_width = 1 if values.size <= 1 << 8 else 2 if values.size <= 1 << 16 else 4
    if filled.size * (width + index_width) < values.size * width:
        index = filled.astype(f"<u{index_width}").tobytes()
        return _Packed(width, _narrow(values[filled], width), index_width, index)
    return _Packed(width, _narrow(values, width))


def _narrow(values: Ints, width: int) -> bytes:
    return values.astype("<i8").view(np.uint8).reshape(-1, 8)[:, :width].tobytes()


def _wide(data: bytes, width: int) -> Ints:
    low = np.frombuffer(data, dtype=np.uint8).reshape(-1, width)
    whole = np.repeat(np.where(low[:, -1:] >= 128, np.uint8(255), np.uint8(0)), 8, axis=1)  # the sign
    whole[:, :width] = low
    return whole.view("<i8")[:, 0].astype(np.int64)


def _unpack(packed: _Packed, shape: tuple[int, ...]) -> Ints:
    size = int(np.prod(shape))
    if packed.width not in _WIDTHS or len(packed.values) % packed.width:
        raise MalformedSketch("the counts are truncated")
    values = _wide(packed.values, packed.width)
    if not packed.index_width:
        if values.size != size:
            raise MalformedSketch(f"{values.size} counts where {size} belong")
        return values.reshape(shape)
    if packed.index_width not in _INDEX_WIDTHS or len(packed.index) % packed.index_width:
        raise MalformedSketch("the places of the counts are truncated")
    index = np.frombuffer(packed.index, dtype=f"<u{packed.index_width}").astype(np.int64)
    if index.size != values.size or np.any(index >= size) or np.any(np.diff(index) <= 0):
        raise MalformedSketch("the places of the counts are corrupt")
    dense = np.zeros(size, dtype=np.int64)
    dense[index] = values
    return dense.reshape(shape)


def _whole(number: int) -> _Whole:
    shift = (number & -number).bit_length() - 1 if number else 0
    number >>= shift
    return _Whole(number.to_bytes(number.bit_length() // 8 + 1, "little", signed=True), shift)


def _integer(whole: _Whole) -> int:
    if len(whole.signed) > _MOST_BYTES or not 0 <= whole.shift <= 8 * _MOST_BYTES:
        raise MalformedSketch("an exact sum is out of range")
    return int.from_bytes(whole.signed, "little", signed=True) << whole.shift
