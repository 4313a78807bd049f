"""What a sketch says of each column: for people, dashboards and the `column_profiles` table."""

import math
from typing import Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.columns import Kind
from detectors.layout import Layout
from detectors.sketch import Sketch

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)


class Unseen(msgspec.Struct, frozen=True, kw_only=True):
    """A value that the reference never held: `count <= true count <= count + error`."""

    value: str
    count: int
    error: int


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """One column of one sketch.

    Attributes
    ----------
    column, kind: which.
    n: valid values. nulls, invalid: the others; rows without the column are in none of the three.
    minimum, maximum, mean, std: of the valid values, std the population's; NaN without any and for categories.
    quantiles: at `LEVELS`, by linear interpolation inside a cell; NaN without values, empty for categories. The
        `inverted_cdf` quantile of the raw values lies in the same cell, so in rank the error is less than the
        cell's share of the values (1/256 of the reference's on continuous data), and it is 0 in a cell of one
        value.
    counts: (n_cells,) in the column's cells.
    frequent: the most frequent unseen values, largest first.
    """

    column: str
    kind: Kind
    n: int
    nulls: int
    invalid: int
    minimum: float
    maximum: float
    mean: float
    std: float
    quantiles: tuple[float, ...]
    counts: list[int]
    frequent: tuple[Unseen, ...]


def profiles(layout: Layout, sketch: Sketch) -> list[Profile]:
    """A profile of every column, in layout order."""
    numeric = {index: position for position, index in enumerate(layout.numeric)}
    categorical = {index: position for position, index in enumerate(layout.categorical)}
    valid, std = sketch.valid, sketch.std
    result = []
    for index, column in enumerate(layout.columns):
        counts = sketch.counts[layout.cells(index)]
        low = high = mean = spread = math.nan
        levels: tuple[float, ...] = ()
        frequent: tuple[Unseen, ...] = ()
        if column.kind is Kind.NUMERIC:
            position = numeric[index]
            levels = (math.nan,) * len(LEVELS)
            if valid[index]:
                low, high = float(sketch.minimum[position]), float(sketch.maximum[position])
                mean, spread = float(sketch.mean[position]), float(std[position])
                levels = _quantiles(layout.column_edges(position), counts, low, high)
        else:
            summary = sketch.frequent[categorical[index]]
            frequent = tuple(Unseen(value=value, count=count, error=summary.error) for value, count in summary.top())
        result.append(
            Profile(
                column=column.name,
                kind=column.kind,
                n=int(valid[index]),
                nulls=int(sketch.nulls[index]),
                invalid=int(sketch.invalid[index]),
                minimum=low,
                maximum=high,
                mean=mean,
                std=spread,
                quantiles=levels,
                counts=counts.tolist(),
                frequent=frequent,
            )
        )
    return result


def _quantiles(edges: Floats, counts: Ints, low: float, high: float) -> tuple[float, ...]:
    """Where the cumulative counts, drawn as straight lines inside the cells, reach each level."""
    total = np.cumsum(counts)
    ranks = np.array(LEVELS) * total[-1]
    cells = np.searchsorted(total, ranks, side="left")
    lower = np.clip(np.concatenate([[low], edges])[cells], low, high)
    upper = np.clip(np.append(edges, high)[cells], low, high)
    with np.errstate(over="ignore"):  # beyond the largest float64 lies +inf, and that is meant
        alone = np.nextafter(lower, np.inf) >= upper  # a cell (nextafter(v, -inf), v] holds v alone
    share = (ranks - (total - counts)[cells]) / counts[cells]
    inside = np.where(alone, upper, np.clip(lower * (1.0 - share) + upper * share, lower, upper))
    return tuple(np.maximum.accumulate(inside).tolist())
