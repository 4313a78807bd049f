"""What the values of a dictionary mean: worked out once a dictionary, not once a row or a message."""

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Codes
from monitor.events.arrow.arrays import categories
from monitor.events.frame import Frame
from monitor.events.parts import code_of
from monitor.events.values import Category

_MOST_BYTES: Final = 1024 * 1024
"""Of the dictionaries remembered together. They are copies, which do not keep whole messages in memory."""


class Dictionary:
    """Categories, the last of them null, and their codes.

    Attributes
    ----------
    values
        (n + 1,) canonical.
    """

    def __init__(self, values: Sequence[Category]) -> None:
        self.values = values
        self._columns: dict[int, tuple[Codes, bool]] = {}
        self._dimensions: dict[tuple[int, int], Codes] = {}

    def codes(self, frame: Frame, row: int) -> tuple[Codes, bool]:
        """(n + 1,) of each value in a categorical column, and whether one is unseen; always of the same frame."""
        if row not in self._columns:
            known, not_known = frame.known[row], frame.columns[row].unseen
            of_value = [
                known.get(value, not_known) if isinstance(value, str) else code_of(frame, row, value)
                for value in self.values
            ]
            self._columns[row] = np.array(of_value, dtype=np.int32), not_known in of_value
        return self._columns[row]

    def segments(self, frame: Frame, dimension: int, null: int) -> Codes:
        """(n + 1,) each value's index in a dimension, `null` for null; always of the same frame."""
        if (dimension, null) not in self._dimensions:
            rest, index = frame.rest[dimension], frame.indices[dimension]
            of_value = [
                null if value is None else index.get(value, rest) if isinstance(value, str) else rest
                for value in self.values
            ]
            self._dimensions[dimension, null] = np.array(of_value, dtype=np.int32)
        return self._dimensions[dimension, null]


class Dictionaries:
    """The last dictionary of text of each column: those of consecutive batches are usually equal."""

    def __init__(self) -> None:
        self._last: dict[int, tuple[Any, Dictionary]] = {}
        self._n_bytes = 0

    def of(self, column: int, array: Any) -> Dictionary:
        """The meaning of a dictionary's values."""
        last = self._last.get(column)
        if last is not None and array.equals(last[0]):
            return last[1]
        found = Dictionary([*categories(array), None])
        if last is not None:
            self._n_bytes -= self._last.pop(column)[0].nbytes
        text = pa.types.is_string(array.type) or pa.types.is_large_string(array.type)
        if text and self._n_bytes + array.nbytes <= _MOST_BYTES:
            own = array.take(pa.array(np.arange(len(array))))
            self._n_bytes += own.nbytes
            self._last[column] = own, found
        return found
