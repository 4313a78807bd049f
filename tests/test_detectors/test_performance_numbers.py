"""Metrics of performance sketches against scikit-learn, on data sets that break them.

scikit-learn 1.9.1, NumPy's default generator, seeds as written.
"""

import math

import numpy as np
import pytest
from sklearn import metrics as sk

from detectors.performance.examples import (
    binary_sketch,
    binary_space,
    multiclass_sketch,
    regression_sketch,
    regression_space,
)
from detectors.performance.intervals import wilson
from detectors.performance.measure import measure
from detectors.performance.multiclass import most_confused

pytestmark = pytest.mark.filterwarnings("error")

N = 20_000


def drawn(name):
    """(score, label) of a data set by name."""
    rng = np.random.default_rng(sum(map(ord, name)))
    uniform = rng.uniform(size=N)
    score = {
        "ties": np.round(uniform, 1),
        "two scores": np.where(uniform < 0.7, 0.2, 0.8),
        "constant": np.full(N, 0.4),
        "skewed": uniform**6,
        "one percent": 0.02 * uniform,
        "half ties": np.where(uniform < 0.5, 0.5, uniform),
        "0 and 1": np.clip(uniform * 1.4 - 0.2, 0.0, 1.0),
    }.get(name, uniform)
    label = rng.uniform(size=N) < score
    if name == "random":
        label = rng.uniform(size=N) < 0.5
    elif name == "perfect":
        label = score > 0.5
    elif name == "only positives":
        label = np.ones(N, dtype=bool)
    elif name == "only negatives":
        label = np.zeros(N, dtype=bool)
    return score, label


CALIBRATED = ("calibrated", "skewed", "one percent", "half ties", "0 and 1", "ties", "two scores", "constant")
BOTH = (*CALIBRATED, "random", "perfect")
ONE = ("only positives", "only negatives")
TIED = ("ties", "two scores", "constant")


@pytest.mark.parametrize("name", [*BOTH, *ONE])
def test_log_loss_brier_and_accuracy_are_scikit_learns(name):
    score, label = drawn(name)
    found = measure(binary_sketch(score, label))
    assert found["log_loss"].value == pytest.approx(sk.log_loss(label, score, labels=[0, 1]), rel=1e-12)
    assert found["brier"].value == pytest.approx(np.mean((label - score) ** 2), rel=1e-12)
    assert found["accuracy"].value == sk.accuracy_score(label, score >= 0.5)
    assert found["log_loss"].n == found["brier"].n == found["accuracy"].n == N


