"""Quantiles of a column's profile."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.batches import profile_objects

from detectors.accumulate import accumulate
from detectors.layout import Layout
from detectors.profile import profiles
from detectors.reference import numeric_column
from detectors.sketch import Sketch


def profile_of(edges_from, values):
    column, _ = numeric_column("x", np.asarray(edges_from, dtype=np.float64))
    layout, values = Layout([column]), np.asarray(values, dtype=np.float64)
    none, slots = np.empty((0, values.size), dtype=np.int32), np.zeros((1, values.size), dtype=np.int32)
    sketch = accumulate(layout, numeric=values[None], codes=none, slots=slots, n_slots=1, unseen={})[0]
    return profile_objects(profiles(layout, {"": sketch}))[0]


def test_profile_quantiles_are_interpolated_in_their_cell():
    assert profile_of([], np.arange(101.0)).quantiles == pytest.approx((5.0, 25.0, 50.0, 75.0, 95.0), rel=1e-12)


@given(st.floats(allow_nan=False, allow_infinity=False), st.integers(1, 60))
def test_the_quantiles_of_one_value_are_that_value(value, n):
    assert profile_of(np.full(10, value), np.full(n, value)).quantiles == (value,) * 5
    assert profile_of([0.0, 1.0, 2.0], np.full(n, value)).quantiles == (value,) * 5


FINITE = st.floats(allow_nan=False, allow_infinity=False)


@given(st.lists(FINITE, min_size=1, max_size=30), st.lists(FINITE, min_size=1, max_size=30))
@pytest.mark.filterwarnings("error")
def test_profile_quantiles_are_in_order_and_between_the_extremes(edges_from, values):
    profile = profile_of(edges_from, values)
    assert list(profile.quantiles) == sorted(profile.quantiles)
    assert profile.minimum <= profile.quantiles[0]
    assert profile.quantiles[-1] <= profile.maximum


def test_profiles_of_an_empty_and_of_a_constant_column():
    column, _ = numeric_column("x", np.full(10, 2.5))
    layout = Layout([column])
    empty = profile_objects(profiles(layout, {"": Sketch.empty(layout)}))[0]
    assert np.isnan([empty.minimum, empty.maximum, empty.mean, empty.std, *empty.quantiles]).all()
    none, slots = np.empty((0, 10), dtype=np.int32), np.zeros((1, 10), dtype=np.int32)
    full = accumulate(layout, numeric=np.full((1, 10), 2.5), codes=none, slots=slots, n_slots=1, unseen={})[0]
    assert profile_objects(profiles(layout, {"": full}))[0].quantiles == (2.5,) * 5
