"""Which classes a model has, and the space of one whose reference has no labels."""

import math

import numpy as np
import pytest

from detectors.columns import CODE_ABSENT, CODE_INVALID, CODE_NULL
from detectors.grid import locate
from detectors.layout import Layout
from detectors.performance.accumulate import sketch_matches
from detectors.performance.classes import class_codes, many_classes, said_codes, two_classes, with_positive
from detectors.performance.matches import Matches
from detectors.performance.measure import measure
from detectors.performance.model_space import space_of, why_no_space
from detectors.reference import WHOLE, Reference, categorical_column, numeric_column
from detectors.sketch import Sketch

RNG = np.random.default_rng(1)


def reference(scores=None, labels=None):
    """Unlabelled, with a feature, and a score and a class where they are given."""
    numeric = {"x": RNG.normal(size=500)} | ({} if scores is None else {"@score": scores})
    found = [numeric_column(name, values) for name, values in numeric.items()]
    columns = [column for column, _ in found] + ([] if labels is None else [categorical_column("@label", labels)])
    layout = Layout(columns)
    sketch = Sketch.empty(layout)
    for row, values in enumerate(numeric.values()):
        np.add.at(sketch.counts[layout.cells(row)], locate(layout.column_edges(row), values), 1)
        sketch.minimum[row], sketch.maximum[row] = values.min(), values.max()
    if labels is not None:
        sketch.counts[layout.cells(len(numeric))][: len(labels)] = sorted(labels.values(), reverse=True)
    means = np.full(layout.n_cells, np.nan)
    for row, (_, own) in enumerate(found):
        means[layout.cells(row)] = own
    return Reference(model="m", version="", layout=layout, dimensions={}, sketches={WHOLE: sketch}, cell_means=means)


UNIFORM = np.linspace(0.0, 1.0, 400)


def test_booleans_and_numbers_name_the_same_classes_and_no_others_do():
    assert class_codes(("false", "true"), ["0", "1", "true", "yes"]).tolist() == [0, 1, 1, 2]
    assert class_codes(("1", "0"), ["true", "false"]).tolist() == [0, 1]
    assert class_codes(("0", "1", "2"), ["true", "2"]).tolist() == [3, 2]


def test_a_predictions_code_is_that_of_its_class_whatever_is_negative_is_unsaid():
    space = space_of(reference(UNIFORM, {"late": 3, "fine": 5}), "binary", "late")
    table = said_codes(space, categorical_column("@label", {"late": 3, "fine": 5, "odd": 1}))
    assert table.tolist() == [0, 1, 2, 2, 2, 3, 3, 3]
    assert [int(table[code]) for code in (CODE_NULL, CODE_INVALID, CODE_ABSENT)] == [3, 3, 3]
    assert said_codes(space, None)[[CODE_NULL, CODE_INVALID, CODE_ABSENT]].tolist() == [3, 3, 3]


def test_the_most_frequent_classes_are_taken():
    assert two_classes({"a": 1, "b": 5, "c": 5}, None) == ("b", "c")
    assert two_classes({"a": 1, "b": 5, "c": 5}, "a") == ("a", "b")
    assert two_classes({"b": 5, "c": 5}, "typo") == ("b", "c")
    assert two_classes({"b": 5}, "a") == ("a", "b")
    assert two_classes({"1": 5}, None) == ("0", "1")
    assert two_classes({"true": 5, "0": 1}, None) == ("false", "true")
    assert two_classes({}, None) == ()
    assert with_positive(("b", "a"), "b") == ("a", "b")
    assert with_positive(("0", "1"), "false") == ("1", "0")
    assert with_positive(("a", "b"), "c") is None
    assert len(many_classes({f"{k:03}": 1 for k in range(300)})) == 100


@pytest.mark.parametrize(
    ("labels", "positive", "classes"),
    [
        (None, None, ("0", "1")),
        (None, "true", ("false", "true")),
        (None, "0", ("1", "0")),
        ({"1": 9, "0": 1}, None, ("0", "1")),
        ({"false": 9}, None, ("false", "true")),
        ({"1": 9, "0": 1}, "true", ("0", "1")),
        ({"late": 1, "fine": 9}, "late", ("fine", "late")),
        ({"fine": 9}, "late", ("fine", "late")),
    ],
)
def test_the_classes_of_an_unlabelled_binary_reference(labels, positive, classes):
    space = space_of(reference(UNIFORM, labels), "binary", positive)
    assert space.classes == classes
    assert space.probability
    assert why_no_space(reference(UNIFORM, labels), "binary", positive) == ""


@pytest.mark.parametrize(
    ("pinned", "task", "positive", "words"),
    [
        (reference(UNIFORM), "none", None, "say what it predicts"),
        (reference(UNIFORM, {"a": 1, "b": 1}), "binary", None, "positive: b"),
        (reference(UNIFORM, {"a": 1, "b": 1}), "binary", "c", "positive is 'c'"),
        (reference(UNIFORM, {"a": 1, "b": 1, "c": 1}), "binary", "c", "3 classes"),
        (reference(UNIFORM, {"a": 1}), "binary", None, "one class only"),
        (reference(UNIFORM, {"a": 1}), "multiclass", None, "fewer than two classes"),
        (reference(), "regression", None, "no numeric prediction"),
    ],
)
def test_where_there_is_no_space_it_is_said_why(pinned, task, positive, words):
    assert space_of(pinned, task, positive) is None
    assert words in why_no_space(pinned, task, positive)


def test_scores_beyond_0_and_1_are_no_probabilities():
    assert not space_of(reference(UNIFORM * 3.0), "binary").probability


@pytest.mark.parametrize("scale", [1.0, 1e-9, 1e12])
def test_an_unlabelled_regression_is_measured_on_a_grid_symmetric_about_0(scale):
    predicted = RNG.normal(size=3_000) * scale
    space = space_of(reference(predicted), "regression")
    edges = np.array(space.residual_edges)
    assert np.array_equal(edges, -edges[::-1])
    assert space.scale == pytest.approx(predicted.std(), rel=0.02)
    target = predicted + RNG.normal(size=3_000) * 0.3 * scale
    metrics = measure(sketch_matches(space, Matches.of(space, 3_000, target=target, scores=predicted[None, :])))
    assert metrics["mae"].value == pytest.approx(np.abs(target - predicted).mean(), rel=1e-12)
    assert metrics["r2"].value == pytest.approx(1.0 - np.mean((target - predicted) ** 2) / target.var(), rel=1e-9)
    residuals = {name: own.value for name, own in metrics.items() if name.startswith("residual")}
    assert residuals
    assert all(math.isfinite(value) for value in residuals.values())


def test_a_regression_that_always_predicts_one_value_has_a_space():
    assert space_of(reference(np.full(100, 7.0)), "regression").scale == 1.0
