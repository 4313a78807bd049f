"""HDDM_A: Hoeffding's bound on averages."""

from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.lazily_compiled import lazily_compiled
from detectors.sequential_registry import register


@register
class HDDMA(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """HDDM_A: the mean error rate since the lowest point so far against that before it, by Hoeffding's inequality.

    For abrupt changes, of error rates near one half above all: the bound knows nothing of the variance. Prefer `adwin`
    where errors are rare, `hddm_w` for gradual changes.

    Parameters
    ----------
    drift_confidence: probability of a false alarm of one comparison, in (0, 1); there are as many as losses. River's
        default.
    two_sided_test: whether falls of the error rate are found too. River's default, no.

    Edge cases: constant errors, of either kind, never alarm. The state is eight numbers.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state, _ = SequentialState(HDDMA()).update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=1_500))
    >>> found[0].loss_before < 0.11, found[0].loss_after > 0.2
    (True, True)

    Source: Frías-Blanco et al. (2015), Online and non-parametric drift detection methods based on Hoeffding's bounds,
    IEEE Transactions on Knowledge and Data Engineering 27(3), 810-823; the same numbers as `river.drift.binary.HDDMA`.
    """

    name: ClassVar[str] = "hddm_a"
    errors_only: ClassVar[bool] = True

    drift_confidence: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.001
    two_sided_test: bool = False

    def initial(self) -> Floats:
        """Changed; n and mean of all, of the lowest, and of the highest point."""
        return np.array([1.0, *[0.0] * 6])

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        at: int = _advance(state, losses, evidence, self.drift_confidence, self.two_sided_test)
        return at


@lazily_compiled
def _advance(state: Any, losses: Any, evidence: Any, confidence: float, two_sided: bool) -> int:
    log_one, log_two = np.log(1.0 / confidence), np.log(2.0 / confidence)
    for index in range(losses.size):
        if state[0] > 0.0:
            state[:] = 0.0
        state[1] += 1.0
        state[2] += 1.0 / state[1] * (losses[index] - state[2])
        n, mean = state[1], state[2]
        if n == 1.0:
            state[3], state[4], state[5], state[6] = n, mean, n, mean
        bound = np.sqrt(1.0 / (2.0 * n) * log_one)
        if state[4] + np.sqrt(1.0 / (2.0 * state[3]) * log_one) >= mean + bound:
            state[3], state[4] = n, mean
        if state[6] - np.sqrt(1.0 / (2.0 * state[5]) * log_one) <= mean - bound:
            state[5], state[6] = n, mean
        for side in range(2 if two_sided else 1):
            n_before, before = state[3 + 2 * side], state[4 + 2 * side]
            if n_before == n:
                continue
            share = (n - n_before) / n_before * (1.0 / n)
            rise = mean - before if side == 0 else before - mean
            if rise >= np.sqrt(share / 2.0 * log_two):
                evidence[0], evidence[1] = n_before, before
                evidence[2], evidence[3] = n - n_before, (mean * n - before * n_before) / (n - n_before)
                state[0] = 1.0
                return index
    return -1
