"""From a reference to its performance space, and a reference's performance as bytes."""

import numpy as np
import pytest

from detectors.errors import ConfigurationError, LayoutMismatch, MalformedReference, UnknownColumn
from detectors.grid import locate
from detectors.layout import Layout
from detectors.performance.build import coarse_cells_of, performance_space, told_positive, told_probability
from detectors.performance.examples import binary_sketch, binary_space, multiclass_sketch, multiclass_space
from detectors.performance.reference import PerformanceReference, performance_reference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import MOST_CELLS, Task
from detectors.performance.split import split, split_segments
from detectors.reference import WHOLE, Reference, categorical_column, numeric_column
from detectors.sketch import Sketch

pytestmark = pytest.mark.filterwarnings("error")

RNG = np.random.default_rng(1)
VALUES = {"x": RNG.normal(size=5_000), "@score": RNG.uniform(size=5_000), "@score.a": RNG.uniform(size=5_000)}
CITIES = {"Oslo": 3_000, "\ud800": 2_000}


def reference(*names):
    columns = [numeric_column(name, VALUES[name])[0] for name in names]
    layout = Layout([*columns, categorical_column("city", CITIES)])
    sketch = Sketch.empty(layout)
    for place, name in enumerate(names):
        cells = layout.cells(place)
        np.add.at(sketch.counts[cells], locate(layout.column_edges(place), VALUES[name]), 1)
    sketch.counts[layout.cells(len(names))][:2] = list(CITIES.values())
    means = np.full(layout.n_cells, np.nan)
    return Reference(model="m", version="1", layout=layout, dimensions={}, sketches={WHOLE: sketch}, cell_means=means)


def test_the_space_of_a_binary_model_has_its_score_and_all_features():
    pinned = reference("x", "@score")
    space = performance_space(pinned, Task.BINARY, classes=("no", "yes"))
    assert space.scores == (pinned.layout.columns[1],)
    assert [part.column for part in space.parts] == ["x", "city"]
    assert [len(part.cells) for part in space.parts] == [11, 4]
    assert all(len(part.cells) <= MOST_CELLS for part in space.parts)
    assert PerformanceSketch.decode(PerformanceSketch.empty(space).encode(), space).n == 0


def test_columns_may_be_named():
    pinned = reference("x", "@score")
    space = performance_space(pinned, Task.BINARY, classes=("no", "yes"), columns=["city", "@score"])
    assert [part.column for part in space.parts] == ["city", "@score"]
    with pytest.raises(UnknownColumn, match="did you mean 'city'"):
        performance_space(pinned, Task.BINARY, classes=("no", "yes"), columns=["citi"])


def test_probabilities_of_some_classes_alone_are_none():
    space = performance_space(reference("x", "@score.a"), Task.MULTICLASS, classes=("a", "b"))
    assert space.scores == ()


def test_a_regression_needs_residuals():
    pinned = reference("x", "@score")
    target = VALUES["@score"] * 2.0
    space = performance_space(pinned, Task.REGRESSION, targets=target, residuals=target - VALUES["@score"])
    assert space.scale == pytest.approx(target.std())
    assert len(space.residual_edges) > 256
    with pytest.raises(ConfigurationError):
        performance_space(pinned, Task.REGRESSION)
    with pytest.raises(ConfigurationError):
        performance_space(reference("x"), Task.REGRESSION, targets=target, residuals=target)


def test_every_row_has_a_coarse_cell_of_about_a_tenth():
    pinned = reference("x", "@score")
    part = performance_space(pinned, Task.BINARY, classes=("no", "yes")).parts[0]
    cells = locate(pinned.layout.column_edges(0), VALUES["x"])
    counts = np.bincount(coarse_cells_of(part, cells), minlength=11)
    assert counts.tolist() == [500] * 10 + [0]
    assert coarse_cells_of(part, np.array([-1, -3, 0])).tolist() == [10, 10, 0]


def test_what_a_score_is_the_probability_of_is_told_by_who_scores_higher():
    rng = np.random.default_rng(2)
    score = rng.uniform(size=2_000)
    label = (rng.uniform(size=2_000) < score).astype(np.int32)
    assert told_positive(score, label) == 1
    assert told_positive(score, 1 - label) == 0
    assert told_positive(np.append(score, np.nan), np.append(label, 0).astype(np.int32)) == 1
    assert told_positive(np.array([]), np.array([], dtype=np.int32)) == 1
    assert told_probability(score)
    assert told_probability(np.array([0.0, 1.0, np.nan]))
    assert not told_probability(np.array([0.5, 1.5]))


def test_a_references_performance_survives_as_bytes():
    label = np.array([0, 1, 1, 0] * 50)
    space = multiclass_space(2)
    panes = [multiclass_sketch(label, np.roll(label, k), 2, space=space) for k in (0, 1, 2)]
    pinned = performance_reference(panes[0].merge(panes[1]).merge(panes[2]), panes)
    data = pinned.encode()
    again = PerformanceReference.decode(data, space)
    assert again.sketch == pinned.sketch
    assert again.spread == pinned.spread
    assert again.spread["accuracy"].n == 3
    for broken in (b"", data[:-3], b"\x93\x02\xc4\x00\x90", data + b"\x00"):
        with pytest.raises(MalformedReference):
            PerformanceReference.decode(broken, space)
    with pytest.raises(LayoutMismatch):
        PerformanceReference.decode(data, multiclass_space(3))


def test_segments_split_a_loss_as_a_column_with_the_same_cells_does():
    rng = np.random.default_rng(3)
    edges = np.linspace(0.0, 1.0, 257)
    space = binary_space(edges, {"x": edges})

    def side(n, shares, risk):
        cell = rng.choice(3, size=n, p=shares)
        score = np.full(n, 0.3)
        label = rng.uniform(size=n) < np.array(risk)[cell]
        segments = {
            f"s{k}": binary_sketch(score[cell == k], label[cell == k], space=space, coarse=[cell[cell == k]])
            for k in range(3)
            if np.any(cell == k)
        }
        return binary_sketch(score, label, space=space, coarse=[cell]), segments

    (before, old), (now, new) = (
        side(3_000, [0.5, 0.5, 0.0], [0.1, 0.4, 0.2]),
        side(2_000, [0.2, 0.7, 0.1], [0.1, 0.5, 0.2]),
    )
    whole, segments = split(before, now, "x"), split_segments(old, new)
    assert segments.inputs == whole.inputs
    assert segments.relation == whole.relation
    assert segments.uncovered == whole.uncovered > 0.0
    assert split_segments(old, {}) is None
