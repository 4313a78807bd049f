"""What the score role keeps of a model's labels, and how it lies in the state.

- `matched`: the matches of some segments of one pane of predictions. Those of panes of label time that are closed are
  *settled*; the others wait by their pane of label time, so that what is measured when label time passes an instant
  is what came before that instant, whatever else has come already. When the pane of predictions leaves the ordinary
  state, what an estimate without labels needs of it is kept here: the sketches with the counts of the prediction's own
  columns alone (scores, said class), a few hundred bytes a segment, and as long as labels may come.
- `labelled`: per model, which panes have matches that wait, and which versions have errors.
- `errors`: per version, errors and losses by pane of label time that is not closed yet, and what the sequential
  detectors keep.

All are bounded by the label horizon and the retention, by segments, versions and `MAX_WAITING`.
"""

from collections.abc import Iterable
from typing import Final

import msgspec
import numpy as np

from detectors.performance.sketch import PerformanceSketch, shapes_of
from detectors.performance.space import PerformanceSpace
from detectors.reference import Reference
from detectors.sketch import Sketch
from monitor.evaluation.sketch_cache import SketchCache
from monitor.evaluation.state import PaneId
from monitor.evaluation.watched import segments_of
from monitor.sketching.messages import ErrorSums

MAX_WAITING: Final = 48
"""Panes of label time that the matches of one pane of predictions wait in apart. Of more, as while one source lies far
behind, the earliest two wait together until the later one is closed."""
NUMBERS_PER_CHUNK: Final = 250_000
"""Counts of one chunk's settled sketches; a few times as many bytes with what waits. Far below a broker's limit."""


class Counted(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """Matches: an encoded sketch, and for the whole labels by the cell of their delay."""

    sketch: bytes
    delays: dict[int, int] = {}


class MatchedChunk(msgspec.Struct, frozen=True, kw_only=True):
    """Some segments of a pane of predictions.

    Attributes
    ----------
    absorbed: the last source offset counted in it.
    settled: by segment.
    settled_ms: up to which instant of label time; 0 where nothing is settled.
    waiting: by the start of the pane of label time, then by segment.
    predicted: by segment, the ordinary sketches of the predictions' own columns, once the ordinary pane has left.
    """

    absorbed: int = -1
    settled: dict[str, Counted] = {}
    settled_ms: int = 0
    waiting: dict[int, dict[str, Counted]] = {}
    predicted: dict[str, bytes] = {}


class LabelledIndex(msgspec.Struct, frozen=True, kw_only=True):
    """Where a model's labels wait.

    Attributes
    ----------
    absorbed: the source offset that wrote this.
    waiting: by the start of the pane of label time, the panes of predictions that have matches in it.
    settled: the panes whose matches the message at `absorbed` settled: were it repeated, nothing else would tell.
    versions: those that `errors` are kept of.
    """

    absorbed: int = -1
    waiting: dict[int, tuple[PaneId, ...]] = {}
    settled: tuple[PaneId, ...] = ()
    versions: tuple[str, ...] = ()


class ErrorSeries(msgspec.Struct, frozen=True, kw_only=True):
    """The errors of one version by label time.

    Attributes
    ----------
    absorbed: the last source offset counted in it.
    reference: of the last matches.
    waiting: by the start of the pane of label time, with its end.
    closed_ms: panes that start before it are closed.
    state: what the detectors keep after them.
    before, fed: the state before the message at `absorbed`, and the panes that it closed: for when it is repeated.
    """

    absorbed: int = -1
    reference: str = ""
    waiting: dict[int, ErrorSums] = {}
    closed_ms: int = 0
    state: bytes | None = None
    before: bytes | None = None
    fed: tuple[tuple[int, ErrorSums], ...] = ()


_encoder = msgspec.msgpack.Encoder()


def matched_name(model: str) -> str:
    """The name under which a model's `Panes` of matches are kept, beside its ordinary ones."""
    return f"{model}\0matched"


def matched_key(model: str, pane: PaneId, chunk: int) -> bytes:
    """The key of one chunk of a pane's matches."""
    return _encoder.encode(("pane", matched_name(model), pane, chunk))


def labelled_key(model: str) -> bytes:
    """The key of the index of what waits."""
    return _encoder.encode(("labelled", model))


def errors_key(model: str, version: str) -> bytes:
    """The key of one version's errors."""
    return _encoder.encode(("errors", model, version))


class MatchedChunking:
    """How a reference's segments are dealt to chunks: by what their performance sketches count.

    Attributes
    ----------
    of_segment: the chunk of each segment.
    n_chunks: how many there are.
    """

    def __init__(self, reference: Reference, space: PerformanceSpace) -> None:
        segments = segments_of(reference)
        n_numbers = sum(int(np.prod(shape)) for shape in shapes_of(space).values())
        per_chunk = min(len(segments), max(1, NUMBERS_PER_CHUNK // n_numbers))
        self.of_segment = {segment: position // per_chunk for position, segment in enumerate(segments)}
        self.n_chunks = -(-len(segments) // per_chunk)


def added(parts: Iterable[Counted], space: PerformanceSpace, cache: SketchCache) -> Counted:
    """The sum of one or more."""
    first, *others = parts
    if not others:
        return first
    sketch = cache.decode(first.sketch, space)
    for other in others:
        sketch = sketch.merge(PerformanceSketch.decode(other.sketch, space))
    return Counted(
        sketch=cache.encode(sketch), delays=added_delays([first.delays, *(other.delays for other in others)])
    )


def added_delays(parts: Iterable[dict[int, int]]) -> dict[int, int]:
    """The sum of delays by cell; no zeros."""
    total: dict[int, int] = {}
    for part in parts:
        for cell, n in part.items():
            total[cell] = total.get(cell, 0) + n
    return {cell: n for cell, n in sorted(total.items()) if n}


def said_alone(sketch: Sketch) -> Sketch:
    """The sketch with the counts of the prediction's own columns alone: what an estimate without labels needs."""
    layout = sketch.layout
    own = np.zeros(len(layout.columns), dtype=np.bool_)
    own[list(layout.prediction)] = True
    cells = np.repeat(own, np.diff(layout.offsets))
    numeric = own[layout.numeric_indices]
    return Sketch(
        layout=layout,
        n=sketch.n,
        n_both=sketch.n_both,
        counts=np.where(cells, sketch.kept, 0).astype(sketch.kept.dtype),
        nulls=np.where(own, sketch.nulls, 0),
        invalid=np.where(own, sketch.invalid, 0),
        minimum=np.where(numeric, sketch.minimum, np.inf),
        maximum=np.where(numeric, sketch.maximum, -np.inf),
        mean=np.where(numeric, sketch.mean, 0.0),
        m2=np.where(numeric, sketch.m2, 0.0),
        frequent=Sketch.empty(layout).frequent,
    )
