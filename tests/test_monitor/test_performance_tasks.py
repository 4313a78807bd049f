"""Rows of performance of models that are not binary: regressions, several classes, classes without scores."""

import dataclasses
import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from support.batches import batch_of
from support.performance import HOUR_MS, START_MS, World, draw

from detectors.accumulate import accumulate
from detectors.arrays import Floats, Ints
from detectors.layout import Layout
from detectors.performance.accumulate import sketch_matches
from detectors.performance.build import performance_space
from detectors.performance.delay import N_DELAY_CELLS
from detectors.performance.matches import Matches
from detectors.performance.reference import performance_reference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace, Task
from detectors.reference import WHOLE, Reference, categorical_column, numeric_column
from detectors.sketch import Sketch
from monitor.evaluation.performance_metrics import MOST_CLASSES
from monitor.evaluation.performance_rows import PerformanceRows, performance_results
from monitor.evaluation.performance_window import PerformanceWindow
from monitor.eventtime.windows import Window
from sinks.records import RECORDS

MODEL = World(draw(np.random.default_rng(7), 500)).model
RNG = np.random.default_rng(2027)


def results(
    reference: Reference, space: PerformanceSpace, predicted: Sketch, matched: PerformanceSketch
) -> PerformanceRows:
    found = performance_results(
        MODEL,
        PerformanceWindow(
            version="1",
            reference=reference,
            space=space,
            window=Window(start_ms=START_MS, end_ms=START_MS + HOUR_MS),
            label_ms=START_MS + 2 * HOUR_MS,
            matched={WHOLE: matched},
            predicted={WHOLE: predicted},
            delays=np.zeros(N_DELAY_CELLS, dtype=np.int64),
            panes=((START_MS, predicted.n),),
            pane_ms=HOUR_MS,
            revision=1,
        ),
    )
    for name, rows in (("performance", found.performance), ("performance_part", found.parts)):
        batch_of(RECORDS[name], rows)
    return found


def values(found: PerformanceRows, *, estimated: bool) -> Mapping[str, Any]:
    return {row["metric"]: row for row in found.performance if row["estimated"] is estimated}


def counted(layout: Layout, score: Floats | None = None, said: Ints | None = None) -> Sketch:
    """The sketch of scores, or of said classes."""
    n = score.size if score is not None else said.size if said is not None else 0
    return accumulate(
        layout,
        numeric=np.empty((0, n)) if score is None else score[None, :],
        codes=np.empty((0, n), dtype=np.int32) if said is None else said[None, :].astype(np.int32),
        slots=np.zeros((1, n), dtype=np.int32),
        n_slots=1,
        unseen={},
    )[0]


def reference_of(layout: Layout, sketch: Sketch) -> Reference:
    return Reference(
        model="m", version="1", layout=layout, dimensions={}, sketches={WHOLE: sketch},
        cell_means=np.full(layout.n_cells, np.nan),
    )  # fmt: skip


def regression(n: int, *, error: float) -> tuple[Floats, Floats]:
    """Predictions, and targets in the thousands that are off by `error` times the prediction's distance from 0."""
    prediction = RNG.normal(size=n) * 1_000.0
    return prediction, prediction + RNG.normal(size=n) * (50.0 + error * np.abs(prediction))


def test_a_regression_is_measured_estimated_and_split_in_the_unit_of_its_target() -> None:
    prediction, target = regression(20_000, error=0.2)
    layout = Layout([numeric_column("@score", prediction)[0]])
    plain = reference_of(layout, counted(layout, prediction))
    space = performance_space(plain, Task.REGRESSION, targets=target, residuals=target - prediction)

    def matched(prediction: Floats, target: Floats) -> PerformanceSketch:
        return sketch_matches(space, Matches.of(space, target.size, target=target, scores=prediction[None, :]))

    whole = matched(prediction, target)
    panes = [matched(prediction[i::20], target[i::20]) for i in range(20)]
    reference = plain.with_performance(performance_reference(whole, panes), {}, None)
    moved, moved_target = regression(5_000, error=0.2)
    far = np.abs(moved) > 700.0
    unchanged = results(reference, space, counted(layout, moved[far]), matched(moved[far], moved_target[far]))
    measured, estimated = values(unchanged, estimated=False), values(unchanged, estimated=True)
    assert measured["mae"]["value"] == pytest.approx(float(np.abs(moved - moved_target)[far].mean()))
    assert estimated["mae"]["value"] == pytest.approx(measured["mae"]["value"], rel=0.05)
    (inputs,) = [row for row in unchanged.parts if row["part"] == "inputs"]
    assert inputs["contribution"] == pytest.approx(
        measured["mae"]["value"] - measured["mae"]["reference_value"], rel=0.1
    )
    (loss,) = [row for row in unchanged.verdicts if row["column"] == "@loss"]
    assert (loss["direction"], loss["quantity"]) == ("worse", "absolute error")
    assert loss["after"] == pytest.approx(measured["mae"]["value"], rel=1e-5)
    (relation,) = [row for row in unchanged.verdicts if row["column"] == "@relation"]
    assert not relation["drifted"]


