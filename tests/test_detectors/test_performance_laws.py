"""Performance sketches: merging is addition, to the bit; a label taken back leaves no trace; bytes give them back."""

import math
from fractions import Fraction

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors.columns import Column, Kind
from detectors.errors import ConfigurationError, LayoutMismatch, MalformedSketch
from detectors.performance.accumulate import accumulate_matches, sketch_matches
from detectors.performance.estimate import estimate, said_counts, score_counts
from detectors.performance.exact import ExactMoments, exact_moments
from detectors.performance.examples import binary_space, multiclass_space, regression_space
from detectors.performance.matches import Matches
from detectors.performance.measure import measure
from detectors.performance.reference import PerformanceReference
from detectors.performance.sketch import LOSS, N, PerformanceSketch
from detectors.performance.space import MOST_CELLS, PerformanceSpace, Task, part_of
from detectors.performance.split import label_prior, split_columns
from detectors.performance.subgroups import subgroups
from detectors.reference import categorical_column, numeric_column

pytestmark = pytest.mark.filterwarnings("error")

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def spaces():
    rng = np.random.default_rng(11)
    score, x = rng.uniform(size=(2, 2_000))
    probabilities = rng.dirichlet([1.0, 2.0, 3.0], size=2_000).T
    part = binary_space(score, {"x": x, "y": np.round(x, 1)}).parts
    made = [
        binary_space(score),
        binary_space(score, probability=False),
        multiclass_space(3, probabilities),
        multiclass_space(3),
        regression_space(score, score + x),
    ]
    return [msgspec.structs.replace(space, parts=part) for space in made]


SPACES = spaces()
IDS = ["binary", "binary, no probability", "multiclass", "multiclass, no scores", "regression"]


def rows(space, n, seed):
    """Matches of every kind: without scores, classes or values, of unknown classes, out of every range."""
    rng = np.random.default_rng(seed)
    scores = rng.uniform(-0.2, 1.2, size=(len(space.scores), n))
    scores[rng.uniform(size=scores.shape) < 0.1] = np.nan
    target = rng.normal(size=n) * 10.0 ** rng.integers(-3, 25, size=n)
    target[rng.uniform(size=n) < 0.05] = np.inf
    value = np.where(rng.uniform(size=n) < 0.5, rng.normal(size=n) * 1e12, np.nan)
    parts = np.array([rng.integers(len(part.cells), size=n) for part in space.parts], dtype=np.uint8)
    classes = bool(space.classes)
    return Matches.of(
        space,
        n,
        sign=rng.choice([-1, 1, 1, 1], size=n),
        label=rng.integers(space.other + 1, size=n).astype(np.int32) if classes else None,
        predicted=rng.integers(space.unsaid + 1, size=n).astype(np.int32) if classes else None,
        target=None if classes else target,
        scores=scores,
        parts=parts,
        value=value,
    )


def picked(matches, index):
    def own(array):
        return array[..., index] if array.shape[-1] else array

    return Matches(**{name: own(getattr(matches, name)) for name in matches.__struct_fields__})


@pytest.mark.parametrize("space", SPACES, ids=IDS)
@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 80), n_parts=st.integers(1, 5))
def test_any_split_and_any_order_gives_the_same_sketch_to_the_bit(space, seed, n, n_parts):
    matches = rows(space, n, seed)
    whole = sketch_matches(space, matches)
    rng = np.random.default_rng(seed)
    of = rng.integers(n_parts, size=n)
    sketches = [
        sketch_matches(space, picked(matches, rng.permutation(np.flatnonzero(of == i)))) for i in range(n_parts)
    ]
    merged = PerformanceSketch.empty(space)
    for i in rng.permutation(n_parts):
        merged = sketches[i].merge(merged)
    assert merged == whole
    slots = accumulate_matches(space, matches, of, n_parts)
    assert slots == sketches
    assert PerformanceSketch.decode(whole.encode(), space) == whole
    assert merged.merge(whole.taken_back()) == PerformanceSketch.empty(space)


@pytest.mark.parametrize("space", SPACES, ids=IDS)
def test_a_corrected_label_leaves_no_trace_of_the_first(space):
    matches = rows(space, 500, 3)
    sure = msgspec.structs.replace(matches, sign=np.ones(500, dtype=np.int64))
    wrong = rows(space, 500, 4)
    mistyped = msgspec.structs.replace(
        sure, label=wrong.label, target=wrong.target, value=np.full(500, 1e200) if space.classes else wrong.value
    )
    corrections = sketch_matches(space, mistyped).taken_back().merge(sketch_matches(space, sure))
    assert sketch_matches(space, mistyped).merge(corrections) == sketch_matches(space, sure)


