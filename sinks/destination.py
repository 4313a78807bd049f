"""What every destination can do, and what one may be able to do besides.

A destination is one new file `sinks/<name>.py`, or a package, with a `Settings` struct (`sinks.settings`) and a class
that has the methods of `Destination`; or the same in a package of somebody else's, which names its `Settings` as an
entry point of the group `driftline.destinations`. Nothing else changes. What only some can do, the rest of Driftline
asks for by these protocols:

| capability | who asks |
|---|---|
| `Migrates`: has a schema that is brought up to date | `driftline migrate`, `up`, `demo` |
| `Remembers`: tells whether it holds results already | `up`: two runs that count from nothing must not mix |
| `Testable`: can send a message that is marked as a test | `driftline deliver --test` |
| `Queryable`: answers SQL | `driftline query`, `driftline status` |
| `DestinationSettings.embedded`: can live on this machine alone, with a process of its own | `up`, `demo` |
"""

from collections.abc import Mapping, Sequence
from typing import Literal, Protocol, runtime_checkable

import msgspec
import pyarrow as pa

from sinks.errors import SinkUnavailable


class Dropped(msgspec.Struct, frozen=True, kw_only=True):
    """Rows of one kind that the destination can never take, and why, on one line."""

    rows: pa.RecordBatch
    reason: str


class Attempt(msgspec.Struct, frozen=True, kw_only=True):
    """One message that was sent, or tried: the fields are those of the record `delivery`."""

    event_id: str
    model: str
    kind: str
    dedupe_key: str
    outcome: Literal["accepted", "known", "retried", "refused"]
    status: int = 0
    detail: str = ""
    at_ms: int
    took_ms: int


class Written(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the rows that `Destination.write` was given: those in neither `left` nor `dropped` were accepted.

    Attributes
    ----------
    left
        Rows that were not accepted and may be later: they are sent again, alone, after a pause.
    because
        Why not; None when nothing is left.
    dropped
        Rows that can never be accepted: they are counted, told, and not sent again.
    attempts
        What was tried, message by message, for the audit; empty for destinations of tables.
    """

    left: tuple[pa.RecordBatch, ...] = ()
    because: SinkUnavailable | None = None
    dropped: tuple[Dropped, ...] = ()
    attempts: tuple[Attempt, ...] = ()


class Destination(Protocol):
    """Takes rows.

    The order that makes delivery lose nothing: `write`, then commit the source's offsets. Accepted rows are durable
    when `write` returns, and a row that is written again changes nothing, so a crash between the two does no harm.

    A destination belongs to one thread at a time.
    """

    @property
    def takes(self) -> frozenset[str]:
        """Names of the records (`sinks.records`) that it wants; others never reach it."""
        ...

    def setup(self) -> None:
        """Connect, and check that the destination is ready for rows. After a failure it is called again.

        Raises
        ------
        SinkUnavailable
            Out of reach; try again later.
        SinkRejected
            It is there but cannot be used as it is; the message says what to do.
        """

    def write(self, batches: Sequence[pa.RecordBatch]) -> Written:
        """Write rows, each batch of one kind of record, in any order.

        Raises
        ------
        SinkUnavailable
            None was accepted, or which ones is not known: all are sent again after `retry_after_s`.
        SinkRejected
            Stop: a person is needed.
        """
        ...

    def close(self) -> None:
        """Let go of the connection. Further calls do nothing."""


@runtime_checkable
class Migrates(Protocol):
    """Has a schema of its own."""

    def migrate(self) -> list[str]:
        """Bring the schema up to date, and say what was applied; running it again applies nothing.

        Raises
        ------
        SinkUnavailable, SinkRejected
            As `Destination.setup`.
        """
        ...


@runtime_checkable
class Remembers(Protocol):
    """Can tell whether results were written to it before."""

    def holds_results(self) -> bool:
        """Whether it holds any row of results or rejects. Its schema is up to date.

        Raises
        ------
        SinkUnavailable, SinkRejected
            As `Destination.setup`.
        """
        ...


@runtime_checkable
class Queryable(Protocol):
    """Answers SQL over the rows that it was given."""

    def query(self, statement: str, form: str, parameters: Mapping[str, object] | None = None) -> bytes:
        """What a statement answers.

        Parameters
        ----------
        statement
            In the destination's own dialect.
        form
            How the answer is written: `table` for people, `json` (an object a line), `csv` (with the names first),
            `parquet` (a file).
        parameters
            Values for the places of the statement that name them (``{model:String}``). They travel beside it: whatever
            they hold is a value and never a part of it.

        Raises
        ------
        SinkUnavailable, SinkRejected
            As `Destination.setup`.
        BadRecord
            The statement is wrong; the message says where.
        """
        ...


@runtime_checkable
class Testable(Protocol):
    """Sends messages to people or pipelines."""

    def send_test(self) -> list[str]:
        """Send messages that are marked as a test; returns what the other side said to each, a line each.

        Raises
        ------
        SinkUnavailable, MessageRefused, SinkRejected
            As `sinks.errors` says.
        """
        ...
