"""One model's share of one message: panes absorb it, windows close or re-open, and are scored. Pure."""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from detectors.profile import profiles
from detectors.reference import Reference
from detectors.score import score
from detectors.sketch import Sketch
from monitor.evaluation.chunks import Chunking
from monitor.evaluation.results import Source, profile_row, score_row
from monitor.evaluation.state import KeyValue, ModelIndex, PaneChunk, PaneId, Rescored, index_key, pack, pane_key, read
from monitor.evaluation.watched import Watched
from monitor.sketch_messages import Delta
from monitor.windows import Window, windows_of_panes
from sinks.records import ColumnProfile, DriftScore, LateDropped

ChunkId = tuple[PaneId, int]


class MissingReference(LookupError):  # noqa: N818 - a state that passes once the file is there
    """Sketches lie on the grid of a reference that this worker does not have. Wait for its file; drop nothing."""

    def __init__(self, model: str, digest: str) -> None:
        super().__init__(
            f"model {model!r} has sketches on the reference {digest[:12]}...; its file is not beside the configured one"
        )


class Turn:
    """Absorb, close, then ask for `scores`, `profiles`, `late` and `writes()`.

    `before_ms` and `after_ms` are the model's watermark before and after the message. Whether an event is late, and
    whether a window is re-opened, is told by the one before: the clocks of a message come after its counts.
    """

    def __init__(
        self, model: Watched, state: KeyValue, source: Source, before_ms: int | None, after_ms: int | None
    ) -> None:
        self.scores: list[DriftScore] = []
        self.profiles: list[ColumnProfile] = []
        self.late: list[LateDropped] = []
        self.n_windows = 0
        self._model = model
        self._state = state
        self._source = source
        self._before_ms = before_ms
        self._after_ms = after_ms
        self._pane_ms = model.pane_ms
        self._index = read(state, index_key(model.name), ModelIndex, ModelIndex())
        self._panes = set(self._index.panes)
        self._touched: set[PaneId] = set()
        self._chunks: dict[ChunkId, PaneChunk] = {}
        self._decoded: dict[PaneId, dict[str, Sketch]] = {}
        self._revisions = {(r.version, r.reference, r.start_ms, r.end_ms): r.revision for r in self._index.rescored}
        self._raised: set[tuple[str, str, int, int]] = set()
        self._removed: list[bytes] = []
        self._forget()

    # Absorb -----------------------------------------------------------------------------------------------------------

    def absorb(self, deltas: Sequence[Delta]) -> None:
        """Add the message's counts to their panes. What is older than the retention is counted as late."""
        added: dict[ChunkId, dict[str, list[bytes]]] = defaultdict(lambda: defaultdict(list))
        late: dict[tuple[str, int], int] = defaultdict(int)
        for delta in deltas:
            chunk_of = Chunking.of(self._reference(delta.reference)).of_segment
            for entry in delta.entries:
                start_ms = entry.pane_start_ms // self._pane_ms * self._pane_ms
                if self._is_late(start_ms):
                    late[entry.version, start_ms] += entry.n if entry.segment == "" else 0
                    continue
                pane = PaneId(start_ms=start_ms, version=entry.version, reference=delta.reference)
                self._touched.add(pane)
                added[pane, chunk_of[entry.segment]][entry.segment].append(entry.sketch)
        self._panes |= self._touched
        for chunk_id, parts in added.items():
            self._absorb_chunk(chunk_id, parts)
        self.late += [self._late_row(version, start_ms, n) for (version, start_ms), n in sorted(late.items())]

    def _is_late(self, pane_start_ms: int) -> bool:
        before_ms = self._before_ms
        return before_ms is not None and pane_start_ms + self._pane_ms <= before_ms - self._model.retention_ms

    def _late_row(self, version: str, start_ms: int, n: int) -> LateDropped:
        return LateDropped(
            model=self._model.name,
            version=version,
            pane_start_ms=start_ms,
            n=n,
            source_topic=self._source.topic,
            source_partition=self._source.partition,
            source_offset=self._source.offset,
        )

    def _reference(self, digest: str) -> Reference:
        reference = self._model.references.get(digest)
        if reference is None:
            raise MissingReference(self._model.name, digest)
        return reference

    def _absorb_chunk(self, chunk_id: ChunkId, added: Mapping[str, list[bytes]]) -> None:
        chunk = self._chunk(chunk_id)
        if chunk.absorbed >= self._source.offset:
            return
        reference = self._reference(chunk_id[0].reference)
        chunking = Chunking.of(reference)
        sketches = dict(chunk.sketches)
        for segment, parts in added.items():
            every = [sketches[segment], *parts] if segment in sketches else parts
            sketches[segment] = chunking.merged(every, reference.layout)
        self._chunks[chunk_id] = PaneChunk(absorbed=self._source.offset, sketches=sketches)

    # Close and re-open ------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Score every window that the watermark has now passed, and again those that late events touched."""
        if self._after_ms is None:
            return
        for pane in sorted(self._panes):
            end_ms = pane.start_ms + self._pane_ms
            reopened = pane in self._touched and self._before_ms is not None and end_ms <= self._before_ms
            if reopened or self._closes(end_ms):
                interval = Window(start_ms=pane.start_ms, end_ms=end_ms)
                self._profile(pane, interval, self._revision(pane, interval, reopened=reopened))
        groups: dict[tuple[str, str], list[PaneId]] = defaultdict(list)
        for pane in sorted(self._panes):
            groups[pane.version, pane.reference].append(pane)
        for panes in groups.values():
            for window, reopened in self._due(panes):
                self._score(window, panes, reopened=reopened)

    def _closes(self, end_ms: int) -> bool:
        """The watermark passes `end_ms` with this message."""
        assert self._after_ms is not None
        return end_ms <= self._after_ms and (self._before_ms is None or end_ms > self._before_ms)

    def _due(self, panes: Sequence[PaneId]) -> list[tuple[Window, bool]]:
        """The windows to score now, oldest first, and whether each was scored before."""
        before_ms = self._before_ms
        touched = [pane.start_ms for pane in panes if pane in self._touched]
        reopened = {
            window
            for window in windows_of_panes(self._model.shapes, touched)
            if before_ms is not None and window.end_ms <= before_ms
        }
        closing: set[Window] = set()
        if before_ms is None or before_ms // self._pane_ms != (self._after_ms or 0) // self._pane_ms:
            longest_ms = max(shape.size_ms for shape in self._model.shapes)
            near = (pane.start_ms for pane in panes if before_ms is None or pane.start_ms + longest_ms > before_ms)
            closing = {w for w in windows_of_panes(self._model.shapes, near) if self._closes(w.end_ms)}
        return sorted([(window, True) for window in reopened] + [(window, False) for window in closing])

    def _score(self, window: Window, panes: Sequence[PaneId], *, reopened: bool) -> None:
        inside = [pane for pane in panes if window.start_ms <= pane.start_ms < window.end_ms]
        sketches: dict[str, Sketch] = {}
        for pane in inside:
            for segment, sketch in self._sketches(pane).items():
                sketches[segment] = sketches[segment].merge(sketch) if segment in sketches else sketch
        if not sketches:
            return
        pane = inside[0]
        revision = self._revision(pane, window, reopened=reopened)
        reference = self._reference(pane.reference)
        self.n_windows += 1
        self.scores += [
            score_row(self._model.name, pane, window, revision, row)
            for row in score(reference, sketches, self._model.settings, self._model.min_samples)
        ]

    def _profile(self, pane: PaneId, interval: Window, revision: int) -> None:
        layout = self._reference(pane.reference).layout
        for segment, sketch in self._sketches(pane).items():
            self.profiles += [
                profile_row(self._model.name, pane, segment, interval, revision, row)
                for row in profiles(layout, sketch)
            ]

    def _revision(self, pane: PaneId, interval: Window, *, reopened: bool) -> int:
        """1 at the first scoring, and one more each time late events change what was scored."""
        key = (pane.version, pane.reference, interval.start_ms, interval.end_ms)
        if reopened and self._index.absorbed < self._source.offset and key not in self._raised:
            self._revisions[key] = self._revisions.get(key, 1) + 1
            self._raised.add(key)
        return self._revisions.get(key, 1)

    # What is kept -----------------------------------------------------------------------------------------------------

    def _forget(self) -> None:
        """Remove panes that no window can need again, by the watermark *before* this message.

        Not by the one after it: were this message repeated, the windows that it closes would find their panes gone.
        """
        if self._before_ms is None:
            return
        oldest_ms = self._before_ms - self._model.horizon_ms
        for pane in [pane for pane in self._panes if pane.start_ms + self._pane_ms <= oldest_ms]:
            self._panes.discard(pane)
            self._removed += [pane_key(self._model.name, pane, chunk) for chunk in self._chunk_numbers(pane)]
        self._revisions = {key: n for key, n in self._revisions.items() if key[3] > oldest_ms}

    def _chunk_numbers(self, pane: PaneId) -> Iterator[int]:
        yield from range(Chunking.of(self._reference(pane.reference)).n_chunks)

    def _chunk(self, chunk_id: ChunkId) -> PaneChunk:
        if chunk_id not in self._chunks:
            key = pane_key(self._model.name, *chunk_id)
            self._chunks[chunk_id] = read(self._state, key, PaneChunk, PaneChunk(absorbed=-1, sketches={}))
        return self._chunks[chunk_id]

    def _sketches(self, pane: PaneId) -> dict[str, Sketch]:
        if pane not in self._decoded:
            layout = self._reference(pane.reference).layout
            self._decoded[pane] = {
                segment: Sketch.decode(data, layout)
                for number in self._chunk_numbers(pane)
                for segment, data in self._chunk((pane, number)).sketches.items()
            }
        return self._decoded[pane]

    def writes(self) -> list[tuple[bytes, bytes | None]]:
        """What changed: chunks, removed panes, then the index if it did. None removes a key.

        A chunk that had absorbed the message before is written all the same: a crash may have left it on the local disk
        alone, and the changelog must have it before the message is sealed.
        """
        changed: list[tuple[bytes, bytes | None]] = [
            (pane_key(self._model.name, *chunk_id), pack(chunk))
            for chunk_id, chunk in self._chunks.items()
            if chunk.absorbed == self._source.offset
        ]
        changed += [(key, None) for key in self._removed]
        index = ModelIndex(
            absorbed=self._source.offset,
            panes=tuple(sorted(self._panes)),
            rescored=tuple(
                Rescored(version=version, reference=reference, start_ms=start_ms, end_ms=end_ms, revision=revision)
                for (version, reference, start_ms, end_ms), revision in sorted(self._revisions.items())
            ),
        )
        if (index.panes, index.rescored) != (
            self._index.panes,
            self._index.rescored,
        ) or index.absorbed == self._index.absorbed:
            changed.append((index_key(self._model.name), pack(index)))
        return changed
