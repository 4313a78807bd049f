"""The sketches of some segments one below the other: what windows are added up in."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Floats, Ints
from detectors.layout import Layout
from detectors.sketch import Sketch

_ARRAYS: Final = ("events", "counts", "nulls", "invalid", "minimum", "maximum", "mean", "m2")


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """What scoring needs of several segments' sketches, one below the other.

    Attributes
    ----------
    names: (segments,) sorted; of several windows one below the other each has its own.
    counts: (segments, n_cells) int64.
    nulls, invalid: (segments, n_columns) int64.
    minimum, maximum: (segments, n_numeric) float64; +inf and -inf without values.
    mean, m2: (segments, n_numeric) float64; 0 without values.
    events: (segments, 4) int64: all, those with features, with a prediction, and with both.
    """

    names: tuple[str, ...]
    events: Ints
    counts: Ints
    nulls: Ints
    invalid: Ints
    minimum: Floats
    maximum: Floats
    mean: Floats
    m2: Floats

    @property
    def nbytes(self) -> int:
        """What the arrays take."""
        return sum(getattr(self, name).nbytes for name in _ARRAYS)

    def n_values(self, layout: Layout) -> Floats:
        """(segments, n_numeric) the valid values of each numeric column."""
        valid = np.add.reduceat(self.counts, layout.offsets[:-1], axis=1) if layout.columns else self.nulls
        values: Floats = valid[:, layout.numeric_indices].astype(np.float64)
        return values

    def without(self, layout: Layout, part: "Stack") -> "Stack":
        """The rows that are not in `part`, which has the same segments. The extremes stay as they are."""
        n, n_part = self.n_values(layout), part.n_values(layout)
        left = np.maximum(n - n_part, 1.0)
        mean = np.where(n > n_part, self.mean + (self.mean - part.mean) * (n_part / left), 0.0)
        with np.errstate(over="ignore", invalid="ignore"):  # squares of huge units are infinite, here as in a sketch
            between = (part.mean - mean) ** 2 * (n_part * left / np.maximum(n, 1.0))
            m2 = np.where(np.isinf(self.m2), np.inf, np.maximum(self.m2 - part.m2 - between, 0.0))
        return Stack(
            names=self.names,
            events=self.events - part.events,
            counts=self.counts - part.counts,
            nulls=self.nulls - part.nulls,
            invalid=self.invalid - part.invalid,
            minimum=self.minimum,
            maximum=self.maximum,
            mean=mean,
            m2=m2,
        )

    def part(self, start: int, end: int) -> "Stack":
        """Some of the segments."""
        own = slice(start, end)
        return Stack(names=self.names[own], **{name: getattr(self, name)[own] for name in _ARRAYS})


def below(stacks: Sequence[Stack]) -> Stack:
    """One below the other: all segments of the first, then all of the next."""
    if len(stacks) == 1:
        return stacks[0]
    arrays = {name: np.concatenate([getattr(stack, name) for stack in stacks]) for name in _ARRAYS}
    return Stack(names=tuple(name for stack in stacks for name in stack.names), **arrays)


def stacked(layout: Layout, sketches: Mapping[str, Sketch]) -> Stack:
    """Sketches by segment name as a stack."""
    names = tuple(sorted(sketches))
    parts = [sketches[name] for name in names]

    def array(attribute: str, width: int, kind: type) -> NDArray[Any]:
        return np.array([getattr(part, attribute) for part in parts], dtype=kind).reshape(len(parts), width)

    n_columns, n_numeric = len(layout.columns), len(layout.numeric)
    counts, nulls, invalid = (
        array(name, width, np.int64)
        for name, width in (("kept", layout.n_cells), ("nulls", n_columns), ("invalid", n_columns))
    )
    # As `Sketch.with_features` and `Sketch.with_prediction`, of all segments at once.
    there = nulls + invalid + (np.add.reduceat(counts, layout.offsets[:-1], axis=1) if n_columns else 0)
    events = np.empty((len(parts), 4), dtype=np.int64)
    events[:, 0], events[:, 3] = [part.n for part in parts], [part.n_both for part in parts]
    for place, spoken in ((1, layout.features), (2, layout.prediction)):
        events[:, place] = there[:, list(spoken)].max(axis=1, initial=0)
    return Stack(
        names=names,
        events=events,
        counts=counts,
        nulls=nulls,
        invalid=invalid,
        minimum=array("minimum", n_numeric, np.float64),
        maximum=array("maximum", n_numeric, np.float64),
        mean=array("mean", n_numeric, np.float64),
        m2=array("m2", n_numeric, np.float64),
    )


def added(layout: Layout, stacks: Sequence[Stack]) -> Stack:
    """The panes of a window, one stack each, as one. There is at least one. What is counted is the same to the bit in
    any order; means and their squares are merged in the order given (Chan, Golub & LeVeque 1983)."""
    first = stacks[0]
    if len(stacks) == 1:
        return first
    names = first.names
    if any(stack.names != names for stack in stacks):
        names = tuple(sorted({name for stack in stacks for name in stack.names}))
    place = {name: position for position, name in enumerate(names)}
    n = len(names)
    total = Stack(
        names=names,
        events=np.zeros((n, 4), dtype=np.int64),
        counts=np.zeros((n, first.counts.shape[1]), dtype=np.int64),
        nulls=np.zeros((n, first.nulls.shape[1]), dtype=np.int64),
        invalid=np.zeros((n, first.invalid.shape[1]), dtype=np.int64),
        minimum=np.full((n, first.minimum.shape[1]), np.inf),
        maximum=np.full((n, first.maximum.shape[1]), -np.inf),
        mean=np.zeros((n, first.mean.shape[1])),
        m2=np.zeros((n, first.m2.shape[1])),
    )
    values = np.zeros((n, first.mean.shape[1]))
    for stack in stacks:
        own = slice(None) if stack.names == names else np.array([place[name] for name in stack.names])
        n_values = stack.n_values(layout)
        total.mean[own], total.m2[own] = _merged_moments(
            values[own], total.mean[own], total.m2[own], n_values, stack.mean, stack.m2
        )
        values[own] += n_values
        total.events[own] += stack.events
        total.counts[own] += stack.counts
        total.nulls[own] += stack.nulls
        total.invalid[own] += stack.invalid
        total.minimum[own] = np.minimum(total.minimum[own], stack.minimum)
        total.maximum[own] = np.maximum(total.maximum[own], stack.maximum)
    return total


def _merged_moments(
    n_a: Floats, mean_a: Floats, m2_a: Floats, n_b: Floats, mean_b: Floats, m2_b: Floats
) -> tuple[Floats, Floats]:
    """Chan's merge, as in `detectors.sketch`; no mean overflows."""
    n = np.maximum(n_a + n_b, 1.0)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = np.where(mean_a == mean_b, mean_a, mean_a * (n_a / n) + mean_b * (n_b / n))
        between = ((mean_a - mean_b) * np.sqrt(n_a * n_b / n)) ** 2
    mean = np.clip(mean, np.minimum(mean_a, mean_b), np.maximum(mean_a, mean_b))
    both = (n_a > 0) & (n_b > 0)
    mean = np.where(both, mean, np.where(n_a > 0, mean_a, mean_b))
    return mean + 0.0, m2_a + m2_b + np.where(both, between, 0.0)
