"""The space in whose cells a model's matches are counted."""

from typing import Final

from detectors.columns import Kind
from detectors.performance.build import performance_space
from detectors.performance.classes import many_classes, two_classes, with_positive
from detectors.performance.space import PerformanceSpace, Task
from detectors.reference import WHOLE, Reference

LABEL: Final = "@label"


def space_of(reference: Reference, task: str, positive: str | None = None) -> PerformanceSpace | None:
    """The space of a model's matches; None where its performance cannot be measured."""
    if task not in (Task.BINARY, Task.MULTICLASS):
        return None
    layout, counts = reference.layout, reference.sketches[WHOLE].counts
    said = {}
    for place, column in enumerate(layout.columns):
        if column.name == LABEL and column.kind is Kind.CATEGORICAL:
            said = dict(zip(column.categories, counts[layout.cells(place)].tolist(), strict=False))
    if task == Task.MULTICLASS:
        classes = many_classes(said)
    else:
        both = two_classes(said, positive) or ("0", "1")
        if len(both) < 2:
            return None
        ordered = tuple(sorted(both))
        classes = with_positive(ordered, positive or ordered[1]) or ordered
    return performance_space(reference, Task(task), classes=classes) if len(classes) >= 2 else None
