"""How often unchanged windows are rejected at the 5 % level: real draws, counted by the real kernel."""

from collections.abc import Callable

import numpy as np
import pytest

from detectors.columns import Kind
from detectors.comparison import Comparison, Side
from detectors.dependence import DesignEffect
from detectors.examples import reference_of, sketch_values
from detectors.layout import Layout
from detectors.methods.out_of_range import exceedance_sf
from detectors.reference import Reference, categorical_column
from detectors.registry import Scores, get
from detectors.score import comparison_of
from detectors.sketch import Sketch
from detectors.tables import Grid

METHODS = ("psi", "js", "hellinger", "tvd", "linf")


def scored(method: str, comparison: Comparison) -> Scores:
    return get(method).score(comparison, DesignEffect.none(comparison.n_current.size))


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
        rare=dict.fromkeys(names, reference.rare_rows("")),
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
            scores = scored(method, comparison_of(pinned, live, found.grid, bins=bins))
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
def test_hellinger_tvd_and_linf_hold_their_level() -> None:
    rates = rejected(("hellinger", "tvd", "linf"), 10, 100, normal, (300, 30_000), 100_000)
    assert all(0.03 <= rate <= 0.07 for rate in rates.values()), rates


SHAPES = {
    "normal": normal,
    "uniform": lambda rng, n: rng.random(n),
    "lognormal": lambda rng, n: rng.lognormal(size=n),
    "Student's t with 3": lambda rng, n: rng.standard_t(3, n),
    "Pareto with 1.5": lambda rng, n: rng.pareto(1.5, n),
    "Cauchy": lambda rng, n: rng.standard_cauchy(n),
    "small integers": lambda rng, n: rng.poisson(3.0, n) * 1.0,
    "two values": lambda rng, n: (rng.random(n) < 0.3) * 1.0,
}
HEAVY = ("Pareto with 1.5", "Cauchy")


@pytest.mark.parametrize("shape", SHAPES)
def test_methods_on_numeric_cells_hold_their_level_on_any_shape(shape) -> None:
    """The mean of a heavy tail has no normal distribution, and one cell decides the Wasserstein distance."""
    methods = ("cramer_von_mises", "anderson_darling", "location", "spread", "variance", "mean", "wasserstein")
    rates = rejected(methods, 20, 50, SHAPES[shape], (200, 5_000), 20_000)
    bounded = set(methods) - ({"mean", "wasserstein"} if shape in HEAVY else set())
    assert all(rates[method] <= 0.08 for method in bounded), rates
    quiet = {"variance"} if shape != "normal" else set()
    assert all(rates[method] >= 0.02 for method in set(methods) - quiet - {"mean"}), rates


def test_p_values_are_uniform_in_the_half_that_can_reject() -> None:
    """Above, three moments can put too many at 1."""
    rng = np.random.default_rng(2)
    reference = reference_of(normal(rng, 100_000))
    live = [sketch_values(reference.layout, normal(rng, 2_000)) for _ in range(600)]
    pinned, windows = windows_of(reference, live)
    for method in (*METHODS, "wasserstein", "cramer_von_mises", "anderson_darling", "mean"):
        p = scored(method, comparison_of(pinned, windows, get(method).grid)).p_value
        expected = np.arange(1, 601) / 600
        assert np.max(np.abs(np.sort(p) - expected)[expected <= 0.5]) < 0.08, method  # Kolmogorov's 0.1 % point is 0.08


@pytest.mark.parametrize("shape", ["even", "Zipf"])
@pytest.mark.parametrize("n_cells", [2, 5, 10, 30, 100])
@pytest.mark.parametrize(("m", "n"), [(50_000, 200), (50_000, 2_000), (50_000, 50_000), (5_000, 20_000)])
def test_statistics_of_cells_hold_their_level_far_into_the_tail(shape: str, n_cells: int, m: int, n: int) -> None:
    """4,000 draws of both sides from known proportions; no selection, for every cell is one category."""
    rng = np.random.default_rng([n_cells, m, n])
    shares = np.full(n_cells, 1.0 / n_cells) if shape == "even" else zipf(n_cells)
    pairs = rng.multinomial(m, shares, size=4_000), rng.multinomial(n, shares, size=4_000)
    comparison = cells_alone(*pairs, shares)
    for method in (*METHODS, "chi2"):
        p = scored(method, comparison).p_value
        assert np.mean(p <= 0.05) <= 0.068, method
        assert np.mean(p <= 0.01) <= 0.018, method
        assert np.mean(p <= 0.001) <= 0.004, method
        if method in ("psi", "js", "hellinger", "chi2") and n * shares.min() >= 10.0:
            assert np.mean(p <= 0.05) >= 0.03, method


