"""How the kernel finds the cell of a value: a table from equal parts of the range to the edges in each, then few steps.

`part(x) = (x - low) * scale`, cut to whole numbers from 0 to `PARTS - 1`, never falls as x rises, also where it is
rounded. So every edge in an earlier part is below x, and every edge in a later one is not: only the edges in x's own
part are left to compare, and `steps` binary steps are enough for the fullest part of the column.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from detectors.arrays import Floats, Ints

PARTS: Final = 1024  # four bytes each: table, edges and counts of a column stay in the first-level cache
_FEW: Final = 3  # edges, two steps: what two neighbouring atoms need anyhow
_TRIMS: Final = (0, 64, 16, 8, 4)  # leave out one edge in so many at either end, where the tails are long


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookup:
    """The tables of all numeric columns.

    Attributes
    ----------
    edges: (total,) float64, the columns' edges one after another, each padded with +inf for the steps that go beyond.
    offsets: (n_columns + 1,) int64 into `edges`.
    low, scale: (n_columns,) float64; see above.
    first: (n_columns, PARTS) uint32, the edges in all earlier parts.
    steps: (n_columns,) int64; `2 ** steps - 1` is at least the number of edges in any part.
    """

    edges: Floats
    offsets: Ints
    low: Floats
    scale: Floats
    first: npt.NDArray[np.uint32]
    steps: Ints

    @classmethod
    def of(cls, columns: Sequence[Floats]) -> Self:
        """The tables of columns with these edges."""
        n = len(columns)
        low, scale, steps = np.zeros(n), np.zeros(n), np.zeros(n, dtype=np.int64)
        first = np.zeros((n, PARTS), dtype=np.uint32)
        padded = [np.empty(0)]
        for position, edges in enumerate(columns):
            low[position], scale[position], per_part = _spread(edges)
            first[position, 1:] = np.cumsum(per_part)[:-1]
            steps[position] = int(per_part.max()).bit_length()
            padded.append(np.append(edges, np.full(1 << int(steps[position]), np.inf)))
        offsets = np.cumsum([part.size for part in padded], dtype=np.int64)
        return cls(edges=np.concatenate(padded), offsets=offsets, low=low, scale=scale, first=first, steps=steps)


def _spread(edges: Floats) -> tuple[float, float, npt.NDArray[np.intp]]:
    """The low and scale under which the fullest part has the fewest edges, and (PARTS,) the edges in each part."""
    found = (0.0, 0.0, _per_part(edges, 0.0, 0.0))
    for low, scale in _candidates(edges[np.isfinite(edges)]):
        if found[2].max() <= _FEW:
            break
        per_part = _per_part(edges, low, scale)
        if per_part.max() < found[2].max():
            found = (low, scale, per_part)
    return found


def _candidates(edges: Floats) -> Iterator[tuple[float, float]]:
    for one_in in _TRIMS:
        left_out = edges.size // one_in if one_in else 0
        if edges.size - 2 * left_out >= 2:
            low, high = edges[left_out], edges[edges.size - 1 - left_out]
            with np.errstate(
                over="ignore"
            ):  # no scale is wrong: 0 is one part for all, inf is one for each side of low
                yield float(low), float(PARTS / (high - low))


def _per_part(edges: Floats, low: float, scale: float) -> npt.NDArray[Any]:
    with np.errstate(over="ignore", invalid="ignore"):
        part = (edges - low) * scale
    part = np.where(part > 0.0, part, 0.0)  # NaN, which is 0 * inf, to 0 as the kernel does
    return np.bincount(np.minimum(part, PARTS - 1.0).astype(np.intp), minlength=PARTS)
