"""Whether a window's loss is another than the reference's: by more than chance and the reference's own windows."""

import math

import numpy as np
import pytest
from scipy import stats

from detectors.arrays import Floats
from detectors.performance.delay import EDGES_MS, N_DELAY_CELLS, delay_counts, delay_quantile
from detectors.performance.examples import binary_sketch, binary_space, regression_sketch, regression_space
from detectors.performance.loss_test import (
    Between,
    between_errors,
    between_windows,
    loss_deviation,
    loss_test,
    relation_test,
)
from detectors.performance.reference import PerformanceReference, Spread, performance_reference
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.split import split_scores
from detectors.performance.subgroups import subgroups

RNG = np.random.default_rng(2027)


def regression(n: int, scale: float = 1.0) -> tuple[Floats, Floats]:
    prediction = RNG.normal(size=n)
    return prediction, prediction + RNG.normal(size=n) * scale


def reference_of(n: int, n_windows: int, *, restless: float = 0.0) -> PerformanceReference:
    """Of windows whose errors have sizes of their own."""
    parts = [regression(n, 1.0 + restless * RNG.normal()) for _ in range(n_windows)]
    prediction, target = (np.concatenate([part[side] for part in parts]) for side in (0, 1))
    space = regression_space(prediction, target)
    sketches = [regression_sketch(*part, space=space) for part in parts]
    whole = PerformanceSketch.empty(space)
    for sketch in sketches:
        whole = whole.merge(sketch)
    return performance_reference(whole, sketches)


def test_without_windows_it_is_welchs_test_of_the_losses() -> None:
    before, now = regression(3_000), regression(400, 1.1)
    space = regression_space(*before)
    found = loss_test(regression_sketch(*before, space=space), regression_sketch(*now, space=space), Between())
    assert found is not None
    losses = [np.abs(side[0] - side[1]) / space.scale for side in (before, now)]
    expected = stats.ttest_ind(*losses, equal_var=False)
    assert found.p_value == pytest.approx(float(expected.pvalue), rel=1e-4)
    assert (found.loss_before, found.loss_now) == pytest.approx([float(own.mean()) for own in losses], rel=1e-6)


def test_windows_of_independent_rows_have_no_design_effect_and_restless_ones_have_their_own() -> None:
    assert between_windows(reference_of(200, 60)).design_effect < 1.6
    restless = reference_of(2_000, 60, restless=0.2)
    between = between_windows(restless)
    # The loss is some 0.8 scaled by its hour, with a standard deviation of 0.2 of itself; a row's is about 0.6.
    expected = 1.0 + 2_000 * (0.8 * 0.2) ** 2 / 0.65**2
    assert between.design_effect == pytest.approx(expected, rel=0.5)
    assert between.windows == 60
    assert between.n_rows == 2_000.0
    assert loss_deviation(restless) > 0.0


def test_fewer_than_three_windows_tell_nothing() -> None:
    assert between_windows(reference_of(100, 2)) == Between()
    assert Between().design_effect == 1.0


def test_errors_have_windows_of_their_own_whatever_the_loss_is() -> None:
    score = RNG.uniform(size=(20, 500))
    label = RNG.uniform(size=(20, 500)) < score
    space = binary_space(score.ravel())
    panes = [binary_sketch(s, y, space=space) for s, y in zip(score, label, strict=True)]
    reference = performance_reference(binary_sketch(score.ravel(), label.ravel(), space=space), panes)
    errors = between_errors(reference)
    assert errors.total == pytest.approx(reference.spread["accuracy"].std ** 2)
    assert errors.total != between_windows(reference).total
    assert between_errors(reference_of(100, 10)) == Between(), "a regression has no errors"


def test_a_loss_where_there_was_none_is_an_infinite_effect_and_no_change_is_none() -> None:
    score, label = np.linspace(0.0, 1.0, 1_000), np.linspace(0.0, 1.0, 1_000) >= 0.5
    space = binary_space(score, probability=False)
    perfect, bad = (binary_sketch(score, own, space=space) for own in (label, ~label))
    worse, same = loss_test(perfect, bad, Between()), loss_test(perfect, perfect, Between())
    assert worse is not None
    assert same is not None
    assert (worse.effect, worse.p_value < 1e-9) == (math.inf, True)
    assert (same.effect, same.p_value) == (0.0, 1.0)


def test_losses_owed_or_absent_are_not_tested() -> None:
    score, label = RNG.uniform(size=100), RNG.uniform(size=100) < 0.5
    space = binary_space(score)
    there = binary_sketch(score, label, space=space)
    assert loss_test(there, there.taken_back(), Between()) is None
    assert loss_test(there, PerformanceSketch.empty(space), Between()) is None


def test_the_relation_is_tested_as_widely_as_the_references_estimates_have_missed() -> None:
    score = RNG.uniform(size=20_000)
    space = binary_space(score)
    before = binary_sketch(score, RNG.uniform(size=20_000) < score, space=space)
    live = RNG.uniform(size=2_000)
    now = binary_sketch(live, RNG.uniform(size=2_000) < live**1.1, space=space)
    found = split_scores(before, now)
    assert found is not None
    plain = relation_test(found, None)
    assert plain.p_value == pytest.approx(found.relation.p_value)
    spread = Spread(n=10, mean=0.5, std=0.1, low=0.3, high=0.7, inflation=3.0)
    wide = relation_test(found, spread)
    assert wide.p_value > plain.p_value
    assert wide.effect <= plain.effect


def test_subgroups_are_tested_with_what_lies_between_windows() -> None:
    x, score = RNG.uniform(size=(2, 20_000))
    space = binary_space(score, {"x": x})
    cell = (x * 10).astype(np.int64)
    label = RNG.uniform(size=20_000) < score
    before = binary_sketch(score, label, space=space, coarse=[cell])
    now = binary_sketch(score, np.where((cell == 3) & (score > 0.8), ~label, label), space=space, coarse=[cell])
    assert [part.cell for part in subgroups(before, now).failing] == [3]
    assert subgroups(before, now, between=1.0).failing == ()


@pytest.mark.parametrize("q", [0.05, 0.5, 0.95])
def test_a_quantile_of_the_delay_is_right_within_its_cell(q: float) -> None:
    delays = RNG.exponential(3.6e6, size=5_000)
    value, bound = delay_quantile(delay_counts(delays, np.ones(5_000, dtype=np.int64)), q)
    assert abs(value - float(np.quantile(delays, q))) <= bound


def test_a_quantile_of_no_delay_of_early_labels_and_beyond_the_last_edge() -> None:
    assert math.isnan(delay_quantile(np.zeros(N_DELAY_CELLS, dtype=np.int64), 0.5)[0])
    early = delay_counts(np.array([-5.0, 0.0]), np.ones(2, dtype=np.int64))
    assert delay_quantile(early, 0.5) == (0.0, 0.0)
    late = delay_counts(np.array([1e15]), np.ones(1, dtype=np.int64))
    assert delay_quantile(late, 0.5) == (float(EDGES_MS[-1]), math.inf)
