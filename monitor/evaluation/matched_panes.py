"""The matches of one model by pane of predictions, in one message's eyes: read, changed and written once each. Pure.

A chunk is some segments of a pane: the matches that wait for the end of their pane of label time, those that are
settled, and, once the ordinary pane has left the state, what estimates need of its predictions.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import Any, Final

import msgspec

from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace
from detectors.sketch import Sketch
from monitor.evaluation.overlay import Write
from monitor.evaluation.performance_state import (
    MAX_WAITING,
    Counted,
    MatchedChunk,
    MatchedChunking,
    added,
    matched_key,
    said_alone,
)
from monitor.evaluation.sketch_cache import SketchCache
from monitor.evaluation.state import KeyValue, PaneChunk, PaneId, pack, pane_key, read
from monitor.evaluation.turn import Turn
from monitor.evaluation.watched import Watched

ChunkId = tuple[PaneId, int]
_NOTHING: Final = PaneChunk(absorbed=-1, sketches={})


class MatchedPanes:
    """Chunks of matches. `turn` is the model's share of the message otherwise; `offset` the message's."""

    def __init__(self, model: Watched, state: KeyValue, offset: int, turn: Turn) -> None:
        self._model, self._state, self._offset, self._turn = model, state, offset, turn
        self._chunks: dict[ChunkId, MatchedChunk] = {}
        self._frozen: set[ChunkId] = set()
        self._chunkings: dict[str, MatchedChunking | None] = {}
        self._matched: dict[PaneId, dict[str, PerformanceSketch]] = {}
        self._predicted: dict[PaneId, dict[str, Sketch]] = {}

    def space(self, digest: str) -> PerformanceSpace:
        """In whose cells the matches of a reference are counted that are kept."""
        space = self._model.space_of(self._turn.reference(digest))
        assert space is not None  # or nothing of it would have been kept
        return space

    def chunking(self, digest: str) -> MatchedChunking | None:
        """How a reference's matches are dealt; None where it has no space."""
        if digest not in self._chunkings:
            reference = self._turn.reference(digest)
            space = self._model.space_of(reference)
            self._chunkings[digest] = None if space is None else MatchedChunking(reference, space)
        return self._chunkings[digest]

    def chunk(self, chunk_id: ChunkId) -> MatchedChunk:
        """A chunk as it is now; an empty one where there is none."""
        if chunk_id not in self._chunks:
            key = matched_key(self._model.name, *chunk_id)
            chunk = self._chunks[chunk_id] = read(self._state, key, MatchedChunk, MatchedChunk())
            if chunk.absorbed >= self._offset:
                self._frozen.add(chunk_id)  # it has what this message does to it
        return self._chunks[chunk_id]

    def _change(self, chunk_id: ChunkId, chunk: MatchedChunk, **changes: Any) -> None:
        if chunk_id not in self._frozen:
            self._chunks[chunk_id] = msgspec.structs.replace(chunk, absorbed=self._offset, **changes)
            self._matched.pop(chunk_id[0], None)

    def wait(self, chunk_id: ChunkId, by_label_pane: Mapping[int, Mapping[str, list[Counted]]]) -> None:
        """Add matches, by pane of label time and segment, to those that wait."""
        chunk, space = self.chunk(chunk_id), self.space(chunk_id[0].reference)
        waiting = {start_ms: dict(segments) for start_ms, segments in chunk.waiting.items()}
        for start_ms, segments in by_label_pane.items():
            own = waiting.setdefault(start_ms, {})
            for segment, parts in segments.items():
                own[segment] = added([own[segment], *parts] if segment in own else parts, space, self._model.matched)
        while len(waiting) > MAX_WAITING:
            first, second = sorted(waiting)[:2]
            waiting[second] = _joined(waiting[second], waiting.pop(first), space, self._model.matched)
        self._change(chunk_id, chunk, waiting=waiting)

    def settle(self, chunk_id: ChunkId, closed_ms: int | None) -> None:
        """Count what waited for panes of label time that start before `closed_ms`."""
        chunk = self.chunk(chunk_id)
        ripe = sorted(start_ms for start_ms in chunk.waiting if closed_ms is not None and start_ms < closed_ms)
        if not ripe:
            return
        space = self.space(chunk_id[0].reference)
        settled: Mapping[str, Counted] = chunk.settled
        for start_ms in ripe:
            settled = _joined(settled, chunk.waiting[start_ms], space, self._model.matched)
        left = {start_ms: own for start_ms, own in chunk.waiting.items() if start_ms not in ripe}
        at_ms = max(chunk.settled_ms, ripe[-1] + self._model.pane_ms)
        self._change(chunk_id, chunk, settled=dict(settled), settled_ms=at_ms, waiting=left)

    def keep_predicted(self, pane: PaneId, chunking: MatchedChunking) -> PaneId | None:
        """Keep what estimates need of an ordinary pane that leaves the state; the pane that has it now, if any."""
        own = with_chunks(pane, chunking.n_chunks)
        layout = self._turn.reference(pane.reference).layout
        kept: dict[int, dict[str, bytes]] = defaultdict(dict)
        for number in range(pane.n_chunks):
            leaving = read(self._state, pane_key(self._model.name, pane, number), PaneChunk, _NOTHING)
            for segment, data in leaving.sketches.items():
                kept[chunking.of_segment[segment]][segment] = said_alone(Sketch.decode(data, layout)).encode()
        for number, predicted in kept.items():
            chunk = self.chunk((own, number))
            self._change((own, number), chunk, predicted={**chunk.predicted, **predicted})
        return own if kept else None

    def matches(self, pane: PaneId) -> dict[str, PerformanceSketch]:
        """What is settled of a pane, by segment."""
        if pane not in self._matched:
            space = self.space(pane.reference)
            self._matched[pane] = {
                segment: self._model.matched.decode(counted.sketch, space)
                for number in range(pane.n_chunks)
                for segment, counted in self.chunk((pane, number)).settled.items()
            }
        return self._matched[pane]

    def predictions(self, pane: PaneId) -> dict[str, Sketch]:
        """The predictions of a pane, labelled or not, by segment."""
        if pane not in self._predicted:
            ordinary = with_chunks(pane, self._turn.chunking(pane.reference).n_chunks)
            found = {segment: said_alone(sketch) for segment, sketch in self._turn.sketches(ordinary).items()}
            if not found:
                layout = self._turn.reference(pane.reference).layout
                found = {
                    segment: Sketch.decode(data, layout)
                    for number in range(pane.n_chunks)
                    for segment, data in self.chunk((pane, number)).predicted.items()
                }
            self._predicted[pane] = found
        return self._predicted[pane]

    def writes(self, gone: set[tuple[int, int, str, str]]) -> list[Write]:
        """The chunks that changed, but for those of panes that are gone (`pane_of`)."""
        return [
            (matched_key(self._model.name, *chunk_id), pack(chunk))
            for chunk_id, chunk in self._chunks.items()
            if chunk.absorbed == self._offset and pane_of(chunk_id[0]) not in gone
        ]


def pane_of(pane: PaneId) -> tuple[int, int, str, str]:
    """Which pane it is, in however many chunks it lies."""
    return (pane.start_ms, pane.pane_ms, pane.version, pane.reference)


def with_chunks(pane: PaneId, n_chunks: int) -> PaneId:
    """The same pane in another number of chunks."""
    return msgspec.structs.replace(pane, n_chunks=n_chunks)


def _joined(
    one: Mapping[str, Counted], other: Mapping[str, Counted], space: PerformanceSpace, cache: SketchCache
) -> dict[str, Counted]:
    """The sums by segment."""
    parts = {segment: [own[segment] for own in (one, other) if segment in own] for segment in {*one, *other}}
    return {segment: added(own, space, cache) for segment, own in sorted(parts.items())}
