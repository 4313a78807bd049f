"""Rates and their p-values against counting, SciPy 1.17 and exact fractions."""

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from detectors.examples import compare, compare_categories
from detectors.methods.out_of_range import exceedance_sf
from detectors.significance import rate_difference


@given(st.integers(1, 60), st.integers(1, 60), st.data())
def test_the_p_value_of_values_out_of_range_is_that_of_counting_ranks(m, n, data):
    outside = data.draw(st.integers(0, n))
    ways = (
        sum((j + 1) * math.comb(m + n - j - 2, m - 2) for j in range(outside, n + 1)) if m > 1 else math.comb(n + 1, 1)
    )
    exact = Fraction(ways, math.comb(m + n, m))
    ours = exceedance_sf(np.array([outside]), np.array([m]), np.array([n]))[0]
    assert ours == pytest.approx(float(exact), rel=1e-9)


@pytest.mark.parametrize(
    ("outside", "m", "n"),
    [(5, 10**9, 10**9), (1_000, 10**8, 10**10), (2, 10**15, 10**15), (3, 4 * 10**17, 10**3), (2_000, 10**9, 10**11)],
)
def test_the_p_value_of_values_out_of_range_is_exact_for_huge_counts(outside, m, n):
    exact = Fraction(m, m + n - outside) * (outside + 1 + Fraction(n - outside, m))
    for i in range(outside):
        exact *= Fraction(n - i, m + n - i)
    ours = exceedance_sf(np.array([outside]), np.array([m]), np.array([n]))[0]
    assert ours == pytest.approx(float(exact), rel=1e-8)


@pytest.mark.parametrize(("before", "after"), [(150, 250), (200, 300), (300, 400), (700, 800)])
def test_a_change_of_a_tenth_reaches_a_threshold_of_a_tenth(before, after):
    reference, live = np.arange(1_000.0), np.arange(1_000.0)
    reference[:before] = live[:after] = np.nan
    assert compare("missing", reference, live).statistic[0] == 0.1
    reference, live = (np.where(np.arange(1_000) < part, 0.0, 1.0) for part in (before, after))
    assert [compare(method, reference, live).statistic[0] for method in ("ks", "tvd", "linf")] == [0.1] * 3


def test_rates_of_counts_whose_products_overflow_are_still_subtracted():
    huge = np.array([4 * 10**17])
    statistic, _ = rate_difference(huge // 5, huge, huge // 2, huge)
    assert statistic[0] == pytest.approx(0.3, rel=1e-12)


def good_turing_p(new, n, singles, doubles, m):
    """The negative binomial of few singles: the share of what is new is gamma-distributed about singles / m."""
    spread = 1.0 + doubles / max(singles, 1)
    share = stats.gamma((singles + 1) / spread, scale=spread / m)
    places = share.ppf((np.arange(20_000) + 0.5) / 20_000)
    return float(np.mean(stats.poisson.sf(new - 1, n * places)))


@pytest.mark.parametrize(
    ("unseen", "singles", "pairs"), [(30, 10, 0), (8, 10, 0), (12, 10, 20), (1, 0, 0), (40, 30, 10)]
)
def test_few_unseen_values_are_compared_with_the_single_ones_of_the_reference(unseen, singles, pairs):
    reference = (
        {"a": 500, "b": 490} | {f"single {i}": 1 for i in range(singles)} | {f"pair {i}": 2 for i in range(pairs)}
    )
    ours = compare_categories("unseen", reference, {"a": 1_000 - unseen, "new": unseen})
    assert ours.statistic[0] == unseen / 1_000
    expected = good_turing_p(unseen, 1_000, singles, 2 * pairs, sum(reference.values()))
    assert ours.p_value[0] == pytest.approx(expected, rel=0.02)


def test_many_unseen_values_are_compared_by_estys_normal_law():
    reference = {"a": 900} | {f"single {i}": 1 for i in range(80)} | {f"pair {i}": 2 for i in range(10)}
    ours = compare_categories("unseen", reference, {"a": 880, "new": 120})
    variance = 0.08 * 0.92 / 1_000 + (80 * (1 - 80 / 1_000) + 20) / 1_000**2
    assert ours.p_value[0] == pytest.approx(stats.norm.sf((0.12 - 0.08) / math.sqrt(variance)), rel=0.1)
