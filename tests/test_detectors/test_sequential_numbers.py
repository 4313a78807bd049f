"""Sequential detectors beside River's own (0.26.1; NumPy's default generator, seeds below), and false alarms."""

import numpy as np
import pytest
from river import drift
from river.drift import binary

from detectors.error_pane import ErrorPane
from detectors.sequential_registry import sequential_detector, sequential_detectors
from detectors.sequential_state import SequentialState

DEFAULT = ("adwin", "page_hinkley")
RATES = (0.02, 0.1, 0.3, 0.5)
PARAMETERS = [
    *((name, {}) for name in sequential_detectors()),
    ("adwin", {"delta": 0.002}),
    ("adwin", {"delta": 0.05, "clock": 7, "max_buckets": 3, "min_window_length": 2, "grace_period": 50}),
    ("page_hinkley", {"delta": 0.005, "threshold": 50.0, "alpha": 0.9999}),
    ("page_hinkley", {"threshold": 20.0, "mode": "up", "min_instances": 1}),
    ("page_hinkley", {"threshold": 10.0, "mode": "down"}),
    ("hddm_a", {"two_sided_test": True}),
    ("hddm_w", {"two_sided_test": True, "lambda_val": 0.01}),
    ("kswin", {"alpha": 0.1, "window_size": 90, "stat_size": 20, "seed": 7}),
    ("ddm", {"warm_start": 5, "drift_threshold": 2.0}),
    ("eddm", {"warm_start": 5, "beta": 0.8}),
]


class OurDraws:
    """In the place of River's generator, whose state is too large to keep."""

    def __init__(self, detector, kswin):
        self.detector, self.kswin = detector, kswin

    def sample(self, population, k):
        assert (len(population), k) == (self.detector.window_size - self.detector.stat_size, self.detector.stat_size)
        return self.detector.draw(self.kswin.n)


def river_alarms(detector, losses):
    """Indices after which River's detector of the same parameters has found a change."""
    fields = {name: getattr(detector, name) for name in detector.__struct_fields__ if name not in ("unit", "seed")}
    if detector.name == "eddm":
        fields["alpha"] = 1.0  # of warnings, which change nothing
    classes = {
        "adwin": drift.ADWIN,
        "page_hinkley": drift.PageHinkley,
        "kswin": drift.KSWIN,
        "ddm": binary.DDM,
        "eddm": binary.EDDM,
        "hddm_a": binary.HDDMA,
        "hddm_w": binary.HDDMW,
    }
    theirs = classes[detector.name](**fields)
    found = []
    for index, loss in enumerate(losses.tolist()):
        if detector.name == "kswin":
            if theirs.drift_detected:
                theirs._reset()
                theirs._drift_detected = False
            theirs._rng = OurDraws(detector, theirs)
        theirs.update(loss)
        if theirs.drift_detected:
            found.append(index)
    return found


def our_alarms(detector, losses):
    state, evidence, read, found = detector.initial(), np.empty(4), 0, []
    while (at := detector.advance(state, losses[read:], evidence)) >= 0:
        read += at + 1
        found.append(read - 1)
    return found


@pytest.mark.parametrize(("name", "parameters"), PARAMETERS)
def test_changes_are_where_river_sees_them_error_by_error(name, parameters):
    detector = sequential_detector(name, parameters)
    rng = np.random.default_rng(11)
    rates = np.repeat([0.02, 0.3, 0.05, 0.5, 0.9, 0.4], 400 if name == "kswin" else 3_000)
    errors = (rng.random(rates.size) < rates).astype(np.float64)
    theirs = river_alarms(detector, errors)
    assert theirs
    assert our_alarms(detector, errors) == theirs


@pytest.mark.parametrize(("name", "parameters"), [one for one in PARAMETERS if one[0] in (*DEFAULT, "kswin")])
def test_changes_of_other_losses_are_where_river_sees_them(name, parameters):
    detector = sequential_detector(name, parameters)
    rng = np.random.default_rng(12)
    losses = rng.normal(np.repeat([0.0, 1.5, 0.7, -1.0], 400 if name == "kswin" else 3_000), 0.4)
    theirs = river_alarms(detector, losses)
    assert theirs
    assert our_alarms(detector, losses) == theirs


