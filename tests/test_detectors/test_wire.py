"""Bytes: sketches round-trip, and rubbish is refused with a clear error."""

import contextlib

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.columns import Column, Kind
from detectors.errors import LayoutMismatch, MalformedSketch
from detectors.frequent import Frequent
from detectors.layout import Layout
from detectors.reference import categorical_column
from detectors.sketch import Sketch

TEXT = st.text(st.characters(), max_size=8)  # all of Unicode, lone surrogates too
COUNT = st.integers(0, 2**63 - 1)
LAYOUT = Layout([Column(name="x", kind=Kind.NUMERIC, edges=(-1.0, 0.0, 2.5)), categorical_column("ü", {"ä": 2, "": 1})])


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
    sketch.n_both = draw(st.integers(0, sketch.n))
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
    with pytest.raises(MalformedSketch, match="sketch format 9; this release reads 2"):
        Sketch.decode(msgspec.msgpack.encode([9, *fields[1:], "new"]), LAYOUT)


def test_a_sketch_of_the_format_before_tells_by_its_tallies_how_many_rows_spoke_of_both():
    layout = Layout([Column(name="x", kind=Kind.NUMERIC), Column(name="@score", kind=Kind.NUMERIC)])
    sketch = Sketch.empty(layout)
    sketch.n, sketch.nulls[:] = 10, (10, 4)  # six events of a topic of features
    fields = msgspec.msgpack.decode(sketch.encode())
    assert Sketch.decode(msgspec.msgpack.encode([1, *fields[1:-1]]), layout).n_both == 4


def test_more_rows_that_speak_of_both_than_rows_are_refused():
    fields = msgspec.msgpack.decode(Sketch.empty(LAYOUT).encode())
    for n_both in (-1, 1):
        with pytest.raises(MalformedSketch):
            Sketch.decode(msgspec.msgpack.encode([*fields[:-1], n_both]), LAYOUT)


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
