"""Reference files: they round-trip, their digest is of what windows are compared with, and rubbish is refused."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.accumulate import accumulate
from detectors.columns import Column, Kind
from detectors.errors import ConfigurationError, MalformedReference
from detectors.examples import reference_of
from detectors.layout import Layout
from detectors.reference import Reference, categorical_column, numeric_column, segment_name
from detectors.sketch import Sketch


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


def test_a_reference_file_of_another_format_says_so():
    with pytest.raises(MalformedReference, match="reference format 1; this release reads 2"):
        Reference.decode(ENCODED[:8] + b"\x01" + ENCODED[9:])
