"""Bytes: sketches, frequent values and reference files round-trip, and rubbish is refused with a clear error."""

import contextlib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.accumulate import accumulate
from detectors.columns import Column, Kind
from detectors.errors import ConfigurationError, LayoutMismatch, MalformedReference, MalformedSketch
from detectors.examples import reference_of
from detectors.frequent import CAPACITY, Frequent
from detectors.layout import Layout
from detectors.reference import Reference, categorical_column, numeric_column, segment_name
from detectors.sketch import Sketch

TEXT = st.text(st.characters(), max_size=8)  # all of Unicode, lone surrogates too
COUNT = st.integers(0, 2**63 - 1)
LAYOUT = Layout([Column(name="x", kind=Kind.NUMERIC, edges=(-1.0, 0.0, 2.5)), categorical_column("ü", {"ä": 2, "": 1})])


def small_reference(version="1", order=None):
    rng = np.random.default_rng(3)
    values = rng.normal(size=500)
    values[::50] = np.nan
    codes = rng.integers(-1, 4, size=(1, 500)).astype(np.int32)
    rows = np.arange(500) if order is None else order
    x, means = numeric_column("x", values[rows])
    layout = Layout([x, categorical_column("ü", {"ä": 2, "": 1})])
    slots = np.stack([np.zeros(500), 1 + (np.arange(500) % 2)]).astype(np.int32)[:, rows]
    counted = accumulate(layout, numeric=values[None, rows], codes=codes[:, rows], slots=slots, n_slots=3, unseen={})
    return Reference(
        model="m",
        version=version,
        layout=layout,
        dimensions={"d": ("a", "b")},
        sketches=dict(zip(["", segment_name("d", "a"), segment_name("d", "b")], counted, strict=True)),
        cell_means=np.concatenate([means, np.full(4, np.nan)]),
    )


@st.composite
def any_sketch(draw):
    sketch = Sketch.empty(LAYOUT)
    small = draw(st.booleans())
    count = st.integers(0, 300) if small else st.integers(0, 2**58)
    sketch.counts[:] = draw(st.lists(count, min_size=8, max_size=8))
    sketch.nulls[:] = draw(st.lists(count, min_size=2, max_size=2))
    sketch.invalid[:] = draw(st.lists(count, min_size=2, max_size=2))
    sketch.n = int((sketch.valid + sketch.nulls + sketch.invalid).max()) + draw(st.integers(0, 3))
    if sketch.valid[0]:
        finite = st.floats(allow_nan=False, allow_infinity=False)
        sketch.minimum[0], sketch.mean[0], sketch.maximum[0] = sorted((draw(finite), draw(finite), draw(finite)))
        sketch.m2[0] = abs(draw(st.floats(allow_nan=False)))
    values = draw(st.dictionaries(TEXT, st.integers(1, 2**40), max_size=5))
    sketch.frequent = (Frequent(counts=values, error=draw(st.integers(0, 9))),)
    return sketch


@given(any_sketch())
def test_a_sketch_comes_back_as_it_was(sketch):
    back = Sketch.decode(sketch.encode(), LAYOUT)
    assert back.same(sketch, rtol=0.0)
    assert back.mean.tobytes() == sketch.mean.tobytes()
    assert back.m2.tobytes() == sketch.m2.tobytes()
    assert back.frequent == sketch.frequent


@given(any_sketch(), st.data())
def test_a_truncated_sketch_is_refused(sketch, data):
    encoded = sketch.encode()
    with pytest.raises(MalformedSketch):
        Sketch.decode(encoded[: data.draw(st.integers(0, len(encoded) - 1))], LAYOUT)


@given(any_sketch(), st.data())
def test_a_corrupt_sketch_is_refused_or_still_possible(sketch, data):
    encoded = bytearray(sketch.encode())
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(MalformedSketch, LayoutMismatch):  # nothing else may be raised
        decoded = Sketch.decode(bytes(encoded), LAYOUT)
        cells = [decoded.counts[LAYOUT.cells(index)].tolist() for index in range(2)]
        held = [sum(own) for own in cells]  # Python's integers do not overflow
        others = [int(nulls) + int(invalid) for nulls, invalid in zip(decoded.nulls, decoded.invalid, strict=True)]
        assert all(a + b <= decoded.n < 2**63 for a, b in zip(held, others, strict=True))


@given(st.binary(max_size=80))
def test_rubbish_is_no_sketch(data):
    with pytest.raises(MalformedSketch):
        Sketch.decode(data, LAYOUT)


def test_a_sketch_of_a_later_format_says_so():
    fields = msgspec.msgpack.decode(Sketch.empty(LAYOUT).encode())
    with pytest.raises(MalformedSketch, match="sketch format 9; this release reads 1"):
        Sketch.decode(msgspec.msgpack.encode([9, *fields[1:], "new"]), LAYOUT)


def test_a_count_beyond_int64_is_refused():
    fields = msgspec.msgpack.decode(Sketch.empty(LAYOUT).encode())
    fields[4] = [8, b"\xff" * 16, 0, b""]
    with pytest.raises(MalformedSketch, match="beyond 2"):
        Sketch.decode(msgspec.msgpack.encode(fields), LAYOUT)


