"""How often unchanged windows are rejected at the 5 % level: real draws, counted by the real kernel."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats

from detectors.columns import Kind
from detectors.comparison import Comparison
from detectors.examples import reference_of, sketch_values
from detectors.layout import Layout
from detectors.methods.out_of_range import exceedance_sf
from detectors.permutation import DRAWS, dealt
from detectors.reference import Reference, categorical_column
from detectors.registry import get
from detectors.score import comparison_of
from detectors.sketch import Sketch
from detectors.tables import Grid

METHODS = ("psi", "js", "hellinger", "tvd", "linf")


def windows_of(reference: Reference, live: list[Sketch]) -> tuple[Reference, dict[str, Sketch]]:
    """Every window as a segment, so that one call scores them all."""
    names = [f"w{i}" for i in range(len(live))]
    whole = reference.sketches[""]
    pinned = Reference(
        model="m",
        version="1",
        layout=reference.layout,
        dimensions={},
        sketches={"": whole, **dict.fromkeys(names, whole)},
        cell_means=reference.cell_means,
    )
    return pinned, dict(zip(names, live, strict=True))


def rejected(
    methods: tuple[str, ...],
    references: int,
    windows: int,
    draw: Callable[[np.random.Generator, int], np.ndarray],
    sizes: tuple[int, int],
    n_reference: int,
    seed: int = 19970401,
    bins: int = 10,
) -> dict[str, float]:
    """The share of p-values at or below 0.05. Sizes are log-uniform."""
    counts = dict.fromkeys(methods, 0)
    for number in range(references):
        rng = np.random.default_rng([seed, number])
        reference = reference_of(draw(rng, n_reference))
        n = np.exp(rng.uniform(*np.log(sizes), size=windows)).astype(int)
        pinned, live = windows_of(reference, [sketch_values(reference.layout, draw(rng, size)) for size in n])
        for method in methods:
            found = get(method)
            scores = found.score(comparison_of(pinned, live, found.grid, bins=bins))
            counts[method] += int(np.sum(scores.p_value <= 0.05))
    return {method: count / (references * windows) for method, count in counts.items()}


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n)


@pytest.mark.long
def test_psi_js_chi2_and_ks_reject_five_in_a_hundred_of_5000_unchanged_windows() -> None:
    rates = rejected(("psi", "js", "chi2", "ks"), 25, 200, normal, (1_000, 100_000), 300_000)
    assert all(0.03 <= rate <= 0.065 for rate in rates.values()), rates


def test_psi_js_and_chi2_hold_their_level_on_ties_and_atoms() -> None:
    def atoms(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.where(rng.random(n) < 0.3, 0.0, rng.poisson(4.0, n)).astype(float)

    rates = rejected(("psi", "js", "chi2"), 20, 100, atoms, (1_000, 20_000), 100_000)
    assert all(0.03 <= rate <= 0.065 for rate in rates.values()), rates


@pytest.mark.long
def test_calibrated_p_values_hold_their_level() -> None:
    rates = rejected(("hellinger", "tvd", "linf"), 10, 100, normal, (300, 30_000), 100_000)
    assert all(0.03 <= rate <= 0.07 for rate in rates.values()), rates


@pytest.mark.parametrize("draw", [normal, lambda rng, n: rng.lognormal(size=n)], ids=["normal", "lognormal"])
def test_the_calibrated_wasserstein_p_value_holds_its_level(draw) -> None:
    rates = rejected(("wasserstein",), 10, 100, draw, (300, 30_000), 100_000)
    assert 0.03 <= rates["wasserstein"] <= 0.07, rates


def test_calibrated_p_values_are_uniform_over_their_whole_range() -> None:
    rng = np.random.default_rng(2)
    reference = reference_of(normal(rng, 100_000))
    live = [sketch_values(reference.layout, normal(rng, 2_000)) for _ in range(600)]
    pinned, windows = windows_of(reference, live)
    for method in ("tvd", "wasserstein"):
        found = get(method)
        p = found.score(comparison_of(pinned, windows, found.grid)).p_value
        expected = np.arange(1, 601) / 600
        assert np.max(np.abs(np.sort(p) - expected)) < 0.08  # Kolmogorov's 0.1 % point is 0.08


def categories(
    shares: np.ndarray, m: int, windows: list[np.ndarray], rng: np.random.Generator, grid: Grid = "bins"
) -> Comparison:
    """Live counts of each category, in windows, beside a reference of m rows with these shares."""
    values = [f"c{i}" for i in range(shares.size)]
    pinned_counts = rng.multinomial(m, shares)
    column = categorical_column("c", dict(zip(values, pinned_counts.tolist(), strict=True)))
    layout, codes = Layout([column]), column.codes()
    cells = np.array([codes.get(value, column.unseen) for value in values])

    def sketch(counts: np.ndarray) -> Sketch:
        result = Sketch.empty(layout)
        np.add.at(result.counts, cells, counts)
        result.n = int(counts.sum())
        return result

    whole = sketch(pinned_counts)
    means = np.full(layout.n_cells, np.nan)
    reference = Reference(model="m", version="1", layout=layout, dimensions={}, sketches={"": whole}, cell_means=means)
    return comparison_of(*windows_of(reference, [sketch(counts) for counts in windows]), grid, kind=Kind.CATEGORICAL)


def zipf(n_categories: int) -> np.ndarray:
    shares = 1.0 / np.arange(1, n_categories + 1)
    return shares / shares.sum()


def rejected_categories(methods, shares, m, n, windows, references=1) -> dict[str, float]:
    counts = dict.fromkeys(methods, 0)
    for number in range(references):
        rng = np.random.default_rng([20241101, number])
        live = [rng.multinomial(n, shares) for _ in range(windows)]
        comparison = categories(shares, m, live, rng, get(methods[0]).grid)
        for method in methods:
            counts[method] += int(np.sum(get(method).score(comparison).p_value <= 0.05))
    return {method: count / (windows * references) for method, count in counts.items()}


def test_categories_hold_their_level() -> None:
    rng = np.random.default_rng(3)
    shares = np.array([0.4, 0.2, 0.15, 0.1, 0.08, 0.04, 0.03])
    live = [rng.multinomial(int(n), shares) for n in np.exp(rng.uniform(np.log(1e3), np.log(3e4), 2_000))]
    comparison = categories(shares, 300_000, live, rng)
    for method in ("psi", "js", "chi2"):
        assert 0.03 <= np.mean(get(method).score(comparison).p_value <= 0.05) <= 0.065


@pytest.mark.long
@pytest.mark.parametrize(("n_categories", "n"), [(300, 1_000), (1_000, 1_000), (1_000, 10_000)])
def test_psi_and_js_hold_their_level_on_many_rare_categories(n_categories: int, n: int) -> None:
    rates = rejected_categories(("psi", "js"), zipf(n_categories), 100_000, n, windows=60, references=2)
    assert all(rate <= 0.11 for rate in rates.values()), rates  # three standard errors


@pytest.mark.parametrize(("n_categories", "expected"), [(10, 6), (100, 6), (100, 12), (200, 12)])
def test_psi_and_js_hold_their_level_where_all_cells_expect_a_little_over_five(n_categories, expected) -> None:
    shares, n = np.full(n_categories, 1.0 / n_categories), n_categories * expected
    rates = rejected_categories(("psi", "js"), shares, 100 * n, n, windows=100, references=3)
    assert all(rate <= 0.09 for rate in rates.values()), rates


@pytest.mark.long
@pytest.mark.parametrize("n", [200, 1_000])
@pytest.mark.parametrize("bins", [64, 256])
def test_psi_and_js_hold_their_level_on_fine_bins_and_few_rows(bins: int, n: int) -> None:
    rates = rejected(("psi", "js"), 8, 40, normal, (n, n + 1), 20_000, bins=bins)
    assert all(rate <= 0.09 for rate in rates.values()), rates


@pytest.mark.parametrize(("rare", "n"), [(1e-5, 100_000), (3e-6, 1_000_000)])
def test_psi_and_js_hold_their_level_on_a_boolean_that_is_rarely_true(rare: float, n: int) -> None:
    rates = rejected_categories(("psi", "js"), np.array([1.0 - rare, rare]), 1_000_000, n, windows=100, references=5)
    assert all(rate <= 0.065 for rate in rates.values()), rates


@pytest.mark.parametrize(("n_categories", "m", "n"), [(300, 1_000, 300), (300, 1_000, 1_000), (300, 1_000, 10_000)])
def test_categories_that_the_reference_had_not_met_yet_are_no_change(n_categories: int, m: int, n: int) -> None:
    rates = rejected_categories(METHODS, zipf(n_categories), m, n, windows=20, references=8)
    assert all(rate <= 0.09 for rate in rates.values()), rates


@pytest.mark.parametrize(("n_categories", "m"), [(1_000, 100_000), (1_000, 20_000), (300, 20_000)])
def test_a_fifth_of_the_rows_moved_into_one_category_is_significant(n_categories: int, m: int) -> None:
    rng = np.random.default_rng(5)
    moved = 0.8 * zipf(n_categories)
    moved[0] += 0.2
    comparison = categories(zipf(n_categories), m, [rng.multinomial(1_000, moved)], rng)
    assert all(get(method).score(comparison).p_value[0] < 1e-3 for method in METHODS)


@pytest.mark.parametrize(("m", "n"), [(100_000, 1_000), (1_000, 300), (1_000, 10_000)])
def test_a_fifth_of_the_rows_in_a_new_category_is_significant(m: int, n: int) -> None:
    rng = np.random.default_rng(5)
    live = np.append(rng.multinomial(n - n // 5, zipf(300)), n // 5)
    comparison = categories(np.append(zipf(300), 0.0), m, [live], rng)
    assert all(get(method).score(comparison).p_value[0] < 1e-3 for method in METHODS)


@pytest.mark.parametrize(("m", "n"), [(40, 7), (7, 40), (90_000, 40), (5_000_000, 40), (900_000_000, 200_000_000)])
def test_rows_are_dealt_as_often_to_each_cell_as_the_hypergeometric_law_says(m: int, n: int) -> None:
    rng = np.random.default_rng(6)
    reference, current = rng.multinomial(m, zipf(5)), rng.multinomial(n, zipf(5))
    r, l = dealt(reference, current)  # noqa: E741
    pooled = reference + current
    assert np.array_equal(r.sum(axis=1), np.full(DRAWS, m))
    assert np.array_equal(l.sum(axis=1), np.full(DRAWS, n))
    law = stats.hypergeom(m + n, pooled, n) if m + n < 10**9 else stats.binom(n, pooled / (m + n))
    spread = np.where(law.std() > 0, law.std(), 1.0)
    assert np.all(np.abs(l.mean(axis=0) - law.mean()) / spread * np.sqrt(DRAWS) < 4.0)
    assert l.std(axis=0) / spread == pytest.approx(np.where(law.std() > 0, 1.0, 0.0), abs=0.2)


@pytest.mark.parametrize(("m", "n"), [(300, 300), (300, 30_000), (1_000, 1_000), (20_000, 20_000)])
def test_out_of_range_holds_its_level_over_references(m: int, n: int) -> None:
    """The share of a window that lies outside is Beta(2, m - 1) over references, whatever the continuous law."""
    rng = np.random.default_rng(7)
    outside = rng.binomial(n, rng.beta(2, m - 1, size=20_000))
    p = exceedance_sf(outside, np.full(outside.size, m), np.full(outside.size, n))
    assert np.mean(p <= 0.05) <= 0.055
    assert rejected(("out_of_range",), 100, 1, normal, (n, n + 1), m)["out_of_range"] <= 0.12


def test_out_of_range_is_careful_with_ties() -> None:
    assert (
        rejected(("out_of_range",), 100, 1, lambda rng, n: rng.poisson(3.0, n) * 1.0, (300, 301), 300)["out_of_range"]
        <= 0.05
    )


@pytest.mark.parametrize(
    ("n_categories", "m", "n"), [(300, 1_000, 300), (300, 1_000, 1_000), (1_000, 20_000, 10_000), (2_000, 2_000, 2_000)]
)
def test_categories_that_the_reference_had_not_met_yet_hold_the_level_of_unseen(n_categories, m, n) -> None:
    rates = rejected_categories(("unseen",), zipf(n_categories), m, n, windows=10, references=30)
    assert rates["unseen"] <= 0.09, rates


@pytest.mark.parametrize(("m", "n"), [(100_000, 1_000), (1_000, 300), (1_000, 10_000)])
def test_a_tenth_of_the_rows_in_a_new_category_is_significantly_unseen(m: int, n: int) -> None:
    rng = np.random.default_rng(5)
    live = np.append(rng.multinomial(n - n // 10, zipf(300)), n // 10)
    comparison = categories(np.append(zipf(300), 0.0), m, [live], rng, "rates")
    scores = get("unseen").score(comparison)
    assert scores.statistic[0] >= 0.1
    assert scores.p_value[0] < 1e-4
