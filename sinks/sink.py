"""What every destination can do. A new sink is one new class with these methods and one `classify` function."""

from collections.abc import Iterable
from typing import Protocol

from sinks.records import Row


class Sink(Protocol):
    """A destination for rows.

    The order that makes delivery lose nothing: `write`, then commit the source's offsets. `write` returns when the rows
    are durable, and writing a row again changes nothing, so a crash between the two does no harm.

    A sink belongs to one thread at a time.
    """

    def setup(self) -> None:
        """Connect, and check that the destination is ready for rows.

        Raises
        ------
        SinkUnavailable
            Out of reach; try again later.
        SinkRejected
            It is there but cannot be used as it is; the message says what to do.
        """

    def write(self, rows: Iterable[Row]) -> int:
        """Write rows of any kinds, in any order; returns how many were written. Rows of no concern are passed over.

        Raises
        ------
        SinkUnavailable
            Keep the rows and write them all again after `retry_after_s`.
        SinkRejected
            Stop.
        """

    def close(self) -> None:
        """Let go of the connection. Further calls do nothing."""
