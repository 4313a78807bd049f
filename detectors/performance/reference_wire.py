"""What the labels of a reference showed, as a part of its file: the space, the performance of the whole and of each
segment, and the delay of labels. `detectors.reference_file` holds it, hashes it, and has checked its hash before it is
read."""

import itertools
import math
from collections.abc import Mapping
from typing import Final

import msgspec
import numpy as np

from detectors.columns import Column
from detectors.errors import ConfigurationError, MalformedReference, MalformedSketch
from detectors.layout import Layout
from detectors.performance.delay import N_DELAY_CELLS, DelayCurve
from detectors.performance.reference import PerformanceReference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import Part, PerformanceSpace, Task

VERSION: Final = 1


class _Part(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """Texts as bytes: a category may be a lone surrogate, which MessagePack has no text for."""

    column: bytes
    cells: tuple[bytes, ...]
    coarse: tuple[int, ...]


class _Space(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    """`scores` are places in the layout: their edges are in the file already."""

    task: Task
    classes: tuple[bytes, ...]
    scores: tuple[int, ...]
    probability: bool
    parts: tuple[_Part, ...]
    residual_edges: bytes
    centre: float
    scale: float


class _Wire(msgspec.Struct, frozen=True, array_like=True, forbid_unknown_fields=True):
    version: int
    space: _Space
    whole: bytes
    segments: list[tuple[bytes, bytes]]
    delay: DelayCurve | None


_decoder = msgspec.msgpack.Decoder(_Wire)


def encode_labelled(
    layout: Layout,
    performance: PerformanceReference,
    segments: Mapping[str, PerformanceSketch],
    delay: DelayCurve | None,
) -> bytes:
    """Bytes that `decode_labelled` reads with the same layout; equal content gives equal bytes.

    Raises
    ------
    ConfigurationError: a score is counted in other cells than its column of the layout.
    """
    space = performance.sketch.space
    return msgspec.msgpack.encode(
        _Wire(
            version=VERSION,
            space=_Space(
                task=space.task,
                classes=tuple(map(_raw, space.classes)),
                scores=tuple(_place(layout, column) for column in space.scores),
                probability=space.probability,
                parts=tuple(_Part(_raw(one.column), tuple(map(_raw, one.cells)), one.coarse) for one in space.parts),
                residual_edges=np.array(space.residual_edges, dtype="<f8").tobytes(),
                centre=space.centre,
                scale=space.scale,
            ),
            whole=performance.encode(),
            segments=[(_raw(name), segments[name].encode()) for name in sorted(segments)],
            delay=delay,
        )
    )


def decode_labelled(
    data: bytes, layout: Layout
) -> tuple[PerformanceReference, dict[str, PerformanceSketch], DelayCurve | None]:
    """The performance of the whole and of each segment, and the delay of labels.

    Raises
    ------
    MalformedReference: truncated, corrupt, or of an unknown format version.
    LayoutMismatch, ConfigurationError: its parts contradict each other.
    """
    try:
        wire = _decoder.decode(data)
        if wire.version != VERSION:
            raise MalformedReference(f"format {wire.version} of a labelled reference; this release reads {VERSION}")
        space = _space(wire.space, layout)
        performance = PerformanceReference.decode(wire.whole, space)
        segments = {_text(name): PerformanceSketch.decode(own, space) for name, own in wire.segments}
    except (msgspec.DecodeError, MalformedSketch, UnicodeDecodeError, RecursionError) as error:
        raise MalformedReference(f"the performance of the reference is corrupt: {error}") from error
    if not all(sketch.settled for sketch in (performance.sketch, *segments.values())):
        raise MalformedReference("the performance of the reference takes back what it does not hold")
    if wire.delay is not None:
        _check_delay(wire.delay)
    return performance, segments, wire.delay


def _space(record: _Space, layout: Layout) -> PerformanceSpace:
    if any(not 0 <= place < len(layout.columns) for place in record.scores):
        raise MalformedReference("a score of the reference's performance is no column of it")
    if len(record.residual_edges) % 8:
        raise MalformedReference("the residuals' edges are truncated")
    edges = np.frombuffer(record.residual_edges, dtype="<f8")
    if np.any(~(np.diff(edges) > 0)) or np.any(np.isnan(edges)):
        raise MalformedReference("the residuals' edges do not increase")
    parts = tuple(
        Part(column=_text(one.column), cells=tuple(map(_text, one.cells)), coarse=one.coarse) for one in record.parts
    )
    for part in parts:
        column = layout.columns[layout.index(part.column)]
        if len(part.coarse) != column.n_cells or not all(0 <= cell < len(part.cells) for cell in part.coarse):
            raise MalformedReference(f"the coarse cells of {part.column!r} do not fit it")
    return PerformanceSpace(
        task=record.task,
        classes=tuple(map(_text, record.classes)),
        scores=tuple(layout.columns[place] for place in record.scores),
        probability=record.probability,
        parts=parts,
        residual_edges=tuple(edges.tolist()),
        centre=record.centre,
        scale=record.scale,
    )


def _check_delay(delay: DelayCurve) -> None:
    shares = (0.0, *delay.labelled, 1.0)
    rising = all(a <= b for a, b in itertools.pairwise(shares)) and all(map(math.isfinite, shares))
    fits = len(delay.labelled) == N_DELAY_CELLS - 1 and len(delay.counts) == N_DELAY_CELLS
    if not (fits and rising and delay.n >= 0 and min(delay.counts) >= 0):
        raise MalformedReference("the delay of the reference's labels is no curve")


def _place(layout: Layout, column: Column) -> int:
    place = layout.index(column.name)
    if layout.columns[place] != column:
        raise ConfigurationError(f"{column.name!r} is counted in other cells than the reference's")
    return place


def _raw(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")
