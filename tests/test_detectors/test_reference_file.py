"""Reference files: they round-trip, their digest is of what windows are compared with, and rubbish is refused."""

import functools

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors.accumulate import accumulate
from detectors.columns import Column, Kind
from detectors.errors import ConfigurationError, DetectorError, LayoutMismatch, MalformedReference
from detectors.examples import reference_of
from detectors.layout import Layout
from detectors.performance.accumulate import sketch_matches
from detectors.performance.build import performance_space
from detectors.performance.delay import delay_counts, delay_curve
from detectors.performance.matches import Matches
from detectors.performance.reference import performance_reference
from detectors.performance.reference_wire import decode_labelled, encode_labelled
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.space import Task
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
    with pytest.raises(MalformedReference, match="reference format 1; this release reads 2, 3 and 4"):
        Reference.decode(ENCODED[:8] + b"\x01" + ENCODED[9:])


def labelled_reference(shift=0.0):
    rng = np.random.default_rng(4)
    score, x = rng.uniform(size=800), rng.normal(size=800)
    column, means = numeric_column("@score", score)
    feature, own_means = numeric_column("x", x)
    layout = Layout([feature, categorical_column("city", {"Oslo": 5, "\ud800": 3}), column])
    codes = np.zeros((1, 800), dtype=np.int32)
    counted = accumulate(
        layout, numeric=np.stack([x, score]), codes=codes, slots=np.zeros((1, 800), np.int32), n_slots=1, unseen={}
    )
    name = segment_name("d", "\udc00")
    bare = Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={"d": ("\udc00",)},
        sketches={"": counted[0], name: counted[0]},
        cell_means=np.concatenate([own_means, np.full(4, np.nan), means]),
    )
    space = performance_space(bare, Task.BINARY, classes=("no", "\udfff"))
    label = (rng.uniform(size=800) < score + shift).astype(np.int32)
    panes = [
        sketch_matches(space, Matches.of(space, 100, label=label[rows], scores=score[None, rows]))
        for rows in (slice(start, start + 100) for start in range(0, 800, 100))
    ]
    whole = functools.reduce(PerformanceSketch.merge, panes)
    delay = delay_curve(delay_counts(rng.exponential(6e5, size=800), np.ones(800, dtype=np.int64)), np.full(100, 1e7))
    performance = performance_reference(whole, panes_by_length={3_600_000: panes, 86_400_000: panes[:2]})
    return bare.with_performance(performance, {name: panes[0]}, delay)


def test_a_labelled_reference_comes_back_as_it_was():
    reference = labelled_reference()
    back = Reference.decode(reference.encode())
    assert back.digest == reference.digest
    assert back.performance.sketch == reference.performance.sketch
    assert back.performance.spreads == reference.performance.spreads
    assert back.segment_performance == reference.segment_performance
    assert back.delay == reference.delay
    assert back.with_studies([]).performance is back.performance
    assert back.performance_of("", 7_200_000).spread == reference.performance.spreads[3_600_000]
    assert back.performance_of("", 80_000_000).spread == reference.performance.spreads[86_400_000]


def test_labels_and_their_delay_are_in_the_digest_and_no_labels_change_no_digest():
    reference = labelled_reference()
    assert labelled_reference(shift=0.01).digest != reference.digest
    slower = reference.with_performance(reference.performance, reference.segment_performance, None)
    assert slower.digest != reference.digest
    fewer = reference.with_performance(reference.performance, {}, reference.delay)
    assert fewer.digest != reference.digest
    assert small_reference().encode()[8] == 3  # the release before reads it
    assert reference.encode()[8] == 4


def test_the_performance_of_other_cells_is_refused():
    reference, other = labelled_reference(), labelled_reference()
    space = performance_space(reference, Task.BINARY, classes=("a", "b"))
    with pytest.raises(LayoutMismatch):
        reference.with_performance(reference.performance, {"d=x": PerformanceSketch.empty(space)}, None)
    with pytest.raises(ConfigurationError):
        reference.with_performance(None, {}, other.delay)


def packed_again(change):
    """A labelled reference's file in which `change` was made to the record of its labels, and all hashes fit."""
    reference = labelled_reference()
    labelled = msgspec.msgpack.decode(
        encode_labelled(reference.layout, reference.performance, reference.segment_performance, reference.delay)
    )
    change(labelled)
    return decode_labelled(msgspec.msgpack.encode(labelled), reference.layout)


@pytest.mark.parametrize(
    "change",
    [
        lambda record: record.__setitem__(0, 9),
        lambda record: record[1].__setitem__(2, [99]),
        lambda record: record[1].__setitem__(1, [b"one"]),
        lambda record: record[1].__setitem__(7, float("nan")),
        lambda record: record[1][4][0].__setitem__(2, [77] * len(record[1][4][0][2])),
        lambda record: record[1][4][0].__setitem__(2, [0]),
        lambda record: record.__setitem__(2, record[2][:-4]),
        lambda record: record[3].append([b"s", b""]),
        lambda record: record[4].__setitem__("labelled", [0.5]),
        lambda record: record[4].__setitem__("labelled", [2.0] * len(record[4]["labelled"])),
        lambda record: record[4]["counts"].__setitem__(0, -1),
        lambda record: record.pop(),
        lambda record: record.append(0),
    ],
)
def test_labels_that_contradict_themselves_are_refused(change):
    with pytest.raises(DetectorError):
        packed_again(change)


@given(st.binary(max_size=40))
def test_rubbish_in_the_place_of_labels_is_refused(data):
    with pytest.raises(MalformedReference):
        decode_labelled(data, categories(("a",)))
