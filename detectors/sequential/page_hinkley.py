"""Page-Hinkley: a cumulative sum."""

import math
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.lazily_compiled import lazily_compiled
from detectors.sequential_registry import register


@register
class PageHinkley(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Page-Hinkley: how far the sum of (loss - mean so far) has risen above its lowest point, or fallen below its highest.

    The quickest for a change of known size: a small one, or one that comes slowly. Prefer `adwin` where the size is not
    known and nothing is to be tuned: this one's threshold is in units of the loss.

    Parameters
    ----------
    min_instances: losses before the first change, at least 1. River's default.
    delta: change of the mean that is not to be found, in units of the loss, at least 0. River's 0.005 lets the sum
        wander: with it, and River's threshold of 50, most stable streams have false alarms. This default and the next
        are measured: `docs/detectors.md`.
    threshold: of the sum, in units of the loss, above 0.
    alpha: what the sum keeps a step, in (0, 1]. River's default.
    mode: "up" sees a rising loss only, "down" a falling one, "both" either.

    Losses other than 0 and 1 should be divided first by twice the reference's standard deviation of the loss, the
    largest of 0 and 1.

    Edge cases: a constant loss never alarms. The state is eleven numbers.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state = SequentialState(PageHinkley())
    >>> state, found = state.update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=1_500))
    >>> [(one.n_before, one.loss_before, round(one.loss_after, 1)) for one in found][:1]
    [(5000, 0.1, 0.3)]

    Source: Page (1954), Continuous inspection schemes, Biometrika 41(1-2), 100-115; the same numbers as
    `river.drift.PageHinkley`.
    """

    name: ClassVar[str] = "page_hinkley"
    errors_only: ClassVar[bool] = False

    min_instances: Annotated[int, msgspec.Meta(ge=1)] = 30
    delta: Annotated[float, msgspec.Meta(ge=0.0)] = 0.005
    threshold: Annotated[float, msgspec.Meta(gt=0.0)] = 50.0
    alpha: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 0.9999
    mode: Literal["up", "down", "both"] = "both"

    def initial(self) -> Floats:
        """Changed; n, mean, total; sums, their extremes, n and total at these, each of a rise and of a fall."""
        return np.array([1.0, *[0.0] * 11])

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        up, down = (self.threshold if self.mode in (own, "both") else math.inf for own in ("up", "down"))
        at: int = _advance(state, losses, evidence, float(self.min_instances), self.delta, up, down, self.alpha)
        return at


@lazily_compiled
def _advance(
    state: Any,
    losses: Any,
    evidence: Any,
    min_instances: float,
    delta: float,
    threshold_up: float,
    threshold_down: float,
    alpha: float,
) -> int:
    for index in range(losses.size):
        if state[0] > 0.0:
            state[:] = 0.0
            state[6], state[7] = np.inf, -1.0
        loss = losses[index]
        state[1] += 1.0
        state[2] += 1.0 / state[1] * (loss - state[2])
        state[3] += loss
        deviation = loss - state[2]
        state[4] = alpha * state[4] + deviation - delta
        state[5] = alpha * state[5] + deviation + delta
        if state[4] < state[6]:
            state[6], state[8], state[9] = state[4], state[1], state[3]
        if state[5] > state[7]:
            state[7], state[10], state[11] = state[5], state[1], state[3]
        if state[1] < min_instances:
            continue
        rises, falls = state[4] - state[6] > threshold_up, state[7] - state[5] > threshold_down
        if rises or falls:
            n_before, before = (state[8], state[9]) if rises else (state[10], state[11])
            n_after = state[1] - n_before
            evidence[0], evidence[1] = n_before, before / n_before
            evidence[2], evidence[3] = n_after, (state[3] - before) / n_after
            state[0] = 1.0
            return index
    return -1
