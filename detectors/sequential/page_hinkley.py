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
    """Page-Hinkley: how far the sum of (loss - mean so far) has come from its lowest point, or from its highest.

    For a small change of known size that must be found in a series of known variance. Prefer `adwin` elsewhere, which
    adapts to the variance itself.

    Parameters
    ----------
    min_instances: losses before the first change, at least 1. River's default.
    delta: change of the mean that is not to be found, in units, at least 0. This default, the next and that of alpha
        are measured on stable streams (`docs/detectors.md`); River's are 0.005, 50 and 0.9999.
    threshold: of the sum, in units, above 0.
    alpha: what the sum keeps a step, in (0, 1]. Below 1 the sum does not fall for ever while nothing changes, but the
        lowest point is kept for ever: with River's 0.9999 every second stable stream of 100,000 alarms even at a
        threshold of 130.
    mode: "up" sees a rising loss only, "down" a falling one, "both" either.
    unit: losses are divided by it, above 0. 1 is safe for errors of any rate. Twice the reference's standard deviation
        of the loss, 2 sqrt(p (1 - p)) of errors, finds changes of rare errors three times as early, and is what losses
        other than 0 and 1 need.

    Edge cases: a constant loss never alarms. The state is twelve numbers.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state = SequentialState(PageHinkley())
    >>> state, found = state.update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=1_500))
    >>> [(one.n_before, round(one.loss_before, 2), round(one.loss_after, 1)) for one in found]
    [(4994, 0.1, 0.3)]

    Source: Page (1954), Continuous inspection schemes, Biometrika 41(1-2), 100-115; the same numbers as
    `river.drift.PageHinkley`.
    """

    name: ClassVar[str] = "page_hinkley"
    errors_only: ClassVar[bool] = False

    min_instances: Annotated[int, msgspec.Meta(ge=1)] = 30
    delta: Annotated[float, msgspec.Meta(ge=0.0)] = 0.015
    threshold: Annotated[float, msgspec.Meta(gt=0.0)] = 120.0
    alpha: Annotated[float, msgspec.Meta(gt=0.0, le=1.0)] = 1.0
    mode: Literal["up", "down", "both"] = "both"
    unit: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0

    def initial(self) -> Floats:
        """Changed; n, mean, total; sums, their extremes, n and total at these, each of a rise and of a fall."""
        return np.array([1.0, *[0.0] * 11])

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        up, down = (self.threshold if self.mode in (own, "both") else math.inf for own in ("up", "down"))
        settings = (float(self.min_instances), self.delta, up, down, self.alpha)
        at: int = _advance(state, losses / self.unit, evidence, *settings)
        if at >= 0:
            evidence[1::2] *= self.unit
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
