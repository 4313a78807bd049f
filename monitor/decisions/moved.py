"""What decisions need of verdicts: one closed window of a version, and those of its cells that moved.

A cell is one column of one segment. Most move little or not at all; of those only the number is kept.
"""

import math
from typing import Final, Literal

import msgspec

from monitor.config.decisions import Cause

MOST_STRENGTH: Final = 1_000.0
"""Of an effect in thresholds: where the threshold is 0, any effect."""


class MovedCell(msgspec.Struct, frozen=True, kw_only=True, array_like=True):
    """The verdict on one cell; the fields that are not explained are those of the record `drift_verdict`.

    Attributes
    ----------
    cause: what it speaks of.
    holds: significant, and the effect is at least `hysteresis` of its threshold: an open alert stays open.
    """

    segment: str
    column: str
    cause: Cause
    drifted: bool
    holds: bool
    p_value: float
    method: str
    effect: float
    threshold: float
    direction: str
    quantity: str
    before: float | None
    after: float | None
    n: int

    @property
    def strength(self) -> float:
        """The effect in thresholds, at most `MOST_STRENGTH`."""
        if self.threshold > 0.0:
            return min(self.effect / self.threshold, MOST_STRENGTH)
        return MOST_STRENGTH if self.effect > 0.0 else 0.0

    @property
    def evidence(self) -> float:
        """The p-value of evidence over time: 1 where the effect is none that matters, which is valid, too."""
        return self.p_value if self.strength >= 1.0 else 1.0

    @property
    def place(self) -> tuple[str, str]:
        """Segment and column."""
        return self.segment, self.column


Family = Literal["inputs", "labels", "delays", "due", "skew"]
"""Verdicts that come at one time: of the events; once most labels of a window have come; how late they are; whether as
many have come as are due; and of features that are computed again."""


class ClosedWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What one family of verdicts says of one window of one version.

    Attributes
    ----------
    family: all of its verdicts on the window are here, and none of the other's.
    start_ms, end_ms: half-open.
    version, reference: as in `drift_verdict`.
    n_whole, n_segments: cells with a verdict, of the whole and of segments.
    moved: those whose effect is at least `hysteresis` of its threshold, by segment and column.
    n_events: of the whole; None where that is not said.
    """

    start_ms: int
    end_ms: int
    version: str
    reference: str
    family: Family = "inputs"
    n_whole: int = 0
    n_segments: int = 0
    moved: tuple[MovedCell, ...] = ()
    n_events: int | None = None


class PerformanceWindow(msgspec.Struct, frozen=True, kw_only=True):
    """What labels say of one window of the whole model: how many have come.

    Attributes
    ----------
    n_labelled: predictions whose label has come.
    maturity: share of the predictions that have one.
    provisional: more labels are expected.
    """

    start_ms: int
    end_ms: int
    version: str
    n_labelled: int
    maturity: float
    provisional: bool = True


class RejectCount(msgspec.Struct, frozen=True, kw_only=True):
    """Events of a model that were rejected in a window, and all that came, these among them."""

    start_ms: int
    end_ms: int
    n_rejected: int
    n_events: int


def number(value: float) -> float | None:
    """None for what is no number: NaN has no form in JSON. To ten digits: a mean is a sum of floats, whose last digits
    depend on the order in which they were added, and what is told must not."""
    return float(f"{value:.10g}") if math.isfinite(value) else None