def filled_sketch(**changes):
    sketch = Sketch.empty(LAYOUT)
    sketch.n, sketch.counts[2] = 3, 3
    sketch.minimum[0], sketch.maximum[0], sketch.mean[0], sketch.m2[0] = 1.0, 2.0, 1.5, 0.5
    for name, value in changes.items():
        getattr(sketch, name)[0] = value
    return sketch


def test_deep_nesting_is_no_sketch():
    for data in (b"\x91" * 100_000, b"\x98" + b"\x91" * 100_000, b"\x98\x01" + b"\x91" * 100_000):
        with pytest.raises(MalformedSketch):
            Sketch.decode(data, LAYOUT)


@pytest.mark.parametrize(
    "change",
    [
        {"minimum": np.nan},
        {"minimum": -np.inf},
        {"maximum": np.nan},
        {"maximum": np.inf},
        {"maximum": 0.5},
        {"mean": np.nan},
        {"mean": 2.1},
        {"mean": 0.9},
        {"m2": np.nan},
        {"m2": -1.0},
    ],
)
def test_moments_that_no_values_have_are_refused(change):
    assert Sketch.decode(filled_sketch().encode(), LAYOUT).n == 3
    with pytest.raises(MalformedSketch, match="moments"):
        Sketch.decode(filled_sketch(**change).encode(), LAYOUT)


@pytest.mark.parametrize(
    "change", [{"minimum": 0.0}, {"maximum": 0.0}, {"mean": 1.0}, {"m2": 7.0}, {"minimum": np.nan}]
)
def test_moments_of_no_values_are_refused(change):
    sketch = Sketch.empty(LAYOUT)
    for name, value in change.items():
        getattr(sketch, name)[0] = value
    with pytest.raises(MalformedSketch, match="moments"):
        Sketch.decode(sketch.encode(), LAYOUT)


def wire_with(**fields):
    """An empty sketch's fields with others in the places of `n` (2), `counts` (3), `nulls` (4) and `invalid` (5)."""
    wire = msgspec.msgpack.decode(Sketch.empty(LAYOUT).encode())
    for name, value in fields.items():
        wire[("n", "counts", "nulls", "invalid").index(name) + 2] = value
    return msgspec.msgpack.encode(wire)


def packed(*values):
    return [8, np.array(values, dtype="<u8").tobytes(), 0, b""]


@pytest.mark.parametrize(
    "fields",
    [
        {"n": 2**63},
        {"n": 2**64 - 1},
        {"n": -1},
        {"n": 2, "nulls": packed(0, 3)},
        {"n": 0, "counts": packed(0, 0, 0, 0, 2**62, 2**62, 2**62, 2**62)},  # the sum is 0 in int64
        {"n": 2**63 - 1, "counts": packed(0, 0, 0, 0, 2**62, 2**62, 2**62, 2**62)},
        {"n": 2**63 - 1, "nulls": packed(0, 2**63 - 1), "invalid": packed(0, 2)},
    ],
)
def test_more_values_than_rows_are_refused_whatever_overflows(fields):
    with pytest.raises(MalformedSketch):
        Sketch.decode(wire_with(**fields), LAYOUT)


@pytest.mark.parametrize("places", [(1, 0), (1, 1), (0, 8)])
def test_places_of_counts_that_are_out_of_order_or_out_of_range_are_refused(places):
    index = np.array(places, dtype="<u1").tobytes()
    with pytest.raises(MalformedSketch, match="places"):
        Sketch.decode(wire_with(n=5, counts=[1, b"\x01\x01", 1, index]), LAYOUT)


def test_a_sketch_of_another_reference_is_refused():
    other = Layout([Column(name="x", kind=Kind.NUMERIC, edges=(-1.0, 0.0, 2.0)), LAYOUT.columns[1]])
    with pytest.raises(LayoutMismatch):
        Sketch.decode(Sketch.empty(LAYOUT).encode(), other)


def test_few_filled_cells_take_few_bytes():
    layout = Layout([Column(name=f"c{i}", kind=Kind.NUMERIC, edges=tuple(map(float, range(266)))) for i in range(20)])
    sketch = Sketch.empty(layout)
    sketch.counts[::267], sketch.n = 7, 7
    sketch.minimum[:], sketch.maximum[:] = -1.0, -1.0
    assert len(sketch.encode()) < 20 * 40


def test_a_reference_comes_back_as_it_was():
    reference = small_reference()
    back = Reference.decode(reference.encode())
    assert (back.model, back.version, back.dimensions) == (reference.model, reference.version, reference.dimensions)
    assert back.layout == reference.layout
    assert back.digest == reference.digest
    assert len(back.digest) == 64
    assert np.array_equal(back.cell_means, reference.cell_means, equal_nan=True)
    assert all(back.sketches[name].same(sketch, rtol=0.0) for name, sketch in reference.sketches.items())


