"""What the events of a window spoke of, by segment."""

from dataclasses import dataclass

import numpy as np

from detectors.arrays import Bools, Codes, Ints
from detectors.reference import WHOLE
from detectors.score import REASONS, ScoreColumns
from detectors.stack import Stack


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowColumns:
    """The events of each segment of a window, (n_segments,) each; `segment` points into `segments`.

    `partial`: some of the window's events are in panes that reach beyond it.
    """

    segments: tuple[str, ...]
    segment: Codes
    events: Ints
    with_features: Ints
    with_prediction: Ints
    both: Ints
    columns_scored: Ints
    columns_not_scored: Ints
    reason: Codes
    partial: Bools

    @classmethod
    def of(cls, window: Stack, scores: ScoreColumns | None, *, partial: bool = False) -> "WindowColumns":
        """Of a window that was added up from its panes, and of what could be scored of it.

        A segment that the reference has too few rows of can never be scored, and has no row. `scores` is None where
        there was nothing to compare with.
        """
        if scores is None:
            none, n = np.zeros(len(window.names), dtype=np.int64), len(window.names)
            scored, not_scored, reason = none, none, np.full(n, REASONS.index("nothing to compare with"))
            rows = np.arange(n)
        else:
            scored, not_scored, reason = scores.scored, scores.not_scored, scores.reason
            rows = np.flatnonzero((scored + not_scored > 0) | (np.array(window.names) == WHOLE))
        events, with_features, with_prediction, both = np.ascontiguousarray(window.events[rows].T)
        return cls(
            segments=window.names,
            segment=rows.astype(np.int32),
            columns_scored=scored[rows],
            columns_not_scored=not_scored[rows],
            reason=reason[rows].astype(np.int32),
            events=events,
            with_features=with_features,
            with_prediction=with_prediction,
            both=both,
            partial=np.full(len(rows), partial),
        )

    def __len__(self) -> int:
        return len(self.segment)