@pytest.mark.parametrize("name", sequential_detectors())
def test_changes_of_panes_are_where_river_sees_them_in_the_spread_series(name):
    detector = sequential_detector(name)
    rng = np.random.default_rng(13)
    rates = np.repeat([0.04, 0.3, 0.1, 0.95], 8)
    panes = []
    for at, rate in enumerate(rates):
        n = int(rng.integers(20, 200))
        panes.append(ErrorPane(start_ms=at, end_ms=at + 1, n=n, total=int(rng.binomial(n, rate))))
    starts = np.concatenate([[0], np.cumsum([one.n for one in panes])])
    state, found = SequentialState(detector), []
    for one in panes:
        state, detections = state.update(one)
        found += [int(starts[one.start_ms]) + detection.position - 1 for detection in detections]
    theirs = river_alarms(detector, np.concatenate([one.series(0, one.n) for one in panes]))
    assert theirs
    assert found == theirs


@pytest.mark.parametrize("name", sequential_detectors())
def test_what_is_before_and_after_a_change_is_all_that_was_read_since_the_last(name):
    detector = sequential_detector(name)
    rng = np.random.default_rng(14)
    errors = (rng.random(20_000) < np.repeat([0.03, 0.35, 0.05, 0.5], 5_000)).astype(np.float64)
    state, evidence, read, n_seen = detector.initial(), np.empty(4), 0, 0
    while (at := detector.advance(state, errors[read:], evidence)) >= 0:
        part = errors[read : read + at + 1]
        n_before, before, n_after, after = evidence
        cut = int(n_before)
        assert n_before + n_after == part.size
        assert before == pytest.approx(part[:cut].mean(), abs=1e-9)
        assert after == pytest.approx(part[cut:].mean(), abs=1e-9)
        read += at + 1
        n_seen += 1
    assert n_seen


def false_alarms(name, rate, n_streams):
    detector = sequential_detector(name)
    streams = ((np.random.default_rng((21, number)).random(100_000) < rate) for number in range(n_streams))
    return sum(bool(our_alarms(detector, errors.astype(np.float64))) for errors in streams)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("name", DEFAULT)
def test_ten_stable_streams_of_a_hundred_thousand_have_no_false_alarm(name, rate):
    assert false_alarms(name, rate, 10) == 0


@pytest.mark.long
@pytest.mark.parametrize("rate", RATES)
def test_of_a_thousand_stable_streams_at_most_ten_have_a_false_alarm_of_either_default_detector(rate):
    assert sum(false_alarms(name, rate, 1_000) for name in DEFAULT) <= 10


@pytest.mark.parametrize("name", DEFAULT)
def test_a_doubled_error_rate_is_found_within_five_thousand_labels(name):
    detector = sequential_detector(name)
    for seed in range(10):
        rng = np.random.default_rng((22, seed))
        errors = (rng.random(25_000) < np.repeat([0.05, 0.1], [20_000, 5_000])).astype(np.float64)
        assert len(our_alarms(detector, errors)) == 1
        assert our_alarms(detector, errors)[0] >= 20_000


@pytest.mark.parametrize("name", DEFAULT)
def test_panes_of_skewed_losses_that_do_not_change_have_no_false_alarm(name):
    """Sums of squares keep a pane from being so many equal losses, of which each pane would be a change."""
    detector = sequential_detector(name, {"unit": 4.0 * 2.0**0.5})
    for seed in range(5):
        losses = np.random.default_rng((23, seed)).normal(size=(500, 100)) ** 2
        state = SequentialState(detector)
        for at, own in enumerate(losses):
            totals = {"total": float(own.sum()), "squares": float((own**2).sum())}
            state, found = state.update(ErrorPane(start_ms=at, end_ms=at + 1, n=100, **totals))
            assert found == []
