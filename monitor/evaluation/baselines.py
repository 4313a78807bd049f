"""The sides that windows are compared with: the reference, its seasons, trailing panes, another version."""

from collections.abc import Callable, Sequence

from detectors.baseline import Counts
from detectors.panes import PaneStudy
from detectors.reference import WHOLE, Reference
from detectors.stack import Stack, added
from monitor.evaluation.compare import Compare
from monitor.evaluation.panes import Group, Panes
from monitor.evaluation.same_seasons import same_seasons
from monitor.evaluation.state import PaneId
from monitor.evaluation.trail import Trail
from monitor.evaluation.watched import Watched
from monitor.eventtime.windows import Window


class Baselines:
    """Finds them.

    Parameters
    ----------
    stack_of: what a pane holds.
    """

    def __init__(self, model: Watched, panes: Panes, trail: Trail, stack_of: Callable[[PaneId], Stack]) -> None:
        self._model, self._panes, self._trail, self._stack_of = model, panes, trail, stack_of
        self._living: dict[str, list[PaneId]] = {}

    def side(self, compare: Compare, reference: Reference, group: Group, window: Window) -> Counts | None:
        """What a window of a group is compared with, in the reference's cells; None where there is nothing.

        Not asked for the pinned reference, which is itself the side.
        """
        if compare.trailing_ms:
            before = [(pane, self._stack_of(pane)) for pane in self._before(reference.digest, window.start_ms)]
            return _live(self._trail.baseline(reference, before, window.start_ms, compare.trailing_ms))
        if compare.season:
            return same_seasons(compare, reference, self._rows(group, window), self._model.sums)
        if compare.version == group[0]:
            return None
        inside = self._panes.starting(window.start_ms, window.end_ms, (compare.version, group[1]))
        return _live(_sum(reference, [self._stack_of(pane) for pane in inside if pane.end_ms <= window.end_ms]))

    def _before(self, digest: str, start_ms: int) -> Sequence[PaneId]:
        """The living panes on a reference that end by `start_ms`, in order of time."""
        if digest not in self._living:
            self._living[digest] = [pane for pane in self._panes.starting(None, _FOREVER) if pane.reference == digest]
        first_ms = self._trail.first_ms(start_ms)
        return [pane for pane in self._living[digest] if first_ms <= pane.start_ms and pane.end_ms <= start_ms]

    def _rows(self, group: Group, window: Window) -> list[tuple[Window, int]]:
        """The panes whole in a window of a group, and the rows of the whole in each."""
        inside = self._panes.starting(window.start_ms, window.end_ms, group)
        stacks = [(pane, self._stack_of(pane)) for pane in inside if pane.end_ms <= window.end_ms]
        return [
            (Window(start_ms=pane.start_ms, end_ms=pane.end_ms), int(stack.events[stack.names.index(WHOLE), 0]))
            for pane, stack in stacks
            if WHOLE in stack.names
        ]


_FOREVER = 1 << 62


def study_of(compare: Compare, reference: Reference, length_ms: int) -> PaneStudy | None:
    """What the reference's panes show of windows compared so: within the season where it has such."""
    within = reference.study(length_ms, compare.season_name) if compare.season else None
    return within or reference.study(length_ms)


def _live(stack: Stack | None) -> Counts | None:
    return None if stack is None else Counts(stack=stack, live=True)


def _sum(reference: Reference, stacks: Sequence[Stack]) -> Stack | None:
    filled = [stack for stack in stacks if stack.names]
    return added(reference.layout, filled) if filled else None
