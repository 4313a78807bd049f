"""What every sequential detector keeps: each is found by itself, and held to the same contract."""

import math
import pkgutil
from collections.abc import Iterable

import msgspec
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import detectors.sequential
from detectors.error_pane import ErrorPane
from detectors.errors import InvalidSetting, MalformedState, UnknownDetector
from detectors.sequential_registry import register, sequential_detector, sequential_detectors
from detectors.sequential_state import Detection, SequentialState

NAMES = list(sequential_detectors())
OF_LOSSES = [name for name, detector in sequential_detectors().items() if not detector.errors_only]
MINUTE = 60_000


def pane(number: int, n: int, errors: int) -> ErrorPane:
    return ErrorPane(start_ms=number * MINUTE, end_ms=(number + 1) * MINUTE, n=n, total=errors)


def run(state: SequentialState, panes: Iterable[ErrorPane]) -> tuple[SequentialState, list[Detection]]:
    found = []
    for one in panes:
        state, detections = state.update(one)
        found += detections
    return state, found


def a_change(n: int = 40, low: float = 0.05, high: float = 0.6) -> list[ErrorPane]:
    """`n` panes of 150 at each of two error rates."""
    rng = np.random.default_rng(3)
    return [pane(at, 150, int(rng.binomial(150, low if at < n else high))) for at in range(2 * n)]


def as_losses(panes: Iterable[ErrorPane]) -> list[ErrorPane]:
    return [msgspec.structs.replace(one, total=2.5 * one.total, squares=6.25 * one.total) for one in panes]


rates = st.lists(st.tuples(st.integers(0, 300), st.floats(0.0, 1.0)), min_size=1, max_size=25)


def panes_of(drawn: list[tuple[int, float]]) -> list[ErrorPane]:
    return [pane(at, n, round(n * rate)) for at, (n, rate) in enumerate(drawn)]


def test_each_file_is_one_detector_of_the_same_name():
    files = {module.name for module in pkgutil.iter_modules(detectors.sequential.__path__)}
    assert files == set(NAMES)
    assert files == {"adwin", "page_hinkley", "hddm_a", "hddm_w", "kswin", "ddm", "eddm"}


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_names_its_source_and_has_an_example(name):
    text = sequential_detectors()[name].__doc__
    assert all(word in text for word in ("Prefer", "Parameters\n", "Edge cases:", "Source:", "same numbers", ">>>"))
    assert all(f"    {field}:" in text for field in sequential_detectors()[name].__struct_fields__)


def test_a_detector_that_is_not_there_names_the_nearest():
    with pytest.raises(UnknownDetector, match="did you mean 'page_hinkley'"):
        sequential_detector("page_hinckley")


def test_two_detectors_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two sequential detectors are named 'adwin'"):
        register(type(sequential_detector("adwin")))


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("adwin", {"delta": 0.0}),
        ("adwin", {"clock": 0}),
        ("adwin", {"threshold": 1.0}),
        ("adwin", {"unit": 0.0}),
        ("page_hinkley", {"mode": "sideways"}),
        ("page_hinkley", {"threshold": "high"}),
        ("kswin", {"window_size": 59}),
        ("hddm_w", {"lambda_val": 1.0}),
        ("ddm", {"warm_start": 2.5}),
        ("eddm", {"beta": 1.0}),
    ],
)
def test_parameters_out_of_range_or_unknown_are_refused(name, parameters):
    with pytest.raises(InvalidSetting, match=name):
        sequential_detector(name, parameters)


@pytest.mark.parametrize("name", NAMES)
def test_a_large_rise_of_the_error_rate_is_found_and_described(name):
    # KSWIN compares 30 losses with 30: panes of errors spread evenly show it only what is larger than them.
    panes = a_change(low=0.05, high=0.95 if name == "kswin" else 0.6)
    _, found = run(SequentialState(sequential_detector(name)), panes)
    first = next(one for one in found if one.start_ms >= 40 * MINUTE)
    assert first.detector == name
    assert first.end_ms - first.start_ms == MINUTE
    assert 1 <= first.position <= 150
    assert first.n_before > 0
    assert first.n_after > 0
    assert 0.0 <= first.loss_before < 0.1
    assert first.loss_before < first.loss_after <= 1.0