def test_several_classes_without_probabilities_are_measured_and_their_confusion_told() -> None:
    names = ("a", "b", "c")
    label = RNG.integers(3, size=9_000)
    said = np.where(RNG.uniform(size=9_000) < 0.8, label, (label + 1) % 3)
    layout = Layout([categorical_column("@label", {"a": 30, "b": 20, "c": 10})])
    plain = reference_of(layout, counted(layout, said=said))
    space = performance_space(plain, Task.MULTICLASS, classes=names)

    def matched(label: Ints, said: Ints) -> PerformanceSketch:
        codes = {"label": label.astype(np.int32), "predicted": said.astype(np.int32)}
        return sketch_matches(space, Matches.of(space, label.size, **codes))

    reference = plain.with_performance(performance_reference(matched(label, said)), {}, None)
    worse = np.where(RNG.uniform(size=9_000) < 0.5, label, (label + 1) % 3)
    found = results(reference, space, counted(layout, said=worse), matched(label, worse))
    measured, estimated = values(found, estimated=False), values(found, estimated=True)
    assert measured["accuracy"]["value"] == float(np.mean(label == worse))
    assert estimated["accuracy"]["value"] == pytest.approx(0.8, abs=0.02)
    assert {f"recall:{name}" for name in names} <= measured.keys()
    pairs = [(row["column"], row["cell"]) for row in found.parts if row["part"] == "confusion" and row["column"]]
    assert set(pairs) == {("a", "b"), ("b", "c"), ("c", "a")}
    (loss,) = [row for row in found.verdicts if row["column"] == "@loss"]
    assert (loss["drifted"], loss["quantity"]) == (True, "error rate")
    assert loss["after"] == pytest.approx(1.0 - measured["accuracy"]["value"])


def test_of_many_classes_the_recalls_of_the_most_frequent_are_rows() -> None:
    names = tuple(f"c{i}" for i in range(60))
    layout = Layout([categorical_column("@label", dict.fromkeys(names, 1))])
    label = RNG.integers(60, size=6_000)
    plain = reference_of(layout, counted(layout, said=label))
    space = performance_space(plain, Task.MULTICLASS, classes=names)
    matched = sketch_matches(
        space, Matches.of(space, 6_000, label=label.astype(np.int32), predicted=label.astype(np.int32))
    )
    found = results(plain, space, plain.sketches[WHOLE], matched)
    recalls = [name for name in values(found, estimated=False) if name.startswith("recall:")]
    assert len(recalls) == MOST_CLASSES


def test_events_that_only_speak_of_features_are_no_predictions_to_wait_for() -> None:
    world = World(draw(np.random.default_rng(7), 2_000))
    window = world.window(draw(np.random.default_rng(8), 500))
    layout = world.layout
    features = accumulate(
        layout,
        numeric=np.vstack([np.zeros((3, 300)), np.full((1, 300), -math.inf)]),
        codes=np.full((1, 300), -3, dtype=np.int32),
        slots=np.zeros((1, 300), dtype=np.int32),
        n_slots=1,
        unseen={},
    )[0]
    both = {**window.predicted, WHOLE: window.predicted[WHOLE].merge(features)}
    found = performance_results(world.model, dataclasses.replace(window, predicted=both))
    assert {row["n_total"] for row in found.performance if row["segment"] == WHOLE} == {500}


