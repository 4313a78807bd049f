"""How often unchanged windows are rejected at the 5 % level: real draws, counted by the real kernel."""

from collections.abc import Callable

import numpy as np
import pytest

from detectors.columns import Kind
from detectors.examples import reference_of, sketch_values
from detectors.layout import Layout
from detectors.reference import Reference, categorical_column
from detectors.registry import get
from detectors.score import comparison_of
from detectors.sketch import Sketch


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
            scores = found.score(comparison_of(pinned, live, found.grid))
            counts[method] += int(np.sum(scores.p_value <= 0.05))
    return {method: count / (references * windows) for method, count in counts.items()}


def normal(rng: np.random.Generator, n: int) -> np.ndarray:
    return rng.standard_normal(n)


def test_psi_js_chi2_and_ks_reject_five_in_a_hundred_of_5000_unchanged_windows() -> None:
    rates = rejected(("psi", "js", "chi2", "ks"), 25, 200, normal, (1_000, 100_000), 300_000)
    assert all(0.03 <= rate <= 0.065 for rate in rates.values()), rates


def test_psi_js_and_chi2_hold_their_level_on_ties_and_atoms() -> None:
    def atoms(rng: np.random.Generator, n: int) -> np.ndarray:
        return np.where(rng.random(n) < 0.3, 0.0, rng.poisson(4.0, n)).astype(float)

    rates = rejected(("psi", "js", "chi2"), 20, 100, atoms, (1_000, 20_000), 100_000)
    assert all(0.03 <= rate <= 0.065 for rate in rates.values()), rates


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


def test_categories_hold_their_level() -> None:
    rng = np.random.default_rng(3)
    shares = np.array([0.4, 0.2, 0.15, 0.1, 0.08, 0.04, 0.03])
    values = [f"c{i}" for i in range(shares.size)]
    pinned_counts = rng.multinomial(300_000, shares)
    column = categorical_column("c", dict(zip(values, pinned_counts.tolist(), strict=True)))
    layout = Layout([column])

    def sketch(counts: np.ndarray) -> Sketch:
        result = Sketch.empty(layout)
        for value, count in zip(values, counts, strict=True):
            result.counts[column.codes()[value]] = count
        result.n = int(counts.sum())
        return result

    whole = sketch(pinned_counts)
    means = np.full(layout.n_cells, np.nan)
    reference = Reference(model="m", version="1", layout=layout, dimensions={}, sketches={"": whole}, cell_means=means)
    live = [sketch(rng.multinomial(int(n), shares)) for n in np.exp(rng.uniform(np.log(1e3), np.log(3e4), 2_000))]
    pinned, windows = windows_of(reference, live)
    for method in ("psi", "js", "chi2"):
        p = get(method).score(comparison_of(pinned, windows, "bins", kind=Kind.CATEGORICAL)).p_value
        assert 0.03 <= np.mean(p <= 0.05) <= 0.065