@pytest.mark.parametrize("name", [*BOTH, *ONE])
@pytest.mark.parametrize("threshold", [0.015, 0.5, 0.9])
def test_precision_recall_and_f1_are_scikit_learns_where_they_are_defined(name, threshold):
    score, label = drawn(name)
    found = measure(binary_sketch(score, label, threshold=threshold))
    said = score >= threshold
    for metric, oracle in (("precision", sk.precision_score), ("recall", sk.recall_score), ("f1", sk.f1_score)):
        wanted = oracle(label, said, zero_division=np.nan)
        assert found[metric].value == pytest.approx(wanted, rel=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", BOTH)
def test_the_areas_lie_within_their_bounds_and_are_exact_for_ties(name):
    score, label = drawn(name)
    found = measure(binary_sketch(score, label))
    roc, pr = found["roc_auc"], found["pr_auc"]
    assert abs(roc.value - sk.roc_auc_score(label, score)) <= min(roc.error_bound, 0.002) + 1e-12
    assert abs(pr.value - sk.average_precision_score(label, score)) <= pr.error_bound + 1e-12
    if name in TIED:
        assert roc.error_bound == pr.error_bound == 0.0
    assert roc.error_bound <= 0.002
    assert roc.ci_low <= roc.value <= roc.ci_high
    assert pr.ci_low <= pr.value <= pr.ci_high


@pytest.mark.parametrize("name", ONE)
def test_no_area_under_the_roc_curve_of_one_class(name):
    score, label = drawn(name)
    assert math.isnan(measure(binary_sketch(score, label))["roc_auc"].value)


def test_a_ranking_inside_one_cell_is_as_wrong_as_the_bound_says():
    space = binary_space(np.linspace(0.0, 1.0, 257))
    inside = np.array([0.50001, 0.50002, 0.50003, 0.50004])
    for label in ([0, 0, 1, 1], [1, 1, 0, 0]):
        found = measure(binary_sketch(inside, label, space=space))
        for name, oracle in (("roc_auc", sk.roc_auc_score), ("pr_auc", sk.average_precision_score)):
            assert found[name].error_bound >= abs(found[name].value - oracle(label, inside)) > 0.15
        assert found["roc_auc"].value == 0.5
        assert found["roc_auc"].error_bound == 0.5


@pytest.mark.parametrize("seed", range(200))
def test_no_order_and_no_tie_within_a_cell_passes_the_bounds(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(2, 60))
    space = binary_space(np.linspace(0.0, 1.0, 257))
    score = np.round(rng.uniform(0.5, rng.choice([0.5009, 0.51, 0.6]), size=n), int(rng.integers(3, 7)))
    label = rng.uniform(size=n) < rng.uniform()
    label[:2] = [True, False]
    found = measure(binary_sketch(score, label, space=space))
    for name, oracle in (("roc_auc", sk.roc_auc_score), ("pr_auc", sk.average_precision_score)):
        assert abs(found[name].value - oracle(label, score)) <= found[name].error_bound + 1e-12


@pytest.mark.parametrize("name", BOTH)
def test_the_calibration_error_is_that_of_the_raw_rows_in_the_same_bins(name):
    score, label = drawn(name)
    space = binary_space(score)
    bins = np.searchsorted(space.edges(0), score) * 10 // space.scores[0].n_cells
    wanted = sum(abs(np.sum(label[bins == b] - score[bins == b])) for b in range(10)) / N
    assert measure(binary_sketch(score, label, space=space))["ece"].value == pytest.approx(wanted, abs=1e-7)


def test_scores_that_are_no_probabilities_have_a_ranking_and_no_log_loss():
    rng = np.random.default_rng(3)
    score = rng.normal(size=5_000) * 10.0
    label = rng.normal(size=5_000) * 10.0 < score
    found = measure(binary_sketch(score, label, space=binary_space(score, probability=False), threshold=0.0))
    assert {"log_loss", "brier", "ece"}.isdisjoint(found)
    assert abs(found["roc_auc"].value - sk.roc_auc_score(label, score)) <= found["roc_auc"].error_bound


@pytest.mark.parametrize("seed", range(4))
def test_multiclass_metrics_are_scikit_learns(seed):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(4, 8_000)) * (seed + 1)
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=0)
    label = (rng.uniform(size=8_000) < np.cumsum(probabilities, axis=0)).argmax(axis=0)
    if seed == 1:
        label[label == 3] = 0  # a class without a row
    said = probabilities.argmax(axis=0)
    sketch = multiclass_sketch(label, said, 4, probabilities)
    found = measure(sketch)
    assert found["accuracy"].value == sk.accuracy_score(label, said)
    assert found["macro_f1"].value == pytest.approx(sk.f1_score(label, said, average="macro"), rel=1e-12)
    assert found["log_loss"].value == pytest.approx(sk.log_loss(label, probabilities.T, labels=range(4)), rel=1e-9)
    recall = sk.recall_score(label, said, average=None, labels=range(4), zero_division=np.nan)
    for k in range(4):
        assert found[f"recall:{k}"].value == pytest.approx(recall[k], rel=1e-12, nan_ok=True)
    matrix = sk.confusion_matrix(label, said, labels=range(4))
    assert np.array_equal(sketch.confusion[:4, :4], matrix)
    worst = most_confused(sketch, 1)[0]
    assert worst.n == (matrix - np.diag(np.diag(matrix))).max() == matrix[int(worst.true), int(worst.said)]