def cells_alone(reference: np.ndarray, current: np.ndarray, shares: np.ndarray) -> Comparison:
    """Rows of these counts, (rows, cells), of a categorical column whose last cell but one is the tail."""
    rows = reference.shape[0]
    zeros, none = np.zeros(rows, dtype=np.int64), np.empty((rows, 0))
    unknown = np.full(rows, np.nan)

    def side(counts: np.ndarray) -> Side:
        return Side(
            counts=counts, n=counts.sum(axis=1), nulls=zeros, invalid=zeros, unseen=zeros, outside=zeros, outer=zeros,
            minimum=unknown, maximum=unknown, mean=unknown, m2=unknown,
        )  # fmt: skip

    own = np.arange(reference.shape[1]) != reference.shape[1] - 2
    return Comparison(
        kind=Kind.CATEGORICAL, reference=side(reference), current=side(current),
        expected=np.tile(shares, (rows, 1)), singles=np.zeros(rows), doubles=np.zeros(rows), chosen=np.zeros((2, rows)),
        single_valued=np.tile(own, (rows, 1)), edges=none, cell_means=none,
        range_minimum=unknown, range_maximum=unknown, range_std=unknown,
    )  # fmt: skip


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
    rare = np.array([[pinned_counts[pinned_counts == 1].sum()], [pinned_counts[pinned_counts == 2].sum()]])
    reference = Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={},
        sketches={"": whole},
        cell_means=means,
        rare={"": rare.astype(np.float64)},
    )
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
            scores = scored(method, comparison)
            counts[method] += int(np.sum((scores.p_value <= 0.05) & ~scores.silent))
    return {method: count / (windows * references) for method, count in counts.items()}


def test_categories_hold_their_level() -> None:
    rng = np.random.default_rng(3)
    shares = np.array([0.4, 0.2, 0.15, 0.1, 0.08, 0.04, 0.03])
    live = [rng.multinomial(int(n), shares) for n in np.exp(rng.uniform(np.log(1e3), np.log(3e4), 2_000))]
    comparison = categories(shares, 300_000, live, rng)
    for method in ("psi", "js", "chi2"):
        assert 0.03 <= np.mean(scored(method, comparison).p_value <= 0.05) <= 0.065


@pytest.mark.long
@pytest.mark.parametrize("n", [200, 2_000, 20_000])
@pytest.mark.parametrize("m", [2_000, 10_000, 100_000])
@pytest.mark.parametrize("n_categories", [300, 1_000, 5_000, 50_000])
def test_any_number_of_categories_holds_its_level(n_categories: int, m: int, n: int) -> None:
    """Bounds three standard errors beyond 2 and 7 %. Where no category is left to be new, `unseen` cannot reject."""
    for methods in (("js", "psi", "chi2"), ("unseen",)):
        rates = rejected_categories(methods, zipf(n_categories), m, n, windows=3, references=200)
        assert all(rate <= 0.105 for rate in rates.values()), rates
        assert methods == ("unseen",) or all(rate >= 0.005 for rate in rates.values()), rates


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
    rates = rejected_categories(METHODS, zipf(n_categories), m, n, windows=2, references=250)
    assert all(rate <= 0.09 for rate in rates.values()), rates


@pytest.mark.parametrize(("n_categories", "m"), [(1_000, 100_000), (1_000, 20_000), (300, 20_000)])
def test_a_fifth_of_the_rows_moved_into_one_category_is_significant(n_categories: int, m: int) -> None:
    rng = np.random.default_rng(5)
    moved = 0.8 * zipf(n_categories)
    moved[0] += 0.2
    comparison = categories(zipf(n_categories), m, [rng.multinomial(1_000, moved)], rng)
    assert all(scored(method, comparison).p_value[0] < 1e-3 for method in METHODS)


@pytest.mark.parametrize(("m", "n"), [(100_000, 1_000), (1_000, 300), (1_000, 10_000)])
def test_a_fifth_of_the_rows_in_a_new_category_is_significant(m: int, n: int) -> None:
    rng = np.random.default_rng(5)
    live = np.append(rng.multinomial(n - n // 5, zipf(300)), n // 5)
    comparison = categories(np.append(zipf(300), 0.0), m, [live], rng)
    assert all(scored(method, comparison).p_value[0] < 1e-3 for method in METHODS)


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
    scores = scored("unseen", comparison)
    assert scores.statistic[0] >= 0.1
    assert scores.p_value[0] < 1e-4
