"""The performance space of a reference, and what it tells about a score where the configuration does not."""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from detectors.arrays import Codes, Floats, Ints
from detectors.columns import Column, Kind
from detectors.errors import ConfigurationError
from detectors.grid import quantile_grid
from detectors.performance.space import Part, PerformanceSpace, Task, part_of
from detectors.reference import WHOLE, Reference

SCORE = "@score"


def performance_space(
    reference: Reference,
    task: Task,
    *,
    classes: Sequence[str] = (),
    probability: bool = True,
    columns: Iterable[str] | None = None,
    targets: Floats | None = None,
    residuals: Floats | None = None,
) -> PerformanceSpace:
    """In what cells the matches of a reference's model are counted.

    Parameters
    ----------
    reference: whose `@score` (binary, regression) or `@score.<class>` (multiclass, where all classes have one; binary,
        where the positive class has one: `@score` may be the largest of both) hold the scores' cells.
    task: what is predicted.
    classes: known ones; of a binary model the negative one first (see `told_positive`).
    probability: see `told_probability`.
    columns: monitored columns whose coarse cells are kept; None: all features.
    targets, residuals: (n,) regression: the reference's finite targets and target - prediction.

    Raises
    ------
    UnknownColumn: one of `columns` is not in the reference.
    ConfigurationError: classes or scores do not fit the task; a regression without targets.
    """
    layout = reference.layout
    by_name = {column.name: column for column in layout.columns if column.kind is Kind.NUMERIC}
    wanted = [f"{SCORE}.{name}" for name in classes] if task is Task.MULTICLASS else [SCORE]
    if task is Task.BINARY and len(classes) == 2 and f"{SCORE}.{classes[1]}" in by_name:
        wanted = [f"{SCORE}.{classes[1]}"]
    scores: tuple[Column, ...] = ()
    if all(name in by_name for name in wanted):
        scores = tuple(by_name[name] for name in wanted)
    parts = parts_of(reference, columns)
    if task is not Task.REGRESSION:
        return PerformanceSpace(task=task, classes=tuple(classes), scores=scores, probability=probability, parts=parts)
    if targets is None or residuals is None or targets.size == 0:
        raise ConfigurationError("a regression is counted in cells of its reference's residuals, and none came")
    ordered = np.sort(targets)  # the same rows in another order are the same reference
    spread = float(ordered.std())
    return PerformanceSpace(
        task=task,
        scores=scores,
        parts=parts,
        residual_edges=tuple(quantile_grid(residuals).tolist()),
        centre=float(ordered.mean()),
        scale=spread if np.isfinite(spread) and spread > 0.0 else 1.0,
    )


def parts_of(reference: Reference, columns: Iterable[str] | None = None) -> tuple[Part, ...]:
    """The coarse cells of a reference's monitored columns: of these, or of all features, in the layout's order.

    Raises
    ------
    UnknownColumn: one of `columns` is not in the reference.
    """
    layout, counts = reference.layout, reference.sketches[WHOLE].counts
    places = list(layout.features) if columns is None else [layout.index(name) for name in columns]
    return tuple(part_of(layout.columns[place], counts[layout.cells(place)]) for place in places)


def coarse_cells_of(part: Part, cells: Ints) -> NDArray[np.uint8]:
    """(n,) the coarse cells of rows: from the column's own cells, below 0 where a row has no valid value."""
    table = np.array([*part.coarse, len(part.cells) - 1], dtype=np.uint8)
    coarse: NDArray[np.uint8] = table[np.where(cells < 0, len(part.coarse), cells)]
    return coarse


def told_probability(scores: Floats) -> bool:
    """Whether scores look like probabilities: all finite ones lie in [0, 1]. True without any."""
    finite = scores[np.isfinite(scores)]
    return bool(np.all((finite >= 0.0) & (finite <= 1.0)))


def told_positive(scores: Floats, label: Codes) -> int:
    """The code, 0 or 1, of the class whose members score higher: the one whose ranks have the larger mean.

    1 where neither does. Rows without a finite score, or of another code, are left out.

    >>> import numpy as np
    >>> told_positive(np.array([0.9, 0.8, 0.1, 0.3]), np.array([0, 0, 1, 1], dtype=np.int32))
    0
    """
    from scipy.stats import rankdata

    there = np.isfinite(scores) & (label >= 0) & (label <= 1)
    ranks, own = rankdata(scores[there]), label[there]
    if not 0 < int(own.sum()) < own.size:
        return 1
    return int(float(ranks[own == 1].mean()) >= float(ranks[own == 0].mean()))
