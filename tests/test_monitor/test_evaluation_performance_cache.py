"""Decoded sketches are kept within bounds, and are those that their bytes say."""

import numpy as np
import pytest

from detectors.errors import LayoutMismatch
from detectors.performance.examples import binary_sketch, binary_space
from monitor.evaluation.sketch_cache import SketchCache


def sketches(n: int):
    rng = np.random.default_rng(3)
    space = binary_space(rng.uniform(size=2_000))
    scores = [rng.uniform(size=50) for _ in range(n)]
    return space, [binary_sketch(score, rng.uniform(size=50) < score, space=space) for score in scores]


def test_what_is_decoded_is_what_was_encoded_whether_it_is_kept_or_not() -> None:
    space, made = sketches(5)
    for max_bytes in (0, 1 << 30):
        cache = SketchCache(max_bytes)
        data = [cache.encode(one) for one in made]
        assert [cache.decode(one, space) for one in data] == made
        assert [one.encode() for one in made] == data


def test_the_cache_lets_go_of_what_was_longest_not_asked_for() -> None:
    space, made = sketches(3)
    size = len(made[0].encode()) + made[0].outcomes.nbytes + made[0].confusion.nbytes + made[0].sums.nbytes
    cache = SketchCache(int(2.5 * size))
    data = [cache.encode(one) for one in made[:2]]
    assert cache.decode(data[0], space) is made[0]
    cache.encode(made[2])
    assert cache.decode(data[0], space) is made[0]
    assert cache.decode(data[1], space) is not made[1]


def test_a_sketch_of_another_space_is_not_given_for_this_one() -> None:
    _, made = sketches(1)
    other = binary_space(np.random.default_rng(8).uniform(size=2_000))
    cache = SketchCache()
    data = cache.encode(made[0])
    with pytest.raises(LayoutMismatch):
        cache.decode(data, other)
