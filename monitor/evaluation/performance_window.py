"""What is known of one window of predictions when its performance is measured."""

from collections.abc import Mapping
from dataclasses import dataclass

from detectors.arrays import Ints
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace
from detectors.reference import Reference
from detectors.sketch import Sketch
from monitor.eventtime.windows import Window


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class PerformanceWindow:
    """One window of predictions of one version, with the labels that have come for them so far.

    Attributes
    ----------
    version: the model's.
    reference: on whose grid its predictions were counted; `reference.performance` is what it says of performance.
    space: in whose cells the matches were counted.
    window: in prediction time.
    label_ms: how far the time of labels is complete, milliseconds since 1970: the end of the last pane of label time
        that brought matches, or a later checkpoint (`monitor.evaluation.performance_turn`); at most the window's end
        and its horizon, and then the window is final.
    labels_reached: whether label time has passed the window's end: before, that no label has come says nothing.
    matched: by segment, the matches; only segments that have some.
    predicted: by segment, all events of the window, labelled or not: the sketches that drift is computed from, with the
        counts of the prediction's own columns alone (`monitor.evaluation.performance_state.said_alone`), so that they
        are the same when labels come weeks later.
    delays: (N_DELAY_CELLS,) matches of the whole by the delay of their label (`detectors.performance.delay`).
    panes: start of each pane in milliseconds and its predictions, of the whole; what is due follows from their ages.
    pane_ms: the length of these panes.
    revision: of the rows to come.
    """

    version: str
    reference: Reference
    space: PerformanceSpace
    window: Window
    label_ms: int
    labels_reached: bool = True
    matched: Mapping[str, PerformanceSketch]
    predicted: Mapping[str, Sketch]
    delays: Ints
    panes: tuple[tuple[int, int], ...]
    pane_ms: int
    revision: int
