"""The index of a model's living panes and re-opened intervals, in parts: a message reads and writes those it touches.

Fencing is a part's own. A part whose `absorbed` is the message's offset was written by that message before a crash: its
panes are there, its revisions are raised, and it is written again, for the changelog may lack it.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from detectors.reference import REST
from monitor.evaluation.state import (
    IndexPart,
    KeyValue,
    ModelIndex,
    PaneId,
    PartId,
    Rescored,
    index_key,
    pack,
    pane_keys,
    part_key,
    read,
)
from monitor.eventtime.windows import Window

Group = tuple[str, str]
"""Version and reference: what is scored together."""


@dataclass(slots=True)
class _Part:
    """A part, open for changes."""

    absorbed: int
    groups: dict[Group, set[PaneId]] = field(default_factory=lambda: defaultdict(set))
    revisions: dict[tuple[Group, Window], int] = field(default_factory=dict)
    changed: bool = False


class Panes:
    """One model's index during one message, which stands at `offset`.

    `pane_ms` is the length of its panes now; older ones may have had another. 0: the model is no longer configured.
    """

    def __init__(self, model: str, state: KeyValue, offset: int, pane_ms: int = 0) -> None:
        self._model = model
        self._state = state
        self._offset = offset
        self._pane_ms = pane_ms
        self.index = read(state, index_key(model), ModelIndex, ModelIndex())
        self._repeated = self.index.absorbed == offset
        self._ids = set(self.index.parts)
        self._parts: dict[PartId, _Part] = {}
        self._removed = set(self.index.removed) if self._repeated else set()
        self._gone = set(self.index.gone) if self._repeated else set()
        self._raised: set[tuple[Group, Window]] = set()
        self._versions = dict(self.index.versions)
        if self.index.parts and not self._versions:  # of a release that counted none
            for pane in self.starting(None, max(part.end_ms for part in self._ids)):
                if pane.version != REST:
                    self._versions[pane.version] = max(pane.end_ms, self._versions.get(pane.version, pane.end_ms))

    @property
    def lengths_ms(self) -> set[int]:
        """The lengths that panes have."""
        return {self._pane_ms, *(part.pane_ms for part in self._ids)}

    def add(self, pane: PaneId) -> None:
        """A pane lives from now on, if it does not already."""
        part = self._part(PartId.at(pane.start_ms, pane.pane_ms))
        panes = part.groups[pane.version, pane.reference]
        part.changed |= pane not in panes
        panes.add(pane)

    def told_apart(self, version: str, end_ms: int, most: int) -> str:
        """The version that events of a pane which ends at `end_ms` are counted under: `REST` if it is one too many.

        At most so many are told apart; one makes room once its latest pane is forgotten. Within that bound the order in
        which they come does not matter, beyond it the first ones have their place.
        """
        if version == REST or (version not in self._versions and len(self._versions) >= most):
            return REST
        self._versions[version] = max(end_ms, self._versions.get(version, end_ms))
        return version

    def starting(self, from_ms: int | None, until_ms: int, group: Group | None = None) -> list[PaneId]:
        """The panes that start in `[from_ms, until_ms)`, in order of time; of one group where it is given."""
        return sorted(
            pane
            for part_id in self._ids
            if part_id.start_ms < until_ms and (from_ms is None or part_id.end_ms > from_ms)
            for panes in self._groups(part_id, group)
            for pane in panes
            if pane.start_ms < until_ms and (from_ms is None or pane.start_ms >= from_ms)
        )

    def parted(self, group: Group, window: Window) -> bool:
        """Whether panes of the group lie in a window with a part only: panes of another length than those now, cut
        before `windows` were changed. Their events are not among the window's."""
        lengths_ms = self.lengths_ms
        if len(lengths_ms) == 1:
            return False
        near = self.starting(window.start_ms - max(lengths_ms), window.end_ms, group)
        return any(
            pane.end_ms > window.start_ms and (pane.start_ms < window.start_ms or pane.end_ms > window.end_ms)
            for pane in near
        )

    def _groups(self, part_id: PartId, group: Group | None) -> list[set[PaneId]]:
        groups = self._part(part_id).groups
        if group is None:
            return list(groups.values())
        return [groups[group]] if group in groups else []

    def revision(self, group: Group, interval: Window, *, reopened: bool) -> int:
        """1 at the first scoring, and one more each time late events change what was scored: at most once a message."""
        key = (group, interval)
        home = PartId.at(interval.end_ms - 1, self._pane_ms)
        places = {PartId.at(interval.end_ms - 1, length_ms) for length_ms in self.lengths_ms} & self._ids
        if reopened:
            places.add(home)
        known = max((self._part(place).revisions.get(key, 1) for place in places), default=1)
        part = self._part(home) if reopened else None
        if part is None or key in self._raised or part.absorbed == self._offset:
            return known
        self._raised.add(key)
        part.revisions[key] = known + 1
        part.changed = True
        return known + 1

    def forget(self, oldest_ms: int) -> None:
        """Remove what ended by `oldest_ms`."""
        self._versions = {version: end_ms for version, end_ms in self._versions.items() if end_ms > oldest_ms}
        for part_id in [part_id for part_id in self._ids if part_id.start_ms + part_id.pane_ms <= oldest_ms]:
            part = self._part(part_id)
            for group, panes in list(part.groups.items()):
                old = {pane for pane in panes if pane.end_ms <= oldest_ms}
                self._removed |= old
                panes -= old
                part.changed |= bool(old)
                if not panes:
                    del part.groups[group]
            kept = {key: revision for key, revision in part.revisions.items() if key[1].end_ms > oldest_ms}
            part.changed |= len(kept) < len(part.revisions)
            part.revisions = kept
            if not part.groups and not part.revisions:
                self._ids.discard(part_id)
                self._gone.add(part_id)

    @property
    def removed(self) -> frozenset[PaneId]:
        """The panes that this message takes away."""
        return frozenset(self._removed)

    @property
    def empty(self) -> bool:
        """Nothing is kept, and nothing was taken away by this message."""
        return not self._ids and not self._removed and not self._gone

    def expire(self, watermark_ms: int) -> list[tuple[bytes, bytes | None]]:
        """`forget` and `writes` of a model that is no longer configured, by the horizon that it had.

        The index itself is removed one message later than its last part: it says until then what was taken away.
        """
        self.forget(watermark_ms - self.index.horizon_ms)
        if self.empty:
            return [(index_key(self._model), None)]
        return self.writes(lateness_ms=self.index.lateness_ms, horizon_ms=self.index.horizon_ms)

    def writes(self, *, lateness_ms: int, horizon_ms: int) -> list[tuple[bytes, bytes | None]]:
        """The index if it changed, then removed panes, then the parts that changed. None removes a key.

        The index first: it alone says what is taken away, once that is gone from the local disk.
        """
        gone = self._gone - self._ids
        index = ModelIndex(
            absorbed=self._offset,
            parts=tuple(sorted(self._ids)),
            removed=tuple(sorted(self._removed)),
            gone=tuple(sorted(gone)),
            lateness_ms=lateness_ms,
            horizon_ms=horizon_ms,
            versions=dict(sorted(self._versions.items())),
        )
        changed: list[tuple[bytes, bytes | None]] = []
        moved = index.parts != self.index.parts or index.versions != self.index.versions
        if self._repeated or moved or index.removed or index.gone:
            changed.append((index_key(self._model), pack(index)))
        changed += [(key, None) for pane in index.removed for key in pane_keys(self._model, pane)]
        changed += [(part_key(self._model, part_id), None) for part_id in index.gone]
        for part_id, part in sorted(self._parts.items()):
            if part_id in self._ids and (part.changed or part.absorbed == self._offset):
                changed.append((part_key(self._model, part_id), pack(self._packed(part))))
        return changed

    def _packed(self, part: _Part) -> IndexPart:
        return IndexPart(
            absorbed=self._offset,
            panes=tuple(sorted(pane for panes in part.groups.values() for pane in panes)),
            rescored=tuple(
                Rescored(version=version, reference=reference, start_ms=w.start_ms, end_ms=w.end_ms, revision=revision)
                for ((version, reference), w), revision in sorted(part.revisions.items())
            ),
        )

    def _part(self, part_id: PartId) -> _Part:
        """The part, made if there is none: who asks for one that is not listed changes it."""
        if part_id not in self._parts:
            stored = read(self._state, part_key(self._model, part_id), IndexPart, IndexPart())
            part = _Part(absorbed=stored.absorbed)
            for pane in stored.panes:
                part.groups[pane.version, pane.reference].add(pane)
            for r in stored.rescored:
                part.revisions[(r.version, r.reference), Window(start_ms=r.start_ms, end_ms=r.end_ms)] = r.revision
            self._parts[part_id] = part
        self._ids.add(part_id)
        return self._parts[part_id]
