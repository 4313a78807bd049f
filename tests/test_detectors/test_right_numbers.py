"""Scores against independent computations from raw values.

Oracles: SciPy 1.17 (`jensenshannon`, `ks_2samp`, `wasserstein_distance`, `chi2_contingency`, `kstwo`, `chi2`,
`ttest_ind`, `anderson_ksamp`, `cramervonmises_2samp`), NumPy 2.4. Seed 20130101.
"""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp
from scipy import stats
from scipy.spatial import distance

from detectors.dependence import DesignEffect
from detectors.examples import reference_of, sketch_values
from detectors.grid import SLACK
from detectors.registry import get
from detectors.score import comparison_of

N_REFERENCE = 20_000
SIZES = (1, 2, 7, 50, 199, 1_000, 10_000, 100_000)
PAIRS = {
    "normal": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(0.2, 1.0, size=n)),
    "lognormal": (lambda g, n: g.lognormal(size=n), lambda g, n: g.lognormal(0.1, 1.2, size=n)),
    "Cauchy": (lambda g, n: g.standard_cauchy(n), lambda g, n: g.standard_cauchy(n) + 0.3),
    "bimodal": (
        lambda g, n: g.normal(size=n) + 6.0 * (g.random(n) < 0.5),
        lambda g, n: g.normal(size=n) + 6.0 * (g.random(n) < 0.7),
    ),
    "constant": (lambda g, n: np.full(n, 4.2), lambda g, n: np.full(n, 4.2)),
    "two values": (lambda g, n: (g.random(n) < 0.3) * 1.0, lambda g, n: (g.random(n) < 0.4) * 1.0),
    "zero-inflated": (
        lambda g, n: g.lognormal(size=n) * (g.random(n) < 0.1),
        lambda g, n: g.lognormal(size=n) * (g.random(n) < 0.2),
    ),
    "integers with ties": (lambda g, n: g.poisson(3.0, n) * 1.0, lambda g, n: g.poisson(3.4, n) * 1.0),
    "heavy atoms at a decile": (
        lambda g, n: np.where(g.random(n) < 0.25, np.where(g.random(n) < 0.5, -0.5244, 1.2816), g.normal(size=n)),
        lambda g, n: np.where(g.random(n) < 0.15, 1.2816, g.normal(size=n)),
    ),
    "shrinking": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(0.0, 0.4, size=n)),
    "disjoint": (lambda g, n: g.normal(size=n), lambda g, n: g.normal(100.0, 1.0, size=n)),
    "all null": (lambda g, n: g.normal(size=n), lambda g, n: np.full(n, np.nan)),
}
CONTINUOUS = ("normal", "lognormal", "Cauchy", "bimodal", "shrinking", "disjoint")
CASES = [(name, size) for name in PAIRS for size in SIZES]


@pytest.fixture(scope="module")
def references():
    made = {}
    for name, (draw, _) in PAIRS.items():
        values = draw(np.random.default_rng([20130101, len(name)]), N_REFERENCE)
        made[name] = (values, reference_of(values))
    return made


def live_values(name, size):
    return PAIRS[name][1](np.random.default_rng([20130101, size, len(name)]), size)


def scores(method, reference, live, bins=10):
    found = get(method)
    sketch = sketch_values(reference.layout, live)
    return found.score(comparison_of(reference, {"": sketch}, found.grid, bins=bins), DesignEffect.none(1))


def raw_counts(reference, live, bins=10):
    """Counts in the reference's quantile cells from the raw values, with every heavy value in a cell of its own."""
    ordered = np.sort(reference)
    edges = {ordered[math.ceil(Fraction(len(ordered) * i, bins)) - 1] for i in range(1, bins)}
    for value, count in zip(*np.unique(reference, return_counts=True), strict=True):
        if count * bins >= len(reference):  # what rounding may make of it
            edges = (edges - {value}) | {value + SLACK * abs(value), value - SLACK * abs(value)}
    edges = np.array(sorted(edges))
    live = live[~np.isnan(live)]
    return tuple(
        np.bincount(np.digitize(side, edges, right=True), minlength=edges.size + 1) for side in (reference, live)
    )


