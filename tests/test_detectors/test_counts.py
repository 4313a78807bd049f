"""A sketch keeps its counts in as few bytes as hold them, and every sum of them is exact."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from detectors.columns import Column, Kind
from detectors.layout import Layout
from detectors.sketch import Sketch

LAYOUT = Layout([Column(name="x", kind=Kind.NUMERIC, edges=(0.0,)), Column(name="y", kind=Kind.NUMERIC)])
LARGEST = 2**59  # the rows of all cells of two sketches are a count too
EDGES = [0, 1, 2**8 - 1, 2**8, 2**16 - 1, 2**16, 2**32 - 1, 2**32, LARGEST]
COUNT = st.sampled_from(EDGES) | st.integers(0, LARGEST)
KEPT = st.booleans()


def sketch_of(counts: list[int], narrow: bool) -> Sketch:
    """A sketch of valid values in these three cells, as it was counted or as it came over the wire."""
    sketch = Sketch.empty(LAYOUT)
    sketch.counts[:] = counts
    sketch.n = sum(counts)
    sketch.minimum[:], sketch.maximum[:] = np.where(sketch.valid, 0.0, np.inf), np.where(sketch.valid, 0.0, -np.inf)
    return Sketch.decode(sketch.encode(), LAYOUT) if narrow else sketch


@given(st.lists(COUNT, min_size=3, max_size=3), st.lists(COUNT, min_size=3, max_size=3), KEPT, KEPT)
@example([255, 0, 0], [1, 0, 0], True, True)
@example([65_535, 0, 0], [1, 0, 0], True, True)
@example([2**32 - 1, 0, 0], [1, 0, 0], True, True)
@example([255, 0, 0], [LARGEST, 0, 0], True, False)
def test_sums_are_exact_whatever_the_counts_are_kept_in(
    a: list[int], b: list[int], a_narrow: bool, b_narrow: bool
) -> None:
    one, two = sketch_of(a, a_narrow), sketch_of(b, b_narrow)
    both = one.merge(two)
    assert both.counts.tolist() == [x + y for x, y in zip(a, b, strict=True)]
    assert both.counts.dtype == both.valid.dtype == np.int64
    assert both.valid.tolist() == [a[0] + b[0] + a[1] + b[1], a[2] + b[2]]
    assert both.same(two.merge(one), rtol=0.0)
    assert (one.counts.tolist(), two.counts.tolist()) == (a, b)
    assert Sketch.decode(both.encode(), LAYOUT).same(both, rtol=0.0)


@pytest.mark.parametrize(
    ("largest", "n_bytes"),
    [(0, 1), (255, 1), (256, 2), (65_535, 2), (65_536, 4), (2**32 - 1, 4), (2**32, 8), (LARGEST, 8)],
)
def test_counts_are_kept_in_the_fewest_bytes(largest: int, n_bytes: int) -> None:
    sketch = sketch_of([largest, 0, 0], narrow=True)
    assert sketch.kept.itemsize == n_bytes
    assert sketch.merge(Sketch.empty(LAYOUT)).kept.itemsize == n_bytes


def test_counts_that_are_a_copy_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match="read-only"):
        sketch_of([1, 2, 3], narrow=True).counts[0] = 5
