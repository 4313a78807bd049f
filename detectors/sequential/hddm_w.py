"""HDDM_W: McDiarmid's bound on weighted averages."""

from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.lazily_compiled import lazily_compiled
from detectors.sequential_registry import register


@register
class HDDMW(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HDDM_W: like `hddm_a`, with means that forget exponentially, and McDiarmid's inequality.

    Sees a rise of any kind within tens of errors, and alarms often on stable streams for the same reason. In panes
    of more than a hundred errors it hardly sees a thing: they are spread evenly. Prefer `hddm_a` or `adwin`.

    Parameters
    ----------
    drift_confidence: probability of a false alarm of one comparison, in (0, 1); there are as many as losses. River's
        default.
    lambda_val: weight of the newest loss, in (0, 1). River's default.
    two_sided_test: whether falls of the error rate are found too. River's default, no.

    Edge cases: constant errors, of either kind, never alarm. The state is nineteen numbers. `loss_before` and
    `loss_after` are plain means on the two sides of the point that the detector compares.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state, _ = SequentialState(HDDMW()).update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=2_500))
    >>> found[0].position < 100
    True

    Source: Frías-Blanco et al. (2015), Online and non-parametric drift detection methods based on Hoeffding's bounds,
    IEEE Transactions on Knowledge and Data Engineering 27(3), 810-823; the same numbers as `river.drift.binary.HDDMW`.
    """

    name: ClassVar[str] = "hddm_w"
    errors_only: ClassVar[bool] = True

    drift_confidence: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.001
    lambda_val: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.05
    two_sided_test: bool = False

    def initial(self) -> Floats:
        """Changed; n, total, mean and bound condition of all; by side seven: see `_advance`."""
        return np.array([1.0, *[0.0] * 18])

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        at: int = _advance(state, losses, evidence, self.drift_confidence, self.lambda_val, self.two_sided_test)
        return at


@lazily_compiled
def _advance(state: Any, losses: Any, evidence: Any, confidence: float, weight: float, two_sided: bool) -> int:
    # Weighted means come as pairs: the mean, and the "independent bound condition", the sum of the squared weights.
    # By side, from 5 (rise) and from 12 (fall): the cut point's bound, n and total there; the pair before it; that of
    # what came since.
    log_one = np.log(1.0 / confidence)
    kept, square, kept_square = 1.0 - weight, weight * weight, (1.0 - weight) ** 2
    for index in range(losses.size):
        if state[0] > 0.0:
            state[:] = 0.0
            state[4], state[5], state[12] = 1.0, np.inf, -np.inf
        loss = losses[index]
        state[1] += 1.0
        state[2] += loss
        state[3] = weight * loss + kept * state[3] if state[1] > 1.0 else loss
        state[4] = square + kept_square * state[4]
        bound = np.sqrt(state[4] * log_one / 2.0)
        for side in range(2):
            base = 5 + 7 * side
            cut = state[3] + bound if side == 0 else state[3] - bound
            if (cut < state[base]) if side == 0 else (cut > state[base]):
                state[base], state[base + 1], state[base + 2] = cut, state[1], state[2]
                state[base + 3], state[base + 4] = state[3], state[4]
                state[base + 5], state[base + 6] = 0.0, 1.0
            else:
                first = state[1] - state[base + 1] == 1.0
                state[base + 5] = loss if first else weight * loss + kept * state[base + 5]
                state[base + 6] = square + kept_square * state[base + 6]
        for side in range(2 if two_sided else 1):
            base = 5 + 7 * side
            n_before, before = state[base + 1], state[base + 2]
            n_after = state[1] - n_before
            if n_after == 0.0:
                continue
            rise = state[base + 5] - state[base + 3] if side == 0 else state[base + 3] - state[base + 5]
            if rise > np.sqrt((state[base + 4] + state[base + 6]) * log_one / 2.0):
                evidence[0], evidence[1] = n_before, before / n_before
                evidence[2], evidence[3] = n_after, (state[2] - before) / n_after
                state[0] = 1.0
                return index
    return -1
