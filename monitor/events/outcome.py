"""What a decoder collects message by message, and the `Decoded` it becomes."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from detectors.arrays import Codes, Ints
from monitor.events.batch import Batch, Decoded, Rejected
from monitor.events.parts import Part, join


@dataclass(kw_only=True)
class Outcome:
    """Parts by model, rejects, and the message of every event, in the order of the events' positions."""

    parts: dict[str, list[Part]] = field(default_factory=dict)
    sources: list[Ints | Codes] = field(default_factory=list)
    rejects: list[Rejected] = field(default_factory=list)
    n_events: int = 0

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

    def decoded(self, names: Iterable[str]) -> Decoded:
        """One batch a model, in the order of the models' names."""
        sources = np.concatenate([np.empty(0, np.int32), *self.sources]).astype(np.int32, copy=False)
        return Decoded(
            batches=[join(name, self.parts[name], sources) for name in names if name in self.parts],
            rejects=sorted(self.rejects, key=lambda reject: (reject.message, reject.index)),
            n_events=self.n_events,
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
    rejects = [
        Rejected(
            message=int(places[one.message]),
            index=one.index,
            reason=one.reason,
            detail=one.detail,
            model=one.model,
            raw=one.raw,
        )
        for result, places in decoded
        for one in result.rejects
    ]
    rejects.sort(key=lambda reject: (reject.message, reject.index))
    return Decoded(batches=batches, rejects=rejects, n_events=sum(result.n_events for result, _ in decoded))


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
