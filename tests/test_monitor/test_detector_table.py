"""The table of sequential detectors: its streams, and what counts as found, missed and false."""

from pathlib import Path

import numpy as np
import pytest

from detectors.sequential_registry import sequential_detectors
from monitor.detector_table.contenders import ALWAYS, CONTENDERS, alarms, outcomes
from monitor.detector_table.streams import CONCEPTS, N_AFTER, N_BEFORE, N_REFERENCE, ErrorStream, error_streams

PAGE = Path(__file__).parents[2] / "docs" / "detectors.md"


def stream(*parts: tuple[int, int], begin: int) -> ErrorStream:
    """Errors of which each n-th is one, by part."""
    errors = np.concatenate([np.arange(n) % every == 0 for n, every in parts]).astype(np.float64)
    return ErrorStream(reference=errors[:1_000], errors=errors, begin=begin)


@pytest.mark.parametrize("name", ["SEA", "STAGGER", "hyperplane"])
def test_streams_are_the_same_again_and_others_with_another_seed(name):
    one, again, other = (error_streams(name, seed) for seed in (5, 5, 6))
    for kind, own in one.items():
        assert np.array_equal(own.errors, again[kind].errors)
        assert not np.array_equal(own.errors, other[kind].errors)
        assert (own.reference.size, own.errors.size) == (N_REFERENCE, N_BEFORE + N_AFTER)
        assert N_BEFORE <= own.begin < N_BEFORE + 500
        assert own.errors[own.begin + 2_500 :].mean() > own.errors[: own.begin].mean() + 0.02
    assert one["abrupt"].begin == N_BEFORE
    assert np.array_equal(one["abrupt"].errors[:N_BEFORE], one["gradual"].errors[:N_BEFORE])


def test_an_alarm_counts_when_its_pane_is_closed():
    found = outcomes(stream((5_000, 10), (5_000, 2), begin=5_000))
    assert found["**adwin**"].false == 0
    assert found["**adwin**"].delay in (100, 200, 300)


def test_a_change_without_an_alarm_is_missed_and_an_alarm_before_it_is_false():
    found = outcomes(stream((5_000, 10), (5_000, 2), (5_000, 2), begin=10_000))
    assert (found["**adwin**"].false, found["**adwin**"].delay) == (1, None)
    assert (found[ALWAYS].false, found[ALWAYS].delay) == (100, 100)


def test_panes_of_one_error_are_the_errors_themselves():
    own = stream((3_000, 20), (3_000, 2), begin=3_000)
    detector = CONTENDERS["**adwin**"](0.05)
    assert alarms(detector, own.errors, 1)[0] <= alarms(detector, own.errors, 100)[0]


def test_the_page_has_every_detector_and_every_stream():
    text = PAGE.read_text()
    assert [name for name in (*CONTENDERS, ALWAYS, *CONCEPTS) if name not in text] == []
    assert [name for name in sequential_detectors() if f"| {name} |" not in text] == []