@pytest.mark.parametrize("name", ["adwin", "page_hinkley"])
def test_the_default_detectors_place_a_large_rise_where_it_is(name):
    _, found = run(SequentialState(sequential_detector(name)), a_change())
    assert len(found) == 1
    assert found[0].n_before == pytest.approx(6_000, abs=200)
    assert found[0].n_before + found[0].n_after == (found[0].start_ms // MINUTE) * 150 + found[0].position
    assert found[0].loss_after >= 0.2


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("errors", [0, 100])
def test_what_never_varies_is_no_change(name, errors):
    state, found = run(SequentialState(sequential_detector(name)), (pane(at, 100, errors) for at in range(200)))
    assert found == []
    assert np.all(np.isfinite(state.values[:5]) | np.isinf(state.values[:5]))


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_pane_changes_nothing(name):
    state, _ = run(SequentialState(sequential_detector(name)), a_change(5))
    after, found = state.update(pane(99, 0, 0))
    assert found == []
    assert after.to_bytes() == state.to_bytes()


@pytest.mark.parametrize("name", NAMES)
def test_a_state_is_never_changed_by_the_pane_after_it(name):
    state, _ = run(SequentialState(sequential_detector(name)), a_change(5))
    before = state.to_bytes()
    run(state, a_change(5))
    assert state.to_bytes() == before


@pytest.mark.parametrize("name", NAMES)
@given(drawn=rates, cut=st.integers(0, 25), design_effect=st.sampled_from([1.0, 1.7, 33.15]))
@settings(max_examples=40, deadline=None)
def test_a_state_saved_and_read_anywhere_goes_on_as_if_it_had_not_been(name, drawn, cut, design_effect):
    panes = panes_of(drawn)
    start = SequentialState(sequential_detector(name), design_effect=design_effect)
    whole, found = run(start, panes)
    half, first = run(start, panes[:cut])
    back = SequentialState.from_bytes(half.to_bytes())
    end, second = run(back, panes[cut:])
    assert (back.detector, back.design_effect) == (start.detector, design_effect)
    assert first + second == found
    assert end.to_bytes() == whole.to_bytes()


@pytest.mark.parametrize("name", NAMES)
@given(data=st.data(), drawn=rates)
@settings(max_examples=30, deadline=None)
def test_how_the_events_of_a_pane_are_dealt_to_messages_changes_nothing(name, data, drawn):
    """Each event goes to one of four messages, whose sums are merged in any order."""
    dealt = []
    for whole in panes_of(drawn):
        events = np.arange(whole.n) < whole.total
        seed = data.draw(st.integers(0, 2**32 - 1))
        rng = np.random.default_rng(seed)
        message = rng.integers(0, 4, size=whole.n)
        parts = [
            msgspec.structs.replace(whole, n=int((message == at).sum()), total=int(events[message == at].sum()))
            for at in rng.permutation(4)
        ]
        merged = parts[0]
        for part in parts[1:]:
            merged = merged.merged(part)
        dealt.append(merged)
    start = SequentialState(sequential_detector(name))
    once, found = run(start, panes_of(drawn))
    other, found_dealt = run(start, dealt)
    assert found_dealt == found
    assert other.to_bytes() == once.to_bytes()


class Recorder(msgspec.Struct, frozen=True):
    """A detector that keeps what it is given, and never alarms."""

    name = "recorder"
    errors_only = False
    seen: list[float]

    def initial(self):
        return np.empty(0)

    def advance(self, state, losses, evidence):
        self.seen.extend(losses.tolist())
        return -1


@given(drawn=rates, design_effect=st.floats(1.0, 50.0))
@settings(deadline=None)
def test_with_a_design_effect_a_detector_is_given_so_many_times_fewer_losses_with_the_same_mean(drawn, design_effect):
    recorder = Recorder(seen=[])
    panes = panes_of(drawn)
    run(SequentialState(recorder, design_effect=design_effect), panes)
    n, errors = sum(one.n for one in panes), sum(one.total for one in panes)
    assert len(recorder.seen) == int(n / design_effect)
    # A pane of a few losses may be given as none: its errors come with the next.
    late = math.ceil(panes[-1].n / design_effect) + 1
    assert sum(recorder.seen) <= errors / design_effect + 0.5
    if all(one.n >= 2 * design_effect for one in panes):
        assert sum(recorder.seen) >= errors / design_effect - late


def test_panes_that_depend_on_the_day_are_no_change_with_their_design_effect_and_are_without():
    rng = np.random.default_rng(8)
    rates = np.clip(rng.normal(0.3, 0.08, size=300), 0.0, 1.0)
    panes = [pane(at, 900, int(rng.binomial(900, rate))) for at, rate in enumerate(rates)]
    errors = np.array([one.total for one in panes])
    share = errors.sum() / 270_000
    design_effect = float(((errors - 900 * share) ** 2).sum() / (270_000 * share * (1 - share)))
    assert design_effect == pytest.approx(28.0, rel=0.3)
    for name in ("adwin", "page_hinkley"):
        detector = sequential_detector(name)
        assert len(run(SequentialState(detector), panes)[1]) >= 10
        assert run(SequentialState(detector, design_effect=design_effect), panes)[1] == []


def test_with_a_design_effect_a_change_is_told_in_labelled_predictions():
    _, found = run(SequentialState(sequential_detector("page_hinkley"), design_effect=10.0), a_change(n=200))
    assert len(found) == 1
    assert found[0].n_before == pytest.approx(30_000, abs=1_000)
    read = (found[0].start_ms // MINUTE) * 150 + found[0].position
    assert found[0].n_before + found[0].n_after == pytest.approx(read, abs=20)


@pytest.mark.parametrize("design_effect", [0.99, 0.0, -1.0, math.inf, math.nan])
def test_a_design_effect_below_one_is_refused(design_effect):
    with pytest.raises(InvalidSetting, match="design effect"):
        SequentialState(sequential_detector("adwin"), design_effect=design_effect)


@pytest.mark.parametrize("name", NAMES)
def test_a_detector_neither_reads_nor_moves_the_global_generators(name):
    np.random.seed(1)  # noqa: NPY002  # the generator that must stay as it is
    before = np.random.get_state()[1].tolist()  # noqa: NPY002
    _, one = run(SequentialState(sequential_detector(name)), a_change())
    assert np.random.get_state()[1].tolist() == before  # noqa: NPY002
    np.random.seed(2)  # noqa: NPY002
    _, two = run(SequentialState(sequential_detector(name)), a_change())
    assert one == two


def test_another_seed_draws_other_losses_for_kswin():
    draws = {tuple(sequential_detector("kswin", {"seed": seed}).draw(500)) for seed in range(20)}
    assert len(draws) == 20
    assert all(len(set(drawn)) == 30 and max(drawn) < 70 for drawn in draws)


@pytest.mark.parametrize("name", sorted(set(NAMES) - set(OF_LOSSES)))
def test_a_detector_of_errors_refuses_other_losses(name):
    with pytest.raises(InvalidSetting, match="reads errors"):
        run(SequentialState(sequential_detector(name)), as_losses(a_change(1)))


@pytest.mark.parametrize("name", OF_LOSSES)
def test_losses_in_other_units_give_the_same_detections(name):
    plain = as_losses(a_change(low=0.05, high=0.95))
    larger = [msgspec.structs.replace(one, total=8 * one.total, squares=64 * one.squares) for one in plain]
    units = ({"unit": 4.0}, {"unit": 32.0}) if name != "kswin" else ({}, {})
    one, two = (
        run(SequentialState(sequential_detector(name, unit)), panes)[1]
        for unit, panes in zip(units, (plain, larger), strict=True)
    )
    assert one
    assert [(a.start_ms, a.position, a.n_before, 8 * a.loss_before, 8 * a.loss_after) for a in one] == [
        (a.start_ms, a.position, a.n_before, a.loss_before, a.loss_after) for a in two
    ]


@given(n=st.integers(1, 3_000), share=st.floats(0.0, 1.0), cut=st.floats(0.0, 1.0))
@example(n=1, share=1.0, cut=0.0)
def test_errors_are_spread_evenly_and_none_is_lost(n, share, cut):
    one = pane(0, n, round(n * share))
    series = one.series(0, n)
    ranks = np.arange(1, n + 1)
    assert set(series) <= {0.0, 1.0}
    assert series.sum() == one.total
    assert np.abs(series.cumsum() - ranks * one.total / n).max() <= 0.5
    middle = int(cut * n)
    assert np.array_equal(series, np.concatenate([one.series(0, middle), one.series(middle, n)]))


@given(st.lists(st.floats(-1e3, 1e3), min_size=2, max_size=500))
def test_other_losses_keep_their_mean_and_their_mean_square(losses):
    values = np.array(losses)
    one = ErrorPane(start_ms=0, end_ms=1, n=values.size, total=values.sum(), squares=(values**2).sum())
    series = one.series(0, values.size)
    size = math.sqrt(one.squares * values.size)
    assert series.sum() == pytest.approx(one.total, abs=1e-9 * size + 1e-12)
    assert (series**2).sum() == pytest.approx(one.squares, abs=1e-9 * one.squares + 1e-12)


@pytest.mark.parametrize(
    "numbers",
    [
        {"n": -1, "total": 0},
        {"n": 10, "total": 11},
        {"n": 10, "total": 2.5},
        {"n": 10, "total": -1},
        {"n": 10, "total": math.nan},
        {"n": 10, "total": 1.0, "squares": -1.0},
        {"n": 10, "total": 1.0, "squares": math.inf},
        {"n": 10, "total": 1, "end_ms": 0},
    ],
)
def test_numbers_that_no_pane_has_are_refused(numbers):
    with pytest.raises(InvalidSetting):
        ErrorPane(**{"start_ms": 0, "end_ms": 1, **numbers})


def test_parts_of_different_panes_are_not_merged():
    with pytest.raises(InvalidSetting, match="no parts of one pane"):
        pane(0, 10, 1).merged(pane(1, 10, 1))


@given(st.binary(max_size=200))
@example(b"\x81\xa8detector\xa1\x80")  # text that is none
@example(b"\x81\xaaparameters\x81\xa1a" + b"\x91" * 2_000)
def test_bytes_that_are_no_state_are_refused(data):
    with pytest.raises(MalformedState):
        SequentialState.from_bytes(data)


@pytest.mark.parametrize("name", NAMES)
def test_a_truncated_or_foreign_state_is_refused(name):
    state, _ = run(SequentialState(sequential_detector(name)), a_change(5))
    data = state.to_bytes()
    stored = msgspec.msgpack.decode(data)
    changed = (
        {"format": 2},
        {"design_effect": 0.5},
        {"detector": "none"},
        {"parameters": {"no_parameter": 1}},
        {"values": stored["values"][:-1]},
        {"values": stored["values"] + bytes(8 * 10_000)},
        {"values": np.array([math.nan]).tobytes()},
    )
    for bad in (data[:-1], *(msgspec.msgpack.encode({**stored, **one}) for one in changed)):
        with pytest.raises(MalformedState):
            SequentialState.from_bytes(bad)


@pytest.mark.parametrize("name", NAMES)
def test_a_state_is_at_most_two_kilobytes_after_a_hundred_thousand_losses(name):
    rng = np.random.default_rng(5)
    panes = (pane(at, 1_000, int(rng.binomial(1_000, 0.1))) for at in range(100))
    state, _ = run(SequentialState(sequential_detector(name)), panes)
    assert len(state.to_bytes()) <= 2_048
