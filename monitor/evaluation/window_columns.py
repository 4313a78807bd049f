"""What the events of a window spoke of, by segment."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from detectors.arrays import Codes, Ints
from detectors.sketch import Sketch


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowColumns:
    """The events of each segment of a window, (n_segments,) each; `segment` points into `segments`."""

    segments: tuple[str, ...]
    segment: Codes
    events: Ints
    with_features: Ints
    with_prediction: Ints
    both: Ints

    @classmethod
    def of(cls, sketches: Mapping[str, Sketch]) -> "WindowColumns":
        """Of the sketches of one window, segments by name."""
        names = tuple(sorted(sketches))
        counts = np.array(
            [(s.n, s.with_features, s.with_prediction, s.n_both) for s in map(sketches.__getitem__, names)],
            dtype=np.int64,
        ).reshape(-1, 4)
        events, with_features, with_prediction, both = np.ascontiguousarray(counts.T)
        return cls(
            segments=names,
            segment=np.arange(len(names), dtype=np.int32),
            events=events,
            with_features=with_features,
            with_prediction=with_prediction,
            both=both,
        )

    def __len__(self) -> int:
        return len(self.segments)
