"""Estimates before labels, and the split of a loss once they have come: on moved inputs, and on a changed relation."""

import math

import numpy as np
import pytest

from detectors.errors import ConfigurationError, LayoutMismatch
from detectors.performance.accumulate import sketch_matches
from detectors.performance.estimate import estimate, said_counts, score_counts
from detectors.performance.examples import (
    binary_sketch,
    binary_space,
    multiclass_sketch,
    multiclass_space,
    regression_sketch,
    regression_space,
)
from detectors.performance.isotonic import rising_share
from detectors.performance.matches import Matches
from detectors.performance.measure import measure
from detectors.performance.reference import PerformanceReference, performance_reference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import PerformanceSpace, Task
from detectors.performance.split import label_prior, split, split_columns, split_scores

pytestmark = pytest.mark.filterwarnings("error")

N = 10_000


def sigmoid(x):
    return 1.0 / (1.0 + np.exp(-x))


def score_of(x, distortion):
    """The model's score: of distortion 2 it is the square of the probability, and badly calibrated."""
    return sigmoid(4.0 * x) ** distortion


def binary_rows(rng, n, centre=0.0, spread=1.0, flipped=0.0):
    x = rng.normal(centre, spread, size=n)
    label = rng.uniform(size=n) < sigmoid(4.0 * x)
    return x, label ^ (rng.uniform(size=n) < flipped)


def binary_world(distortion, seed=1):
    x, label = binary_rows(np.random.default_rng(seed), 100_000)
    space = binary_space(score_of(x, distortion), {"x": x})
    return space, x, sketched(space, x, label, distortion)


def sketched(space, x, label, distortion):
    part = space.parts[0]
    ends = np.quantile(binary_world_x(), np.arange(1, len(part.cells) - 1) / (len(part.cells) - 1))
    coarse = [np.searchsorted(ends, x)]
    return binary_sketch(score_of(x, distortion), label, space=space, threshold=0.5**distortion, coarse=coarse)


def binary_world_x():
    return binary_rows(np.random.default_rng(1), 100_000)[0]


MOVED = [(0.5, 1.0), (-0.3, 0.7), (0.0, 0.5), (0.0, 1.5)]


@pytest.mark.parametrize("distortion", [1.0, 2.0])
@pytest.mark.parametrize(("centre", "spread"), MOVED)
def test_moved_inputs_are_estimated_within_a_hundredth(distortion, centre, spread):
    space, _, reference = binary_world(distortion)
    pinned = PerformanceReference(reference)
    rng = np.random.default_rng(2)
    for _ in range(3):
        x, label = binary_rows(rng, N, centre, spread)
        window = sketched(space, x, label, distortion)
        estimated, measured = estimate(pinned, score_counts(window)), measure(window)
        for name in ("accuracy", "roc_auc"):
            assert abs(estimated[name].value - measured[name].value) <= 0.01
        for name, metric in estimated.items():
            assert metric.n == N
            if name != "ece":
                assert abs(metric.value - measured[name].value) <= 3.0 * (metric.ci_high - metric.ci_low) / 3.92 + 1e-9


def test_the_loss_of_moved_inputs_lies_on_moved_inputs():
    space, _, reference = binary_world(1.0)
    x, label = binary_rows(np.random.default_rng(3), N, 0.0, 0.4)
    window = sketched(space, x, label, 1.0)
    found = split_scores(reference, window)
    assert found.change.value > 0.1
    assert found.inputs.value >= 0.8 * found.change.value
    assert found.relation_share <= 0.2
    assert found.relation.ci_low <= 0.0 <= found.relation.ci_high
    assert found.inputs.p_value < 1e-6


def test_the_loss_of_a_changed_relation_lies_on_it_and_parts_from_the_estimate():
    space, _, reference = binary_world(1.0)
    x, label = binary_rows(np.random.default_rng(4), N, flipped=0.15)
    window = sketched(space, x, label, 1.0)
    found = split_scores(reference, window)
    assert found.relation.value >= 0.8 * found.change.value > 0.1
    assert found.relation_share >= 0.8
    assert found.relation.p_value < 1e-6
    estimated, measured = estimate(PerformanceReference(reference), score_counts(window)), measure(window)
    for name in ("accuracy", "roc_auc"):
        assert estimated[name].value - measured[name].value > 0.05
        assert measured[name].value < estimated[name].ci_low