@pytest.mark.parametrize("space", SPACES, ids=IDS)
@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(0, 40), balance=st.floats(0.0, 1.0))
def test_corrections_that_came_first_are_measured_without_a_crash(space, seed, n, balance):
    matches = rows(space, n, seed)
    sign = np.where(np.random.default_rng(seed).uniform(size=n) < balance, 1, -1)
    sketch = sketch_matches(space, msgspec.structs.replace(matches, sign=sign))
    assert bool(measure(sketch)) == sketch.settled
    reference = sketch_matches(space, msgspec.structs.replace(rows(space, 200, 1), sign=np.ones(200, dtype=np.int64)))
    assert subgroups(reference, sketch).n_looked_at >= 0
    for one, other in ((reference, sketch), (sketch, reference)):
        label_prior(one, other)
        split_columns(one, other)
        estimate(PerformanceReference(one), score_counts(other), said_counts(other))


def test_a_row_in_no_slot_is_counted_nowhere():
    space = SPACES[0]
    sketches = accumulate_matches(space, rows(space, 50, 1), np.full(50, -1), 2)
    assert sketches == [PerformanceSketch.empty(space)] * 2


@given(st.lists(st.tuples(FINITE, st.sampled_from([-1, 1]), st.integers(0, 2)), max_size=60))
def test_exact_moments_are_those_of_fractions(drawn):
    values = np.array([value for value, _, _ in drawn], dtype=np.float64)
    sign = np.array([sign for _, sign, _ in drawn], dtype=np.int64)
    slots = np.array([slot for _, _, slot in drawn], dtype=np.int64)
    for slot, found in enumerate(exact_moments(values, sign, slots, 3)):
        own = [(Fraction(value), s) for value, s, where in drawn if where == slot]
        assert found.n == sum(s for _, s in own)
        assert Fraction(found.total, 2**1074) == sum((s * value for value, s in own), Fraction(0))
        assert Fraction(found.squares, 2**2148) == sum((s * value**2 for value, s in own), Fraction(0))


@given(st.lists(FINITE, min_size=2, max_size=40))
def test_mean_and_variance_of_exact_moments_are_rounded_once(drawn):
    (found,) = exact_moments(np.array(drawn), np.ones(len(drawn), np.int64), np.zeros(len(drawn), np.int64), 1)
    exact = [Fraction(value) for value in drawn]
    mean = sum(exact) / len(exact)
    m2 = sum((value - mean) ** 2 for value in exact)
    assert found.mean == float(mean)
    assert found.m2 == (float(m2) if m2 < 2**1024 - 2**970 else math.inf)
    if abs(sum(exact)) < 2**1023:
        assert found.sum == float(sum(exact))


def test_moments_of_nothing_are_undefined():
    nothing = ExactMoments()
    assert all(map(math.isnan, (nothing.mean, nothing.m2, nothing.variance, nothing.standard_error)))
    assert nothing.sum == 0.0


@pytest.mark.parametrize("space", SPACES, ids=IDS)
def test_corrupt_bytes_are_no_sketch(space):
    data = sketch_matches(space, rows(space, 300, 8)).encode()
    for cut in range(0, len(data) - 1, 7):
        with pytest.raises(MalformedSketch):
            PerformanceSketch.decode(data[:cut], space)
    for junk in (b"", b"\xc1", b"\x90", msgspec.msgpack.encode([1, 2]), msgspec.msgpack.encode({"a": 1})):
        with pytest.raises(MalformedSketch):
            PerformanceSketch.decode(junk, space)


