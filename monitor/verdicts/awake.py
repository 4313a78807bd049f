"""How small a change is found: windows in which one column of 25 changes by a known amount, independent rows."""

import copy
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from monitor.verdicts.changes import KINDS, Kind
from monitor.verdicts.worlds import COLUMNS, IID, START_MS, STEP_MS, Rows, draw

N_REFERENCE: Final = 50_000
FOUND: Final = 0.8

Cell = tuple[str, float, int]
"""The kind of change, its size, rows of a window."""
Judge = Callable[[Sequence[Rows], Kind], list[bool]]
"""(windows of equal size, kind) -> of each whether the column that changed is said to have drifted, anywhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Power:
    """Windows of a cell, and those in which the change was found; `parts` are those of the rounds that were added."""

    n: int = 0
    found: int = 0
    parts: tuple[tuple[int, int], ...] = field(default=(), compare=False)

    def __add__(self, other: "Power") -> "Power":
        parts = [part for own in (self, other) for part in own.parts or ((own.n, own.found),) if part[0]]
        return Power(n=self.n + other.n, found=self.found + other.found, parts=tuple(parts))

    def of_first(self, n: int) -> "Power":
        """Of the first rounds that have `n` windows together; of all where no rounds have."""
        total = Power()
        for windows, found in self.parts:
            total += Power(n=windows, found=found)
            if total.n == n:
                return total
        return self

    @property
    def share(self) -> float:
        """Of windows in which it was found."""
        return self.found / self.n

    @property
    def standard_error(self) -> float:
        """Of the share."""
        return float(np.sqrt(max(self.share * (1.0 - self.share), 1.0 / self.n) / self.n))


def reference_rows(seed: Sequence[int]) -> Rows:
    """Of one round."""
    return draw(IID, np.random.default_rng([*seed, 0]), N_REFERENCE)


def changed_windows(
    seed: Sequence[int],
    n_rows: int,
    n_windows: int,
    kinds: Sequence[Kind] = KINDS,
    only: Container[Cell] | None = None,
) -> Iterator[tuple[Kind, float, list[Rows]]]:
    """Every kind and size of change in the same windows; `only` some cells, in the windows they have among all."""
    rng = np.random.default_rng([*seed, n_rows])
    start_ms = START_MS + 2 * N_REFERENCE * STEP_MS
    base = [draw(IID, rng, n_rows, start_ms + number * n_rows * STEP_MS) for number in range(n_windows)]
    for position, kind in enumerate(kinds):
        for step, size in enumerate(kind.sizes[n_rows]):
            if only is not None and (kind.name, size, n_rows) not in only:
                continue
            own = np.random.default_rng([*seed, n_rows, position, step])
            windows = [copy.deepcopy(rows) for rows in base]
            for rows in windows:
                kind.change(rows, size, own)
            yield kind, size, windows


def power(
    judge: Judge,
    seed: Sequence[int],
    n_windows: dict[int, int],
    kinds: Sequence[Kind] = KINDS,
    only: Container[Cell] | None = None,
) -> dict[Cell, Power]:
    """One round: what `judge` finds, by cell."""
    cells = {}
    for n_rows, number in n_windows.items():
        for kind, size, windows in changed_windows(seed, n_rows, number, kinds, only):
            found = judge(windows, kind)
            cells[kind.name, size, n_rows] = Power(n=len(found), found=sum(found))
    return cells


def column_of(kind: Kind) -> str:
    """The name of the column that changes."""
    return COLUMNS[kind.column]


def at_once(windows: Sequence[Rows], rows: int = 20_000) -> Iterator[Sequence[Rows]]:
    """Windows in parts of so many rows together."""
    step = max(1, rows // max(windows[0].n, 1))
    for first in range(0, len(windows), step):
        yield windows[first : first + step]
