"""The quantile grid and what follows from it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from detectors.errors import InvalidSetting
from detectors.grid import BINS, coarse_cells, locate, quantile_grid, single_valued

pytestmark = pytest.mark.filterwarnings("error")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIED = st.sampled_from([-1.0, 0.0, -0.0, 0.5, 1.0, 5e-324, -5e-324, 1e308, -1.7976931348623157e308])
VALUES = stnp.arrays(np.float64, st.integers(1, 400), elements=st.one_of(FINITE, TIED))


def quantile(ordered, share):
    return ordered[max(1, math.ceil(Fraction(len(ordered)) * share)) - 1]


@given(VALUES)
def test_edges_hold_every_quantile_and_are_strictly_increasing(values):
    edges = quantile_grid(values)
    ordered = np.sort(values).tolist()
    shares = [Fraction(i, 256) for i in range(257)] + [Fraction(i, 10) for i in range(10)]
    assert {quantile(ordered, share) for share in shares} <= set(edges.tolist())
    assert np.all(np.diff(edges) > 0)


@given(VALUES)
def test_the_outer_cells_are_exactly_what_lies_out_of_range(values):
    edges = quantile_grid(values)
    counts = np.bincount(locate(edges, values), minlength=edges.size + 1)
    assert counts[0] == counts[-1] == 0
    with np.errstate(over="ignore", under="ignore"):
        outside = np.array([np.nextafter(values.min(), -np.inf), np.nextafter(values.max(), np.inf)])
    cells = locate(edges, outside)
    assert cells[0] == 0
    assert cells[1] == edges.size


@given(VALUES)
def test_a_value_with_a_cells_share_is_a_cell_of_its_own(values):
    edges = quantile_grid(values)
    cells, single = locate(edges, values), single_valued(edges)
    distinct, counts = np.unique(values, return_counts=True)
    for value, count in zip(distinct, counts, strict=True):
        cell = locate(edges, np.array([value]))[0]
        if count * 256 >= values.size:
            assert single[cell]
        if single[cell]:
            assert np.all(values[cells == cell] == value)


@given(VALUES, st.sampled_from(BINS))
def test_coarse_cells_are_the_raw_quantile_cells(values, bins):
    edges = quantile_grid(values)
    counts = np.bincount(locate(edges, values), minlength=edges.size + 1)
    coarse = coarse_cells(edges, counts, bins)
    ordered = np.sort(values).tolist()
    wanted = {quantile(ordered, Fraction(i, bins)) for i in range(1, bins)}
    for value, count in zip(*np.unique(values, return_counts=True), strict=True):
        if count * bins >= values.size:
            with np.errstate(over="ignore", under="ignore"):
                wanted |= {float(value), float(np.nextafter(value, -np.inf))}
    boundaries = np.array(sorted(wanted))
    with np.errstate(over="ignore", under="ignore"):
        probes = np.concatenate([values, np.nextafter(values, np.inf), np.nextafter(values, -np.inf)])
    probes = probes[np.isfinite(probes)]
    # -inf as a boundary separates nothing that is finite.
    _, raw = np.unique(np.searchsorted(boundaries, probes), return_inverse=True)
    _, ours = np.unique(coarse[locate(edges, probes)], return_inverse=True)
    assert np.array_equal(raw, ours)


def test_a_grid_without_values_is_one_cell():
    edges = quantile_grid(np.empty(0))
    assert edges.size == 0
    assert single_valued(edges).tolist() == [False]
    assert coarse_cells(edges, np.zeros(1, dtype=np.int64), 10).tolist() == [0]


def test_a_constant_is_three_cells_fine_and_coarse():
    edges = quantile_grid(np.full(1000, 3.5))
    assert edges.tolist() == [np.nextafter(3.5, -np.inf), 3.5]
    assert coarse_cells(edges, np.array([0, 1000, 0]), 10).tolist() == [0, 1, 2]


def test_continuous_data_take_at_most_268_cells():
    assert quantile_grid(np.random.default_rng(1).normal(size=100_000)).size + 1 <= 268


def test_atoms_take_at_most_524_cells():
    assert quantile_grid(np.repeat(np.arange(256.0), 7)).size + 1 <= 524


@pytest.mark.parametrize("bins", [0, 1, 3, 5, 20, 512])
def test_bins_that_are_no_subset_of_the_grid_are_refused(bins):
    with pytest.raises(InvalidSetting, match="bins must be one of"):
        coarse_cells(np.array([0.0, 1.0]), np.array([0, 5, 0]), bins)