@settings(max_examples=200)
@given(place=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_a_changed_byte_is_refused_or_gives_a_sketch(place, byte):
    space = SPACES[0]
    data = bytearray(DATA)
    data[place % len(data)] = byte
    try:
        sketch = PerformanceSketch.decode(bytes(data), space)
    except (MalformedSketch, LayoutMismatch):
        return
    assert sketch.encode()


DATA = sketch_matches(SPACES[0], rows(SPACES[0], 300, 8)).encode()


def test_a_later_format_is_named_as_such():
    later = msgspec.msgpack.encode([2, *msgspec.msgpack.decode(DATA)[1:], "more"])
    with pytest.raises(MalformedSketch, match="format 2"):
        PerformanceSketch.decode(later, SPACES[0])


def test_sketches_of_other_cells_do_not_mix():
    other = binary_space(np.linspace(0.0, 2.0, 300))
    with pytest.raises(LayoutMismatch):
        PerformanceSketch.empty(SPACES[0]).merge(PerformanceSketch.empty(other))
    with pytest.raises(LayoutMismatch):
        PerformanceSketch.decode(DATA, other)


def test_a_window_of_10000_matches_and_25_columns_takes_few_bytes():
    rng = np.random.default_rng(2)
    score, *features = rng.uniform(size=(26, 10_000))
    space = binary_space(score, {f"x{i}": feature for i, feature in enumerate(features)})
    matches = Matches.of(
        space,
        10_000,
        label=(rng.uniform(size=10_000) < score).astype(np.int32),
        predicted=(score >= 0.5).astype(np.int32),
        scores=score[None, :],
        parts=np.array([(feature * 10).astype(np.uint8) for feature in features]),
    )
    assert len(sketch_matches(space, matches).encode()) < 12_000


def test_losses_by_part_add_up_to_the_whole():
    space = SPACES[0]
    sketch = sketch_matches(space, rows(space, 400, 5))
    blocks = [sketch.sums[space.block(name)] for name in ("@score", "@truth", "x", "y")]
    for block in blocks:
        assert np.array_equal(block[:, LOSS].sum(), blocks[0][:, LOSS].sum())
        assert block[:, N].sum() == sketch.moment("log_loss").n


def test_the_mean_of_a_business_number_rides_along():
    space = SPACES[3]
    matches = Matches.of(space, 4, value=np.array([10.0, 20.0, np.nan, 60.0]))
    assert measure(sketch_matches(space, matches))["value"].value == 30.0
    assert measure(sketch_matches(space, matches))["value"].n == 3


@pytest.mark.parametrize("kind", ["continuous", "atoms", "constant", "empty"])
def test_a_numeric_column_has_at_most_twelve_coarse_cells_and_keeps_its_order(kind):
    rng = np.random.default_rng(6)
    values = {
        "continuous": rng.normal(size=5_000),
        "atoms": np.repeat(np.arange(9.0), 500),
        "constant": np.full(100, 3.0),
        "empty": np.empty(0),
    }[kind]
    column, _ = numeric_column("x", values)
    counts = np.bincount(np.searchsorted(np.array(column.edges), values), minlength=column.n_cells)
    part = part_of(column, counts)
    assert len(part.cells) <= MOST_CELLS
    assert part.cells[-1] == "(none)"
    assert len(part.coarse) == column.n_cells
    assert sorted(part.coarse) == list(part.coarse)
    assert max(part.coarse) == len(part.cells) - 2


def test_a_categorical_column_keeps_its_ten_largest_categories():
    column = categorical_column("x", {f"c{i:02}": 100 - i for i in range(30)})
    part = part_of(column, np.zeros(column.n_cells, dtype=np.int64))
    assert part.cells == (*(f"c{i:02}" for i in range(10)), "(rest)", "(none)")
    assert part.coarse[9] == 9
    assert set(part.coarse[10:]) == {10}
    assert len(part.coarse) == column.n_cells


@pytest.mark.parametrize(
    "fault",
    [
        {"task": Task.BINARY, "classes": ("a",)},
        {"task": Task.BINARY, "classes": ("a", "a")},
        {"task": Task.MULTICLASS, "classes": ("a", "b"), "scores": (Column(name="@score", kind=Kind.NUMERIC),)},
        {"task": Task.REGRESSION},
        {"task": Task.REGRESSION, "scores": (Column(name="@score", kind=Kind.CATEGORICAL),)},
        {"task": Task.REGRESSION, "scores": (Column(name="@score", kind=Kind.NUMERIC),), "scale": 0.0},
    ],
)
def test_a_space_that_contradicts_itself_is_refused(fault):
    with pytest.raises(ConfigurationError):
        PerformanceSpace(**fault)


@pytest.mark.parametrize(
    "fault", [{"label": np.full(3, 7, np.int32)}, {"sign": np.zeros(3, np.int64)}, {"label": np.zeros(2, np.int32)}]
)
def test_matches_out_of_range_are_refused(fault):
    with pytest.raises(ConfigurationError):
        Matches.of(SPACES[0], 3, **fault)
