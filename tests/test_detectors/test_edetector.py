"""An e-detector alarms as rarely as its level says on unchanged data, whatever p-values it gets, and finds changes."""

import doctest

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import edetector
from detectors.edetector import EDetector, Evidence

N_STREAMS, N_PANES, LEVEL = 400, 1_500, 100.0


def alarms(p: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """(streams,) the first pane at which each alarms; the number of panes where it never does."""
    passed = EDetector().values(p) >= level
    return np.where(passed.any(axis=-1), passed.argmax(axis=-1), p.shape[-1])


def test_the_example_of_the_docstring_runs() -> None:
    assert doctest.testmod(edetector).failed == 0
    assert doctest.testmod(edetector).attempted > 0


def test_the_mean_time_to_a_false_alarm_is_at_least_the_level() -> None:
    found = alarms(np.random.default_rng(1).uniform(size=(N_STREAMS, N_PANES)))
    # Those that never alarm count as if they did at the end, so that the true mean is larger still.
    assert found.mean() >= LEVEL


def test_conservative_p_values_alarm_more_rarely() -> None:
    p = np.random.default_rng(2).uniform(size=(N_STREAMS, N_PANES))
    assert alarms(np.sqrt(p)).mean() > 1.2 * alarms(p).mean()
    assert (alarms(np.full((1, N_PANES), 1.0)) == N_PANES).all()


def test_p_values_that_depend_on_each_other_share_one_level() -> None:
    # 30 columns that always say the same, and 30 that have nothing to do with each other: one weighted sum of each.
    rng = np.random.default_rng(3)
    own = rng.uniform(size=(100, 30, 600))
    same = np.repeat(rng.uniform(size=(100, 1, 600)), 30, axis=1)
    for p in (own, same):
        shared = EDetector().values(p).mean(axis=1) >= LEVEL
        assert np.where(shared.any(axis=1), shared.argmax(axis=1), 600).mean() >= LEVEL


@pytest.mark.parametrize(("power", "within"), [(2.0, 40), (4.0, 10), (50.0, 3)])
def test_changes_are_found_the_sooner_the_larger_they_are(power: float, within: int) -> None:
    # Unchanged for 50 panes; then p is u to a power: 2 a small change, 50 one that nobody could miss.
    rng = np.random.default_rng(4)
    before, after = rng.uniform(size=(200, 50)), rng.uniform(size=(200, 200)) ** power
    found = alarms(np.concatenate([before, after], axis=1))
    delay = found[found >= 50] - 50
    assert np.median(delay) <= within


def test_no_single_pane_alarms_by_itself() -> None:
    assert EDetector().advance(Evidence(), 0.0, 0).value < 30.0


def test_the_onset_is_the_first_pane_after_the_last_minimum() -> None:
    rng = np.random.default_rng(5)
    off = []
    for _ in range(50):
        evidence = Evidence()
        p = np.concatenate([rng.uniform(size=40), rng.uniform(size=25) ** 6])
        for pane, one in enumerate(p.tolist()):
            evidence = EDetector().advance(evidence, one, pane)
        assert evidence.onset_ms is not None
        off.append(evidence.onset_ms - 40)
    assert abs(np.median(off)) <= 1


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=60))
def test_one_series_and_many_at_once_give_the_same(p: list[float]) -> None:
    evidence = Evidence()
    values = []
    for pane, one in enumerate(p):
        evidence = EDetector().advance(evidence, one, pane)
        values.append(evidence.value)
    assert np.allclose(EDetector().values(np.array(p)), values, rtol=1e-12)


def test_what_cannot_be_tested_is_no_evidence_and_nothing_overflows() -> None:
    nothing = EDetector().advance(Evidence(), float("nan"), 0)
    assert nothing == EDetector().advance(Evidence(), 1.0, 0)
    evidence = Evidence()
    for pane in range(2_000):
        evidence = EDetector().advance(evidence, 0.0, pane)
    assert np.isfinite(evidence.value)
    assert evidence.onset_ms == 0


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ValueError, match="kappas"):
        EDetector(kappas=(1.0,))
    with pytest.raises(ValueError, match="believed"):
        EDetector(floor=0.0)
