"""The most frequent values keep their bound."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.frequent import CAPACITY, Frequent


@given(st.lists(st.tuples(st.integers(0, 200), st.integers(0, 2**32 - 1)), max_size=6))
def test_misra_gries_keeps_its_bound_through_merges(streams):
    summary, truth = Frequent(), {}
    for size, seed in streams:  # Hypothesis itself draws small dictionaries: none would be cut
        rng = np.random.default_rng(seed)
        stream = {
            f"v{i}": int(count) for i, count in zip(rng.permutation(200)[:size], rng.integers(1, 50, size), strict=True)
        }
        summary = summary.merge(Frequent.of(stream))
        for value, count in stream.items():
            truth[value] = truth.get(value, 0) + count
    assert len(summary.counts) <= CAPACITY
    assert summary.error <= sum(truth.values()) / (CAPACITY + 1)
    for value, count in truth.items():
        assert summary.counts.get(value, 0) <= count <= summary.counts.get(value, 0) + summary.error


def test_misra_gries_takes_the_sixty_fifth_count_from_all():
    counts = {f"v{i:03}": 100 - i for i in range(80)}
    summary = Frequent.of(counts)
    assert summary.error == 100 - CAPACITY
    assert summary.counts == {f"v{i:03}": CAPACITY - i for i in range(CAPACITY)}


MANY = st.dictionaries(st.sampled_from([f"v{i}" for i in range(200)]), st.integers(1, 50), min_size=40, max_size=120)


@given(MANY, MANY)
def test_misra_gries_merges_commute(a, b):
    assert Frequent.of(a).merge(Frequent.of(b)) == Frequent.of(b).merge(Frequent.of(a))
