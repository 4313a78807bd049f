"""From messages of Driftline's own topics to batches: what a destination wants, what no one can read, what is newer."""

from collections.abc import Sequence
from dataclasses import dataclass

import pyarrow as pa

from sinks.errors import BadRecord, NewerRecord
from sinks.records import RECORDS, decode, record_in, record_of, rejects_batch
from sinks.records.reject_messages import decode_reject

Partition = tuple[str, int]
"""Topic and number."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnMessage:
    """One message of `drift.results`, or of `drift.rejects` if `is_reject`.

    Attributes
    ----------
    headers
        Those of a reject hold all but its bytes; of results they are not looked at.
    """

    partition: Partition
    offset: int
    body: bytes
    is_reject: bool = False
    headers: Sequence[tuple[str, bytes | None]] = ()

    def __str__(self) -> str:
        """Where it stands."""
        topic, number = self.partition
        return f"{topic}, partition {number}, offset {self.offset}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """A message that was not read, and why."""

    message: OwnMessage
    because: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What some messages hold.

    Attributes
    ----------
    batches
        The rows of the records that are wanted, each batch of one kind.
    corrupt
        Messages that no release can read: they are dropped and counted.
    newer
        The first message that a later release wrote: it and those after it are left unread.
    n_read
        How many messages were read, those that are corrupt or hold nothing of interest among them.
    """

    batches: tuple[pa.RecordBatch, ...]
    corrupt: tuple[Unread, ...]
    newer: Unread | None
    n_read: int


def read(messages: Sequence[OwnMessage], takes: frozenset[str]) -> Reading:
    """Read messages up to the first that is newer than this release."""
    batches: list[pa.RecordBatch] = []
    rejects = []
    corrupt: list[Unread] = []
    newer = None
    n_read = 0
    for message in messages:
        try:
            if message.is_reject:
                rejects.append(decode_reject(message.headers, message.body))
            elif takes >= RECORDS.keys() or record_in(message.body).name in takes:
                batch = decode(message.body)
                if batch.num_rows and record_of(batch).name in takes:
                    batches.append(batch)
        except NewerRecord as error:
            newer = Unread(message=message, because=str(error))
            break
        except BadRecord as error:
            corrupt.append(Unread(message=message, because=str(error)))
        n_read += 1
    if rejects:
        together = rejects_batch(rejects)
        if record_of(together).name in takes:
            batches.append(together)
    return Reading(batches=tuple(batches), corrupt=tuple(corrupt), newer=newer, n_read=n_read)
