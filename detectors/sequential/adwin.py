"""ADWIN: a window that is as long as nothing has changed."""

from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.lazily_compiled import lazily_compiled
from detectors.sequential_registry import register

_ROWS: Final = 40
"""Of buckets: those of the last hold 2^39 losses each."""
_HEAD: Final = 5


@register
class ADWIN(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """ADWIN: whether any two parts of the window since the last change have means that differ more than chance allows.

    Knows neither the size of the change nor how fast it comes, and uses the variance of the loss, so that rare errors
    are no harder than frequent ones. The first choice. Prefer `page_hinkley` where a small change must be found early
    and the threshold can be chosen for it.

    Parameters
    ----------
    delta: probability of a false alarm of one check of the window, as its bound says, in (0, 1). River's default is
        0.002; this one is measured, see `docs/detectors.md`: a stream of 100,000 is checked 3,125 times.
    clock: losses between checks, at least 1. River's default, as are the next three.
    max_buckets: buckets of one size before two are joined, in [2, 100]: how finely the window can be cut.
    min_window_length: losses of the smaller part, at least 1.
    grace_period: losses before the first check, at least 1.

    unit: losses are divided by it, above 0: the largest loss that is usual, for the bound has a term for that of 1. 1
        for errors. Twice the standard deviation of the reference's loss does for squared errors of normal residuals;
        four times and more where the loss has a heavy tail.

    Edge cases: a constant loss never alarms. The state grows with the logarithm of the window: 1.7 kB at 100,000.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state, _ = SequentialState(ADWIN()).update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=1_500))
    >>> len(found), round(found[0].loss_before, 2), found[0].position < 500
    (1, 0.1, True)

    Source: Bifet and Gavaldà (2007), Learning from time-changing data with adaptive windowing, Proceedings of the 2007
    SIAM International Conference on Data Mining, 443-448, with its ADWIN2; buckets' variances after Babcock et al.
    (2003), Maintaining variance and k-medians over data stream windows, PODS 2003, 234-243; the same numbers as
    `river.drift.ADWIN`.
    """

    name: ClassVar[str] = "adwin"
    errors_only: ClassVar[bool] = False

    delta: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.0001
    clock: Annotated[int, msgspec.Meta(ge=1)] = 32
    max_buckets: Annotated[int, msgspec.Meta(ge=2, le=100)] = 5
    min_window_length: Annotated[int, msgspec.Meta(ge=1)] = 5
    grace_period: Annotated[int, msgspec.Meta(ge=1)] = 10
    unit: Annotated[float, msgspec.Meta(gt=0.0)] = 1.0

    def initial(self) -> Floats:
        """Changed; losses read, and the window's length, total and sum of squared deviations; by row, how many buckets,
        and total and squared deviations of each, oldest first."""
        state = np.zeros(_HEAD + _ROWS * (1 + 2 * (self.max_buckets + 1)))
        state[0] = 1.0
        return state

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        settings = (self.delta, self.clock, self.max_buckets, float(self.min_window_length), float(self.grace_period))
        at: int = _advance(state, losses / self.unit, evidence, *settings)
        if at >= 0:
            evidence[1::2] *= self.unit
        return at


@lazily_compiled
def _advance(
    state: Any,
    losses: Any,
    evidence: Any,
    delta: float,
    clock: int,
    max_buckets: int,
    shortest: float,
    grace_period: float,
) -> int:
    stride = 1 + 2 * (max_buckets + 1)
    table = state[_HEAD:].reshape(_ROWS, stride)
    totals, squares = table[:, 1 : max_buckets + 2], table[:, max_buckets + 2 :]
    for index in range(losses.size):
        if state[0] > 0.0:
            state[:] = 0.0
        loss = losses[index]
        state[1] += 1.0
        state[2] += 1.0
        if state[2] > 1.0:
            deviation = loss - state[3] / (state[2] - 1.0)
            state[4] += (state[2] - 1.0) * deviation * deviation / state[2]
        state[3] += loss
        filled = int(table[0, 0])
        totals[0, filled], squares[0, filled] = loss, 0.0
        table[0, 0] += 1.0
        # Two oldest buckets of a row that overflows become one of the next.
        row = 0
        while row + 1 < _ROWS and table[row, 0] > max_buckets:
            length = 2.0**row
            between = totals[row, 0] / length - totals[row, 1] / length
            filled = int(table[row + 1, 0])
            totals[row + 1, filled] = totals[row, 0] + totals[row, 1]
            squares[row + 1, filled] = squares[row, 0] + squares[row, 1] + length * 0.5 * between * between
            table[row + 1, 0] += 1.0
            for bucket in range(max_buckets + 1):
                kept = bucket + 2 <= max_buckets
                totals[row, bucket] = totals[row, bucket + 2] if kept else 0.0
                squares[row, bucket] = squares[row, bucket + 2] if kept else 0.0
            table[row, 0] -= 2.0
            row += 1
        if int(state[1]) % clock != 0 or state[2] <= grace_period:
            continue
        n_all, total_all = state[2], state[3]
        searching = True
        while searching:
            searching = False
            n_old, total_old, n_new, total_new = 0.0, 0.0, state[2], state[3]
            log_term = np.log(2.0 * np.log(state[2]) / delta)
            variance = state[4] / state[2]
            oldest = 0
            for row in range(_ROWS):
                if table[row, 0] > 0.0:
                    oldest = row
            for back in range(oldest + 1):
                row = oldest - back
                for bucket in range(int(table[row, 0])):
                    n_old += 2.0**row
                    n_new -= 2.0**row
                    total_old += totals[row, bucket]
                    total_new -= totals[row, bucket]
                    if n_new < shortest or n_old < shortest:
                        continue
                    inverse = 1.0 / (n_old - shortest + 1.0) + 1.0 / (n_new - shortest + 1.0)
                    bound = np.sqrt(2.0 * inverse * variance * log_term) + 2.0 / 3.0 * log_term * inverse
                    if abs(total_old / n_old - total_new / n_new) > bound:
                        searching = True
                        break
                if searching:
                    break
            if searching:
                # Forget the oldest bucket, and look again.
                length = 2.0**oldest
                mean = totals[oldest, 0] / length
                state[2] -= length
                state[3] -= totals[oldest, 0]
                apart = mean - state[3] / state[2]
                state[4] -= squares[oldest, 0] + length * state[2] * apart * apart / (length + state[2])
                for bucket in range(max_buckets + 1):
                    kept = bucket + 1 <= max_buckets
                    totals[oldest, bucket] = totals[oldest, bucket + 1] if kept else 0.0
                    squares[oldest, bucket] = squares[oldest, bucket + 1] if kept else 0.0
                table[oldest, 0] -= 1.0
        if state[2] < n_all:
            n_before = n_all - state[2]
            evidence[0], evidence[1] = n_before, (total_all - state[3]) / n_before
            evidence[2], evidence[3] = state[2], state[3] / state[2]
            state[0] = 1.0
            return index
    return -1