def test_a_class_that_the_reference_never_held_is_wrong_and_no_class_of_its_own():
    label, said = np.array([0, 1, 2, 2]), np.array([0, 1, 0, 2])
    found = measure(multiclass_sketch(label, said, 2))
    assert found["accuracy"].value == 0.5
    assert found["macro_f1"].value == pytest.approx((2 / 3 + 1.0) / 2)


@pytest.mark.parametrize("case", ["plain", "large offset", "heavy tails", "perfect", "constant prediction", "tiny"])
def test_regression_metrics_are_scikit_learns(case):
    rng = np.random.default_rng(5)
    prediction = rng.normal(size=6_000)
    noise = rng.standard_t(2.5, size=6_000) if case == "heavy tails" else rng.normal(0.2, 0.5, size=6_000)
    target = prediction + (0.0 if case == "perfect" else noise)
    if case == "large offset":
        prediction, target = prediction + 1e9, target + 1e9
    if case == "constant prediction":
        prediction = np.full(6_000, 0.1)
    if case == "tiny":
        prediction, target = prediction * 1e-160, target * 1e-160
    found = measure(regression_sketch(prediction, target))
    residual = target - prediction
    assert found["mae"].value == pytest.approx(sk.mean_absolute_error(target, prediction), rel=1e-12)
    if case != "tiny":  # squares underflow
        assert found["rmse"].value == pytest.approx(sk.root_mean_squared_error(target, prediction), rel=1e-12)
        assert found["r2"].value == pytest.approx(sk.r2_score(target, prediction), rel=1e-9)
    assert found["bias"].value == pytest.approx(math.fsum(-residual) / 6_000, rel=1e-12, abs=0.0)
    for q in (0.05, 0.25, 0.5, 0.75, 0.95):
        metric = found[f"residual:{q:g}"]
        assert abs(metric.value - np.quantile(residual, q, method="inverted_cdf")) <= metric.error_bound
        assert metric.ci_low <= metric.value <= metric.ci_high
    for metric in found.values():
        assert not metric.ci_low > metric.value
        assert not metric.ci_high < metric.value


def test_r2_of_equal_targets_is_undefined():
    found = measure(regression_sketch(np.array([1.0, 2.0, 3.0]), np.full(3, 2.0)))
    assert math.isnan(found["r2"].value)
    assert found["mae"].value == pytest.approx(2 / 3)


def test_a_target_that_no_metric_can_use_is_counted_and_left_out():
    prediction = np.array([1.0, 2.0, 3.0, 4.0])
    space = regression_space(prediction, prediction + 0.5)
    sketch = regression_sketch(prediction, np.array([1.0, np.inf, np.nan, 1e80]), space=space)
    assert (sketch.n, sketch.n_invalid) == (4, 3)
    assert measure(sketch)["mae"].value == 0.0


def test_wilsons_interval_is_scipys():
    from scipy.stats import binomtest

    for k, n in ((0, 10), (3, 10), (10, 10), (470, 1000)):
        wanted = binomtest(k, n).proportion_ci(method="wilson")
        assert wilson(k, n) == pytest.approx((wanted.low, wanted.high), abs=1e-12)


def test_of_a_residual_beyond_the_references_range_only_that_is_said():
    rng = np.random.default_rng(3)
    prediction = rng.normal(size=4_000)
    space = regression_space(prediction, prediction + rng.uniform(-1.0, 1.0, size=4_000))
    far = measure(regression_sketch(prediction, prediction + rng.uniform(5.0, 9.0, size=4_000), space=space))
    edge = space.residual_edges[-1]
    for name in ("residual:0.05", "residual:0.5", "residual:0.95"):
        told = far[name]
        assert (told.value, told.error_bound) == (edge, math.inf)
        assert told.ci_low == edge  # the quantile is at least that
        assert math.isnan(told.ci_high)
    below = measure(regression_sketch(prediction, prediction - 7.0, space=space))["residual:0.5"]
    assert math.isnan(below.ci_low)
    assert below.ci_high == space.residual_edges[0]
