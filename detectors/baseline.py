"""The side that windows are compared with: the reference itself, some of its seasons, or live panes in its cells."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from detectors.arrays import Ints
from detectors.layout import Layout
from detectors.plan import Plan
from detectors.reference import Reference
from detectors.sketch import Sketch
from detectors.stack import Stack, stacked
from detectors.tables import Grid, Pinned, Table, pin, tabulate


class Baseline:
    """Counts by segment, in a reference's cells.

    Attributes
    ----------
    names: (segments,) sorted: those of the windows that are compared.
    table: their counts; zeros of a segment that the side lacks.
    rare: (2, segments, n_columns) see `Reference.rare_rows`; zeros where the side is live.
    events: (segments, 4) as `Stack.events`.
    """

    def __init__(self, reference: Reference, stack: Stack, rare: Ints) -> None:
        self.names = stack.names
        self.events = stack.events
        self.table: Table = tabulate(reference.layout, stack)
        self.rare = rare
        self._reference = reference
        self._pinned: dict[Any, Pinned] = {}

    @classmethod
    def pinned(cls, reference: Reference, names: Sequence[str]) -> "Baseline":
        """The reference's own segments of these names."""
        empty = Sketch.empty(reference.layout)
        stack = stacked(reference.layout, {name: reference.sketches.get(name, empty) for name in names})
        rare = [reference.rare_rows(name) for name in stack.names]
        return cls(reference, stack, np.stack(rare, axis=1) if rare else _no_rows(reference.layout, 0))

    @classmethod
    def of(cls, reference: Reference, stack: Stack, names: tuple[str, ...]) -> "Baseline":
        """A sum of panes in the reference's cells; segments that it lacks are empty."""
        return cls(reference, _aligned(reference.layout, stack, names), _no_rows(reference.layout, len(names)))

    def pin(self, key: Any, plan: Plan, grid: Grid) -> Pinned:
        """This side of a comparison, made once."""
        if key not in self._pinned:
            self._pinned[key] = pin(self._reference, plan, grid, self.table, self.rare)
        return self._pinned[key]


def _no_rows(layout: Layout, n_segments: int) -> Ints:
    return np.zeros((2, n_segments, len(layout.columns)), dtype=np.int64)


def _aligned(layout: Layout, stack: Stack, names: tuple[str, ...]) -> Stack:
    """The segments of these names, in this order."""
    if stack.names == names:
        return stack
    padded = stacked(layout, {name: Sketch.empty(layout) for name in names})
    place = {name: position for position, name in enumerate(stack.names)}
    own = [position for position, name in enumerate(names) if name in place]
    theirs = [place[names[position]] for position in own]
    for field in stack.__struct_fields__:
        if field != "names":
            getattr(padded, field)[own] = getattr(stack, field)[theirs]
    return padded
