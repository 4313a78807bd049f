"""Pauses between tries grow, are bounded, and differ between workers."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.retry import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    backoff = Backoff(first_s=1, most_s=10, jitter=0)
    assert [backoff.pause_s(retries, 0.5) for retries in range(6)] == [1, 2, 4, 8, 10, 10]


def test_a_pause_is_as_long_as_the_service_asked_for() -> None:
    backoff = Backoff(first_s=1, most_s=60, jitter=0)
    assert [backoff.pause_s(retries, 0.5, asked_s=5) for retries in range(3)] == [5, 10, 20]
    assert backoff.pause_s(0, 0.5, asked_s=0.1) == 1
    assert backoff.pause_s(0, 0.5, asked_s=3600) == 60


def test_workers_that_fail_together_come_back_apart() -> None:
    backoff = Backoff(first_s=8, most_s=8, jitter=0.5)
    assert [backoff.pause_s(3, chance) for chance in (0, 0.25, 0.5, 0.999)] == pytest.approx([8, 7, 6, 4], abs=0.01)


@given(
    first_s=st.floats(1e-3, 1e3), most_s=st.floats(1e-3, 1e6), factor=st.floats(1, 10), jitter=st.floats(0, 1),
    retries=st.integers(0, 10**9), chance=st.floats(0, 1, exclude_max=True), asked_s=st.floats(0, 1e9),
)  # fmt: skip
def test_a_pause_is_never_longer_than_the_longest_nor_more_shortened_than_chance_may(
    first_s: float, most_s: float, factor: float, jitter: float, retries: int, chance: float, asked_s: float
) -> None:
    backoff = Backoff(first_s=first_s, most_s=most_s, factor=factor, jitter=jitter)
    pause_s = backoff.pause_s(retries, chance, asked_s=asked_s)
    unshortened_s = backoff.pause_s(retries, 0.0, asked_s=asked_s)
    assert 0 <= unshortened_s * (1 - jitter) * (1 - 1e-9) <= pause_s <= unshortened_s <= most_s
    assert backoff.pause_s(retries + 1, 0.0, asked_s=asked_s) >= unshortened_s
