"""Windows of a world that does not change, as rows. Pure; NumPy and SciPy alone."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from monitor.verdicts.worlds import START_MS, Rows, World, draw

N_REFERENCE: Final = 50_000
_DAY_MS: Final = 86_400_000


def quiet_rows(world: World, rng: np.random.Generator, n_rows: int, n_windows: int) -> Iterator[list[Rows]]:
    """`n_windows` windows, some at a time; each begins in the year after the reference, at a multiple of its length."""
    at_once = max(1, 20_000 // n_rows)
    length_ms = n_rows * world.step_ms
    for first in range(0, n_windows, at_once):
        starts = rng.integers(365 * _DAY_MS // length_ms, size=min(at_once, n_windows - first))
        base = START_MS + 2 * N_REFERENCE * world.step_ms
        yield [draw(world, rng, n_rows, base + int(start) * length_ms) for start in starts]
