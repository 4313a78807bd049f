"""KSWIN: the Kolmogorov-Smirnov test in a sliding window."""

import functools
from typing import Annotated, Any, ClassVar, Final

import msgspec
import numpy as np

from detectors.arrays import Floats
from detectors.lazily_compiled import lazily_compiled
from detectors.sequential_registry import register


@register
class KSWIN(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """KSWIN: the newest `stat_size` losses against as many drawn from those before them in the window.

    Sees other changes than that of the mean, where losses are not just 0 and 1. Its window is short, so that only large
    changes are found, and it makes a test at each loss: false alarms on long streams. In panes of more losses than
    `stat_size` it hardly sees a thing: they are spread evenly. Prefer `adwin` for error rates.

    Parameters
    ----------
    alpha: level of one test, in (0, 1). River's default, as are the next two.
    window_size: losses in the window, at least twice `stat_size`.
    stat_size: losses on a side of the test, in [2, 1,000].
    seed: of the draws, at least 0. The draw of a test is a function of the seed and of the losses read since the
        detector began anew, so that it is the same after a restart; River's goes on from a generator's state.

    p-value: the exact distribution for equal sizes without ties, `scipy.stats.ks_2samp(method="exact")`.

    Edge cases: a constant loss never alarms. The state is the window.

    >>> from detectors.error_pane import ErrorPane
    >>> from detectors.sequential_state import SequentialState
    >>> state, _ = SequentialState(KSWIN()).update(ErrorPane(start_ms=0, end_ms=1, n=5_000, total=500))
    >>> state, found = state.update(ErrorPane(start_ms=1, end_ms=2, n=5_000, total=4_000))
    >>> len(found), found[0].position <= 30
    (1, True)

    Source: Raab, Heusinger and Schleif (2020), Reactive soft prototype computing for concept drift streams,
    Neurocomputing 416, 340-351; with these draws the same numbers as `river.drift.KSWIN`.
    """

    name: ClassVar[str] = "kswin"
    errors_only: ClassVar[bool] = False

    alpha: Annotated[float, msgspec.Meta(gt=0.0, lt=1.0)] = 0.005
    window_size: Annotated[int, msgspec.Meta(le=100_000)] = 100
    stat_size: Annotated[int, msgspec.Meta(ge=2, le=1_000)] = 30
    seed: Annotated[int, msgspec.Meta(ge=0, lt=2**53)] = 0

    def __post_init__(self) -> None:
        if self.window_size < 2 * self.stat_size:
            raise ValueError("`window_size` must be at least twice `stat_size`")

    def initial(self) -> Floats:
        """Changed; n, total; the window as a ring, (window_size,)."""
        return np.array([1.0, *[0.0] * (2 + self.window_size)])

    def advance(self, state: Floats, losses: Floats, evidence: Floats) -> int:
        """Read up to the first change."""
        smallest = _smallest_step(self.alpha, self.stat_size)
        at: int = _advance(state, losses, evidence, self.stat_size, smallest, np.uint64(self.seed))
        return at

    def draw(self, n: int) -> list[int]:
        """Positions, oldest first, of the losses drawn for the test at loss `n` since the detector began anew.

        Fisher and Yates' shuffle of the first `stat_size`, by SplitMix64 (Steele, Lea and Flood, 2014) at a place of
        its own a draw. The specification of what `_advance` does.
        """
        drawn = list(range(self.window_size - self.stat_size))
        for position in range(self.stat_size):
            mixed = (self.seed * _SEEDS + n * 1_024 + position) * _STEP % 2**64
            mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
            mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB % 2**64
            other = position + (mixed ^ (mixed >> 31)) % (len(drawn) - position)
            drawn[position], drawn[other] = drawn[other], drawn[position]
        return drawn[: self.stat_size]


_STEP: Final = 0x9E3779B97F4A7C15
_SEEDS: Final = 0xD1342543DE82EF95


@functools.cache
def _smallest_step(alpha: float, size: int) -> int:
    """The smallest h with P(D >= h / size) <= alpha and h / size > 0.1; size + 1 if there is none."""
    from scipy import stats

    for step in range(size // 10 + 1, size + 1):
        shifted = np.arange(size) >= size - step
        if stats.ks_2samp(np.zeros(size), shifted.astype(np.float64), method="exact").pvalue <= alpha:
            return step
    return size + 1


@lazily_compiled
def _advance(state: Any, losses: Any, evidence: Any, size: int, smallest: int, seed: Any) -> int:
    window = state.size - 3
    drawn = np.empty(window - size, dtype=np.int64)
    old, new = np.empty(size), np.empty(size)
    for index in range(losses.size):
        if state[0] > 0.0:
            state[:] = 0.0
        n = np.int64(state[1])
        state[3 + n % window] = losses[index]
        n += 1
        state[1] = n
        state[2] += losses[index]
        if n < window:
            continue
        for position in range(window - size):
            drawn[position] = position
        for position in range(size):
            mixed = (seed * np.uint64(_SEEDS) + np.uint64(n * 1_024 + position)) * np.uint64(_STEP)
            mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            mixed = mixed ^ (mixed >> np.uint64(31))
            other = position + np.int64(mixed % np.uint64(window - size - position))
            drawn[position], drawn[other] = drawn[other], drawn[position]
            old[position] = state[3 + (n + drawn[position]) % window]
            new[position] = state[3 + (n + window - size + position) % window]
        old.sort()
        new.sort()
        below_old, below_new, largest = 0, 0, 0
        while below_old < size and below_new < size:
            value = min(old[below_old], new[below_new])
            while below_old < size and old[below_old] == value:
                below_old += 1
            while below_new < size and new[below_new] == value:
                below_new += 1
            largest = max(largest, abs(below_old - below_new))
        if largest >= smallest:
            after = new.sum()
            evidence[0], evidence[1] = n - size, (state[2] - after) / (n - size)
            evidence[2], evidence[3] = size, after / size
            state[0] = 1.0
            return index
    return -1
