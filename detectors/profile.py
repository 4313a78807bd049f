"""What sketches say of each column: for people, dashboards and the record `column_profile`."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
import numpy as np

from detectors.arrays import Codes, Floats, Ints
from detectors.compiled import compiled
from detectors.layout import Layout
from detectors.sketch import Sketch

LEVELS: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_LEVELS: Final = np.array(LEVELS)


class ProfileColumns(msgspec.Struct, frozen=True, kw_only=True):
    """Profiles of every column of some sketches, a row each segment and column, as arrays (rows,).

    Three have many values a row: row i has those from `offsets[i]` to `offsets[i + 1]` of the flat array.

    Attributes
    ----------
    segments, columns: the names that the next two point into.
    segment, column: int32. numeric: whether it is, else categorical.
    n: valid values. nulls, invalid: the others; rows without the column are in none of the three.
    minimum, maximum, mean, std: of the valid values, std the population's; NaN without any and for categories.
    quantiles: at `LEVELS`, by linear interpolation inside a cell; NaN without values, none for categories. The
        `inverted_cdf` quantile of the raw values lies in the same cell, so in rank the error is less than the
        cell's share of the values (1/256 of the reference's on continuous data), and it is 0 in a cell of one
        value.
    counts: in the column's cells.
    unseen: the most frequent unseen values, largest first, each with its count and error:
        `count <= true count <= count + error`.
    quantile_offsets, count_offsets, unseen_offsets: (rows + 1,) int32.
    """

    segments: tuple[str, ...]
    columns: tuple[str, ...]
    segment: Codes
    column: Codes
    numeric: Codes
    n: Ints
    nulls: Ints
    invalid: Ints
    minimum: Floats
    maximum: Floats
    mean: Floats
    std: Floats
    quantiles: Floats
    quantile_offsets: Codes
    counts: Ints
    count_offsets: Codes
    unseen: list[str]
    unseen_counts: list[int]
    unseen_errors: list[int]
    unseen_offsets: Codes

    def __len__(self) -> int:
        return self.segment.size


def profiles(layout: Layout, sketches: Mapping[str, Sketch]) -> ProfileColumns:
    """A profile of every column of every segment: by segment name, then in layout order."""
    names = sorted(sketches)
    parts = [sketches[name] for name in names]
    n_columns, numeric = len(layout.columns), layout.numeric_indices
    shape = (len(names), n_columns)
    counts = np.array([part.counts for part in parts], dtype=np.int64).reshape(len(names), layout.n_cells)
    valid = np.add.reduceat(counts, layout.offsets[:-1], axis=1) if counts.size else np.zeros(shape, dtype=np.int64)
    moments = np.full((4, *shape), np.nan)
    moments[:, :, numeric] = _moments(parts, valid[:, numeric])
    quantiles = np.full((len(names), numeric.size, len(LEVELS)), np.nan)
    lookup = layout.lookup
    _quantiles(
        counts, layout.offsets, numeric, lookup.edges, lookup.offsets, moments[0], moments[1], _LEVELS, quantiles
    )
    is_numeric = np.zeros(n_columns, dtype=np.int32)
    is_numeric[numeric] = 1
    unseen: list[str] = []
    unseen_counts: list[int] = []
    unseen_errors: list[int] = []
    n_unseen = np.zeros(shape, dtype=np.int32)
    for segment, part in enumerate(parts):
        for index, frequent in zip(layout.categorical, part.frequent, strict=True):
            if frequent.counts:
                top = frequent.top()
                n_unseen[segment, index] = len(top)
                unseen += [value for value, _ in top]
                unseen_counts += [count for _, count in top]
                unseen_errors += [frequent.error] * len(top)
    minimum, maximum, mean, std = moments.reshape(4, -1)
    return ProfileColumns(
        segments=tuple(names),
        columns=tuple(column.name for column in layout.columns),
        segment=np.repeat(np.arange(len(names), dtype=np.int32), n_columns),
        column=np.tile(np.arange(n_columns, dtype=np.int32), len(names)),
        numeric=np.tile(is_numeric, len(names)),
        n=valid.reshape(-1),
        nulls=np.array([part.nulls for part in parts], dtype=np.int64).reshape(-1),
        invalid=np.array([part.invalid for part in parts], dtype=np.int64).reshape(-1),
        minimum=minimum,
        maximum=maximum,
        mean=mean,
        std=std,
        quantiles=quantiles.reshape(-1),
        quantile_offsets=_offsets(np.tile(is_numeric * np.int32(len(LEVELS)), len(names))),
        counts=counts.reshape(-1),
        count_offsets=_offsets(np.tile(np.diff(layout.offsets), len(names))),
        unseen=unseen,
        unseen_counts=unseen_counts,
        unseen_errors=unseen_errors,
        unseen_offsets=_offsets(n_unseen.reshape(-1)),
    )


def _offsets(sizes: Any) -> Codes:
    return np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)


def _moments(parts: list[Sketch], valid: Ints) -> Floats:
    """(4, segments, n_numeric) minimum, maximum, mean, std; NaN where there is no value."""
    both = ([part.minimum for part in parts], [part.maximum for part in parts], [part.mean for part in parts])
    moments = np.full((4, *valid.shape), np.nan)
    for own, arrays in zip(moments, both, strict=False):
        own[:] = np.array(arrays).reshape(valid.shape)
    m2 = np.array([part.m2 for part in parts]).reshape(valid.shape)
    filled = valid > 0
    moments[3] = np.sqrt(np.divide(m2, valid, out=np.full(valid.shape, np.nan), where=filled))
    moments[:, ~filled] = np.nan
    return moments


@compiled
def _quantiles(
    counts: Any, offsets: Any, numeric: Any, edges: Any, starts: Any, low: Any, high: Any, levels: Any, out: Any
) -> None:
    """Where the cumulative counts, drawn as straight lines inside the cells, reach each level.

    `out` (segments, n_numeric, levels) is left as it is where a column has no value. `edges` from `starts[k]` on are
    those of numeric column k; `low` and `high` are (segments, n_columns).
    """
    for segment in range(counts.shape[0]):
        for k in range(numeric.size):
            column = numeric[k]
            first, n_cells = offsets[column], offsets[column + 1] - offsets[column]
            total = np.int64(0)
            for cell in range(n_cells):
                total += counts[segment, first + cell]
            if total == 0:
                continue
            smallest, largest = low[segment, column], high[segment, column]
            before, cell, last = np.int64(0), 0, -np.inf
            own = counts[segment, first]
            for level in range(levels.size):
                rank = levels[level] * total
                while before + own < rank and cell < n_cells - 1:
                    before += own
                    cell += 1
                    own = counts[segment, first + cell]
                lower = edges[starts[k] + cell - 1] if cell > 0 else smallest
                upper = edges[starts[k] + cell] if cell < n_cells - 1 else largest
                lower = min(max(lower, smallest), largest)
                upper = min(max(upper, smallest), largest)
                value = upper  # a cell (nextafter(v, -inf), v] holds v alone
                if np.nextafter(lower, np.inf) < upper:
                    share = (rank - before) / own
                    value = min(max(lower * (1.0 - share) + upper * share, lower), upper)
                last = max(last, value)
                out[segment, k, level] = last
