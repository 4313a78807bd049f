"""A destination in memory, which accepts what a test lets it."""

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pyarrow as pa

from sinks.destination import Written
from sinks.errors import SinkUnavailable
from sinks.records import RECORDS

Row = dict[str, Any]


class Memory:
    """Keeps the rows that it accepts, each as often as it was given.

    Parameters
    ----------
    takes
        Names of records.
    accepts
        Says of each row whether it is accepted now.
    """

    def __init__(
        self,
        takes: Iterable[str] = RECORDS,
        accepts: Callable[[Row], bool] = lambda row: True,
        *,
        retry_after_s: float = 0.2,
    ) -> None:
        self._takes = frozenset(takes)
        self._accepts = accepts
        self._retry_after_s = retry_after_s
        self._lock = threading.Lock()
        self._rows: list[tuple[str, Row]] = []
        self.refused = 0

    @property
    def takes(self) -> frozenset[str]:
        return self._takes

    def setup(self) -> None:
        pass

    def write(self, batches: Sequence[pa.RecordBatch]) -> Written:
        left = []
        for batch in batches:
            name = batch.schema.metadata[b"driftline.record"].decode()
            rows = batch.to_pylist()
            accepted = [self._accepts(row) for row in rows]
            with self._lock:
                self._rows += [(name, row) for row, yes in zip(rows, accepted, strict=True) if yes]
            if not all(accepted):
                left.append(batch.filter(pa.array([not yes for yes in accepted])))
        if left:
            self.refused += 1
            return Written(left=tuple(left), because=SinkUnavailable("not yet", retry_after_s=self._retry_after_s))
        return Written()

    def close(self) -> None:
        pass

    def times(self, name: str, *fields: str) -> Counter[tuple[Any, ...]]:
        """How often each row of a record was accepted, by some of its fields."""
        with self._lock:
            return Counter(tuple(row[field] for field in fields) for record, row in self._rows if record == name)