def test_whether_the_labels_themselves_moved_is_told_of_a_regression_too() -> None:
    prediction, target = regression(10_000, error=0.0)
    layout = Layout([numeric_column("@score", prediction)[0]])
    plain = reference_of(layout, counted(layout, prediction))
    space = performance_space(plain, Task.REGRESSION, targets=target, residuals=target - prediction)

    def matched(target: Floats) -> PerformanceSketch:
        return sketch_matches(space, Matches.of(space, target.size, target=target, scores=prediction[None, :]))

    reference = plain.with_performance(performance_reference(matched(target)), {}, None)
    found = results(reference, space, counted(layout, prediction), matched(target + 300.0))
    (row,) = [row for row in found.parts if row["part"] == "label prior"]
    assert row["p_value"] == row["q_value"] < 1e-9
    assert row["cell"] == f"mean {target.mean():.3g} -> {target.mean() + 300.0:.3g}"
    assert math.isnan(row["contribution"])
    measured = values(found, estimated=False)["mae"]
    assert row["loss_now"] == pytest.approx(measured["value"], rel=1e-5)
    assert row["loss_before"] == pytest.approx(measured["reference_value"], rel=1e-5)


def test_labels_of_unknown_classes_are_counted_and_the_labels_own_shares_told() -> None:
    label = RNG.integers(3, size=6_000)
    layout = Layout([categorical_column("@label", {"a": 30, "b": 20, "c": 10})])
    plain = reference_of(layout, counted(layout, said=label))
    space = performance_space(plain, Task.MULTICLASS, classes=("a", "b", "c"))

    def matched(label: Ints, said: Ints) -> PerformanceSketch:
        codes = {"label": label.astype(np.int32), "predicted": said.astype(np.int32)}
        return sketch_matches(space, Matches.of(space, label.size, **codes))

    reference = plain.with_performance(performance_reference(matched(label, label)), {}, None)
    now = np.where(np.arange(6_000) < 600, space.other, label)
    found = results(reference, space, counted(layout, said=label), matched(now, label))
    assert values(found, estimated=False)["labels_unknown"]["value"] == 600.0
    (row,) = [row for row in found.parts if row["part"] == "label prior"]
    assert row["cell"] == "(other): 0 % -> 10 %"
    assert row["q_value"] == row["p_value"]


def test_a_class_that_is_new_to_a_model_with_probabilities_is_a_loss() -> None:
    names, n = ("a", "b", "c"), 6_000
    probabilities = RNG.dirichlet([0.5, 0.4, 0.3], size=n).T
    label = (RNG.uniform(size=n) < np.cumsum(probabilities, axis=0)).argmax(axis=0)
    said = probabilities.argmax(axis=0)
    columns = [numeric_column(f"@score.{name}", own)[0] for name, own in zip(names, probabilities, strict=True)]
    layout = Layout([*columns, categorical_column("@label", dict.fromkeys(names, 1))])
    predicted = accumulate(
        layout, numeric=probabilities, codes=said[None, :].astype(np.int32), slots=np.zeros((1, n), dtype=np.int32),
        n_slots=1, unseen={},
    )[0]  # fmt: skip
    plain = reference_of(layout, predicted)
    space = performance_space(plain, Task.MULTICLASS, classes=names)

    def matched(label: Ints) -> PerformanceSketch:
        codes = {"label": label.astype(np.int32), "predicted": said.astype(np.int32)}
        return sketch_matches(space, Matches.of(space, n, **codes, scores=probabilities))

    reference = plain.with_performance(performance_reference(matched(label)), {}, None)
    new = np.where(RNG.uniform(size=n) < 0.3, space.other, label)
    found = results(reference, space, predicted, matched(new))
    (loss,) = [row for row in found.verdicts if row["column"] == "@loss"]
    assert (loss["drifted"], loss["direction"], loss["quantity"]) == (True, "worse", "error rate")
    assert loss["before"] == pytest.approx(float(np.mean(said != label)))
    assert loss["after"] == pytest.approx(float(np.mean(said != new)))
    (same,) = [row for row in results(reference, space, predicted, matched(label)).verdicts if row["column"] == "@loss"]
    assert not same["drifted"]
    few = np.where(np.arange(n) < 3, space.other, label)
    (stray,) = [row for row in results(reference, space, predicted, matched(few)).verdicts if row["column"] == "@loss"]
    assert not stray["drifted"]
