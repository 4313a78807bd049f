"""In what cells the matches of a model are counted: fixed with the reference, so that its sketches can be added."""

import functools
import hashlib
from collections.abc import Iterable
from enum import StrEnum
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import Column, Kind
from detectors.errors import ConfigurationError
from detectors.grid import coarse_cells, single_valued

MOST_CELLS: Final = 12
"""Coarse cells a monitored column, so that a cell is one byte a row: 11 of values and one of none."""
_OWN_CATEGORIES: Final = 10


class Task(StrEnum):
    """What a model predicts."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The coarse cells of a monitored column.

    Attributes
    ----------
    column: its name.
    cells: (n_cells,) what each holds, for people; the last is rows without a valid value.
    coarse: (column.n_cells,) the coarse cell of each of the column's own cells.
    """

    column: str
    cells: tuple[str, ...]
    coarse: tuple[int, ...] = ()


class PerformanceSpace(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """The cells of a performance sketch. Two sketches can be added where their spaces are equal.

    Attributes
    ----------
    task: what is predicted.
    classes: known ones; of a binary model the negative one first, then the positive one, whose probability the score
        is. Their code is their place; any other class has the code `len(classes)`. Empty for regression.
    scores: the numeric columns that scores are counted in: binary, `@score` or none; multiclass, one a class
        (`@score.<class>`) in their order, or none; regression, the prediction.
    probability: whether scores are probabilities. If not, there is no log loss, and no Brier score or calibration.
    parts: monitored columns.
    residual_edges: regression: the grid that target - prediction is counted on (`detectors.grid.quantile_grid` of the
        reference's residuals).
    centre, scale: regression: about the mean and the standard deviation of the reference's targets, `scale` > 0: only
        the sums behind the interval of `r2` and the cells' sums of losses are taken in these units.

    Raises
    ------
    ConfigurationError: what is said contradicts itself.
    """

    task: Task
    classes: tuple[str, ...] = ()
    scores: tuple[Column, ...] = ()
    probability: bool = True
    parts: tuple[Part, ...] = ()
    residual_edges: tuple[float, ...] = ()
    centre: float = 0.0
    scale: float = 1.0

    def __post_init__(self) -> None:
        n_scores = {Task.BINARY: (0, 1), Task.MULTICLASS: (0, len(self.classes)), Task.REGRESSION: (1,)}[self.task]
        if len(self.scores) not in n_scores or any(column.kind is not Kind.NUMERIC for column in self.scores):
            raise ConfigurationError(f"{self.task} with {len(self.scores)} score columns; {n_scores} numeric ones fit")
        classes_fit = {
            Task.BINARY: len(self.classes) == 2,
            Task.MULTICLASS: len(self.classes) >= 2,
            Task.REGRESSION: not self.classes,
        }[self.task]
        if not classes_fit or len(set(self.classes)) != len(self.classes):
            raise ConfigurationError(f"{self.task} with the classes {self.classes}")
        if any(not 1 <= len(part.cells) <= MOST_CELLS for part in self.parts):
            raise ConfigurationError(f"a column has 1 to {MOST_CELLS} coarse cells")
        if not (self.scale > 0.0 and np.isfinite([self.centre, self.scale]).all()):
            raise ConfigurationError(f"centre {self.centre} and scale {self.scale} are no place and unit")

    def __repr__(self) -> str:
        return f"PerformanceSpace({self.task}, {len(self.scores)} scores, {len(self.parts)} parts)"

    @property
    def other(self) -> int:
        """The code of a class that is not among `classes`."""
        return len(self.classes)

    @property
    def unsaid(self) -> int:
        """The code of a prediction that named no class."""
        return len(self.classes) + 1

    @functools.cached_property
    def score_offsets(self) -> Ints:
        """(n_scores + 1,) where each score column's cells begin; each ends with one cell of rows without a score."""
        return _offsets(column.n_cells + 1 for column in self.scores)

    @functools.cached_property
    def block_offsets(self) -> Ints:
        """(n_scores + 1 + n_parts + 1,) where the cells of each block of `sums` begin: the score columns', those of the
        true class (no cells in regression), the monitored columns'."""
        truth = len(self.classes) + 1 if self.classes else 0
        sizes = [column.n_cells + 1 for column in self.scores]
        return _offsets([*sizes, truth, *(len(part.cells) for part in self.parts)])

    @property
    def n_score_cells(self) -> int:
        """Of all score columns."""
        return int(self.score_offsets[-1])

    @property
    def n_sum_cells(self) -> int:
        """Of all blocks."""
        return int(self.block_offsets[-1])

    @property
    def names(self) -> tuple[str, ...]:
        """The moments that a sketch of this task keeps, in the order of its `moments`."""
        return {
            Task.BINARY: ("value", "log_loss", "brier"),
            Task.MULTICLASS: ("value", "log_loss"),
            Task.REGRESSION: (
                "value", "error", "absolute", "squared", "target", "target_2", "target_3", "squared_target",
                "squared_target_2",
            ),
        }[self.task]  # fmt: skip

    @property
    def loss(self) -> str:
        """What the loss in `sums` is: "log_loss", "zero_one" or "absolute" (in scales)."""
        if self.task is Task.REGRESSION:
            return "absolute"
        return "log_loss" if self.probability and self.scores else "zero_one"

    def score_cells(self, position: int) -> slice:
        """Where score column `position` lies in `outcomes`, its cell without a score left out."""
        return slice(int(self.score_offsets[position]), int(self.score_offsets[position + 1]) - 1)

    def block(self, name: str) -> slice:
        """Where the cells of a score column, of "@truth" or of a monitored column lie in `sums`.

        A column may be both, the score and a monitored one: then the score's own cells are meant.

        Raises
        ------
        ConfigurationError: no such block.
        """
        names = [*(column.name for column in self.scores), "@truth", *(part.column for part in self.parts)]
        if name not in names:
            raise ConfigurationError(f"no cells of {name!r} among {', '.join(names)}")
        return self.sum_block(names.index(name))

    def sum_block(self, place: int) -> slice:
        """Where the block at this place lies in `sums`: score columns, then the true class, then monitored columns."""
        return slice(int(self.block_offsets[place]), int(self.block_offsets[place + 1]))

    def part_block(self, position: int) -> slice:
        """Where the cells of monitored column `position` lie in `sums`."""
        return self.sum_block(len(self.scores) + 1 + position)

    def single(self, position: int) -> Bools:
        """(n_cells,) whether each cell of score column `position` holds one value only; see `detectors.grid`."""
        return single_valued(self.scores[position])

    def edges(self, position: int) -> Floats:
        """(n_cells - 1,) of score column `position`."""
        return np.array(self.scores[position].edges, dtype=np.float64)

    @functools.cached_property
    def fingerprint(self) -> bytes:
        """Eight bytes that differ between different spaces."""
        text = repr(msgspec.to_builtins(self))  # not msgpack: a category may be a lone surrogate
        return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def part_of(column: Column, counts: Ints) -> Part:
    """The coarse cells of a monitored column: at most 12.

    Numeric: the reference's deciles, or the next fewer quantiles of 8, 4 and 2 that fit where some values are frequent.
    Categorical: the ten largest categories, and the tail with what the reference never held. Last: no valid value.

    Parameters
    ----------
    column: the reference's.
    counts: (column.n_cells,) the whole reference's.
    """
    if column.kind is Kind.CATEGORICAL:
        own = column.categories[:_OWN_CATEGORIES]
        codes = [min(code, len(own)) for code in range(column.n_cells)]
        return Part(column=column.name, cells=(*own, "(rest)", "(none)"), coarse=tuple(codes))
    for bins in (10, 8, 4, 2):
        coarse = coarse_cells(single_valued(column), counts, bins)
        if coarse[-1] + 1 < MOST_CELLS:
            break
    names = []
    for cell in range(int(coarse[-1]) + 1):
        fine = np.flatnonzero(coarse == cell)
        low = f"above {column.edges[fine[0] - 1]:.6g}" if fine[0] > 0 else ""
        high = f"up to {column.edges[fine[-1]]:.6g}" if fine[-1] < len(column.edges) else ""
        names.append(" ".join(word for word in (low, high) if word) or "any value")
    return Part(column=column.name, cells=(*names, "(none)"), coarse=tuple(coarse.tolist()))


def _offsets(sizes: Iterable[int]) -> Ints:
    return np.concatenate([[0], np.cumsum(np.array([*sizes], dtype=np.int64))]).astype(np.int64)
