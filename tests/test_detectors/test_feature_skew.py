"""Feature skew: what counts as equal, and counts and sums that add up to the bit."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from detectors.feature_skew import MATTERS, ColumnSkew, column_skew, equal_numbers

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def equal(one: float, other: float, relative: float = 1e-6, absolute: float = 0.0) -> bool:
    return bool(equal_numbers(np.array([one]), np.array([other]), relative, absolute)[0])


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        (0.1, 0.1 + 1e-9, True),
        (0.1, 0.1 + 1e-6, False),
        (0.0, 1e-9, False),  # nothing is near 0 but 0, unless `absolute` says so
        (0.0, -0.0, True),
        (1e300, 1e300 * (1 + 1e-7), True),
        (1e308, -1e308, False),  # their difference is infinite
        (5e-324, 5e-324, True),
        (float(np.float32(0.1)), 0.1, True),
        (1.0, -1.0, False),
    ],
)
def test_numbers_are_equal_that_differ_by_a_small_share_of_the_larger(one: float, other: float, expected: bool) -> None:
    assert equal(one, other) is equal(other, one) is expected


def test_an_absolute_tolerance_forgives_what_lies_round_zero() -> None:
    assert equal(0.0, 1e-9, absolute=1e-8)
    assert not equal(0.0, 1e-7, absolute=1e-8)
    assert not equal(1.0, 1.0 + 1e-12, relative=0.0)
    assert equal(3.0, 3.0, relative=0.0)


@given(FINITE, FINITE, st.floats(0, 0.5), st.floats(0, 10))
def test_equality_is_that_of_the_standard_library(one: float, other: float, relative: float, absolute: float) -> None:
    expected = math.isclose(one, other, rel_tol=relative, abs_tol=absolute)
    difference = abs(one - other)
    bound = max(relative * max(abs(one), abs(other)), absolute)
    if difference == pytest.approx(bound, rel=1e-12):  # at the bound rounding decides
        return
    assert equal(one, other, relative, absolute) is expected


def skew_of(pairs: list[tuple[float, float]], sign: list[int] | None = None) -> ColumnSkew:
    """Of pairs of numbers, in which NaN and infinities are no value."""
    one, two = (np.array([pair[side] for pair in pairs]) for side in (0, 1))
    there = np.isfinite(one), np.isfinite(two)
    first, second = np.where(there[0], one, 0.0), np.where(there[1], two, 0.0)
    with np.errstate(over="ignore"):
        differences = first - second
    signs = np.array(sign or [1] * len(pairs), dtype=np.int64)
    slots = np.zeros(len(pairs), dtype=np.int64)
    (found,) = column_skew(*there, equal_numbers(first, second, 1e-6), differences, signs, slots, 1)
    return found


def test_null_nan_and_infinity_are_no_value_and_one_sided_pairs_are_mismatches() -> None:
    nan, inf = math.nan, math.inf
    found = skew_of([(1.0, 1.0), (1.0, 2.0), (nan, 1.0), (inf, 1.0), (1.0, nan), (nan, inf), (nan, nan)])
    assert (found.n_equal, found.n_unequal, found.n_served_only, found.n_recomputed_only) == (1, 1, 1, 2)
    assert (found.n_compared, found.n_mismatched, found.n_one_sided) == (5, 4, 3)
    assert found.share == 0.8
    assert (found.differences.n, found.differences.mean) == (2, -0.5)


PAIRS = st.lists(st.tuples(st.floats(), st.floats()), min_size=1, max_size=20)


@given(PAIRS, PAIRS)
def test_parts_add_up_to_the_whole_and_what_is_taken_back_leaves_no_trace(
    one: list[tuple[float, float]], other: list[tuple[float, float]]
) -> None:
    assert skew_of(one) + skew_of(other) == skew_of([*one, *other])
    assert skew_of([*one, *other], [1] * len(one) + [-1] * len(other)) + skew_of(other) == skew_of(one)


@pytest.mark.parametrize(("mismatched", "n"), [(0, 100), (1, 100), (4, 100), (30, 1_000), (1_000, 1_000)])
def test_the_p_value_is_that_of_the_exact_binomial_test(mismatched: int, n: int) -> None:
    found = ColumnSkew(n_equal=n - mismatched, n_unequal=mismatched)
    expected = binomtest(mismatched, n, MATTERS, alternative="greater").pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-9)


def test_what_was_never_recomputed_has_no_p_value() -> None:
    assert math.isnan(ColumnSkew(n_served_only=100).p_value)
    assert math.isnan(ColumnSkew().p_value)
    assert math.isnan(ColumnSkew().share)


def test_categories_have_no_differences() -> None:
    there = np.ones(3, dtype=np.bool_)
    ones, slots = np.ones(3, dtype=np.int64), np.array([0, 1, 1])
    first, second = column_skew(there, there, np.array([True, False, True]), None, ones, slots, 2)
    assert first == ColumnSkew(n_equal=1)
    assert second == ColumnSkew(n_equal=1, n_unequal=1)
    assert math.isnan(second.differences.mean)
