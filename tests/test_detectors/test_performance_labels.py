"""The delay of labels, missing labels, and labels that only some predictions get."""

import math

import numpy as np
import pytest

from detectors.performance.censoring import censoring
from detectors.performance.delay import EDGES_MS, delay_counts, delay_curve, delay_psi, missing_labels

pytestmark = pytest.mark.filterwarnings("error")
HOUR = 3_600_000.0
NONE = np.empty(0)


def ones(values):
    return np.ones(values.size, dtype=np.int64)


def counted(delays):
    return delay_counts(delays, ones(delays))


def test_delays_are_counted_in_cells_that_no_reference_decides():
    assert np.all(np.diff(EDGES_MS) > 0)
    counts = counted(np.array([-5.0, 0.0, 1.0, 1_000.0, 1_001.0, 1e12]))
    assert counts.sum() == 6
    assert counts[:3].tolist() == [2, 2, 1]
    assert counts[-1] == 1
    assert not np.any(counts + delay_counts(np.array([1_001.0]), np.array([-1])) < 0)


def test_a_curve_of_predictions_that_were_all_watched_is_the_share_of_delays():
    rng = np.random.default_rng(1)
    delays = rng.exponential(5 * HOUR, size=5_000)
    curve = delay_curve(counted(delays), np.full(5_000, 1e13))  # half of all never get a label
    for edge in EDGES_MS[30:70:5]:
        assert curve.at(np.array([edge]))[0] == pytest.approx(np.sum(delays <= edge) / 10_000, abs=1e-9)
    assert curve.at(np.array([-1.0, 1e12])).tolist() == [0.0, pytest.approx(0.5)]
    assert curve.n == 10_000


def test_a_curve_is_not_lowered_by_predictions_that_were_watched_for_a_short_time():
    rng = np.random.default_rng(2)
    delays, watched = rng.exponential(HOUR, size=50_000), rng.uniform(0.0, 4 * HOUR, size=50_000)
    seen = delays <= watched
    curve = delay_curve(counted(delays[seen]), watched[~seen])
    for age in (0.5 * HOUR, HOUR, 2 * HOUR, 3 * HOUR):
        assert curve.at(np.array([age]))[0] == pytest.approx(1.0 - math.exp(-age / HOUR), abs=0.02)


def missing_of(rng, curve, lost):
    ages = rng.uniform(0.0, 3 * HOUR, size=2_000)
    came = (rng.exponential(HOUR, size=2_000) <= ages) & (rng.uniform(size=2_000) >= lost)
    groups = np.linspace(0.05, 2.95, 30) * HOUR
    n = np.histogram(ages, bins=30, range=(0.0, 3 * HOUR))[0]
    return missing_labels(curve, groups, n, int(came.sum()))


def test_labels_that_are_not_due_are_not_missing_and_those_of_a_broken_pipeline_are():
    rng = np.random.default_rng(3)
    curve = delay_curve(counted(rng.exponential(HOUR, size=50_000)), NONE)
    still = [missing_of(rng, curve, 0.0) for _ in range(200)]
    assert np.mean([found.p_value <= 0.05 for found in still]) <= 0.105  # of 200 at 5 %: 22 or more once in 1,000 times
    assert np.mean([found.maturity for found in still]) < 0.75
    broken = [missing_of(rng, curve, 0.1) for _ in range(50)]
    assert all(found.p_value < 0.01 for found in broken)
    assert np.mean([found.missing for found in broken]) == pytest.approx(0.1, abs=0.01)


def test_of_nothing_nothing_is_missing():
    curve = delay_curve(counted(NONE), NONE)
    assert curve.n == 0
    assert math.isnan(missing_labels(curve, np.array([HOUR]), np.array([10]), 0).p_value)
    found = missing_labels(curve, np.array([]), np.array([], dtype=np.int64), 0)
    assert math.isnan(found.maturity)
    assert found.missing == 0.0


def test_slower_labels_are_told_and_a_young_window_is_not_quick():
    rng = np.random.default_rng(4)
    reference = counted(rng.exponential(HOUR, size=50_000))
    p = []
    for _ in range(200):
        delays = rng.exponential(HOUR, size=1_000)
        young = delay_psi(reference, counted(delays[delays <= HOUR]), HOUR)
        assert young.until_ms <= HOUR
        p += [young.p_value]
    assert 0.005 <= np.mean(np.array(p) <= 0.05) <= 0.105
    slower = delay_psi(reference, counted(rng.exponential(1.5 * HOUR, size=1_000)))
    assert slower.p_value < 1e-9
    assert slower.until_ms == math.inf
    assert slower.psi > 0.05


@pytest.mark.parametrize("n", [4, 30, 60, 150])
def test_a_few_labels_that_come_as_ever_are_rarely_told_to_be_late(n: int):
    # An empty cell of ten counts as 1e-4: PSI alone would call a third of such windows late.
    rng = np.random.default_rng(6)
    reference = counted(rng.exponential(HOUR, size=50_000))
    p = [delay_psi(reference, counted(rng.exponential(HOUR, size=n))).p_value for _ in range(1_000)]
    assert np.mean(np.array(p) <= 0.05) <= 0.07
    slower = [delay_psi(reference, counted(rng.exponential(4.0 * HOUR, size=60))).p_value for _ in range(50)]
    assert max(slower) < 1e-3


def test_without_labels_there_is_no_delay_to_compare():
    assert math.isnan(delay_psi(counted(NONE), counted(np.array([HOUR]))).psi)
    assert math.isnan(delay_psi(counted(np.array([HOUR])), counted(np.array([HOUR])), 0.0).psi)
    same = delay_psi(counted(np.array([HOUR])), counted(np.array([HOUR])))
    assert (same.psi, same.p_value, same.n_now) == (0.0, 1.0, 1)


def test_labels_that_only_come_for_the_approved_are_told():
    rng = np.random.default_rng(5)
    score = rng.integers(10, size=5_000)
    total = np.bincount(score, minlength=10)
    approved = np.bincount(score[score >= 6], minlength=10)
    found = censoring(total, approved)
    assert found.selective
    assert found.effect == pytest.approx(math.sqrt((1 - 9 / 4_999) / (1 - 1 / 4_999)), rel=1e-12)  # Bergsma's, of V = 1
    assert found.labelled == (0.0,) * 6 + (1.0,) * 4


def test_labels_that_come_by_chance_are_not():
    rng = np.random.default_rng(6)
    found = []
    for _ in range(300):
        total = rng.multinomial(1_000, [0.1] * 10)
        found.append(censoring(total, rng.binomial(total, 0.3)))
    level = np.mean([own.p_value <= 0.05 for own in found])
    assert 0.01 <= level <= 0.095  # of 300 at 5 %: 29 or more once in 1,000 times
    assert np.mean([own.effect for own in found]) < 0.05
    assert sum(own.selective for own in found) <= 15


@pytest.mark.parametrize(
    ("total", "labelled"), [([10, 10], [0, 0]), ([10, 10], [10, 10]), ([0, 0], [0, 0]), ([5, 5], [-1, 2]), ([5], [6])]
)
def test_one_side_alone_is_not_compared(total, labelled):
    found = censoring(np.array(total), np.array(labelled))
    assert math.isnan(found.effect)
    assert not found.selective


def test_few_rows_are_joined_and_say_nothing():
    found = censoring(np.array([1, 1, 1, 1]), np.array([1, 0, 0, 0]))
    assert (found.effect, found.p_value) == (0.0, 1.0)
    assert found.labelled == (1.0, 0.0, 0.0, 0.0)