@pytest.mark.parametrize("column", ["@score", "x", "@truth"])
def test_the_two_parts_are_the_whole_change(column):
    space, _, reference = binary_world(1.0)
    x, label = binary_rows(np.random.default_rng(5), N, 0.2, 0.8, flipped=0.05)
    window = sketched(space, x, label, 1.0)
    found = split(reference, window, column)
    assert found.inputs.value + found.relation.value == pytest.approx(found.change.value, abs=1e-12)
    assert found.change.value == pytest.approx(
        measure(window)["log_loss"].value - measure(reference)["log_loss"].value, abs=1e-7
    )
    assert sum(found.by_inputs) == pytest.approx(found.inputs.value, abs=1e-12)
    assert sum(found.by_relation) == pytest.approx(found.relation.value, abs=1e-12)


def test_the_intervals_of_a_split_hold_the_true_parts():
    """Two cells whose shares, losses and variances are known: the true parts follow from them."""
    edges = np.linspace(0.0, 1.0, 257)
    space = binary_space(edges, {"x": edges})
    held = np.zeros(3)
    n_simulations = 400
    for seed in range(n_simulations):
        rng = np.random.default_rng(seed)
        sides = []
        for n, share, risk in ((3_000, 0.5, (0.1, 0.3)), (2_000, 0.7, (0.1, 0.45))):
            cell = (rng.uniform(size=n) < share).astype(int)
            label = rng.uniform(size=n) < np.array(risk)[cell]
            sides.append(binary_sketch(np.full(n, 0.2), label, space=space, coarse=[cell]))
        found = split(*sides, "x")

        def loss(p):
            return -p * math.log(0.2) - (1 - p) * math.log(0.8)

        inputs = 0.2 * (loss(0.3) - loss(0.1))
        relation = 0.7 * (loss(0.45) - loss(0.3))
        wanted = (inputs + relation, inputs, relation)
        parts = (found.change, found.inputs, found.relation)
        held += [part.ci_low <= value <= part.ci_high for part, value in zip(parts, wanted, strict=True)]
    assert np.all((held / n_simulations >= 0.92) & (held / n_simulations <= 0.98)), held / n_simulations


def test_unchanged_windows_have_no_split_to_speak_of():
    space, _, reference = binary_world(1.0)
    rng = np.random.default_rng(6)
    p = []
    for _ in range(40):
        x, label = binary_rows(rng, 2_000)
        found = split_scores(reference, sketched(space, x, label, 1.0))
        p += [found.inputs.p_value, found.relation.p_value]
    assert np.mean(np.array(p) <= 0.05) <= 0.125  # of 80 at 5 %: 10 or more once in 200 times


def test_the_column_whose_cells_moved_explains_the_loss():
    rng = np.random.default_rng(7)
    x, y = rng.normal(size=(2, 50_000))
    space = binary_space(sigmoid(3.0 * x), {"x": x, "y": y})
    ends = [np.quantile(values, np.arange(1, 10) / 10) for values in (x, y)]

    def rows(x, y):
        coarse = [np.searchsorted(own, values) for own, values in zip(ends, (x, y), strict=True)]
        return binary_sketch(sigmoid(3 * x), rng.uniform(size=x.size) < sigmoid(3 * x), space=space, coarse=coarse)

    found = split_columns(rows(x, y), rows(rng.normal(0.0, 0.3, size=N), rng.normal(size=N)))
    assert [own.column for own in found] == ["x", "y"]
    assert found[0].relation_share < 0.2 < 0.8 < found[1].relation_share


def test_a_moved_label_prior_is_told():
    space, _, reference = binary_world(1.0)
    rng = np.random.default_rng(8)
    still, moved = (sketched(space, *binary_rows(rng, N, centre), 1.0) for centre in (0.0, 0.4))
    assert label_prior(reference, still).p_value > 0.01
    found = label_prior(reference, moved)
    assert found.p_value < 1e-9
    assert found.now[1] > found.before[1] + 0.05
    assert found.split.column == "@truth"


def test_a_moved_mean_target_is_told():
    rng = np.random.default_rng(9)
    prediction = rng.normal(size=20_000)
    space = regression_space(prediction, prediction)
    before = regression_sketch(prediction, prediction + rng.normal(size=20_000), space=space)
    after = regression_sketch(prediction, prediction + rng.normal(0.2, 1.0, size=20_000), space=space)
    assert label_prior(before, after).p_value < 1e-9
    assert label_prior(before, before).p_value == 1.0


