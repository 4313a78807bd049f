"""The simulations behind docs/verdicts.md: their parts against oracles, and short seeded versions of the main cells."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.reference import WHOLE
from detectors.significance import benjamini_hochberg
from monitor.evaluation.pane_cache import SumCache
from monitor.eventtime.windows import Window
from monitor.verdicts import added, awake, first_release, peers, product, quiet, targets
from monitor.verdicts.changes import KINDS, SIZES
from monitor.verdicts.flights import Month
from monitor.verdicts.report import Results, page
from monitor.verdicts.worlds import AR, COLUMNS, HOUR_MS, IID, N_NUMERIC, SEASONS, START_MS, draw

SEED = (2027, 9)


def allowed(share: float, n: int) -> int:
    """The most of `n` windows that a rate of `share` brings but once in a thousand times."""
    return int(stats.binom.ppf(0.999, n, share))


def test_rows_depend_on_the_seed_alone():
    one, same, other = (draw(AR, np.random.default_rng(seed), 500) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one.numeric, same.numeric)
    np.testing.assert_array_equal(one.categories, same.categories)
    assert not np.array_equal(one.numeric, other.numeric, equal_nan=True)


def test_rows_of_the_dependent_world_are_correlated_as_it_says_and_those_of_the_other_are_not():
    lagged = {}
    for world in (IID, AR):
        x = draw(world, np.random.default_rng(3), 50_000).numeric[0]
        lagged[world.name] = np.corrcoef(x[1:], x[:-1])[0, 1]
        assert abs(x.std() - 1.0) < 0.05
    assert abs(lagged["AR(1) 0.9"] - 0.9) < 0.02
    assert abs(lagged["iid"]) < 0.02


def test_the_weekend_and_the_hour_move_the_seasonal_world():
    thursday, saturday = START_MS, START_MS + 48 * HOUR_MS
    assert SEASONS.season(np.array([thursday]))[0] == pytest.approx(0.0)
    assert SEASONS.season(np.array([thursday + 6 * HOUR_MS]))[0] == pytest.approx(0.35)
    assert SEASONS.season(np.array([saturday, saturday + 48 * HOUR_MS])) == pytest.approx([0.5, 0.0])


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_change_of_one_column_leaves_the_others_as_they_are(kind):
    if not kind.wanted:
        pytest.skip("float32 is the type of all columns")
    before = draw(IID, np.random.default_rng(4), 2_000)
    after = draw(IID, np.random.default_rng(4), 2_000)
    kind.change(after, kind.sizes[2_000][-1], np.random.default_rng(5))
    changed = [
        *(not np.array_equal(a, b, equal_nan=True) for a, b in zip(before.numeric, after.numeric, strict=True)),
        *(not np.array_equal(a, b) for a, b in zip(before.categories, after.categories, strict=True)),
    ]
    assert [COLUMNS[column] for column in np.flatnonzero(changed)] == [awake.column_of(kind)]


@given(st.lists(st.integers(0, 8), min_size=1, max_size=60), st.lists(st.integers(0, 8), min_size=1, max_size=60))
def test_the_kolmogorov_smirnov_statistic_is_that_of_scipy(before, live):
    own = peers.ks_statistic(np.sort(np.array(before, float)), np.sort(np.array(live, float)))
    assert own == pytest.approx(stats.ks_2samp(before, live).statistic, abs=1e-12)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=50))
def test_q_values_are_monotone_in_p(values):
    p = np.array(values)
    order = np.argsort(p, kind="stable")
    q = benjamini_hochberg(p)
    assert np.all(np.diff(q[order]) >= 0.0)
    assert np.all(q >= p)


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=30), st.data())
def test_no_q_value_rises_when_a_p_value_falls(values, data):
    p = np.array(values)
    lower = p.copy()
    at = data.draw(st.integers(0, p.size - 1))
    lower[at] *= data.draw(st.floats(0.0, 1.0))
    assert np.all(benjamini_hochberg(lower) <= benjamini_hochberg(p) + 1e-12)


@pytest.mark.parametrize(("world", "share"), [(IID, 0.07), (AR, 0.10)], ids=lambda value: getattr(value, "name", ""))
def test_unchanged_windows_seldom_have_a_verdict(world, share):
    found = quiet.quiet_round(world, (*SEED, 1), {2_000: 60})[2_000]
    assert found.n == 60
    assert found.false <= allowed(share, 60)


def test_unchanged_windows_of_a_seasonal_world_seldom_differ_from_their_own_seasons():
    found = quiet.quiet_round(SEASONS, (*SEED, 6), {500: 30}, "hour_of_week")[500]
    assert found.n == 30
    assert found.false <= allowed(0.05, 30)


def test_a_window_is_compared_with_the_reference_rows_of_its_own_hours_of_the_week():
    rows = draw(SEASONS, np.random.default_rng(8), 17_000)
    built = product.built_from(rows, [200 * SEASONS.step_ms], "hour_of_week")
    saturday = Window(start_ms=START_MS + 44 * HOUR_MS, end_ms=START_MS + 50 * HOUR_MS)
    window = draw(SEASONS, np.random.default_rng(9), 300, saturday.start_ms)
    whole = product.its_seasons(built, "hour_of_week", window, saturday, 6 * HOUR_MS, SumCache()).stack
    hours = (rows.times_ms - START_MS) // HOUR_MS % 168
    assert whole.names[0] == WHOLE
    assert whole.events[0, 0] == np.sum((hours >= 44) & (hours < 50))


def test_the_first_release_is_measured_on_while_it_may_be_ahead_by_more_than_is_allowed(monkeypatch, tmp_path):
    asked = []

    def run(task):
        asked.append((task["seed"][-1], task["only"]))
        return [[*cell, 30, {"mean": 20, "spread": 1, "outliers": 30}[cell[0]]] for cell in task["only"]]

    monkeypatch.setattr(first_release, "RECORD", tmp_path / "record.json")
    monkeypatch.setattr(first_release, "run", run)
    mean, spread, outliers = cells = ("mean", 0.1, 200), ("spread", 1.1, 200), ("outliers", 0.1, 200)
    now = {cell: awake.Power(n=90, found=found) for cell, found in zip(cells, (60, 50, 81), strict=True)}
    first_release.record(5, 3, {200: 30}, now)
    assert asked == [(0, [*cells]), (1, [mean]), (2, [mean])]
    assert first_release.recorded(5) == {
        mean: awake.Power(n=90, found=60),
        spread: awake.Power(n=30, found=1),
        outliers: awake.Power(n=30, found=30),
    }


@pytest.mark.long
@pytest.mark.parametrize("n_rows", quiet.SIZES)
@pytest.mark.parametrize(("world", "share"), [(IID, 0.07), (AR, 0.10)], ids=lambda value: getattr(value, "name", ""))
def test_unchanged_windows_have_a_verdict_no_more_often_than_is_promised(world, share, n_rows):
    rounds = [quiet.quiet_round(world, (*SEED, 2, number), {n_rows: 40}) for number in range(8)]
    tally = sum((one[n_rows] for one in rounds), quiet.Tally())
    assert tally.share <= share + 3.0 * tally.standard_error


@pytest.fixture(scope="module")
def found():
    """What is found in ten windows of each kind and size of change, by cell."""
    return product.awake_round((*SEED, 3), {500: 10, 2_000: 10})


@pytest.mark.parametrize(
    ("kind", "size", "n_rows"),
    [
        ("mean", 0.4, 500),
        ("mean", 0.25, 2_000),
        ("spread", 1.25, 2_000),
        ("outliers", 0.02, 500),
        ("category share moved", 0.1, 2_000),
        ("new category", 0.02, 500),
        ("nulls, numeric", 0.05, 500),
        ("nulls, numeric", 1.0, 500),
        ("nulls, categorical", 0.05, 500),
        ("nulls, categorical", 1.0, 500),
        ("mean, one segment of ten", 0.5, 2_000),
        ("sentinel -999", 0.02, 500),
        ("unit change", 1.8, 500),
        ("unit change", 1000.0, 500),
    ],
)
def test_changes_that_matter_are_found(found, kind, size, n_rows):
    assert found[kind, size, n_rows].share >= 0.8


@pytest.mark.parametrize("n_rows", [500, 2_000])
def test_the_same_numbers_in_float32_are_not_found(found, n_rows):
    assert found["float32 for float64", 1.0, n_rows].found == 0


def test_power_is_compared_in_the_windows_that_both_have():
    cell = ("mean", 0.1, 200)
    now = awake.Power() + awake.Power(n=30, found=10) + awake.Power(n=30, found=5) + awake.Power(n=30, found=0)
    (gap,) = targets.gaps({cell: now}, {cell: awake.Power(n=60, found=18)}, ["mean"])
    assert (gap.now.n, gap.now.found) == (60, 15)
    assert gap.share == pytest.approx(0.05)
    assert now.of_first(45) == now


def test_methods_and_segments_that_did_not_change_turn_few_quiet_windows_into_false_ones():
    for quiet_before, turned in added.added_round((*SEED, 4), {500: 40}).values():
        assert quiet_before >= 30
        assert turned <= allowed(0.07, quiet_before)


def test_psi_and_evidently_flag_a_unit_change_and_not_the_column_as_it_was():
    raw = peers.Raw.of(awake.reference_rows((*SEED, 5)))
    kinds = [kind for kind in KINDS if kind.name == "unit change"]
    (_, _, windows), *_ = awake.changed_windows((*SEED, 5), 2_000, 1, kinds)
    changed = peers.flagged(raw, windows[0])
    same = peers.flagged(raw, draw(IID, np.random.default_rng(6), 2_000))
    for rule in peers.RULES:
        assert changed[rule][0, kinds[0].column], rule
        assert not same[rule][0, kinds[0].column], rule


def test_the_page_gives_every_figure_and_is_the_same_for_the_same_results():
    tally = quiet.Tally(n=40, false=2, by_reference=[(20, 0), (20, 2)])
    tally.verdicts["js", "uniform", True] = 2
    cells = {
        (kind.name, size, n): awake.Power(n=10, found=9) for kind in KINDS for n in SIZES for size in kind.sizes[n]
    }
    results = Results(
        seed=1,
        rounds=2,
        quiet={IID.name: {200: tally}},
        quiet_rules={IID.name: {200: dict.fromkeys(peers.RULES, (10, 4, 0))}},
        awake=cells,
        first=dict.fromkeys(cells, awake.Power(n=10, found=10)),
        rules=dict.fromkeys(peers.RULES, cells),
        added={(step, 500): (30, 1) for step in added.STEPS},
        flights={"pinned": {2: Month(days=28, drifted=5, whole=5)}},
    )
    text = page(results)
    assert "| **Driftline**, iid | 7 | **5.0** ± 5.0 |" in text
    assert "| iid | 200 | 2 | 2 | js 2 | uniform 2 |" in text
    assert "<= 0.2 (90)" in text
    assert "-10.0" in text
    assert "| Feb | 28 | 5 | 5 |" in text
    assert text == page(results)
    assert N_NUMERIC == 20
