"""Raw values in, performance sketches out: the shortest way to try a metric, used by the examples in docstrings."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike

from detectors.arrays import Floats, Ints
from detectors.grid import locate, quantile_grid
from detectors.performance.accumulate import sketch_matches
from detectors.performance.matches import Matches
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace, Task, part_of
from detectors.reference import numeric_column


def binary_space(
    scores: Floats, features: Mapping[str, Floats] | None = None, *, probability: bool = True
) -> PerformanceSpace:
    """The space of a binary model whose reference has these scores, and numeric features, all finite."""
    parts = []
    for name, values in (features or {}).items():
        column, _ = numeric_column(name, values)
        edges = np.array(column.edges, dtype=np.float64)
        parts.append(part_of(column, np.bincount(locate(edges, values), minlength=column.n_cells)))
    return PerformanceSpace(
        task=Task.BINARY,
        classes=("0", "1"),
        scores=(numeric_column("@score", scores)[0],),
        probability=probability,
        parts=tuple(parts),
    )


def binary_sketch(
    score: Floats,
    label: ArrayLike,
    *,
    space: PerformanceSpace | None = None,
    threshold: float = 0.5,
    coarse: Sequence[Ints] = (),
) -> PerformanceSketch:
    """The sketch of a binary model's rows, said to be positive from `threshold` on, in its own scores' cells or in
    those of `space`. `coarse` are the coarse cells of the space's parts."""
    space = space or binary_space(score)
    return sketch_matches(
        space,
        Matches.of(
            space,
            score.size,
            label=np.asarray(label).astype(np.int32),
            predicted=(score >= threshold).astype(np.int32),
            scores=score[None, :].astype(np.float64),
            parts=np.array([*coarse], dtype=np.uint8).reshape(len(space.parts), score.size),
        ),
    )


def multiclass_space(n_classes: int, probabilities: Floats | None = None) -> PerformanceSpace:
    """The space of the classes "0", "1", ...; `probabilities` (n_classes, n) are the reference's."""
    scores = (
        ()
        if probabilities is None
        else tuple(numeric_column(f"@score.{k}", own)[0] for k, own in enumerate(probabilities))
    )
    return PerformanceSpace(task=Task.MULTICLASS, classes=tuple(str(k) for k in range(n_classes)), scores=scores)


def multiclass_sketch(
    label: Ints,
    said: Ints,
    n_classes: int,
    probabilities: Floats | None = None,
    *,
    space: PerformanceSpace | None = None,
) -> PerformanceSketch:
    """The sketch of a classifier's rows."""
    space = space or multiclass_space(n_classes, probabilities)
    return sketch_matches(
        space,
        Matches.of(
            space,
            label.size,
            label=label.astype(np.int32),
            predicted=said.astype(np.int32),
            scores=probabilities,
        ),
    )


def regression_space(prediction: Floats, target: Floats) -> PerformanceSpace:
    """The space of a regression whose reference has these rows."""
    return PerformanceSpace(
        task=Task.REGRESSION,
        scores=(numeric_column("@score", prediction)[0],),
        residual_edges=tuple(quantile_grid(target - prediction).tolist()),
        centre=float(target.mean()),
        scale=float(target.std()) or 1.0,
    )


def regression_sketch(
    prediction: Floats, target: Floats, *, space: PerformanceSpace | None = None
) -> PerformanceSketch:
    """The sketch of a regression's rows."""
    space = space or regression_space(prediction, target)
    return sketch_matches(space, Matches.of(space, target.size, target=target, scores=prediction[None, :]))
