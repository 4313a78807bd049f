"""Made-up data of a model that does not change: 25 columns in ten segments, independent, dependent or seasonal. Pure.

Every column is a fixed function of a standard normal variable of its own. In a world with dependence that variable is a
stationary autoregressive process of the first order, a step a row; in one with seasons the hour of the day and the
weekend move it. Nulls have a variable of their own, which moves alike. Segments are drawn row by row, independently.

Imports NumPy and SciPy alone, so that a peer in an environment of its own can import it by its path.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import signal, special

Floats = NDArray[np.float64]
Codes = NDArray[np.int32]
Ints = NDArray[np.int64]

N_SEGMENTS: Final = 10
STEP_MS: Final = 1_000
"""Time from one row to the next."""
HOUR_MS: Final = 3_600_000
WEEK_MS: Final = 168 * HOUR_MS
START_MS: Final = 1_700_438_400_000 - 2_764_800_000
"""A Thursday, 00:00 UTC; hours of the week count from there, so that the weekend is their 48 to 95."""
_START_WEEKDAY: Final = 3


def _atoms(z: Floats, share: float) -> Floats:
    """0 for this share of the values, lognormal the others."""
    cut = special.ndtri(share)
    return np.where(z > cut, np.exp(z), 0.0)


NUMERIC: Final[tuple[tuple[str, Callable[[Floats], Floats]], ...]] = (
    ("normal", lambda z: z),
    ("normal large", lambda z: 50.0 + 10.0 * z),
    ("uniform", lambda z: special.ndtr(z)),
    ("exponential", lambda z: -special.log_ndtr(-z)),
    ("lognormal 0.5", lambda z: np.exp(0.5 * z)),
    ("lognormal 1", lambda z: np.exp(z)),
    ("lognormal 2", lambda z: np.exp(2.0 * z)),
    ("heavy tails 0.2", lambda z: z * np.exp(0.1 * z**2)),
    ("heavy tails 0.5", lambda z: z * np.exp(0.25 * z**2)),
    ("zeros 30 %", lambda z: _atoms(z, 0.3)),
    ("zeros 80 %", lambda z: _atoms(z, 0.8)),
    ("zeros 98 %", lambda z: _atoms(z, 0.98)),
    ("counts", lambda z: np.floor(np.exp(0.6 * z + 1.0))),
    ("few counts", lambda z: np.floor(np.exp(0.7 * z - 0.5))),
    ("tenths", lambda z: np.round(z, 1)),
    ("halves", lambda z: np.round(2.0 * z) / 2.0),
    ("two modes", lambda z: z + 3.0 * np.sign(z)),
    ("normal, 0.5 % null", lambda z: z),
    ("normal, 5 % null", lambda z: z),
    ("lognormal 1, 30 % null", lambda z: np.exp(z)),
)
"""Names and functions of the numeric columns."""
CATEGORICAL: Final[tuple[tuple[str, int, float], ...]] = (
    ("2 categories", 2, 1.0),
    ("6 categories", 6, 1.0),
    ("30 categories", 30, 1.0),
    ("200 categories, 2 % null", 200, 1.1),
    ("1000 categories", 1000, 1.1),
)
"""Names, numbers of categories, and exponents s of their shares, proportional to rank^-s (Zipf)."""
NULLS: Final = {17: 0.005, 18: 0.05, 19: 0.3, 23: 0.02}
"""The shares of nulls, by column."""
COLUMNS: Final = (*(name for name, _ in NUMERIC), *(name for name, _, _ in CATEGORICAL))
N_NUMERIC: Final = len(NUMERIC)
NULL_CODE: Final = -1


def shares(column: int) -> Floats:
    """(n_categories,) of a categorical column, 0 the first of them; largest first."""
    _, n, exponent = CATEGORICAL[column]
    weight = np.arange(1, n + 1, dtype=np.float64) ** -exponent
    share: Floats = weight / weight.sum()
    return share


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What makes rows.

    `phi` is the correlation of a row's variables with those of the row before; `daily` and `weekend` are standard
    deviations: the amplitude of a sine over the day, and what Saturday and Sunday add. `step_ms` is the time from one
    row to the next.
    """

    name: str
    phi: float = 0.0
    daily: float = 0.0
    weekend: float = 0.0
    step_ms: int = STEP_MS

    def season(self, times_ms: Ints) -> Floats:
        """(n,) what the time adds to every variable."""
        hour = times_ms % (24 * HOUR_MS) / HOUR_MS
        weekday = (times_ms // (24 * HOUR_MS) + _START_WEEKDAY) % 7
        return self.daily * np.sin(2.0 * np.pi * hour / 24.0) + self.weekend * (weekday >= 5)


@dataclass(slots=True, kw_only=True)
class Rows:
    """Rows of a world, in the order of their times.

    Attributes
    ----------
    numeric: (20, n), NaN for null.
    categories: (5, n) ranks of categories; `NULL_CODE` for null; what the world does not have is a new category.
    segment: (n,) 0 to 9.
    times_ms: (n,) milliseconds since 1970 UTC.
    """

    numeric: Floats
    categories: Codes
    segment: Codes
    times_ms: Ints

    @property
    def n(self) -> int:
        """How many."""
        return int(self.times_ms.size)


def draw(world: World, rng: np.random.Generator, n: int, start_ms: int = START_MS) -> Rows:
    """`n` rows from `start_ms` on; processes begin in their stationary distribution."""
    times_ms = start_ms + np.arange(n, dtype=np.int64) * world.step_ms
    z = _latent(world, rng, (len(COLUMNS), n)) + world.season(times_ms)
    numeric = np.empty((N_NUMERIC, n))
    for row, (_, of) in enumerate(NUMERIC):
        numeric[row] = of(z[row])
    categories = np.empty((len(CATEGORICAL), n), dtype=np.int32)
    for row in range(len(CATEGORICAL)):
        categories[row] = np.searchsorted(np.cumsum(shares(row))[:-1], special.ndtr(z[N_NUMERIC + row]))
    null = _latent(world, rng, (len(NULLS), n)) + world.season(times_ms)
    for own, (column, share) in zip(null, NULLS.items(), strict=True):
        there = own < special.ndtri(share)
        if column < N_NUMERIC:
            numeric[column, there] = np.nan
        else:
            categories[column - N_NUMERIC, there] = NULL_CODE
    segment = rng.integers(N_SEGMENTS, size=n, dtype=np.int32)
    return Rows(numeric=numeric, categories=categories, segment=segment, times_ms=times_ms)


def _latent(world: World, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    z: Floats = rng.standard_normal(shape)
    if world.phi:
        z[:, 1:] *= np.sqrt(1.0 - world.phi**2)
        filtered: Any = signal.lfilter([1.0], [1.0, -world.phi], z, axis=1)
        return np.asarray(filtered, dtype=np.float64)
    return z


IID: Final = World(name="iid")
AR: Final = World(name="AR(1) 0.9", phi=0.9)
SEASONS: Final = World(name="seasons", daily=0.35, weekend=0.5, step_ms=72_000)
"""50 rows an hour: a window of 200 takes four hours, every other a whole number too, and 50,000 rows six weeks less
eight hours. With 200 an hour they would take ten days, in which an hour of the week comes once or twice."""
WORLDS: Final = {world.name: world for world in (IID, AR, SEASONS)}
