"""EDDM, the early drift detection method."""

from typing import Annotated, Any, ClassVar

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.lazily_compiled import lazily_compiled
from detectors.sequential_registry import register


@register
class EDDM(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """EDDM: the distances between errors; a change where mean + 2 standard deviations fall to 90 % of their highest.

    For comparison with papers: it alarms on nearly every stable stream, more than once (`docs/detectors.md`). Prefer
    any other.

    Parameters
    ----------
    warm_start: errors before the first change, at least 1. River's default, as is the next.
    beta: the 90 % above, in (0, 1).

    Errors that are spread evenly inside a pane have equal distances there: a series with fewer surprises than the
    events themselves.

    Edge cases: without errors, nothing. Rises of the error rate only. The state is nine numbers.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state, _ = SequentialState(EDDM()).update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=1_500))
    >>> [(round(one.loss_before, 1), round(one.loss_after, 1)) for one in found]
    [(0.1, 0.3)]

    Source: Baena-García et al. (2006), Early drift detection method, 4th International Workshop on Knowledge Discovery
    from Data Streams; the same numbers as `river.drift.binary.EDDM`.
    """

    name: ClassVar[str] = "eddm"
    errors_only: ClassVar[bool] = True

    warm_start: Annotated[int, msgspec.Meta(ge=1)] = 30
    beta: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.9

    def initial(self) -> Floats:
        """Changed; n, errors, last error; mean and squares of the distances; their highest, and n and errors there."""
        return np.array([1.0, *[0.0] * 8])

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        at: int = _advance(state, losses, evidence, float(self.warm_start), self.beta)
        return at


@lazily_compiled
def _advance(state: Any, losses: Any, evidence: Any, warm_start: float, beta: float) -> int:
    for index in range(losses.size):
        if state[0] > 0.0:
            state[:] = 0.0
            state[6] = -1.0
        state[1] += 1.0
        if losses[index] != 1.0:
            continue
        state[2] += 1.0
        distance, before = state[1] - state[3], state[4]
        state[3] = state[1]
        state[4] += 1.0 / state[2] * (distance - state[4])
        state[5] += (distance - before) * (distance - state[4])
        if state[1] <= warm_start:
            continue
        variance = state[5] / (state[2] - 1.0) if state[2] > 1.0 else 0.0
        level = state[4] + 2.0 * np.sqrt(max(variance, 0.0))
        if level > state[6]:
            state[6], state[7], state[8] = level, state[1], state[2]
        elif state[2] > warm_start and level / state[6] < beta:
            n_after = state[1] - state[7]
            evidence[0], evidence[1] = state[7], state[8] / state[7]
            evidence[2], evidence[3] = n_after, (state[2] - state[8]) / n_after
            state[0] = 1.0
            return index
    return -1
