"""How a pane's segments are dealt to values of the state, each well below a broker's message limit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from detectors.frequent import CAPACITY, Frequent
from detectors.layout import Layout
from detectors.reference import Reference
from detectors.sketch import Sketch
from monitor.evaluation.watched import segments_of

COLUMNS_PER_CHUNK: Final = 1024
"""Column sketches a chunk holds; their counts take up to 2 KB each."""

BYTES_PER_CHUNK: Final = 12 * 1024 * 1024
"""The sketches of a chunk together. Counts alone never come near it; 64 unseen values a column may, when they are long
texts, and they are what gives way."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chunking:
    """The chunks of every pane of one reference: a function of the reference alone.

    `of_segment` numbers the chunk of each segment; a segment takes at most `bytes_per_segment`.
    """

    of_segment: dict[str, int]
    n_chunks: int
    bytes_per_segment: int

    @classmethod
    def of(cls, reference: Reference) -> "Chunking":
        """As many segments a chunk as their columns allow, and one at least."""
        segments = segments_of(reference)
        per_chunk = min(len(segments), max(1, COLUMNS_PER_CHUNK // max(1, len(reference.layout.columns))))
        return cls(
            of_segment={segment: position // per_chunk for position, segment in enumerate(segments)},
            n_chunks=-(-len(segments) // per_chunk),
            bytes_per_segment=BYTES_PER_CHUNK // per_chunk,
        )

    def merged(self, parts: Sequence[bytes], layout: Layout) -> bytes:
        """The sum of encoded sketches, encoded. Where it is too long, the rarer unseen values are left out of it.

        No statistic and no law rests on those (`detectors.frequent`), and their bound holds for what remains.
        """
        if len(parts) == 1 and len(parts[0]) <= self.bytes_per_segment:
            return parts[0]
        first, *others = (Sketch.decode(part, layout) for part in parts)
        for sketch in others:
            first = first.merge(sketch)
        data, capacity = first.encode(), CAPACITY
        while len(data) > self.bytes_per_segment and capacity:
            capacity //= 2
            data = _with_fewer_unseen(first, capacity).encode()
        return data


def _with_fewer_unseen(sketch: Sketch, capacity: int) -> Sketch:
    return Sketch(
        layout=sketch.layout, n=sketch.n, n_both=sketch.n_both, counts=sketch.kept,
        nulls=sketch.nulls, invalid=sketch.invalid,
        minimum=sketch.minimum, maximum=sketch.maximum, mean=sketch.mean, m2=sketch.m2,
        frequent=tuple(_reduced(frequent, capacity) for frequent in sketch.frequent),
    )  # fmt: skip


def _reduced(frequent: Frequent, capacity: int) -> Frequent:
    """Misra and Gries's step, to fewer values: take the largest count that has no room from all."""
    if len(frequent.counts) <= capacity:
        return frequent
    cut = sorted(frequent.counts.values(), reverse=True)[capacity]
    counts = {value: count - cut for value, count in frequent.counts.items() if count > cut}
    return Frequent(counts=counts, error=frequent.error + cut)
