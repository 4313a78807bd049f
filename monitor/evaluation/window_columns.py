"""What the events of a window spoke of, by segment."""

from dataclasses import dataclass

import numpy as np

from detectors.arrays import Codes, Ints
from detectors.tables import Stack


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
    def of(cls, window: Stack) -> "WindowColumns":
        """Of a window that was added up from its panes."""
        events, with_features, with_prediction, both = np.ascontiguousarray(window.events.T)
        return cls(
            segments=window.names,
            segment=np.arange(len(window.names), dtype=np.int32),
            events=events,
            with_features=with_features,
            with_prediction=with_prediction,
            both=both,
        )

    def __len__(self) -> int:
        return len(self.segments)
