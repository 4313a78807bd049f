"""A real destination behind a door: stands in for a server that answers 503 until it does not."""

from collections.abc import Callable, Sequence

import pyarrow as pa

from sinks.destination import Destination, Written
from sinks.errors import SinkUnavailable


class Refusing:
    """Refuses rows while `is_open` says no; `refused` counts how often."""

    def __init__(self, sink: Destination, is_open: Callable[[], bool], *, retry_after_s: float = 0.5) -> None:
        self._sink = sink
        self._is_open = is_open
        self._retry_after_s = retry_after_s
        self.refused = 0

    @property
    def takes(self) -> frozenset[str]:
        return self._sink.takes

    def setup(self) -> None:
        self._sink.setup()

    def write(self, batches: Sequence[pa.RecordBatch]) -> Written:
        if batches and not self._is_open():
            self.refused += 1
            raise SinkUnavailable("503, try again", retry_after_s=self._retry_after_s)
        return self._sink.write(batches)

    def close(self) -> None:
        self._sink.close()
