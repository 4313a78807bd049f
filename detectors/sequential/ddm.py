"""DDM, the drift detection method."""

from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.lazily_compiled import lazily_compiled
from detectors.sequential_registry import register


@register
class DDM(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """DDM: the error rate p and its standard error s, so far; a change where p + s > p_min + 3 s_min.

    Known from many papers, for comparison with them. It alarms on many stable streams (p_min + s_min is the lowest of
    all moments, so luck at the beginning decides), and after a long stable time it is slow. Prefer `hddm_a`, whose
    bound is proven, or `adwin`.

    Parameters
    ----------
    warm_start: errors and right predictions before the first change, at least 1. River's default, as is the next.
    drift_threshold: the 3 above, above 0.

    Edge cases: where nothing was wrong in the whole warm start, the first error is a change. Rises only. The state is
    six numbers.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state, _ = SequentialState(DDM()).update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=1_500))
    >>> found[0].loss_before < 0.11, found[0].position < 500
    (True, True)

    Source: Gama, Medas, Castillo and Rodrigues (2004), Learning with drift detection, SBIA 2004, LNCS 3171, 286-295;
    the same numbers as `river.drift.binary.DDM`.
    """

    name: ClassVar[str] = "ddm"
    errors_only: ClassVar[bool] = True

    warm_start: Annotated[int, msgspec.Meta(ge=1)] = 30
    drift_threshold: Annotated[float, msgspec.Meta(gt=0.0)] = 3.0

    def initial(self) -> Floats:
        """Changed; n, mean; mean, standard error and n where their sum was lowest."""
        return np.array([1.0, *[0.0] * 5])

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        at: int = _advance(state, losses, evidence, float(self.warm_start), self.drift_threshold)
        return at


@lazily_compiled
def _advance(state: Any, losses: Any, evidence: Any, warm_start: float, threshold: float) -> int:
    for index in range(losses.size):
        if state[0] > 0.0:
            state[:] = 0.0
            state[3] = np.inf
        state[1] += 1.0
        state[2] += 1.0 / state[1] * (losses[index] - state[2])
        n, mean = state[1], state[2]
        error = np.sqrt(max(mean * (1.0 - mean), 0.0) / n)
        if n <= warm_start:
            continue
        if mean + error <= state[3] + state[4]:
            state[3], state[4], state[5] = mean, error, n
        if mean + error > state[3] + threshold * state[4]:
            n_after = n - state[5]
            evidence[0], evidence[1] = state[5], state[3]
            evidence[2], evidence[3] = n_after, (mean * n - state[3] * state[5]) / n_after
            state[0] = 1.0
            return index
    return -1
