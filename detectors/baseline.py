"""The side that windows are compared with: the reference itself, some of its seasons, or live panes in its cells."""

import weakref
from collections.abc import Sequence
from typing import Any, Final

import msgspec
import numpy as np

from detectors.arrays import Floats, Ints
from detectors.layout import Layout
from detectors.plan import Grid, Plan
from detectors.reference import Reference
from detectors.sketch import Sketch
from detectors.stack import Stack, stacked
from detectors.tables import Pinned, Table, pin, tabulate

_MOST_SIDES: Final = 4
_MOST_PARTS: Final = 8  # windows of two lengths, ten or eleven of each at once; those they repeat


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """What a window is compared with in the pinned reference's place.

    Attributes
    ----------
    stack: in the reference's cells.
    live: whether it is of live rows; else it is part of the reference, whose rows drew the cells.
    """

    stack: Stack
    live: bool


class Baseline:
    """Counts by segment, in a reference's cells.

    Attributes
    ----------
    names: (segments,) sorted: those of the windows that are compared; of a part as they were asked for.
    table: their counts; zeros of a segment that the side lacks.
    rare: (2, segments, n_columns) float64, see `Reference.rare_rows`; zeros where the side is live.
    events: (segments, 4) as `Stack.events`.
    """

    def __init__(self, reference: Reference, table: Table, events: Ints, rare: Floats, own: bool) -> None:
        self.names = table.names
        self.events = events
        self.table = table
        self.rare = rare
        self._reference, self._own = reference, own
        self._pinned: dict[Any, Pinned] = {}
        self._parts: dict[bytes, Baseline] = {}
        self._repeats: tuple[Baseline, Ints] | None = None  # the same segments, each once, and the place of each in it

    @classmethod
    def _of_stack(cls, reference: Reference, stack: Stack, rare: Floats, own: bool) -> "Baseline":
        return cls(reference, tabulate(reference.layout, stack), stack.events, rare, own)

    @classmethod
    def pinned(cls, reference: Reference, names: Sequence[str]) -> "Baseline":
        """The reference's own segments of these names."""
        empty = Sketch.empty(reference.layout)
        stack = stacked(reference.layout, {name: reference.sketches.get(name, empty) for name in names})
        return cls._of_stack(reference, stack, _rare(reference, stack.names), own=True)

    @classmethod
    def of(cls, reference: Reference, stack: Stack, names: tuple[str, ...]) -> "Baseline":
        """A sum of live panes in the reference's cells; segments that it lacks are empty."""
        return cls._of_stack(
            reference,
            _aligned(reference.layout, stack, names),
            np.zeros((2, len(names), len(reference.layout.columns))),
            own=False,
        )

    @classmethod
    def part_of(cls, reference: Reference, stack: Stack, names: tuple[str, ...]) -> "Baseline":
        """Some of the reference's own rows. What the reference says of new categories holds for them too."""
        side = cls.of(reference, stack, names)
        whole = cls.pinned(reference, names)
        share = side.table.spoken / np.maximum(whole.table.spoken, 1)
        side.rare, side._own = whole.rare * share, True
        return side

    @classmethod
    def matching(cls, reference: Reference, counts: Counts | None, names: tuple[str, ...]) -> "Baseline":
        """The segments of these names of `counts`, or of the reference where there are none; the latter is kept for the
        next window, which mostly has the same segments."""
        if counts is None:
            kept = _pinned_sides.setdefault(reference, {})
            if names not in kept:
                if len(kept) >= _MOST_SIDES:
                    kept.clear()
                kept[names] = cls.pinned(reference, names)
            return kept[names]
        return (cls.of if counts.live else cls.part_of)(reference, counts.stack, names)

    def part(self, segments: Ints) -> "Baseline":
        """The segments at these places, which may repeat; kept for the next windows."""
        if np.array_equal(segments, np.arange(len(self.names))):
            return self
        key = segments.tobytes()
        if key not in self._parts:
            if len(self._parts) >= _MOST_PARTS:
                self._parts.clear()
            table, events, rare = self.table.part(segments), self.events[segments], self.rare[:, segments]
            part = Baseline(self._reference, table, events, rare, self._own)
            once, places = np.unique(segments, return_inverse=True)
            if once.size < segments.size:
                part._repeats = self.part(once), places
            self._parts[key] = part
        return self._parts[key]

    def pin(self, key: Any, plan: Plan, grid: Grid) -> Pinned:
        """The side of a comparison that this is, made once."""
        if key not in self._pinned:
            if self._repeats is None:
                self._pinned[key] = pin(self._reference, plan, grid, self.table, self.rare, self._own)
            else:
                once, places = self._repeats
                self._pinned[key] = once.pin(key, plan, grid).part(places, plan.columns.size)
        return self._pinned[key]


_pinned_sides: "weakref.WeakKeyDictionary[Reference, dict[tuple[str, ...], Baseline]]" = weakref.WeakKeyDictionary()


def _rare(reference: Reference, names: Sequence[str]) -> Floats:
    rare = [reference.rare_rows(name) for name in names]
    none = np.zeros((2, 0, len(reference.layout.columns)))
    return np.stack(rare, axis=1).astype(np.float64) if rare else none


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
