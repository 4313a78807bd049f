"""One model's share of one message: panes absorb it, windows close or re-open, and are scored. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from detectors.profile import profiles
from detectors.reference import REST, Reference
from detectors.sketch import Sketch
from detectors.stack import Stack, added, stacked
from monitor.evaluation.baselines import Baselines
from monitor.evaluation.chunks import Chunking
from monitor.evaluation.due_windows import DueWindow, compare_windows, together
from monitor.evaluation.panes import Group, Panes
from monitor.evaluation.results import Results, RowGroup, Source
from monitor.evaluation.state import KeyValue, PaneChunk, PaneId, pack, pane_key, pane_keys, read
from monitor.evaluation.trail import Trail
from monitor.evaluation.watched import Watched
from monitor.eventtime.windows import Window, last_end_ms, longest_ms
from monitor.sketching.messages import Delta

ChunkId = tuple[PaneId, int]


class MissingReference(LookupError):  # noqa: N818 - a state that passes once the file is there
    """Sketches lie on the grid of a reference that this worker does not have. Wait for its file; drop nothing."""

    def __init__(self, model: str, digest: str) -> None:
        super().__init__(
            f"model {model!r} has sketches on the reference {digest[:12]}...; its file is not beside the configured one"
        )
        self.reference = digest


class Turn:
    """Absorb, close, then ask for `results` and `writes()`.

    `touched` are the panes that the message added to, and `due` the windows that it leads to a score of, each with
    whether it was scored before. `before_ms` and `after_ms` are the model's watermark before and after the message.
    Whether an event is late, and whether a window is re-opened, is told by the one before: the clocks of a message come
    after its counts.
    """

    def __init__(
        self, model: Watched, state: KeyValue, source: Source, before_ms: int | None, after_ms: int | None
    ) -> None:
        self.results = Results()
        self.n_windows = 0
        self.n_rest = 0
        self.touched: set[PaneId] = set()
        self.due: dict[tuple[Group, Window], bool] = {}
        self._model = model
        self._state = state
        self._source = source
        self._before_ms = before_ms
        self._after_ms = after_ms
        self._panes = Panes(model.name, state, source.offset, model.pane_ms)
        self._chunks: dict[ChunkId, PaneChunk] = {}
        self._chunkings: dict[str, Chunking] = {}
        self._decoded: dict[PaneId, dict[str, Sketch]] = {}
        self._stacks: dict[PaneId, Stack] = {}  # of panes that the message adds to
        self._trail = Trail(model, state, source.offset)
        self._baselines = Baselines(model, self._panes, self._trail, self._stack)
        if before_ms is not None:
            # By the watermark before the message. Were it repeated, the windows that it closes would find their panes
            # gone by the one after it.
            self._panes.forget(before_ms - model.horizon_ms)
            self._trail.take(self._panes.removed)
            self._trail.forget(before_ms - model.horizon_ms)

    @property
    def removed(self) -> frozenset[PaneId]:
        """The panes that this message takes away; the state still has them."""
        return self._panes.removed

    # Absorb -----------------------------------------------------------------------------------------------------------

    def absorb(self, deltas: Sequence[Delta]) -> None:
        """Add the message's counts to their panes. What no window may be scored again for is counted as late."""
        added: dict[ChunkId, dict[str, list[bytes]]] = defaultdict(lambda: defaultdict(list))
        late: dict[tuple[str, int], int] = defaultdict(int)
        for delta in deltas:
            chunking = self.chunking(delta.reference)
            pane_ms = self.pane_ms_of(delta.pane_ms)
            for entry in delta.entries:
                start_ms = entry.pane_start_ms // pane_ms * pane_ms
                version = self._panes.told_apart(entry.version, start_ms + pane_ms, self._model.max_versions)
                pane = PaneId(
                    start_ms=start_ms, pane_ms=pane_ms, version=version, reference=delta.reference,
                    n_chunks=chunking.n_chunks,
                )  # fmt: skip
                n = entry.n if entry.segment == "" else 0
                self.n_rest += n if version == REST else 0
                if self._is_late(pane):
                    late[version, pane.start_ms] += n
                    continue
                self.touched.add(pane)
                added[pane, chunking.of_segment[entry.segment]][entry.segment].append(entry.sketch)
        for pane in self.touched:
            self._panes.add(pane)
        for chunk_id, parts in added.items():
            self._absorb_chunk(chunk_id, parts)
        self.results.late += [self._late_row(version, start_ms, n) for (version, start_ms), n in sorted(late.items())]

    def pane_ms_of(self, delta_ms: int) -> int:
        """The length of the panes that a delta's, of `delta_ms`, are counted in.

        Ingest cuts them as its configuration says, which may be the one before `windows` were changed. Shorter ones add
        up to ours where they fit. Others stay as long as they are, and count in the windows that hold them whole.
        """
        ours_ms = self._model.pane_ms
        return ours_ms if ours_ms % delta_ms == 0 else delta_ms

    def _is_late(self, pane: PaneId) -> bool:
        """No window that holds the pane is open, or ended so recently that it may be scored again."""
        before_ms = self._before_ms
        return before_ms is not None and (
            last_end_ms(self._model.shapes, _interval(pane)) <= before_ms - self._model.retention_ms
        )

    def _late_row(self, version: str, start_ms: int, n: int) -> Mapping[str, Any]:
        return {
            "model": self._model.name,
            "version": version,
            "pane_start_ms": start_ms,
            "n": n,
            "source_topic": self._source.topic,
            "source_partition": self._source.partition,
            "source_offset": self._source.offset,
        }

    def _absorb_chunk(self, chunk_id: ChunkId, added: Mapping[str, list[bytes]]) -> None:
        chunk = self._chunk(chunk_id)
        if chunk.absorbed >= self._source.offset:
            return
        digest = chunk_id[0].reference
        chunking, layout = self.chunking(digest), self.reference(digest).layout
        sketches = dict(chunk.sketches)
        for segment, parts in added.items():
            every = [sketches[segment], *parts] if segment in sketches else parts
            sketches[segment] = chunking.merged(every, layout)
        self._chunks[chunk_id] = PaneChunk(absorbed=self._source.offset, sketches=sketches)

    # Close and re-open ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Score every window that the watermark has now passed, and again those that late events touched."""
        if self._after_ms is None:
            return
        reopened = {pane for pane in self.touched if self._before_ms is not None and pane.end_ms <= self._before_ms}
        for pane in sorted(reopened.union(self._closing_panes(self._after_ms))):
            self._profile(pane, reopened=pane in reopened)
        self.due = {**self._closing_windows(self._after_ms), **self._reopened_windows()}
        for due in together(self._added_up()):
            compare_windows(due, self._model, self.reference, self._baselines, self.results)

    def _closing_panes(self, after_ms: int) -> list[PaneId]:
        """The panes that the watermark passes the end of with this message."""
        before_ms, lengths_ms = self._before_ms, self._panes.lengths_ms
        if before_ms is None:
            return [pane for pane in self._panes.starting(None, after_ms) if pane.end_ms <= after_ms]
        if all(before_ms // length_ms == after_ms // length_ms for length_ms in lengths_ms):
            return []
        near = self._panes.starting(before_ms - max(lengths_ms), after_ms)
        return [pane for pane in near if before_ms < pane.end_ms <= after_ms]

    def _closing_windows(self, after_ms: int) -> dict[tuple[Group, Window], bool]:
        """The windows that the watermark passes the end of with this message."""
        before_ms, pane_ms = self._before_ms, self._model.pane_ms
        if before_ms is not None and before_ms // pane_ms == after_ms // pane_ms:
            return {}
        near_ms = None if before_ms is None else before_ms - longest_ms(self._model.shapes)
        near = self._panes.starting(near_ms, after_ms)
        return self._windows(near, before_ms, after_ms, reopened=False)

    def _reopened_windows(self) -> dict[tuple[Group, Window], bool]:
        """The windows that late events touched, and that ended no longer than the retention ago.

        Of a window that ended before that some panes may be gone. That its pane lives on is for a longer window's sake.
        """
        before_ms = self._before_ms
        if before_ms is None:
            return {}
        due = self._windows(self.touched, before_ms - self._model.retention_ms, before_ms, reopened=True)
        compared_with = {one.version for one in self._model.compare if one.version}
        for (version, reference), window in [key for key in due if key[0][0] in compared_with]:
            inside = self._panes.starting(window.start_ms, window.end_ms)
            others = {pane.version for pane in inside if pane.reference == reference} - {version}
            due |= {((other, reference), window): True for other in others}
        return due

    def _windows(
        self, panes: Iterable[PaneId], after_ms: int | None, until_ms: int, *, reopened: bool
    ) -> dict[tuple[Group, Window], bool]:
        """The windows with one of the panes whole in them that end in `(after_ms, until_ms]`."""
        return {
            ((pane.version, pane.reference), window): reopened
            for pane in panes
            for shape in self._model.shapes
            for window in shape.ending(
                _interval(pane), after_ms=pane.start_ms if after_ms is None else after_ms, until_ms=until_ms
            )
        }

    def _added_up(self) -> Iterator[DueWindow]:
        """The windows that are due and hold anything."""
        for (group, window), again in sorted(self.due.items()):
            inside = self._panes.starting(window.start_ms, window.end_ms, group)
            panes = [self._stack(pane) for pane in inside if pane.end_ms <= window.end_ms]
            panes = [stack for stack in panes if stack.names]
            if not panes:
                continue
            self.n_windows += 1
            revision = self._panes.revision(group, window, reopened=again)
            yield DueWindow(
                part=RowGroup(model=self._model.name, group=group, interval=window, revision=revision),
                whole=added(self.reference(group[1]).layout, panes),
                partial=self._panes.parted(group, window),
            )

    def _profile(self, pane: PaneId, *, reopened: bool) -> None:
        group, interval = (pane.version, pane.reference), _interval(pane)
        layout = self.reference(pane.reference).layout
        revision = self._panes.revision(group, interval, reopened=reopened)
        part = RowGroup(model=self._model.name, group=group, interval=interval, revision=revision)
        self.results.profiles.append((part, profiles(layout, self.sketches(pane))))

    # What is kept -----------------------------------------------------------------------------------------------------

    def reference(self, digest: str) -> Reference:
        """The reference of a digest. Raises `MissingReference`."""
        reference = self._model.references.get(digest)
        if reference is None:
            raise MissingReference(self._model.name, digest)
        return reference

    def chunking(self, digest: str) -> Chunking:
        """How a reference's segments are dealt. Raises `MissingReference`."""
        if digest not in self._chunkings:
            self._chunkings[digest] = Chunking.of(self.reference(digest))
        return self._chunkings[digest]

    def _chunk(self, chunk_id: ChunkId) -> PaneChunk:
        if chunk_id not in self._chunks:
            key = pane_key(self._model.name, *chunk_id)
            self._chunks[chunk_id] = read(self._state, key, PaneChunk, PaneChunk(absorbed=-1, sketches={}))
        return self._chunks[chunk_id]

    def sketches(self, pane: PaneId) -> dict[str, Sketch]:
        """What a pane holds, by segment; nothing of one that is not kept."""
        if pane not in self._decoded:
            layout = self.reference(pane.reference).layout
            self._decoded[pane] = {
                segment: Sketch.decode(data, layout)
                for number in range(pane.n_chunks)
                for segment, data in self._chunk((pane, number)).sketches.items()
            }
        return self._decoded[pane]

    def _stack(self, pane: PaneId) -> Stack:
        """What scoring needs of a pane; from the message before, if nothing was added to it since."""
        key = (self._model.name, pane)
        values = tuple(map(self._state.get, pane_keys(self._model.name, pane)))
        known = self._model.cache.get(key, values) if pane not in self.touched else self._stacks.get(pane)
        if known is None:
            known = stacked(self.reference(pane.reference).layout, self.sketches(pane))
            if pane in self.touched:
                self._stacks[pane] = known
            else:
                self._model.cache.put(key, values, known)
        return known

    def writes(self) -> list[tuple[bytes, bytes | None]]:
        """What changed: the index and removed panes, then chunks. None removes a key. Take them last: what was stacked
        of panes that the message adds to is kept for the next one, beside the values that it is made from.

        A chunk that had absorbed the message before is written all the same: a crash may have left it on the local disk
        alone, and the changelog must have it before the message is sealed.
        """
        model = self._model
        chunks = {
            pane_key(model.name, *chunk_id): pack(chunk)
            for chunk_id, chunk in self._chunks.items()
            if chunk.absorbed == self._source.offset
        }
        for pane, stack in self._stacks.items():
            values = tuple(chunks.get(key) or self._state.get(key) for key in pane_keys(model.name, pane))
            model.cache.put((model.name, pane), values, stack)
        return [
            *self._trail.writes(),
            *self._panes.writes(lateness_ms=model.lateness_ms, horizon_ms=model.horizon_ms),
            *chunks.items(),
        ]


def _interval(pane: PaneId) -> Window:
    return Window(start_ms=pane.start_ms, end_ms=pane.end_ms)
