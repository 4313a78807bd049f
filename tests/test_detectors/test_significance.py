"""p-values and q-values against SciPy 1.17."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.kolmogorov import ks_sf
from detectors.significance import benjamini_hochberg, chi2_sf, effective_size, two_proportion_z

SIZES = (1, 2, 10, 100, 140, 141, 150, 175, 200, 250, 299, 300, 400, 1_000, 3_000)


@pytest.mark.parametrize("n", SIZES)
def test_ks_p_values_agree_with_kstwo_for_small_sizes(n):
    z = np.concatenate([np.linspace(0.0, 3.6, 160), [4.0, 6.0, 12.0]])
    d = np.minimum(z / np.sqrt(n), 1.0)
    assert ks_sf(d, np.full(d.shape, float(n))) == pytest.approx(stats.kstwo.sf(d, n), abs=1e-6)


@pytest.mark.parametrize("n", [20_000, 99_999])
def test_ks_p_values_agree_with_kstwo_for_large_sizes(n):
    z = np.array([0.03, 0.3, 0.45, 0.6, 0.9, 1.2, 1.36, 1.48, 1.7, 2.5, 2.99, 3.01, 4.5])
    d = z / np.sqrt(n)
    assert ks_sf(d, np.full(d.shape, float(n))) == pytest.approx(stats.kstwo.sf(d, n), abs=1e-6)


@pytest.mark.parametrize("n", [100.0, 141.0, 250.0, 1e3, 1e5, 1e7])
def test_ks_p_values_fall_as_the_statistic_grows(n):
    p = ks_sf(np.linspace(0.0, min(1.0, 8.0 / np.sqrt(n)), 4_000), np.full(4_000, n))
    assert np.all(np.diff(p) <= 1e-9)
    assert np.all((p >= 0.0) & (p <= 1.0))


def test_ks_p_values_of_nothing_are_nan():
    assert np.isnan(ks_sf(np.array([np.nan, 0.5, 0.5]), np.array([10.0, 0.0, np.nan]))).all()


@given(st.lists(st.floats(0.0, 1.0), min_size=1, max_size=40))
def test_q_values_are_scipys(p):
    assert benjamini_hochberg(np.array(p)) == pytest.approx(stats.false_discovery_control(p), abs=1e-12)


@given(st.lists(st.one_of(st.floats(0.0, 1.0), st.just(np.nan)), min_size=1, max_size=40))
def test_nan_is_in_no_family(p):
    p = np.array(p)
    q = benjamini_hochberg(p)
    assert np.array_equal(np.isnan(p), np.isnan(q))
    known = ~np.isnan(p)
    assert np.array_equal(q[known], benjamini_hochberg(p[known]))
    assert np.all(q[known] >= p[known] - 1e-15)


def test_each_row_is_a_family_of_its_own():
    p = np.random.default_rng(4).random((5, 7))
    assert np.array_equal(benjamini_hochberg(p), np.stack([benjamini_hochberg(row) for row in p]))


def test_nothing_free_to_differ_is_p_one():
    assert chi2_sf(np.array([0.0, 0.0, 3.0]), np.array([0, -1, 1])) == pytest.approx([1.0, 1.0, stats.chi2.sf(3.0, 1)])


def test_the_effective_size_of_nothing_is_nan():
    assert np.isnan(effective_size(np.array([0]), np.array([0])))[0]


@given(st.integers(1, 5_000), st.integers(1, 5_000), st.data())
def test_z_squared_is_pearsons_chi_square(n_a, n_b, data):
    a, b = data.draw(st.integers(0, n_a)), data.draw(st.integers(0, n_b))
    z, p = two_proportion_z(np.array([a]), np.array([n_a]), np.array([b]), np.array([n_b]))
    if a + b in (0, n_a + n_b):
        assert (z[0], p[0]) == (0.0, 1.0)
        return
    expected = stats.chi2_contingency([[a, n_a - a], [b, n_b - b]], correction=False)
    assert z[0] ** 2 == pytest.approx(expected.statistic, rel=1e-6, abs=1e-9)
    assert p[0] == pytest.approx(expected.pvalue, abs=1e-6)
    assert np.sign(z[0]) == np.sign(b / n_b - a / n_a)
