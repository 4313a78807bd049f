"""The space in whose cells a model's matches are counted: its labelled reference's own, or an unlabelled one's.

A function of the reference and the configuration alone, the same on every worker: of an unlabelled reference only what
its digest is of is looked at, and sums are exact.
"""

import math
from typing import Final

import numpy as np

from detectors.arrays import Floats
from detectors.columns import Kind
from detectors.performance.build import SCORE, parts_of, performance_space
from detectors.performance.classes import (
    BOOLEANS,
    NUMBERS,
    class_codes,
    many_classes,
    two_classes,
    with_positive,
)
from detectors.performance.space import PerformanceSpace, Task
from detectors.reference import WHOLE, Reference

LABEL: Final = "@label"
_OCTAVES: Final = range(-10, 6)
_STEPS: Final = 8
UNIT_RESIDUALS: Final[Floats] = np.array(
    [(1.0 + step / _STEPS) * 2.0**octave for octave in _OCTAVES for step in range(_STEPS)] + [64.0]
)
"""Eight cells an octave from 2^-10 to 64 scales. Powers of two and eighths: the same float64 on every machine."""


def space_of(reference: Reference, task: str, positive: str | None = None) -> PerformanceSpace | None:
    """The space of a model's matches; None where its performance cannot be measured: `why_no_space` says why.

    Parameters
    ----------
    reference: with `performance` its space is taken, if it is of this task and this positive class.
    task: one of `Task`; of any other there is none.
    positive: the class that a binary score is the probability of; None: as the labelled reference told. Without one it
        is 1 of 0 and 1, and true of false and true.

    A regression without labels has the mean and the standard deviation of its own predictions (by the means of their
    cells) for `centre` and `scale`, and residuals on a grid that is symmetric about 0, `UNIT_RESIDUALS` of that scale.
    """
    found = _found(reference, task, positive)
    return found if isinstance(found, PerformanceSpace) else None


def why_no_space(reference: Reference, task: str, positive: str | None = None) -> str:
    """Why there is no space, and what to do, in a sentence without a full stop; "" where there is one."""
    found = _found(reference, task, positive)
    return "" if isinstance(found, PerformanceSpace) else found


def score_is_probability(reference: Reference) -> bool:
    """Whether all of the reference's scores lie in [0, 1]; True without any."""
    layout, sketch = reference.layout, reference.sketches[WHOLE]
    names = [layout.columns[index].name for index in layout.numeric]
    rows = [row for row, name in enumerate(names) if name == SCORE or name.startswith(f"{SCORE}.")]
    return all(sketch.minimum[row] >= 0.0 and sketch.maximum[row] <= 1.0 for row in rows)


def said_counts_of(reference: Reference) -> dict[str, int]:
    """How often the reference's model said each class, those beyond its 1,000 largest once each."""
    layout = reference.layout
    column = next((column for column in layout.columns if column.name == LABEL), None)
    if column is None or column.kind is not Kind.CATEGORICAL:
        return {}
    counts = reference.sketches[WHOLE].counts[layout.cells(layout.index(LABEL))].tolist()
    return dict.fromkeys(column.others, 1) | dict(zip(column.categories, counts, strict=False))


def _found(reference: Reference, task: str, positive: str | None) -> PerformanceSpace | str:
    if task not in list(Task):
        return "its task is none; say what it predicts: task: binary, multiclass or regression"
    if reference.performance is not None:
        return _labelled(reference.performance.sketch.space, task, positive)
    if task == Task.REGRESSION:
        return _regression(reference)
    probability = score_is_probability(reference)
    counts = said_counts_of(reference)
    if task == Task.MULTICLASS:
        classes = many_classes(counts)
        if len(classes) < 2:
            return "the reference names fewer than two classes; build it from data in which the model says them"
        return performance_space(reference, Task.MULTICLASS, classes=classes, probability=probability)
    pair = _pair(counts, positive)
    if isinstance(pair, str):
        return pair
    return performance_space(reference, Task.BINARY, classes=pair, probability=probability)


def _labelled(space: PerformanceSpace, task: str, positive: str | None) -> PerformanceSpace | str:
    if space.task != task:
        return f"the reference was labelled as {space.task}, not as {task}; build it again"
    if task == Task.BINARY and positive is not None and int(class_codes(space.classes, [positive])[0]) != 1:
        return f"the reference's positive class is {space.classes[1]!r}, not {positive!r}; build it again"
    return space


def _pair(counts: dict[str, int], positive: str | None) -> tuple[str, str] | str:
    classes = two_classes(counts, positive)
    if not counts:
        classes = BOOLEANS if positive in BOOLEANS else NUMBERS
    if len(counts) > 2 and classes not in (NUMBERS, BOOLEANS):
        return f"the reference's model says {len(counts)} classes where a binary one has two"
    if len(classes) < 2:
        return "the reference names one class only; build it with labels (--labels FILE), which name both"
    if positive is None:
        if classes not in (NUMBERS, BOOLEANS):
            return (
                "nothing tells which class the score is the probability of; say it (positive: "
                f"{sorted(classes)[1]}), or build the reference with labels (--labels FILE)"
            )
        positive = classes[1]
    told = with_positive(classes, positive)
    if told is None:
        named = f"positive is {positive!r}, but the classes are {sorted(classes)[0]!r} and {sorted(classes)[1]!r}"
        return named if counts else f"{named} where no prediction names one; build it with labels (--labels FILE)"
    return told


def _regression(reference: Reference) -> PerformanceSpace | str:
    layout = reference.layout
    column = next((column for column in layout.columns if column.name == SCORE), None)
    if column is None or column.kind is not Kind.NUMERIC:
        return "the reference has no numeric prediction; build it from data that has one"
    cells = layout.cells(layout.index(SCORE))
    counts, means = reference.sketches[WHOLE].counts[cells].tolist(), reference.cell_means[cells].tolist()
    rows = [(n, mean) for n, mean in zip(counts, means, strict=True) if n > 0 and math.isfinite(mean)]
    total = sum(n for n, _ in rows)
    # Exact sums (fsum): the bits must not depend on the machine.
    centre = math.fsum(n * mean for n, mean in rows) / total if total else 0.0
    scale = math.sqrt(math.fsum(n * (mean - centre) ** 2 for n, mean in rows) / total) if total else 1.0
    if not (math.isfinite(centre) and math.isfinite(64.0 * scale)):
        return "the reference's predictions are too large to measure errors in their scale"
    scale = scale if scale > 1e-200 else 1.0
    half = scale * UNIT_RESIDUALS
    return PerformanceSpace(
        task=Task.REGRESSION,
        scores=(column,),
        parts=parts_of(reference),
        residual_edges=(*(-half[::-1]).tolist(), 0.0, *half.tolist()),
        centre=centre,
        scale=scale,
    )