def multiclass_rows(rng, n, alpha):
    p = rng.dirichlet(alpha, size=n).T
    label = (rng.uniform(size=n) < np.cumsum(p, axis=0)).argmax(axis=0)
    return p, label, p.argmax(axis=0)


def test_several_classes_are_estimated_from_the_counts_of_their_probabilities():
    rng = np.random.default_rng(10)
    p, label, said = multiclass_rows(rng, 100_000, [0.5, 0.4, 0.3])
    space = multiclass_space(3, p)
    reference = multiclass_sketch(label, said, 3, p, space=space)
    for alpha in ([0.5, 0.4, 0.3], [0.8, 0.3, 0.3], [0.3, 0.6, 0.5]):
        p, label, said = multiclass_rows(rng, N, alpha)
        window = multiclass_sketch(label, said, 3, p, space=space)
        measured = measure(window)
        for known in (None, said_counts(window)):
            estimated = estimate(PerformanceReference(reference), score_counts(window), known)
            assert set(estimated) == set(measured)
            assert abs(estimated["accuracy"].value - measured["accuracy"].value) <= 0.015
            assert abs(estimated["macro_f1"].value - measured["macro_f1"].value) <= 0.02
        found = split_scores(reference, window)
        assert found.change.value == pytest.approx(
            measured["log_loss"].value - measure(reference)["log_loss"].value, abs=1e-6
        )


def test_classes_without_probabilities_are_estimated_from_what_was_said():
    rng = np.random.default_rng(12)
    space = multiclass_space(3)
    right = np.array([0.95, 0.7, 0.5])

    def rows(n, shares):
        said = rng.choice(3, size=n, p=shares)
        label = np.where(rng.uniform(size=n) < right[said], said, (said + 1) % 3)
        return multiclass_sketch(label, said, 3, space=space)

    reference = PerformanceReference(rows(100_000, [0.6, 0.3, 0.1]))
    window = rows(N, [0.2, 0.3, 0.5])
    estimated = estimate(reference, [], said_counts(window))
    assert reference.metrics["accuracy"].value == pytest.approx(0.83, abs=0.01)
    assert abs(estimated["accuracy"].value - measure(window)["accuracy"].value) <= 0.015
    with pytest.raises(ConfigurationError):
        split_scores(reference.sketch, window)


def test_a_binary_model_without_scores_is_estimated_from_what_was_said():
    rng = np.random.default_rng(18)
    space = PerformanceSpace(task=Task.BINARY, classes=("no", "yes"))

    def rows(n, share):
        said = (rng.uniform(size=n) < share).astype(np.int32)
        label = np.where(rng.uniform(size=n) < np.array([0.95, 0.6])[said], said, 1 - said).astype(np.int32)
        return sketch_matches(space, Matches.of(space, n, label=label, predicted=said))

    window = rows(N, 0.6)
    estimated, measured = estimate(PerformanceReference(rows(50_000, 0.2)), [], said_counts(window)), measure(window)
    assert set(estimated) == set(measured) == {"accuracy", "precision", "recall", "f1"}
    for name, metric in estimated.items():
        assert metric.value == pytest.approx(measured[name].value, abs=0.02)
        assert metric.ci_low <= measured[name].value <= metric.ci_high


def test_a_regressions_errors_are_estimated_by_cell_of_the_prediction():
    rng = np.random.default_rng(13)

    def rows(n, centre):
        prediction = rng.normal(centre, 1.0, size=n)
        return prediction, prediction + rng.normal(0.1, 0.5 + np.abs(prediction), size=n)

    prediction, target = rows(100_000, 0.0)
    space = regression_space(prediction, target)
    reference = PerformanceReference(regression_sketch(prediction, target, space=space))
    window = regression_sketch(*rows(N, 1.0), space=space)
    estimated, measured = estimate(reference, score_counts(window)), measure(window)
    assert set(estimated) == {"mae", "rmse", "bias"}
    assert measured["mae"].value > 1.15 * reference.metrics["mae"].value
    for name in ("mae", "rmse"):
        assert estimated[name].value == pytest.approx(measured[name].value, rel=0.03)
        assert estimated[name].ci_low <= measured[name].value <= estimated[name].ci_high
    found = split_scores(reference.sketch, window)
    assert found.inputs.value >= 0.8 * found.change.value > 0.0


