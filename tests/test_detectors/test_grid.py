"""The quantile grid and what follows from it."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as stnp

from detectors.columns import Column, Kind
from detectors.errors import InvalidSetting
from detectors.examples import compare
from detectors.grid import BINS, SLACK, atom_cells, coarse_cells, locate, quantile_grid, single_valued
from detectors.reference import numeric_column
from detectors.registry import methods

pytestmark = pytest.mark.filterwarnings("error")
FINITE = st.floats(allow_nan=False, allow_infinity=False)
TIED = st.sampled_from([-1.0, 0.0, -0.0, 0.5, 1.0, 5e-324, -5e-324, 1e308, -1.7976931348623157e308])
VALUES = stnp.arrays(np.float64, st.integers(1, 400), elements=st.one_of(FINITE, TIED))


def quantile(ordered, share):
    return ordered[max(1, math.ceil(Fraction(len(ordered)) * share)) - 1]


def cells_of(values, probes):
    return locate(quantile_grid(values), probes)


def single(values):
    mask = np.zeros(quantile_grid(values).size + 1, dtype=bool)
    mask[atom_cells(quantile_grid(values), np.sort(values) + 0.0)] = True
    return mask


@given(VALUES)
def test_an_edge_parts_every_quantile_from_the_next_value_of_the_reference(values):
    edges = quantile_grid(values)
    assert np.all(edges[1:] > edges[:-1])  # a difference may overflow
    ordered = np.sort(values) + 0.0
    following = np.append(ordered, np.inf)
    for share in [Fraction(i, 256) for i in range(257)] + [Fraction(i, 10) for i in range(10)]:
        value = quantile(ordered.tolist(), share)
        after = following[np.searchsorted(ordered, value, side="right")]
        assert np.any((edges >= value) & (edges < after))


@given(VALUES)
def test_the_outer_cells_are_what_lies_out_of_range_by_more_than_rounding(values):
    edges = quantile_grid(values)
    counts = np.bincount(locate(edges, values), minlength=edges.size + 1)
    assert counts[0] == counts[-1] == 0
    low, high = values.min() + 0.0, values.max() + 0.0
    tiny = 5e-324
    with np.errstate(over="ignore", under="ignore"):
        outside = np.array([low - 2 * SLACK * abs(low) - tiny, high + 2 * SLACK * abs(high) + tiny])
    assert not np.isfinite(outside[0]) or locate(edges, outside)[0] == 0
    assert not np.isfinite(outside[1]) or locate(edges, outside)[1] == edges.size


@given(VALUES)
def test_a_value_with_a_cells_share_is_a_cell_of_its_own(values):
    cells, alone = cells_of(values, values), single(values)
    for value, count in zip(*np.unique(values + 0.0, return_counts=True), strict=True):
        cell = cells_of(values, np.array([value]))[0]
        if count * 256 >= values.size:
            assert alone[cell]
        if alone[cell]:
            assert np.all(values[cells == cell] == value)


@given(VALUES)
def test_an_atom_takes_in_what_rounding_makes_of_it_and_no_neighbour(values):
    distinct, counts = np.unique(values + 0.0, return_counts=True)
    ends = np.concatenate([[-np.inf], distinct, [np.inf]])
    for i in np.flatnonzero(counts * 256 >= values.size):
        value, before, after = distinct[i], ends[i], ends[i + 2]
        with np.errstate(over="ignore", under="ignore"):
            rounded = [float(np.float32(value)), float(f"{value:.6g}"), float(f"{value:.9g}")]
        room = min(value / 2 - before / 2, after / 2 - value / 2)
        own = cells_of(values, np.array([value]))[0]
        for other in rounded:
            if np.isfinite(other) and abs(other - value) < 0.99 * room and abs(other - value) <= SLACK * abs(value):
                assert cells_of(values, np.array([other]))[0] == own
        for neighbour in (before, after):
            assert not np.isfinite(neighbour) or cells_of(values, np.array([neighbour]))[0] != own


WIDE = stnp.arrays(
    np.float64, st.integers(1, 400), elements=st.floats(-1e30, 1e30, width=64).filter(lambda x: not 0 < abs(x) < 1e-30)
)


@given(WIDE)
def test_the_same_rows_in_float32_fall_into_the_same_cells(values):
    rounded = values.astype(np.float32).astype(np.float64)
    if np.unique(rounded + 0.0).size == np.unique(values + 0.0).size:  # float32 keeps every two apart
        assert np.array_equal(cells_of(values, rounded), cells_of(values, values))
    assert np.array_equal(cells_of(rounded, values), cells_of(rounded, rounded))


def test_two_zeros_are_one_value():
    values = np.array([0.0, -0.0, 0.0, 1.0])
    assert np.array_equal(quantile_grid(values), quantile_grid(np.abs(values)))
    assert np.unique(cells_of(values, np.array([0.0, -0.0]))).size == 1


@given(VALUES, st.sampled_from(BINS))
def test_coarse_cells_are_the_raw_quantile_cells(values, bins):
    counts = np.bincount(cells_of(values, values), minlength=single(values).size)
    coarse = coarse_cells(single(values), counts, bins)
    ordered = (np.sort(values) + 0.0).tolist()
    wanted = {quantile(ordered, Fraction(i, bins)) for i in range(1, bins)}
    for value, count in zip(*np.unique(values + 0.0, return_counts=True), strict=True):
        if count * bins >= values.size:
            with np.errstate(over="ignore", under="ignore"):
                wanted |= {float(value), float(np.nextafter(value, -np.inf))}
    # Of the reference's own values, every two are together or apart as they are in the raw cells.
    _, raw = np.unique(np.searchsorted(np.array(sorted(wanted)), values), return_inverse=True)
    _, ours = np.unique(coarse[cells_of(values, values)], return_inverse=True)
    assert np.array_equal(raw, ours)


def test_a_reference_that_does_not_name_its_atoms_has_them_where_one_float64_has_room():
    column = Column(name="x", kind=Kind.NUMERIC, edges=(np.nextafter(2.0, -np.inf), 2.0, 3.0))
    assert single_valued(column).tolist() == [False, True, False, False]


def test_a_column_names_its_atoms():
    column, _ = numeric_column("x", np.concatenate([np.full(50, 0.1), np.linspace(0.2, 0.9, 950)]))
    assert np.flatnonzero(single_valued(column)).tolist() == list(column.atoms) == [1]


def test_a_grid_without_values_is_one_cell():
    edges = quantile_grid(np.empty(0))
    assert edges.size == 0
    assert coarse_cells(np.zeros(1, dtype=bool), np.zeros(1, dtype=np.int64), 10).tolist() == [0]


def test_a_constant_is_three_cells_fine_and_coarse():
    values = np.full(1000, 3.5)
    assert quantile_grid(values) == pytest.approx([3.5, 3.5], rel=2 * SLACK)
    assert cells_of(values, values).tolist() == [1] * 1000
    assert coarse_cells(single(values), np.array([0, 1000, 0]), 10).tolist() == [0, 1, 2]


def test_continuous_data_take_at_most_268_cells():
    assert quantile_grid(np.random.default_rng(1).normal(size=100_000)).size + 1 <= 268


def test_atoms_take_at_most_524_cells():
    assert quantile_grid(np.repeat(np.arange(256.0), 7)).size + 1 <= 524


@pytest.mark.parametrize("bins", [0, 1, 3, 5, 20, 512])
def test_bins_that_are_no_subset_of_the_grid_are_refused(bins):
    with pytest.raises(InvalidSetting, match="bins must be one of"):
        coarse_cells(np.zeros(3, dtype=bool), np.array([0, 5, 0]), bins)


@pytest.mark.parametrize("draw", ["normal", "lognormal", "uniform", "choice", "integers"])
@pytest.mark.parametrize("name", [name for name, method in methods().items() if Kind.NUMERIC in method.kinds])
def test_the_same_rows_in_float32_are_no_change_to_any_method(draw, name):
    rng = np.random.default_rng(20130101)
    values = {
        "normal": lambda: rng.normal(size=5_000),
        "lognormal": lambda: rng.lognormal(size=5_000),
        "uniform": lambda: rng.random(5_000),
        "choice": lambda: rng.choice([0.05, 0.075, 0.1, 0.2], 5_000),
        "integers": lambda: rng.integers(10, 51, 5_000) / 10,
    }[draw]()
    if draw not in ("choice", "integers"):  # two that float32 makes one number of cannot be told apart
        values = values[np.unique(values.astype(np.float32), return_index=True)[1]]
    rounded = values.astype(np.float32)
    for reference, live in ((values, rounded), (rounded, values)):
        scores = compare(name, reference.astype(np.float64), live.astype(np.float64))
        assert abs(scores.statistic[0]) < 1e-6
        assert scores.p_value[0] > 0.99