def test_the_digest_is_of_the_content_and_not_of_label_or_row_order():
    order = np.random.default_rng(8).permutation(500)
    assert small_reference(version="2", order=order).digest == small_reference().digest
    changed = small_reference()
    changed.sketches[""].counts[3] += 1
    assert changed.digest != small_reference().digest


@pytest.mark.parametrize("moment", ["minimum", "maximum"])
def test_the_extremes_are_in_the_digest(moment):
    changed = small_reference()
    getattr(changed.sketches[""], moment)[0] *= 2.0
    assert changed.digest != small_reference().digest


def test_the_cell_means_are_in_the_digest():
    changed = small_reference()
    filled = np.flatnonzero(~np.isnan(changed.cell_means))
    changed.cell_means[filled[3]] += 1e-12
    assert changed.digest != small_reference().digest
    same = small_reference()
    same.cell_means[np.isnan(same.cell_means)] = np.float64(np.nan) * -1.0  # another NaN
    assert same.digest == small_reference().digest


@given(st.permutations([0.0, -0.0, 0.0, -0.0, 1.0, -1.0, 0.1, 0.2, 0.3, 1e16, -1e16, 5e-324]))
def test_the_digest_does_not_depend_on_which_zero_came_first(values):
    expected = reference_of(np.sort(np.array(values)))
    assert reference_of(np.array(values)).digest == expected.digest
    assert not np.signbit(reference_of(np.array([-0.0] * 5)).cell_means).any()


def test_the_digest_and_the_file_hold_any_text():
    column = categorical_column("c", {"\ud800": 3, "a": 2} | {f"v{i}\udfff": 1 for i in range(1_000)})
    layout = Layout([column])
    sketch = Sketch.empty(layout)
    sketch.n, sketch.counts[0], sketch.counts[1] = 5, 3, 2
    name = segment_name("d", "\udc00")
    reference = Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={"d": ("\udc00",)},
        sketches={"": sketch, name: sketch},
        cell_means=np.full(layout.n_cells, np.nan),
    )
    back = Reference.decode(reference.encode())
    assert back.digest == reference.digest
    assert back.layout == layout
    assert back.dimensions == reference.dimensions
    assert list(back.sketches) == ["", name]


def categories(own, others=()):
    return Layout([Column(name="c", kind=Kind.CATEGORICAL, categories=own, others=others)])


def test_layouts_with_other_cells_have_other_fingerprints():
    layouts = [
        categories(("a", ""), ("b",)),
        categories(("a",), ("", "b")),
        categories(("a", "")),
        categories(("a",), ("",)),
        categories(("a", "", "b")),
        categories(("a",)),
    ]
    assert len({layout.fingerprint for layout in layouts}) == len(layouts)


def test_float32_values_are_counted_as_the_float64_they_are():
    values = np.repeat(np.array([0.1, 0.2, 0.3], dtype=np.float32), 300)
    column, means = numeric_column("x", values)
    wide, wide_means = numeric_column("x", values.astype(np.float64))
    assert column == wide
    assert np.array_equal(means, wide_means, equal_nan=True)


@pytest.mark.parametrize("length", [0, 4, 8, 9, 20, 41, 200])
def test_a_truncated_reference_is_refused(length):
    with pytest.raises(MalformedReference, match=r"truncated|no Driftline reference"):
        Reference.decode(small_reference().encode()[:length])


@given(st.data())
def test_a_corrupt_reference_is_refused(data):
    encoded = bytearray(ENCODED)
    encoded[data.draw(st.integers(0, len(encoded) - 1))] ^= data.draw(st.integers(1, 255))
    with pytest.raises(MalformedReference):
        Reference.decode(bytes(encoded))


ENCODED = small_reference().encode()


def test_a_reference_without_a_whole_is_refused():
    reference = small_reference()
    with pytest.raises(ConfigurationError, match="whole"):
        Reference(
            model="m", version="1", layout=reference.layout, dimensions={}, sketches={}, cell_means=reference.cell_means
        )


def test_cell_means_lie_in_their_cells_and_add_up_to_the_mean():
    values = np.random.default_rng(2).lognormal(size=5000)
    column, means = numeric_column("x", values)
    counts = np.bincount(np.searchsorted(column.edges, values), minlength=column.n_cells)
    assert np.nansum(counts * means) / 5000 == pytest.approx(values.mean(), rel=1e-12)
    filled = np.flatnonzero(counts)
    assert np.array_equal(np.searchsorted(column.edges, means[filled]), filled)


def test_the_thousand_largest_categories_are_cells_and_ties_go_by_name():
    counts = {f"{i:04}": 5 for i in range(1500)} | {"z": 9, "none": 0}
    column = categorical_column("c", counts)
    assert len(column.categories) == 1000
    assert column.categories[:3] == ("z", "0000", "0001")
    codes = column.codes()
    assert codes["1400"] == column.other == 1000
    assert "none" not in codes


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


def test_a_reference_file_of_another_format_says_so():
    with pytest.raises(MalformedReference, match="reference format 1; this release reads 2"):
        Reference.decode(ENCODED[:8] + b"\x01" + ENCODED[9:])
