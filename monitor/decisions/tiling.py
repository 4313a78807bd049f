"""Which windows decisions look at: those of one shape that do not overlap, so that no event is evidence twice."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from monitor.eventtime.calendar_shape import CalendarShape
from monitor.eventtime.windows import FixedShape, Window, WindowShape

_DAY_MS: Final = 86_400_000
_MONTH_MS: Final = 2_629_746_000  # a twelfth of a Gregorian year


@dataclass(frozen=True, slots=True)
class Tiling:
    """Of the windows of a shape every `each`-th: 1 where they follow each other already."""

    shape: WindowShape
    each: int = 1

    @property
    def pane_ms(self) -> int:
        """From one to the next, about (milliseconds)."""
        return self.shape.usual_ms if self.each == 1 else self.each * _step_ms(self.shape)

    def holds(self, start_ms: int, end_ms: int) -> bool:
        """Whether the interval is one of these windows."""
        if Window(start_ms=start_ms, end_ms=end_ms) not in self.shape.containing(start_ms):
            return False
        return self.each == 1 or round((start_ms - _offset_ms(self.shape)) / _step_ms(self.shape)) % self.each == 0

    def containing(self, at_ms: int) -> Window | None:
        """The one with this moment; None where it lies in none."""
        windows = self.shape.containing(at_ms)
        return next((one for one in windows if self.holds(one.start_ms, one.end_ms)), None)

    def after(self, end_ms: int) -> Window | None:
        """The window that begins where another ends; None where they leave gaps."""
        if self.each != 1:
            return None
        following = next(iter(self.shape.containing(end_ms)))
        return following if following.start_ms == end_ms else None


def tiling(shapes: Iterable[WindowShape]) -> Tiling:
    """The shortest windows that tile time; where all overlap, the shortest of all, and of them those apart."""
    ordered = sorted(shapes, key=lambda shape: shape.usual_ms)
    for shape in ordered:
        if _each(shape) == 1:
            return Tiling(shape)
    return Tiling(ordered[0], _each(ordered[0]))


def _each(shape: WindowShape) -> int:
    if isinstance(shape, FixedShape):
        return -(-shape.size_ms // shape.every_ms)
    assert isinstance(shape, CalendarShape)
    return -(-shape.size // shape.every)


def _step_ms(shape: WindowShape) -> int:
    if isinstance(shape, FixedShape):
        return shape.every_ms
    assert isinstance(shape, CalendarShape)
    return shape.every * (_MONTH_MS if shape.months else _DAY_MS)


def _offset_ms(shape: WindowShape) -> int:
    assert isinstance(shape, FixedShape | CalendarShape)
    return shape.offset_ms
