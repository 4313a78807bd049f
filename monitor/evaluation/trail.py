"""What is kept of panes that no window needs any more, for windows that are compared with a model's trailing panes.

Panes that leave the state are added up in blocks, over all versions, by the reference that they were counted on. A
block is a whole number of panes, about a 32nd of the (shortest) trailing time, so that some 33 blocks are kept beside
the living panes whatever the length of a pane. The trailing time of a window begins at the block that holds the instant
so long before the window's start: what is added up is the same whether a pane is living or has gone into its block.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from detectors.layout import Layout
from detectors.reference import Reference
from detectors.sketch import Sketch
from detectors.stack import Stack, added, stacked
from monitor.evaluation.chunks import Chunking
from monitor.evaluation.overlay import Write
from monitor.evaluation.state import (
    BlockId,
    KeyValue,
    PaneChunk,
    PaneId,
    TrailIndex,
    block_key,
    pack,
    pane_key,
    read,
    trail_key,
)
from monitor.evaluation.watched import Watched

_BLOCKS: Final = 32


def block_length_ms(model: Watched) -> int:
    """The length of a block, in milliseconds; 0 of a model that compares with no trailing panes."""
    shortest_ms = min((one.trailing_ms for one in model.compare if one.trailing_ms), default=0)
    return -(-shortest_ms // (_BLOCKS * model.pane_ms)) * model.pane_ms


class Trail:
    """One model's blocks during one message, which stands at `offset`."""

    def __init__(self, model: Watched, state: KeyValue, offset: int) -> None:
        self._model, self._state, self._offset = model, state, offset
        self._block_ms = block_length_ms(model)
        self._index = read(state, trail_key(model.name), TrailIndex, TrailIndex())
        self._blocks = set(self._index.blocks)
        self._chunks: dict[tuple[BlockId, int], PaneChunk] = {}
        self._removed: set[BlockId] = set()

    def take(self, panes: Iterable[PaneId]) -> None:
        """Panes leave the state, whose values still have them."""
        if not self._block_ms:
            return
        for pane in sorted(panes):
            reference = self._model.references.get(pane.reference)
            if reference is None:  # its file is gone: nothing can be counted on it any more
                continue
            block = BlockId(
                start_ms=pane.start_ms // self._block_ms * self._block_ms,
                block_ms=self._block_ms,
                reference=pane.reference,
                n_chunks=pane.n_chunks,
            )
            self._add(block, pane, reference.layout, Chunking.of(reference))

    def _add(self, block: BlockId, pane: PaneId, layout: Layout, chunking: Chunking) -> None:
        for number in range(pane.n_chunks):
            leaving = read(self._state, pane_key(self._model.name, pane, number), PaneChunk, _NOTHING)
            stored = self._chunk(block, number)
            if not leaving.sketches or stored.absorbed >= self._offset:
                continue
            sketches = dict(self._open_chunk(block, number).sketches)
            for segment, data in leaving.sketches.items():
                parts = [sketches[segment], data] if segment in sketches else [data]
                sketches[segment] = chunking.merged(parts, layout)
            self._chunks[block, number] = PaneChunk(absorbed=self._offset, sketches=sketches)
            self._blocks.add(block)

    def forget(self, oldest_ms: int) -> None:
        """Remove the blocks that no window needs whose start is at `oldest_ms` or later."""
        longest_ms = max((one.trailing_ms for one in self._model.compare), default=0)
        first_ms = self._first_ms(oldest_ms, longest_ms)
        old = {block for block in self._blocks if not longest_ms or block.start_ms < first_ms}
        self._blocks -= old
        self._removed |= old

    def first_ms(self, start_ms: int) -> int:
        """The first instant that any trailing time of a window that starts at `start_ms` takes in."""
        return self._first_ms(start_ms, max((one.trailing_ms for one in self._model.compare), default=0))

    def _first_ms(self, start_ms: int, trailing_ms: int) -> int:
        block_ms = self._block_ms or 1
        return (start_ms - trailing_ms) // block_ms * block_ms

    def baseline(
        self, reference: Reference, panes: Sequence[tuple[PaneId, Stack]], start_ms: int, trailing_ms: int
    ) -> Stack | None:
        """What a window that starts at `start_ms` is compared with; None where there is nothing before it.

        Parameters
        ----------
        panes
            The living ones on this reference that end by `start_ms`, of all versions; in order of time.
        """
        first_ms = self._first_ms(start_ms, trailing_ms)
        stacks = [
            self._stack(block, reference)
            for block in sorted(self._blocks)
            if block.reference == reference.digest and block.start_ms >= first_ms
        ]
        by_block: dict[int, list[tuple[PaneId, Stack]]] = {}
        for pane, stack in panes:
            if pane.start_ms >= first_ms:
                by_block.setdefault(pane.start_ms // self._block_ms, []).append((pane, stack))
        stacks += [self._sum(reference, key, own) for key, own in sorted(by_block.items())]
        stacks = [stack for stack in stacks if stack.names]
        return added(reference.layout, stacks) if stacks else None

    def _sum(self, reference: Reference, block: int, panes: Sequence[tuple[PaneId, Stack]]) -> Stack:
        """The sum of a block's living panes, kept while they are the same."""
        parts = tuple(stack for _, stack in panes if stack.names)
        if not parts:
            return panes[0][1]
        return self._model.sums.get(("trail", reference.digest, block), parts, lambda: added(reference.layout, parts))

    def _stack(self, block: BlockId, reference: Reference) -> Stack:
        values = tuple(self._state.get(block_key(self._model.name, block, number)) for number in range(block.n_chunks))
        key = (self._model.name, block)
        known = self._model.cache.get(key, values) if not self._changed(block) else None
        if known is None:
            sketches = {
                segment: Sketch.decode(data, reference.layout)
                for number in range(block.n_chunks)
                for segment, data in self._open_chunk(block, number).sketches.items()
            }
            known = stacked(reference.layout, sketches)
            if not self._changed(block):
                self._model.cache.put(key, values, known)
        return known

    def _changed(self, block: BlockId) -> bool:
        return any((block, number) in self._chunks for number in range(block.n_chunks))

    def _chunk(self, block: BlockId, number: int) -> PaneChunk:
        return read(self._state, block_key(self._model.name, block, number), PaneChunk, _NOTHING)

    def _open_chunk(self, block: BlockId, number: int) -> PaneChunk:
        return self._chunks.get((block, number)) or self._chunk(block, number)

    def writes(self) -> list[Write]:
        """The index if it changed, then removed blocks, then chunks that changed."""
        blocks = tuple(sorted(self._blocks))
        changed: list[Write] = []
        if blocks != self._index.blocks:
            index = TrailIndex(blocks=blocks) if blocks else None
            changed.append((trail_key(self._model.name), None if index is None else pack(index)))
        changed += [
            (block_key(self._model.name, block, number), None)
            for block in sorted(self._removed)
            for number in range(block.n_chunks)
        ]
        changed += [
            (block_key(self._model.name, block, number), pack(chunk))
            for (block, number), chunk in sorted(self._chunks.items(), key=lambda item: item[0])
            if block in self._blocks
        ]
        return changed


_NOTHING: Final = PaneChunk(absorbed=-1, sketches={})
