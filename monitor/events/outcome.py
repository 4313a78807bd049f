"""What a decoder collects message by message, and the `Decoded` it becomes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from detectors.arrays import Codes, Ints
from monitor.events.batch import Batch, Decoded, Rejected
from monitor.events.looked import Looked
from monitor.events.parts import Part, join


@dataclass(kw_only=True)
class Outcome:
    """Parts by model, rejects, and the message of every event, in the order of the events' positions."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    sources: list[Ints | Codes] = field(default_factory=list)
    rejects: list[Rejected] = field(default_factory=list)
    n_events: int = 0
    looked: dict[str, Looked] = field(default_factory=dict)

    def events(self, messages: Ints | Codes) -> int:
        """Count events by their messages, (n,); the position of the first."""
        base = self.n_events
        self.n_events += messages.size
        self.sources.append(messages)
        return base

    def add(self, model: str, part: Part) -> None:
        """Take some rows of a model; none is nothing."""
        if part.positions.size:
            self.parts.setdefault(model, []).append(part)

    def looked_of(self, model: str) -> Looked:
        """Where what is found in events of a model belongs."""
        return self.looked.setdefault(model, Looked())

    def decoded(self, names: Iterable[str]) -> Decoded:
        """One batch a model, in the order of the models' names."""
        sources = np.concatenate([np.empty(0, np.int32), *self.sources]).astype(np.int32, copy=False)
        return Decoded(
            batches=[join(name, self.parts[name], sources) for name in names if name in self.parts],
            rejects=sorted(self.rejects, key=lambda reject: (reject.message, reject.index)),
            n_events=self.n_events,
            looked=self.looked,
        )


def merge(names: Iterable[str], decoded: Sequence[tuple[Decoded, Codes]]) -> Decoded:
    """Several decodings of disjoint messages as one; beside each, the index of its messages in the whole input.

    `names` are those of all models, in their configured order.
    """
    batches = []
    for name in names:
        own = [(batch, places) for result, places in decoded for batch in result.batches if batch.model == name]
        if not own:
            continue
        sources = np.concatenate([places[batch.sources] for batch, places in own])
        order = np.argsort(sources, kind="stable")
        rank = np.empty(order.size, dtype=np.int64)
        rank[order] = np.arange(order.size)
        ends = np.cumsum([batch.n for batch, _ in own])
        parts = [_part(batch, rank[end - batch.n : end]) for (batch, _), end in zip(own, ends, strict=True)]
        batches.append(join(name, parts, sources[order]))
    rejects = [replace(one, message=int(places[one.message])) for result, places in decoded for one in result.rejects]
    rejects.sort(key=lambda reject: (reject.message, reject.index))
    looked: dict[str, Looked] = {}
    for result, _ in decoded:
        for name, found in result.looked.items():
            looked.setdefault(name, Looked()).merge(found)
    return Decoded(
        batches=batches,
        rejects=rejects,
        n_events=sum(result.n_events for result, _ in decoded),
        looked=looked,
    )


def _part(batch: Batch, positions: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Part:
    return Part(
        positions=positions,
        timestamps_ms=batch.timestamps_ms,
        numeric=batch.numeric,
        codes=batch.codes,
        segments=batch.segments,
        versions=batch.versions,
        version_codes=batch.version_codes,
        unseen=dict(batch.unseen),
        ids=batch.ids,
    )