def raw_psi(r, l):  # noqa: E741
    result = 0.0
    for a, b in zip(r / r.sum(), l / l.sum(), strict=True):
        if a or b:
            a, b = a or 1e-4, b or 1e-4
            result += (b - a) * math.log(b / a)
    return result


RAW = {
    "psi": raw_psi,
    "js": lambda a, b: distance.jensenshannon(a, b, base=2),
    "hellinger": lambda a, b: math.sqrt(np.sum((np.sqrt(a / a.sum()) - np.sqrt(b / b.sum())) ** 2) / 2),
    "tvd": lambda a, b: np.abs(a / a.sum() - b / b.sum()).sum() / 2,
    "linf": lambda a, b: np.abs(a / a.sum() - b / b.sum()).max(),
}


def raw_chi2_table(r, l):  # noqa: E741
    cells = [(a, b) for a, b in zip(r.tolist(), l.tolist(), strict=True) if a or b]
    n, m = r.sum(), l.sum()
    expected = [(a + b) * min(n, m) / (n + m) for a, b in cells]
    kept = [(e, cell) for e, cell in zip(expected, cells, strict=True) if e >= 5]
    small = [(e, cell) for e, cell in zip(expected, cells, strict=True) if e < 5]
    if small:
        pooled = (sum(cell[0] for _, cell in small), sum(cell[1] for _, cell in small))
        if sum(e for e, _ in small) >= 5 or not kept:
            kept.append((0.0, pooled))
        else:
            at = min(range(len(kept)), key=lambda i: kept[i][0])
            kept[at] = (0.0, (kept[at][1][0] + pooled[0], kept[at][1][1] + pooled[1]))
    return np.array([cell for _, cell in kept]).T


@pytest.mark.parametrize(("name", "size"), CASES)
@pytest.mark.parametrize("bins", [10, 32])
def test_psi_and_js_are_those_of_the_raw_values(references, name, size, bins):
    values, reference = references[name]
    live = live_values(name, size)
    psi, js = scores("psi", reference, live, bins), scores("js", reference, live, bins)
    if name == "all null":
        assert np.isnan([psi.statistic[0], js.statistic[0], psi.p_value[0], js.p_value[0]]).all()
        return
    r, l = raw_counts(values, live, bins)  # noqa: E741
    assert psi.statistic[0] == pytest.approx(raw_psi(r, l), abs=1e-9)
    assert js.statistic[0] == pytest.approx(distance.jensenshannon(r, l, base=2), abs=1e-9)
    free = np.sum((r > 0) | (l > 0)) - 1
    scale = 1.0 / size + 1.0 / N_REFERENCE
    if free and min(r.min(), l.min()) < 100:
        return  # too sparse for the chi-square distribution; the levels are tested by simulation
    exact = [raw_psi(r, l) / scale, 8 * math.log(2) * distance.jensenshannon(r, l, base=2) ** 2 / scale]
    expected = stats.chi2.sf(exact, free) if free else [1.0, 1.0]
    assert [psi.p_value[0], js.p_value[0]] == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("bins", [10, 64])
