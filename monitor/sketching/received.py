"""The messages of one read as columns, so that each is asked once for what it holds. Pure: no client's messages."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from detectors.arrays import Codes, Ints
from monitor.events.batch import Batch
from monitor.events.label_batch import LabelBatch
from monitor.events.origin import Headers
from monitor.eventtime.partitions import SourcePartition


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """Messages in the order in which they were read.

    Attributes
    ----------
    values
        (n,) bodies; None is a tombstone.
    headers
        (n,) the headers of each; None where no message has any.
    partitions
        the distinct (topic, partition) pairs that messages were read from.
    partition_of
        (n,) which of them each message is from.
    offsets
        (n,) where it stands in it.
    sent_ms
        gives the time that Kafka holds for message i, in milliseconds since 1970; producers may set it to anything.
    """

    values: Sequence[bytes | None]
    headers: Sequence[Headers | None] | None = None
    partitions: Sequence[SourcePartition]
    partition_of: Ints
    offsets: Ints
    sent_ms: Callable[[int], int] = lambda _message: 0

    def __len__(self) -> int:
        return len(self.values)

    def part(self, where: slice) -> "Received":
        """Some messages that follow one another."""
        start, stop, _step = where.indices(len(self))
        if (start, stop) == (0, len(self)):
            return self
        sent_ms = self.sent_ms
        return replace(
            self,
            values=self.values[start:stop],
            headers=None if self.headers is None else self.headers[start:stop],
            partition_of=self.partition_of[start:stop],
            offsets=self.offsets[start:stop],
            sent_ms=lambda message: sent_ms(start + message),
        )

    def at(self, places: Codes) -> "Received":
        """The messages at some places, in their order; only of the partitions that they are from."""
        used, partition_of = np.unique(self.partition_of[places], return_inverse=True)
        sent_ms, indices = self.sent_ms, places.tolist()
        return replace(
            self,
            values=[self.values[place] for place in indices],
            headers=None if self.headers is None else [self.headers[place] for place in indices],
            partitions=[self.partitions[number] for number in used.tolist()],
            partition_of=partition_of,
            offsets=self.offsets[places],
            sent_ms=lambda message: sent_ms(indices[message]),
        )

    def source(self, message: int) -> SourcePartition:
        """The topic and partition that a message was read from."""
        return self.partitions[int(self.partition_of[message])]

    def spans(self) -> list[tuple[SourcePartition, int, int]]:
        """The least and the greatest offset read of each partition that is among these messages."""
        n = len(self.partitions)
        first, last = np.full(n, np.iinfo(np.int64).max), np.full(n, -1)
        np.minimum.at(first, self.partition_of, self.offsets)
        np.maximum.at(last, self.partition_of, self.offsets)
        spans = zip(self.partitions, first.tolist(), last.tolist(), strict=True)
        return [(partition, low, high) for partition, low, high in spans if high >= 0]

    def latest_ms(self, batches: Sequence[Batch | LabelBatch]) -> list[tuple[SourcePartition, int]]:
        """The greatest time of the events that came from each partition, if any did, in milliseconds."""
        latest = np.full(len(self.partitions), -1, dtype=np.int64)
        for batch in batches:
            np.maximum.at(latest, self.partition_of[batch.sources], batch.timestamps_ms)
        pairs = zip(self.partitions, latest.tolist(), strict=True)
        return [(partition, event_ms) for partition, event_ms in pairs if event_ms >= 0]


NOTHING = Received(values=(), partitions=(), partition_of=np.empty(0, np.int64), offsets=np.empty(0, np.int64))
"""No message at all."""
