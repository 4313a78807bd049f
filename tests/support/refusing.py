"""A real sink behind a door: stands in for a server that answers 503 until it does not."""

from collections.abc import Callable, Iterable

from sinks.errors import SinkUnavailable
from sinks.records import Row
from sinks.sink import Sink


class Refusing:
    """Refuses rows while `is_open` says no; `refused` counts how often."""

    def __init__(self, sink: Sink, is_open: Callable[[], bool], *, retry_after_s: float = 0.5) -> None:
        self._sink = sink
        self._is_open = is_open
        self._retry_after_s = retry_after_s
        self.refused = 0

    def setup(self) -> None:
        self._sink.setup()

    def write(self, rows: Iterable[Row]) -> int:
        rows = list(rows)
        if rows and not self._is_open():
            self.refused += 1
            raise SinkUnavailable("503, try again", retry_after_s=self._retry_after_s)
        return self._sink.write(rows)

    def close(self) -> None:
        self._sink.close()