@pytest.mark.parametrize("size", [50, 500, 5_000])
@pytest.mark.parametrize("method", ["psi", "js", "hellinger", "tvd", "linf"])
def test_p_values_are_those_of_windows_drawn_from_the_reference(references, method, size, bins):
    """Both sides drawn from the reference: the share of 4,000 such pairs beyond the statistic is its p-value."""
    values, reference = references["normal"]
    live = values[:: N_REFERENCE // size] + np.random.default_rng(3).normal(
        0.05, 0.3, size=values[:: N_REFERENCE // size].size
    )
    ours = scores(method, reference, live, bins)
    r, l = raw_counts(values, live, bins)  # noqa: E741
    rng = np.random.default_rng(20130101)
    pairs = zip(*(rng.multinomial(side.sum(), r / r.sum(), size=4_000) for side in (r, l)), strict=True)
    drawn = np.array([RAW[method](*pair) for pair in pairs])
    assert ours.p_value[0] == pytest.approx(np.mean(drawn >= ours.statistic[0] - 1e-12), abs=0.04 if size > 50 else 0.1)


@pytest.mark.parametrize(("name", "size"), [case for case in CASES if case[0] != "all null"])
def test_ks_is_within_its_error_bound_of_the_raw_values(references, name, size):
    values, reference = references[name]
    live = live_values(name, size)
    ours = scores("ks", reference, live)
    exact = stats.ks_2samp(live, values, method="asymp").statistic
    assert -1e-12 <= exact - ours.statistic[0] <= ours.error_bound[0] + 1e-12
    if name in CONTINUOUS:
        assert ours.error_bound[0] <= 1 / 128
    effective = round(size * N_REFERENCE / (size + N_REFERENCE))
    assert ours.p_value[0] == pytest.approx(stats.kstwo.sf(ours.statistic[0], effective), abs=1e-6)


@pytest.mark.parametrize(("name", "size"), [case for case in CASES if case[0] != "all null"])
def test_chi2_is_scipys_on_the_merged_table(references, name, size):
    values, reference = references[name]
    live = live_values(name, size)
    ours = scores("chi2", reference, live)
    table = raw_chi2_table(*raw_counts(values, live))
    expected = stats.chi2_contingency(table, correction=False) if table.shape[1] > 1 else (0.0, 1.0)
    assert ours.statistic[0] == pytest.approx(expected[0], rel=1e-9, abs=1e-9)
    sparse = table.shape[1] > 1 and stats.contingency.expected_freq(table).min() < 30
    assert ours.p_value[0] == pytest.approx(expected[1], abs=0.05 if sparse else 1e-6)


@pytest.mark.parametrize(("name", "size"), [case for case in CASES if case[0] != "all null"])
def test_wasserstein_is_within_its_error_bound_of_the_raw_values(references, name, size):
    values, reference = references[name]
    live = live_values(name, size)
    ours = scores("wasserstein", reference, live)
    unit = np.std(values) if np.ptp(values) else abs(values[0])
    exact = stats.wasserstein_distance(live, values) / unit
    assert abs(exact - ours.statistic[0]) <= ours.error_bound[0] + 1e-9
    if name == "normal" and size >= 1_000:
        assert abs(exact - ours.statistic[0]) <= 0.01


@pytest.mark.parametrize("name", [name for name in PAIRS if name != "all null"])
def test_hellinger_tvd_and_linf_are_those_of_the_raw_values(references, name):
    values, reference = references[name]
    live = live_values(name, 1_000)
    r, l = (side / side.sum() for side in raw_counts(values, live))  # noqa: E741
    expected = {
        "hellinger": math.sqrt(sum((math.sqrt(a) - math.sqrt(b)) ** 2 for a, b in zip(r, l, strict=True)) / 2),
        "tvd": sum(abs(a - b) for a, b in zip(r, l, strict=True)) / 2,
        "linf": max(abs(a - b) for a, b in zip(r, l, strict=True)),
    }
    for method, value in expected.items():
        assert scores(method, reference, live).statistic[0] == pytest.approx(value, abs=1e-9)


SHIFTS = {
    "five standard deviations up": (lambda g, n: g.normal(size=n), lambda x: x + 5.0),
    "five down": (lambda g, n: g.normal(size=n), lambda x: x - 5.0),
    "a hundred up": (lambda g, n: g.normal(size=n), lambda x: x + 100.0),
    "another constant": (lambda g, n: np.full(n, 4.2), lambda x: x + 1.0),
    "metres to millimetres": (lambda g, n: g.lognormal(size=n), lambda x: x * 1000.0),
    "inches to centimetres": (lambda g, n: g.lognormal(size=n), lambda x: x * 2.54),
    "a unit on both sides of zero": (lambda g, n: g.normal(size=n), lambda x: x * 1000.0),
    "a sentinel": (lambda g, n: g.normal(size=n), lambda x: np.where(np.arange(x.size) % 50 == 0, -999.0, x)),
}


@pytest.mark.parametrize("name", SHIFTS)
def test_wasserstein_is_within_one_percent_of_the_raw_value_of_a_great_change(name):
    draw, change = SHIFTS[name]
    values, live = draw(np.random.default_rng(1), N_REFERENCE), change(draw(np.random.default_rng(2), 5_000))
    unit = np.std(values) if np.ptp(values) else abs(values[0])
    exact = stats.wasserstein_distance(live, values) / unit
    assert scores("wasserstein", reference_of(values), live).statistic[0] == pytest.approx(exact, rel=0.01)


FINITE = st.floats(-1e6, 1e6, allow_subnormal=False).map(lambda x: round(x, 3))
SAMPLE = stnp.arrays(np.float64, st.integers(1, 60), elements=FINITE)


@given(SAMPLE, SAMPLE)
def test_wasserstein_is_within_its_error_bound_of_any_raw_values(values, live):
    unit = np.std(values) if np.ptp(values) else abs(values[0]) or 1.0
    ours = scores("wasserstein", reference_of(values), live)
    exact = stats.wasserstein_distance(live, values) / unit
    assert abs(exact - ours.statistic[0]) <= ours.error_bound[0] + 1e-9 * (1.0 + exact)
    assert ours.statistic[0] >= abs(live.mean() - values.mean()) / unit * (1.0 - 1e-9) - 1e-9


@pytest.mark.parametrize(("name", "size"), [case for case in CASES if case[0] != "all null" and case[1] > 1])
def test_the_mean_is_welchs_test_and_cohens_d(references, name, size):
    values, reference = references[name]
    live = live_values(name, size)
    ours = scores("mean", reference, live)
    if not np.ptp(values) and not np.ptp(live):
        assert (ours.statistic[0], ours.p_value[0]) == (0.0, 1.0)
        return
    exact = stats.ttest_ind(live, values, equal_var=False)
    pooled = ((size - 1) * live.var(ddof=1) + (N_REFERENCE - 1) * values.var(ddof=1)) / (size + N_REFERENCE - 2)
    assert ours.statistic[0] == pytest.approx((live.mean() - values.mean()) / math.sqrt(pooled), rel=1e-9)
    if live.var() > 0.0:
        assert ours.p_value[0] == pytest.approx(exact.pvalue, rel=1e-6, abs=1e-300)


@pytest.mark.parametrize("name", [name for name in CONTINUOUS if name != "disjoint"])
@pytest.mark.parametrize("size", [50, 1_000, 10_000])
def test_the_variance_is_the_logarithm_of_the_ratio_of_the_raw_ones(references, name, size):
    values, reference = references[name]
    live = live_values(name, size)
    ours = scores("variance", reference, live)
    assert ours.statistic[0] == pytest.approx(math.log(live.var(ddof=1) / values.var(ddof=1)), rel=1e-6, abs=1e-9)


@pytest.mark.parametrize("size", [200, 1_000, 10_000])
@pytest.mark.parametrize("name", ["normal", "lognormal", "bimodal", "shrinking"])
def test_cramer_von_mises_and_anderson_darling_are_scipys_but_for_the_grid(references, name, size):
    values, reference = references[name]
    live = live_values(name, size)
    ours, exact = (
        scores("cramer_von_mises", reference, live),
        stats.cramervonmises_2samp(live, values, method="asymptotic"),
    )
    total = size + N_REFERENCE
    # SciPy's statistic has a small correction of Anderson's; T itself is what the sum over all values makes.
    ordered = np.sort(np.concatenate([live, values]))
    gap = (
        np.searchsorted(np.sort(live), ordered, "right") / size
        - np.searchsorted(np.sort(values), ordered, "right") / N_REFERENCE
    )
    assert ours.statistic[0] == pytest.approx(np.mean(gap**2) * size * N_REFERENCE / total, rel=0.02, abs=0.005)
    assert ours.p_value[0] == pytest.approx(exact.pvalue, abs=0.02)
    below = np.arange(1, total) / total
    anderson = np.mean(gap[:-1] ** 2 / (below * (1.0 - below))) * size * N_REFERENCE / total
    assert scores("anderson_darling", reference, live).statistic[0] == pytest.approx(anderson, rel=0.04, abs=0.03)


def test_anderson_darling_p_values_are_scipys(references):
    values, reference = references["normal"]
    for shift in (0.0, 0.05, 0.1):
        live = np.random.default_rng(8).normal(shift, 1.0, 1_000)
        ours = scores("anderson_darling", reference, live).p_value[0]
        exact = stats.anderson_ksamp([live, values], variant="right").pvalue
        assert np.clip(ours, 0.001, 0.25) == pytest.approx(exact, abs=0.02)


@pytest.mark.parametrize("fallen", [4.1, 4.3, 4.2 * (1 - 1e-5), 4.2 * (1 + 1e-5)])
def test_a_constant_that_leaves_its_value_is_total_drift(references, fallen):
    reference = references["constant"][1]
    live = np.full(1_000, fallen)
    assert scores("js", reference, live).statistic[0] == 1.0
    assert scores("ks", reference, live).statistic[0] == 1.0
    assert scores("psi", reference, live).statistic[0] > 10.0
    assert scores("out_of_range", reference, live).statistic[0] == 1.0
    assert scores("wasserstein", reference, live).p_value[0] < 1e-6


@pytest.mark.parametrize("faults", [0, 1, 30, 200])
@pytest.mark.parametrize(("method", "fault"), [("missing", np.nan), ("invalid", np.inf), ("out_of_range", 99.0)])
def test_rates_are_tested_as_scipy_tests_them(references, method, fault, faults):
    values, _ = references["normal"]
    pinned = values.copy()
    if method != "out_of_range":
        pinned[:400] = fault
    live = live_values("shrinking", 1_000)
    live[:faults] = fault
    ours = scores(method, reference_of(pinned), live)
    before = 0 if method == "out_of_range" else 400
    assert ours.statistic[0] == pytest.approx(abs(faults / 1_000 - before / N_REFERENCE), abs=1e-12)
    if method == "out_of_range":
        # Negative hypergeometric: the reference's values, in any order, leave `faults` or more live ones outside.
        expected = stats.betabinom.sf(faults - 1, 1_000, 2, N_REFERENCE - 1)
        assert ours.p_value[0] == pytest.approx(expected, abs=1e-9)
        return
    table = np.array([[faults, 1_000 - faults], [before, N_REFERENCE - before]])
    expected = stats.chi2_contingency(table, correction=False).pvalue if faults + before else 1.0
    assert ours.p_value[0] == pytest.approx(expected, abs=1e-9)


def test_rates_are_of_all_rows_that_had_the_column(references):
    live = np.concatenate([np.full(100, -np.inf), np.full(50, np.nan), np.full(50, np.inf), np.zeros(100)])
    reference = references["normal"][1]
    assert scores("missing", reference, live).statistic[0] == 0.25
    assert scores("invalid", reference, live).statistic[0] == 0.25


def test_one_row_against_one_row_has_a_ks_p_value():
    ours = scores("ks", reference_of(np.array([1.0])), np.array([2.0]))
    assert (ours.statistic[0], ours.p_value[0]) == (1.0, stats.kstwo.sf(1.0, 1))


@pytest.mark.parametrize("name", ["two values", "constant"])
def test_ks_loses_nothing_where_every_cell_holds_one_value(references, name):
    ours = scores("ks", references[name][1], live_values(name, 1_000))
    assert ours.error_bound[0] == 0.0


def test_the_error_bound_of_wasserstein_is_the_mass_times_its_reach():
    """Half of the rows at 1 and half at 3, below a constant 5: all count at their mean, 2, within [1, 5)."""
    ours = scores("wasserstein", reference_of(np.full(300, 5.0)), np.repeat([1.0, 3.0], 150))
    assert ours.statistic[0] == pytest.approx(3.0 / 5.0, rel=1e-12)
    assert ours.error_bound[0] == pytest.approx(3.0 / 5.0, rel=1e-4)


def test_where_the_standard_deviation_overflows_wasserstein_is_relative_to_the_magnitude():
    values = np.random.default_rng(1).normal(size=2_000) * 1e200
    ours = scores("wasserstein", reference_of(values), values + 1e200)
    exact = 1e200 / np.abs(values).max()
    assert abs(ours.statistic[0] - exact) <= ours.error_bound[0]
    assert ours.error_bound[0] < 0.1 * exact
