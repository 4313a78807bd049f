"""Decoded performance sketches, from one message to the next: a pane is read for each window and each label pane."""

from collections import OrderedDict
from typing import Final

from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace

MAX_BYTES: Final = 64 * 1024 * 1024


class SketchCache:
    """Sketches by their encoded bytes, of which they are a function; the least recently used go first."""

    def __init__(self, max_bytes: int = MAX_BYTES) -> None:
        self._max_bytes = max_bytes
        self._n_bytes = 0
        self._kept: OrderedDict[bytes, PerformanceSketch] = OrderedDict()

    def decode(self, data: bytes, space: PerformanceSpace) -> PerformanceSketch:
        """The sketch in `data`. Raises as `PerformanceSketch.decode` does."""
        kept = self._kept.get(data)
        if kept is None or kept.space is not space:
            return self._put(data, PerformanceSketch.decode(data, space))
        self._kept.move_to_end(data)
        return kept

    def encode(self, sketch: PerformanceSketch) -> bytes:
        """The sketch's bytes, which will be asked for soon."""
        data = sketch.encode()
        self._put(data, sketch)
        return data

    def _put(self, data: bytes, sketch: PerformanceSketch) -> PerformanceSketch:
        self._let_go(data)
        self._kept[data] = sketch
        self._n_bytes += _size(data, sketch)
        while self._n_bytes > self._max_bytes and self._kept:
            self._let_go(next(iter(self._kept)))
        return sketch

    def _let_go(self, data: bytes) -> None:
        kept = self._kept.pop(data, None)
        if kept is not None:
            self._n_bytes -= _size(data, kept)


def _size(data: bytes, sketch: PerformanceSketch) -> int:
    arrays = (sketch.outcomes, sketch.confusion, sketch.residuals, sketch.sums)
    return len(data) + sum(array.nbytes for array in arrays)
