"""Windows over event time: half-open intervals of integer milliseconds, as sums of panes.

A pane is the longest interval that every configured window is a whole number of: the greatest common divisor of all
instants at which windows begin. Sketches are kept per pane; a window is the sum of the panes that start inside it.
Panes are aligned to the Unix epoch, windows to the epoch (plus an offset) or to the calendar of a time zone
(`monitor.eventtime.calendar_shape`), so every worker cuts time at the same instants.

Source: Li, Maier, Tufte, Papadimos & Tucker, "No pane, no gain: efficient evaluation of sliding-window aggregates over
data streams", SIGMOD Record 34(1), 2005.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from math import gcd
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Window:
    """A half-open interval `[start_ms, end_ms)` of event time, in milliseconds UTC."""

    start_ms: int
    end_ms: int


class WindowShape(Protocol):
    """A family of windows. Pure: the same on every worker, whatever the time is."""

    @property
    def longest_ms(self) -> int:
        """No window of this shape is longer (milliseconds). Windows of one shape may differ in length."""

    @property
    def usual_ms(self) -> int:
        """How long most windows of this shape are, about (milliseconds)."""

    @property
    def grain_ms(self) -> int:
        """Every window begins and ends at a multiple of this many milliseconds since the epoch."""

    def containing(self, start_ms: int) -> Iterator[Window]:
        """Every window of this shape that holds the instant `start_ms`, the latest first."""

    def ending(self, inside: Window, *, after_ms: int, until_ms: int) -> Iterator[Window]:
        """Every window of this shape that holds the whole of `inside` and ends in `(after_ms, until_ms]`, in order."""

    def last_end_ms(self, start_ms: int) -> int:
        """When the last window of this shape that holds the instant `start_ms` ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FixedShape:
    """A family of windows of one length: one of `size_ms` starts every `every_ms`, at `offset_ms` from the epoch.

    Tumbling when `every_ms == size_ms`, hopping when it is smaller. All three are milliseconds; `size_ms >= every_ms
    > 0`.
    """

    size_ms: int
    every_ms: int
    offset_ms: int = 0

    def __post_init__(self) -> None:
        if not 0 < self.every_ms <= self.size_ms:
            raise ValueError(f"a window must start at least once in its own length: {self}")

    @property
    def longest_ms(self) -> int:
        """The size."""
        return self.size_ms

    @property
    def usual_ms(self) -> int:
        """The size."""
        return self.size_ms

    @property
    def grain_ms(self) -> int:
        """The greatest common divisor of size, step and offset."""
        return gcd(self.size_ms, self.every_ms, self.offset_ms)

    def containing(self, start_ms: int) -> Iterator[Window]:
        """Every window of this shape that holds the instant `start_ms`, the latest first."""
        start = (start_ms - self.offset_ms) // self.every_ms * self.every_ms + self.offset_ms
        while start + self.size_ms > start_ms:
            yield Window(start_ms=start, end_ms=start + self.size_ms)
            start -= self.every_ms

    def ending(self, inside: Window, *, after_ms: int, until_ms: int) -> Iterator[Window]:
        """Every window of this shape that holds the whole of `inside` and ends in `(after_ms, until_ms]`, in order."""
        first_ms = max(inside.end_ms, after_ms + 1)
        end_ms = first_ms + (self.offset_ms + self.size_ms - first_ms) % self.every_ms
        while end_ms <= min(inside.start_ms + self.size_ms, until_ms):
            yield Window(start_ms=end_ms - self.size_ms, end_ms=end_ms)
            end_ms += self.every_ms

    def last_end_ms(self, start_ms: int) -> int:
        """When the last window of this shape that holds the instant `start_ms` ends."""
        return (start_ms - self.offset_ms) // self.every_ms * self.every_ms + self.offset_ms + self.size_ms


def pane_length_ms(shapes: Iterable[WindowShape]) -> int:
    """The length of a pane: the greatest common divisor of the instants at which windows begin (milliseconds)."""
    return gcd(*(shape.grain_ms for shape in shapes))


def longest_ms(shapes: Iterable[WindowShape]) -> int:
    """No window of any shape is longer (milliseconds)."""
    return max(shape.longest_ms for shape in shapes)


def last_end_ms(shapes: Iterable[WindowShape], inside: Window) -> int:
    """When the last window of any shape that holds the whole of `inside` ends; its own end where there is none."""
    return max(inside.end_ms, *(shape.last_end_ms(inside.start_ms) for shape in shapes))
