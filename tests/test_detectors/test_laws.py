"""The two laws as far as they are this package's: counting in any split gives the same sketch."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import kernel
from detectors.accumulate import accumulate, accumulate_numpy
from detectors.columns import Column, Kind
from detectors.errors import LayoutMismatch
from detectors.grid import quantile_grid
from detectors.layout import Layout
from detectors.lookup import Lookup
from detectors.sketch import Sketch

REFERENCE = np.random.default_rng(11).normal(size=3000)
LAYOUT = Layout(
    [
        Column(name="normal", kind=Kind.NUMERIC, edges=tuple(quantile_grid(REFERENCE).tolist())),
        Column(name="city", kind=Kind.CATEGORICAL, categories=("a", "b", "c")),
        Column(name="empty", kind=Kind.NUMERIC),
        Column(name="few", kind=Kind.NUMERIC, edges=tuple(quantile_grid(np.array([0.0, 0, 1, 2])).tolist())),
    ]
)
NUMBER = st.one_of(
    st.floats(),
    st.sampled_from([0.0, -0.0, 1.0, 2.0, np.inf, -np.inf, np.nan, 1e308, -1e308, 5e-324]),
    st.floats(-3, 3),
)
ROW = st.tuples(NUMBER, NUMBER, NUMBER, st.integers(-3, 4), st.integers(-1, 2), st.integers(-1, 1))


def sketches(rows, count=accumulate):
    numeric = np.array([row[:3] for row in rows], dtype=np.float64).reshape(-1, 3).T
    codes = np.array([row[3] for row in rows], dtype=np.int32).reshape(1, -1)
    first = np.array([row[4] for row in rows], dtype=np.int32)
    second = np.array([row[5] for row in rows], dtype=np.int32)
    slots = np.stack([first, np.where(second >= 0, second + 3, -1)]).astype(np.int32)
    unseen = {0: [(i, f"value {i % 3}") for i, row in enumerate(rows) if row[3] == 4]}
    return count(LAYOUT, numeric=np.ascontiguousarray(numeric), codes=codes, slots=slots, n_slots=5, unseen=unseen)


def total(rows):
    result = Sketch.empty(LAYOUT)
    for sketch in sketches(rows):
        result = result.merge(sketch)
    return result


def bits(sketch):
    return tuple(part.tobytes() for part in (sketch.minimum, sketch.maximum, sketch.mean, sketch.m2))


@given(st.lists(ROW, max_size=60))
def test_the_kernel_equals_its_numpy_specification(rows):
    for fast, plain in zip(sketches(rows), sketches(rows, accumulate_numpy), strict=True):
        assert fast.same(plain)
        assert fast.frequent == plain.frequent


SPOKEN = Layout([Column(name=name, kind=Kind.NUMERIC, edges=(0.0,)) for name in ("x", "y", "@score")])
SPEAKS = st.tuples(st.sampled_from([1.0, np.nan, np.inf, -np.inf]), st.sampled_from([1.0, -np.inf]), st.integers(-1, 2))


@given(st.lists(SPEAKS, max_size=20))
def test_rows_that_speak_of_features_of_a_prediction_and_of_both_are_counted(rows):
    numeric = np.array([[x, x, score] for x, score, _ in rows], dtype=np.float64).reshape(-1, 3).T.copy()
    slots = np.array([[slot for *_, slot in rows]], dtype=np.int32)
    for count in (accumulate, accumulate_numpy):
        found = count(
            SPOKEN, numeric=numeric, codes=np.empty((0, len(rows)), np.int32), slots=slots, n_slots=4, unseen={},
            totals=np.array([3, 3, -1, -1], np.int32),
        )  # fmt: skip
        for slots_of, sketch in zip(({0}, {1}, {2}, {0, 1}), found, strict=True):
            own = [(x != -np.inf, score != -np.inf) for x, score, slot in rows if slot in slots_of]
            assert sketch.with_features == sum(a for a, _ in own)
            assert sketch.with_prediction == sum(b for _, b in own)
            assert sketch.n_both == sum(a and b for a, b in own)


@given(st.lists(ROW, max_size=60), st.data())
def test_any_split_and_order_of_rows_gives_the_same_sketch(rows, data):
    cut = data.draw(st.integers(0, len(rows)))
    shuffled = data.draw(st.permutations(rows))
    for whole, left, right in zip(sketches(rows), sketches(shuffled[:cut]), sketches(shuffled[cut:]), strict=True):
        assert left.merge(right).same(whole)


@given(st.lists(ROW, max_size=30), st.lists(ROW, max_size=30), st.lists(ROW, max_size=30))
def test_merging_is_associative(a, b, c):
    x, y, z = total(a), total(b), total(c)
    assert x.merge(y).merge(z).same(x.merge(y.merge(z)))


@given(st.lists(ROW, max_size=30), st.lists(ROW, max_size=30))
def test_merging_is_commutative_to_the_bit(a, b):
    x, y = total(a), total(b)
    assert x.merge(y).same(y.merge(x), rtol=0.0)
    assert bits(x.merge(y)) == bits(y.merge(x))


@given(st.lists(ROW, max_size=30), st.permutations(range(30)))
def test_the_extremes_do_not_depend_on_the_order_of_rows_to_the_bit(rows, order):
    for one, other in zip(sketches(rows), sketches([rows[i] for i in order if i < len(rows)]), strict=True):
        assert bits(one)[:2] == bits(other)[:2]
        assert not any(np.signbit(part[part == 0.0]).any() for part in (one.minimum, one.maximum, one.mean, one.m2))


@given(st.lists(st.lists(ROW, max_size=20), min_size=1, max_size=5))
def test_whatever_counting_and_merging_make_comes_back_from_its_bytes(batches):
    merged = Sketch.empty(LAYOUT)
    for rows in batches:
        for sketch in sketches(rows):
            merged = merged.merge(sketch)
            for made in (sketch, merged):
                assert bits(Sketch.decode(made.encode(), LAYOUT)) == bits(made)


@given(st.integers(1, 9), st.integers(1, 9))
def test_means_near_the_largest_float_stay_finite(n_a, n_b):
    most = np.finfo(np.float64).max
    layout = Layout([Column(name="x", kind=Kind.NUMERIC)])
    none = np.empty((0, n_a + n_b), dtype=np.int32)
    values = np.array([most] * n_a + [np.nextafter(most, 0.0)] * n_b)
    slots = np.array([[0] * n_a + [1] * n_b], dtype=np.int32)
    a, b = accumulate(layout, numeric=values[None], codes=none, slots=slots, n_slots=2, unseen={})
    assert values.min() <= a.merge(b).mean[0] <= most
    whole = accumulate(layout, numeric=values[None], codes=none, slots=slots * 0, n_slots=1, unseen={})[0]
    assert values.min() <= whole.mean[0] <= most


@given(st.lists(ROW, max_size=30))
def test_the_empty_sketch_is_the_identity_of_merging(rows):
    x, empty = total(rows), Sketch.empty(LAYOUT)
    for merged in (x.merge(empty), empty.merge(x)):
        assert merged.same(x, rtol=0.0)
        assert np.array_equal(merged.mean, x.mean)
        assert np.array_equal(merged.m2, x.m2)


@given(st.lists(ROW, min_size=1, max_size=60))
def test_every_value_is_counted_once_or_absent(rows):
    for sketch in sketches(rows):
        present = sketch.valid + sketch.nulls + sketch.invalid
        assert np.all(present <= sketch.n)
    whole = total(rows)
    taken = sum((row[4] >= 0) + (row[5] >= 0) for row in rows)
    assert whole.n == taken
    absent = sum(((row[4] >= 0) + (row[5] >= 0)) * (row[0] == -np.inf) for row in rows)
    assert (whole.valid + whole.nulls + whole.invalid)[0] == taken - absent


# (n_slots,): slots 0-2 are totals, 3-6 the first dimension's and 7-10 the second's.
TOTALS = st.lists(st.integers(-1, 2), min_size=4, max_size=4).map(lambda parts: [-1] * 3 + parts + [-1] * 4)
TOTAL_ROW = st.tuples(
    NUMBER | st.floats(1e149, 1e152), NUMBER, NUMBER, st.integers(-3, 4), st.integers(-1, 3), st.integers(-1, 3)
)


@given(st.lists(TOTAL_ROW, max_size=60), TOTALS, st.booleans(), st.sampled_from([accumulate, accumulate_numpy]))
def test_totals_equal_counting_their_rows_directly(rows, totals, own_rows, count):
    numeric = np.array([row[:3] for row in rows], dtype=np.float64).reshape(-1, 3).T
    codes = np.array([row[3] for row in rows], dtype=np.int32).reshape(1, -1)
    first, second = (np.array([row[i] for row in rows], dtype=np.int32) for i in (4, 5))
    slots = np.stack([np.where(first >= 0, first + 3, -1), np.where(second >= 0, second + 7, -1)]).astype(np.int32)
    if own_rows:  # a total may have rows that are no part's
        slots[1] = np.where(second >= 0, second % 3, -1)
    unseen = {0: [(i, f"value {i % 3}") for i, row in enumerate(rows) if row[3] == 4]}
    batch = {"numeric": np.ascontiguousarray(numeric), "codes": codes, "n_slots": 11, "unseen": unseen}
    into = np.array(totals, dtype=np.int32)
    again = np.where(slots >= 0, into[slots], -1).astype(np.int32)
    direct = accumulate(LAYOUT, slots=np.vstack([slots, again]), **batch)
    for got, expected in zip(count(LAYOUT, slots=slots, totals=into, **batch), direct, strict=True):
        assert got.same(expected)
        assert got.frequent == expected.frequent


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_moments_of_totals_agree_to_1e_12(seed, n_parts):
    rng = np.random.default_rng(seed)
    values = rng.lognormal(3.0, 1.0, size=20_000) * rng.choice([1e-6, 1.0, 1e6]) + rng.choice([0.0, 1e3])
    layout = Layout([Column(name="x", kind=Kind.NUMERIC)])
    none, slots = np.empty((0, values.size), dtype=np.int32), rng.integers(1, n_parts + 1, (1, values.size))
    totals = np.array([-1] + [0] * n_parts, dtype=np.int32)
    batch = {"numeric": values[None], "codes": none, "slots": slots.astype(np.int32), "unseen": {}}
    whole = accumulate(layout, n_slots=totals.size, totals=totals, **batch)[0]
    assert whole.mean[0] == pytest.approx(np.mean(values), rel=1e-12)
    assert whole.m2[0] == pytest.approx(np.var(values) * values.size, rel=1e-12)


@settings(max_examples=10)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40))
def test_moments_of_many_batches_agree_to_1e_12(seed, batches):
    rng = np.random.default_rng(seed)
    values = rng.lognormal(3.0, 1.0, size=20_000) * rng.choice([1e-6, 1.0, 1e6])
    layout = Layout([Column(name="x", kind=Kind.NUMERIC)])
    result = Sketch.empty(layout)
    for part in np.array_split(values, batches):
        none = np.empty((0, part.size), dtype=np.int32)
        slots = np.zeros((1, part.size), dtype=np.int32)
        result = result.merge(accumulate(layout, numeric=part[None], codes=none, slots=slots, n_slots=1, unseen={})[0])
    assert result.mean[0] == pytest.approx(np.mean(values), rel=1e-12)
    assert result.m2[0] == pytest.approx(np.var(values) * values.size, rel=1e-12)


def test_a_million_equal_values_have_exactly_their_mean_and_no_spread():
    layout = Layout([Column(name="x", kind=Kind.NUMERIC)])
    none, slots = np.empty((0, 1_000_000), dtype=np.int32), np.zeros((1, 1_000_000), dtype=np.int32)
    values = np.full((1, 1_000_000), 0.1)
    sketch = accumulate(layout, numeric=values, codes=none, slots=slots, n_slots=1, unseen={})[0]
    assert sketch.mean[0] == 0.1
    assert sketch.std[0] == 0.0
    slots = np.arange(1_000_000, dtype=np.int32).reshape(1, -1) % 7 + 1
    totals = np.array([-1] + [0] * 7, dtype=np.int32)
    batch = {"numeric": values, "codes": none, "slots": slots, "n_slots": 8, "unseen": {}}
    whole = accumulate(layout, totals=totals, **batch)[0]
    assert whole.mean[0] == 0.1
    assert whole.std[0] == 0.0


def test_the_search_finds_numpys_cell_for_every_number_of_edges():
    rng = np.random.default_rng(5)
    for n_edges in [*range(70), 255, 256, 257, 267, 511, 522]:
        edges = np.sort(rng.normal(size=n_edges))
        layout = Layout([Column(name="x", kind=Kind.NUMERIC, edges=tuple(edges.tolist()))])
        values = np.concatenate(
            [edges, np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf), rng.normal(size=600)]
        )
        cells = np.empty(values.size, dtype=np.uint32)
        tables = layout.lookup
        kernel.search(values, tables.edges, tables.low[0], tables.scale[0], tables.first[0], tables.steps[0], cells)
        assert np.array_equal(cells, np.searchsorted(edges, values, side="left"))


@given(
    st.lists(st.floats(allow_nan=False).filter(lambda x: x < np.inf), max_size=40, unique=True)
    | st.lists(st.floats(0, 1).map(lambda x: x**40), max_size=300, unique=True),
    st.lists(st.floats(allow_nan=False, allow_infinity=False), max_size=20),
)
def test_the_search_finds_numpys_cell_wherever_the_edges_lie(drawn, others):
    edges = np.unique(np.array(drawn, dtype=np.float64))
    tables = Lookup.of([edges])
    with np.errstate(over="ignore"):
        near = [np.nextafter(edges, np.inf), np.nextafter(edges, -np.inf)]
    values = np.concatenate([edges, *near, np.array(others), -edges])
    values = values[np.isfinite(values)]
    cells = np.empty(values.size, dtype=np.uint32)
    kernel.search(values, tables.edges, tables.low[0], tables.scale[0], tables.first[0], tables.steps[0], cells)
    assert np.array_equal(cells, np.searchsorted(edges, values, side="left"))


@pytest.mark.parametrize(
    ("draw", "steps"),
    [("normal", 2), ("uniform", 2), ("exponential", 3), ("lognormal", 4), ("standard_cauchy", 4)],
)
def test_a_reference_of_any_usual_shape_needs_few_steps(draw, steps):
    edges = quantile_grid(getattr(np.random.default_rng(3), draw)(size=20_000))
    assert Lookup.of([edges]).steps[0] <= steps


def test_sketches_of_different_references_are_not_merged():
    other = Layout([Column(name="x", kind=Kind.NUMERIC)])
    with pytest.raises(LayoutMismatch):
        Sketch.empty(LAYOUT).merge(Sketch.empty(other))


@pytest.mark.parametrize("fault", ["slot", "code", "shape"])
def test_what_would_reach_outside_an_array_is_refused(fault):
    numeric, codes, slots = np.zeros((3, 4)), np.zeros((1, 4), dtype=np.int32), np.zeros((2, 4), dtype=np.int32)
    if fault == "slot":
        slots[1, 2] = 5
    elif fault == "code":
        codes[0, 1] = 5
    else:
        numeric = np.zeros((2, 4))
    with pytest.raises(ValueError, match=r"slot 5|no cell|do not fit"):
        accumulate(LAYOUT, numeric=numeric, codes=codes, slots=slots, n_slots=5, unseen={})


@pytest.mark.parametrize("totals", [[-1, 5, -1, -1, -1], [-1] * 4, [1, 2, -1, -1, -1], [0, -1, -1, -1, -1]])
def test_totals_that_are_no_slots_or_parts_themselves_are_refused(totals):
    numeric, codes, slots = np.zeros((3, 4)), np.zeros((1, 4), dtype=np.int32), np.zeros((2, 4), dtype=np.int32)
    batch = {"numeric": numeric, "codes": codes, "slots": slots, "n_slots": 5, "unseen": {}}
    with pytest.raises(ValueError, match=r"totals|part of another"):
        accumulate(LAYOUT, totals=np.array(totals, dtype=np.int32), **batch)
