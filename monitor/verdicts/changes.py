"""What can happen to a column: changes of one size to the rows of a window. Pure; NumPy and SciPy alone."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from monitor.verdicts.worlds import CATEGORICAL, N_NUMERIC, NULL_CODE, Rows

SIZES: Final = (200, 500, 2_000, 20_000)
"""Rows of a window."""
NORMAL: Final = 0
"""The numeric column that changes: standard normal."""
LARGE: Final = 1
"""The numeric column whose unit changes: normal, mean 50, standard deviation 10."""
TENTHS: Final = 14
"""The numeric column of tenths, which float32 and float64 hold as different numbers."""
CHOICE: Final = 1
"""The categorical column that changes, of six categories."""
Change = Callable[[Rows, float, np.random.Generator], None]
"""Changes rows in their place; the number is the size."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of change, and the sizes that are tried in windows of so many rows, ascending.

    `column` is the one that changes; `unit` says what a size is, in words that follow the number.
    """

    name: str
    column: int
    sizes: Mapping[int, tuple[float, ...]]
    unit: str
    change: Change
    wanted: bool = True


def _mean(rows: Rows, size: float, _rng: np.random.Generator) -> None:
    rows.numeric[NORMAL] += size


def _spread(rows: Rows, size: float, _rng: np.random.Generator) -> None:
    rows.numeric[NORMAL] *= size


def _outliers(rows: Rows, size: float, rng: np.random.Generator) -> None:
    out = rng.random(rows.n) < size
    rows.numeric[NORMAL, out] = rng.choice((-6.0, 6.0), out.sum()) + rows.numeric[NORMAL, out]


def _moved(rows: Rows, size: float, rng: np.random.Generator) -> None:
    """So much of all rows goes from the largest category to the second."""
    ranks = rows.categories[CHOICE]
    share = 1.0 / np.sum(1.0 / np.arange(1, CATEGORICAL[CHOICE][1] + 1))
    ranks[(ranks == 0) & (rng.random(rows.n) < size / share)] = 1


def _new(rows: Rows, size: float, rng: np.random.Generator) -> None:
    rows.categories[CHOICE, rng.random(rows.n) < size] = CATEGORICAL[CHOICE][1]


def _nulls(rows: Rows, size: float, rng: np.random.Generator) -> None:
    rows.numeric[NORMAL, rng.random(rows.n) < size] = np.nan


def _category_nulls(rows: Rows, size: float, rng: np.random.Generator) -> None:
    rows.categories[CHOICE, rng.random(rows.n) < size] = NULL_CODE


def _one_segment(rows: Rows, size: float, _rng: np.random.Generator) -> None:
    rows.numeric[NORMAL, rows.segment == 3] += size


def _sentinel(rows: Rows, size: float, rng: np.random.Generator) -> None:
    rows.numeric[NORMAL, rng.random(rows.n) < size] = -999.0


def _unit(rows: Rows, size: float, _rng: np.random.Generator) -> None:
    rows.numeric[LARGE] *= size


def _float32(rows: Rows, _size: float, _rng: np.random.Generator) -> None:
    rows.numeric[:] = rows.numeric.astype(np.float32).astype(np.float64)


def _same(*sizes: float) -> Mapping[int, tuple[float, ...]]:
    return dict.fromkeys(SIZES, sizes)


KINDS: Final = (
    Kind(
        name="mean",
        column=NORMAL,
        sizes={
            200: (0.2, 0.25, 0.3, 0.35, 0.4, 0.5),
            500: (0.15, 0.2, 0.25, 0.3, 0.4),
            2_000: (0.1, 0.15, 0.2, 0.25),
            20_000: (0.1, 0.15, 0.2, 0.25),
        },
        unit="sd",
        change=_mean,
    ),
    Kind(
        name="spread",
        column=NORMAL,
        sizes={
            200: (1.1, 1.2, 1.25, 1.3, 1.4, 1.5),
            500: (1.1, 1.15, 1.2, 1.25, 1.3),
            2_000: (1.1, 1.15, 1.2, 1.25),
            20_000: (1.1, 1.15, 1.2, 1.25),
        },
        unit="times the sd",
        change=_spread,
    ),
    Kind(
        name="outliers",
        column=NORMAL,
        sizes={
            200: (0.01, 0.02, 0.03, 0.05, 0.1),
            500: (0.005, 0.01, 0.02, 0.05, 0.1),
            2_000: (0.005, 0.01, 0.02, 0.1),
            20_000: (0.005, 0.01, 0.1),
        },
        unit="of the rows 6 sd off",
        change=_outliers,
    ),
    Kind(
        name="category share moved",
        column=N_NUMERIC + CHOICE,
        sizes={
            200: (0.075, 0.1, 0.15, 0.2),
            500: (0.05, 0.075, 0.1, 0.15),
            2_000: (0.03, 0.05, 0.075, 0.1),
            20_000: (0.03, 0.05, 0.075, 0.1),
        },
        unit="of the rows",
        change=_moved,
    ),
    Kind(
        name="new category",
        column=N_NUMERIC + CHOICE,
        sizes={
            200: (0.01, 0.02, 0.03, 0.05),
            500: (0.005, 0.01, 0.02, 0.03),
            2_000: (0.005, 0.01, 0.02, 0.03),
            20_000: (0.005, 0.01, 0.02, 0.03),
        },
        unit="of the rows",
        change=_new,
    ),
    Kind(name="nulls, numeric", column=NORMAL, sizes=_same(0.01, 0.02, 0.05, 1.0), unit="of the rows", change=_nulls),
    Kind(
        name="nulls, categorical",
        column=N_NUMERIC + CHOICE,
        sizes=_same(0.01, 0.02, 0.05, 1.0),
        unit="of the rows",
        change=_category_nulls,
    ),
    Kind(
        name="mean, one segment of ten",
        column=NORMAL,
        sizes={
            200: (2.0, 3.0, 5.0),
            500: (0.5, 0.7, 1.0, 1.5),
            2_000: (0.2, 0.3, 0.4, 0.5, 0.7),
            20_000: (0.1, 0.2, 0.3),
        },
        unit="sd",
        change=_one_segment,
    ),
    Kind(name="sentinel -999", column=NORMAL, sizes=_same(0.005, 0.01, 0.02), unit="of the rows", change=_sentinel),
    Kind(name="unit change", column=LARGE, sizes=_same(1.8, 1000.0), unit="times", change=_unit),
    Kind(name="float32 for float64", column=TENTHS, sizes=_same(1.0), unit="", change=_float32, wanted=False),
)
