"""A batch's sketches as deltas, cut to messages that Kafka takes."""

from collections.abc import Iterable, Mapping
from typing import Final, Protocol

from detectors.reference import Reference
from detectors.sketch import Sketch
from monitor.events.batch import Batch
from monitor.sketching.batch import SketchKey, sketch_batch
from monitor.sketching.messages import Delta, Entry
from monitor.sketching.versions import bounded

MAX_MESSAGE_BYTES: Final = 6 * 1024 * 1024
"""Of one message's entries together, before compression: below a broker's limit also when nothing compresses."""

MAX_VERSIONS: Final = 1_000
"""The most that a configuration may ask for."""


class Cut(Protocol):
    """How a model's events are cut: into panes of so many milliseconds, each with at most so many versions."""

    @property
    def pane_ms(self) -> int: ...  # noqa: D102

    @property
    def max_versions(self) -> int: ...  # noqa: D102


def deltas_of(batch: Batch, reference: Reference, pane_ms: int, max_versions: int = MAX_VERSIONS) -> list[Delta]:
    """A batch as deltas, each small enough for a message of its own (one larger sketch goes alone).

    In each pane at most `max_versions` are told apart; see `monitor.sketching.versions`.
    """
    batch = bounded(batch, pane_ms, max_versions)
    parts: list[list[Entry]] = []
    size = MAX_MESSAGE_BYTES
    for key, sketch in sketch_batch(batch, reference, pane_ms):
        entry = _entry(key, sketch)
        n_bytes = len(entry.sketch) + len(entry.version.encode()) + len(entry.segment.encode()) + 64
        size += n_bytes
        if size > MAX_MESSAGE_BYTES:
            parts.append([])
            size = n_bytes
        parts[-1].append(entry)
    return [Delta(model=batch.model, reference=reference.digest, pane_ms=pane_ms, entries=part) for part in parts]


def sketched(batches: Iterable[Batch], references: Mapping[str, Reference], cuts: Mapping[str, Cut]) -> list[Delta]:
    """The deltas of some batches, each on its model's reference and cut as its model says."""
    return [
        delta
        for batch in batches
        for cut in (cuts[batch.model],)
        for delta in deltas_of(batch, references[batch.model], cut.pane_ms, cut.max_versions)
    ]


def _entry(key: SketchKey, sketch: Sketch) -> Entry:
    return Entry(
        version=key.version, pane_start_ms=key.pane_start_ms, segment=key.segment, n=sketch.n, sketch=sketch.encode()
    )