def test_estimates_hold_the_measured_value_as_often_as_they_say():
    space, _, reference = binary_world(1.0)
    pinned = PerformanceReference(reference)
    rng = np.random.default_rng(14)
    held = {}
    for _ in range(60):
        x, label = binary_rows(rng, 2_000, 0.2, 0.8)
        window = sketched(space, x, label, 1.0)
        measured = measure(window)
        for name, metric in estimate(pinned, score_counts(window)).items():
            held[name] = held.get(name, 0) + (metric.ci_low <= measured[name].value <= metric.ci_high)
    del held["ece"]  # the measured one holds the noise of its labels, the estimate none
    assert min(held.values()) >= 53, held  # of 60 at 95 %: fewer than 53 once in 300 times


def test_windows_that_differ_more_than_chance_widen_the_interval():
    rng = np.random.default_rng(15)
    score = rng.uniform(size=(60, 2_000))
    space = binary_space(score.ravel())

    def window(own):
        p = sigmoid(np.log(own / (1 - own)) + rng.normal(0.0, 0.5))  # each window's relation is a little its own
        return binary_sketch(own, rng.uniform(size=own.size) < p, space=space)

    panes = [window(own) for own in score]
    whole = PerformanceSketch.empty(space)
    for pane in panes:
        whole = whole.merge(pane)
    reference = performance_reference(whole, panes)
    spread = reference.spread["log_loss"]
    assert spread.n == 60
    assert spread.low < reference.metrics["log_loss"].value < spread.high
    assert reference.spread["recall"].inflation > 1.5
    held = 0
    for _ in range(60):
        live = window(rng.uniform(size=2_000))
        estimated = estimate(reference, score_counts(live))["recall"]
        held += estimated.ci_low <= measure(live)["recall"].value <= estimated.ci_high
    assert held >= 51


def test_nothing_is_estimated_of_nothing():
    space, _, reference = binary_world(1.0)
    empty = PerformanceSketch.empty(space)
    assert estimate(PerformanceReference(reference), score_counts(empty)) == {}
    assert estimate(PerformanceReference(empty), score_counts(reference)) == {}
    assert split_scores(reference, empty) is None
    assert label_prior(reference, empty) is None
    with pytest.raises(ConfigurationError):
        split(reference, reference, "no such column")
    other = PerformanceSketch.empty(binary_space(np.linspace(0.0, 2.0, 300)))
    with pytest.raises(LayoutMismatch):
        split(reference, other, "@score")


def test_live_scores_outside_the_reference_are_said_to_be():
    scores = np.linspace(0.4, 0.6, 1_000)
    space = binary_space(scores)
    rng = np.random.default_rng(16)
    reference = binary_sketch(scores, rng.uniform(size=1_000) < scores, space=space)
    live = np.linspace(0.7, 0.9, 100)
    found = split_scores(reference, binary_sketch(live, rng.uniform(size=100) < live, space=space))
    assert found.uncovered == 1.0
    assert found.inputs.value + found.relation.value == pytest.approx(found.change.value, abs=1e-12)


def test_a_rising_share_never_falls_and_keeps_the_mean():
    rng = np.random.default_rng(17)
    n = rng.integers(0, 20, size=200).astype(float)
    positive = rng.binomial(n.astype(int), np.linspace(0.1, 0.9, 200)).astype(float)
    share = rising_share(positive, n)
    assert np.all(np.diff(share) >= 0.0)
    assert float(share @ n) == pytest.approx(positive.sum())
    assert rising_share(np.zeros(3), np.zeros(3)).tolist() == [0.5, 0.5, 0.5]


def test_labels_of_a_class_that_no_probability_is_of_are_no_rows_without_loss():
    rng = np.random.default_rng(11)
    p, label, said = multiclass_rows(rng, 20_000, [0.5, 0.4, 0.3])
    space = multiclass_space(3, p)
    reference = multiclass_sketch(label, said, 3, p, space=space)
    unknown = np.where(rng.uniform(size=label.size) < 0.3, space.other, label)
    window = multiclass_sketch(unknown, said, 3, p, space=space)
    found = split_scores(reference, window)
    change = measure(window)["log_loss"].value - measure(reference)["log_loss"].value
    assert found.inputs.value + found.relation.value == pytest.approx(change, abs=1e-6)
    assert window.n_unknown == int((unknown == space.other).sum())
    assert found.n_now == label.size - window.n_unknown
