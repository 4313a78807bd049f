"""Derived columns: the figures of NumPy and SciPy, the same whatever stands beside a row, and kept in the reference."""

from fractions import Fraction

import msgspec
import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import mahalanobis
from support.multivariate import reference_of_rows, sketch_rows, summed, weights_of

from detectors import axes
from detectors.axes import EXPLAINED, MAX_AXES, SMALLEST, SecondMoments, Spread, derived_of, second_moments
from detectors.columns import ABSENT, INVALID, NULL
from detectors.derive import STEPS, derive_numpy, with_derived
from detectors.derived import (
    DERIVED_COLUMNS,
    N_JOINT,
    Z_LIMIT,
    Z_STEPS,
    Derived,
    is_derived,
    rounded,
    verdict_column,
)
from detectors.errors import ConfigurationError, InvalidSetting, MalformedReference
from detectors.layout import Layout
from detectors.reference import Reference, numeric_column

ANY = st.floats(-6, 6) | st.floats(allow_subnormal=True) | st.sampled_from([NULL, INVALID, ABSENT, 0.0, -0.0])


def correlated(p=8, n=4_000, seed=0):
    """(p, n) with every scale and place, and every pair correlated."""
    rng = np.random.default_rng(seed)
    mixed = rng.normal(size=(p, p)) @ rng.normal(size=(p, n))
    return mixed * 10.0 ** rng.integers(-3, 4, size=(p, 1)) + rng.normal(size=(p, 1))


def columns_of(derived, values):
    """(distance, residual, projections)."""
    found = with_derived(derived, values)[len(values) :]
    return found[0], found[1], found[2:]


WEIGHTS = {p: weights_of(correlated(p)) for p in (2, 3, 8, 15, 16, 17, 40)}


# --- what they are ---


def test_the_names_are_reserved_and_sixteen_projections_share_a_verdict():
    assert DERIVED_COLUMNS[:3] == ("@distance", "@residual", "@joint.1")
    assert len(DERIVED_COLUMNS) == 2 + N_JOINT
    assert all(map(is_derived, DERIVED_COLUMNS))
    assert not any(map(is_derived, ("distance", "@score", "@label", "@score.a", "@joint", "@joint.17", "@joint.x")))
    assert {verdict_column(name) for name in DERIVED_COLUMNS} == {"@distance", "@residual", "@joint"}
    assert verdict_column("@joint.7") == "@joint"
    assert [verdict_column(name) for name in ("@joint.17", "joint.7", "@score")] == ["@joint.17", "joint.7", "@score"]


@pytest.mark.parametrize("p", [2, 5, 16, 30])
def test_the_distance_is_scipys_mahalanobis(p):
    values = correlated(p, seed=p)
    distance, _, _ = columns_of(weights_of(values), values[:, :200])
    inverse = np.linalg.inv(np.cov(values, bias=True))
    expected = [mahalanobis(row, values.mean(axis=1), inverse) for row in values[:, :200].T]
    smallest = np.linalg.eigvalsh(np.corrcoef(values))[0]
    bound = 0.5 / STEPS + np.sqrt(p / smallest) / 2 / Z_STEPS
    np.testing.assert_allclose(distance, expected, rtol=1e-3, atol=bound)


@pytest.mark.parametrize("p", [2, 5, 16, 30])
def test_the_residual_is_the_reconstruction_error_of_pca(p):
    values = correlated(p, seed=p)
    _, residual, _ = columns_of(weights_of(values), values)
    z = (values - values.mean(axis=1, keepdims=True)) / values.std(axis=1, keepdims=True)
    vectors, singular, _ = np.linalg.svd(z, full_matrices=False)
    held = np.cumsum(singular**2) / np.sum(singular**2)
    leading = min(int(np.argmax(held >= EXPLAINED)) + 1, p - 1)
    kept = vectors[:, :leading]
    error = np.linalg.norm(z - kept @ (kept.T @ z), axis=0)
    np.testing.assert_allclose(residual, error / np.sqrt(np.mean(error**2)), rtol=2e-3, atol=1 / STEPS)


@pytest.mark.parametrize("p", [2, 5, 16, 30])
def test_projections_are_standardised_and_together_the_distance_where_there_are_sixteen_axes(p):
    values = correlated(p, seed=p)
    distance, _, joint = columns_of(weights_of(values), values)
    np.testing.assert_allclose(joint.mean(axis=1), 0.0, atol=1e-3)
    np.testing.assert_allclose(joint.var(axis=1), 1.0, rtol=1e-3)
    if p >= N_JOINT:
        np.testing.assert_allclose(np.cov(joint), np.eye(N_JOINT), atol=2e-3)
    if p == N_JOINT:
        np.testing.assert_allclose(np.linalg.norm(joint, axis=0), distance, atol=4 / STEPS)


def test_neither_units_nor_origins_nor_the_order_of_rows_make_a_difference():
    values = correlated()
    order = np.random.default_rng(1).permutation(values.shape[1])
    assert weights_of(values[:, order]) == weights_of(values)
    moved = values * np.array([[2.0**k] for k in range(len(values))])  # exact
    assert np.array_equal(weights_of(moved).weights, weights_of(values).weights)
    assert (
        with_derived(weights_of(moved), moved)[8:].tobytes() == with_derived(weights_of(values), values)[8:].tobytes()
    )


# --- the two laws ---


@settings(max_examples=150)
@given(st.sampled_from(sorted(WEIGHTS)), st.integers(0, 600), st.integers(0, 2**32 - 1), st.lists(ANY, max_size=30))
def test_the_kernel_is_the_plain_function_to_the_bit(p, n, seed, special):
    values = np.random.default_rng(seed).normal(size=(p, n)) * 10.0
    values.ravel()[: len(special)] = special[: values.size]
    found = with_derived(WEIGHTS[p], values)
    assert np.array_equal(found[:p], values, equal_nan=True)
    assert found[p:].tobytes() == derive_numpy(WEIGHTS[p], values).tobytes()
    assert not np.isnan(found[p:]).any()
    assert not np.isposinf(found[p:]).any()


@settings(max_examples=100)
@given(st.sampled_from(sorted(WEIGHTS)), st.integers(1, 700), st.integers(0, 2**32 - 1), st.lists(st.integers(0, 700)))
def test_a_row_has_the_same_values_whatever_rows_stand_beside_it(p, n, seed, cuts):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(p, n))
    whole = with_derived(WEIGHTS[p], values)
    parts = np.split(values, sorted(cut for cut in cuts if cut < n), axis=1)
    assert np.concatenate([with_derived(WEIGHTS[p], part) for part in parts], axis=1).tobytes() == whole.tobytes()
    order = rng.permutation(n)
    assert with_derived(WEIGHTS[p], values[:, order]).tobytes() == whole[:, order].tobytes()


@settings(max_examples=50)
@given(st.integers(2, 300), st.integers(0, 2**32 - 1), st.floats(1e-6, 1e6))
def test_every_sum_of_weights_and_features_is_exact(p, seed, size):
    rng = np.random.default_rng(seed)
    weights = rounded(rng.normal(size=(3, p)) * size)
    assert np.array_equal(rounded(weights), weights)
    steps = Z_LIMIT * Z_STEPS
    z = rng.integers(-steps, steps, size=p, endpoint=True) / Z_STEPS
    z[rng.random(p) < 0.2] = Z_LIMIT
    exact = [float(sum(Fraction(w) * Fraction(x) for w, x in zip(row, z, strict=True))) for row in weights.tolist()]
    for order in (np.arange(p), np.arange(p)[::-1], rng.permutation(p)):
        assert (weights[:, order] @ z[order]).tolist() == exact
        assert [sum((row[order] * z[order]).tolist()) for row in weights] == exact


@settings(max_examples=50)
@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, 6_000), max_size=4))
def test_the_second_moments_do_not_depend_on_how_rows_come(seed, cuts):
    rng = np.random.default_rng(seed)
    values = correlated(4, 6_000, seed=5) * rng.lognormal(sigma=2.0, size=6_000)
    values[rng.random(values.shape) < 0.1] = NULL
    one = summed(values)
    other = SecondMoments(one.features, one.centre, one.scale)
    for part in np.split(values[:, rng.permutation(6_000)], sorted(cuts), axis=1):
        other.add(part)
    assert (other.n, other.covariance.tobytes()) == (one.n, one.covariance.tobytes())


def test_sums_of_any_number_of_blocks_are_exact(monkeypatch):
    values = correlated(3)
    expected = summed(values).covariance
    monkeypatch.setattr(axes, "_ROWS", 64)
    monkeypatch.setattr(axes, "_BLOCKS", 4)
    assert summed(values).covariance.tobytes() == expected.tobytes()


def test_the_covariance_is_numpys():
    values = correlated(6)
    np.testing.assert_allclose(summed(values).covariance, np.corrcoef(values), atol=1e-5)


# --- what is missing, constant, or too much ---


def test_a_missing_value_is_the_mean_and_a_row_of_none_has_no_derived_value():
    values = correlated(3)
    derived = weights_of(values)
    means = values.mean(axis=1)
    row = values[:, :1].copy()
    for missing in (NULL, INVALID):
        row[1] = missing
        imputed = np.where(np.isfinite(row), row, means[:, np.newaxis])
        np.testing.assert_allclose(with_derived(derived, row)[3:], with_derived(derived, imputed)[3:], atol=2 / STEPS)
    for gone in ([ABSENT] * 3, [NULL] * 3, [NULL, INVALID, NULL]):
        assert np.all(with_derived(derived, np.array([gone]).T)[3:] == ABSENT)


def test_rows_without_derived_values_count_nowhere():
    reference = reference_of_rows(correlated(3))
    live = np.array([[1.0, NULL, ABSENT], [2.0, NULL, ABSENT], [NULL, INVALID, ABSENT]])
    sketch = sketch_rows(reference.layout, with_derived(reference.derived, live))
    own = list(reference.layout.derived)
    assert (sketch.n, sketch.with_features, sketch.with_prediction) == (3, 2, 0)
    assert (sketch.valid[own].tolist(), sketch.nulls[own].tolist()) == ([1] * 18, [0] * 18)
    assert (sketch.nulls[:3].tolist(), sketch.invalid[:3].tolist()) == ([1, 1, 1], [0, 0, 1])


def test_a_column_that_does_not_vary_is_left_out():
    values = np.vstack([correlated(3), np.full(4_000, 7.0), np.full(4_000, NULL), correlated(1, seed=9)])
    derived = weights_of(values)
    assert derived.features.tolist() == [0, 1, 2, 5]
    changed = values.copy()
    changed[3:5] = 1e9
    assert np.array_equal(with_derived(derived, changed)[6:], with_derived(derived, values)[6:])


@pytest.mark.parametrize("values", [np.empty((0, 5)), np.ones((3, 5)), np.vstack([np.arange(5.0), np.ones(5)])])
def test_fewer_than_two_that_vary_are_refused(values):
    with pytest.raises(InvalidSetting, match="it takes two to vary together"):
        weights_of(values)


@pytest.mark.parametrize("size", [1e-320, 1e-200, 1e200, 1.7e308])
def test_values_of_any_size_give_finite_weights_or_are_left_out(size):
    rng = np.random.default_rng(0)
    values = np.vstack([rng.normal(size=(2, 500)), rng.uniform(-1, 1, 500) * size])
    found = with_derived(weights_of(values), values)[3:]
    assert np.isfinite(found).all()
    assert np.isfinite(with_derived(weights_of(values), np.full((3, 1), 1.7e308))[3:]).all()


def test_features_that_are_hardly_ever_there_have_axes_all_the_same():
    values = correlated(3)
    moments = summed(values)
    moments.n *= 10**9  # so many rows more with one feature each, and that at its mean
    derived = derived_of(moments)
    assert np.isfinite(with_derived(derived, values)[3:]).all()
    assert derived.residual - derived.distance == 3


def test_a_relation_that_always_held_and_breaks_shows_in_the_residual_and_not_in_the_distance():
    a, b = np.random.default_rng(0).normal(size=(2, 5_000))
    values = np.vstack([a, b, a + b])
    derived = weights_of(values)
    assert np.linalg.matrix_rank(derived.weights[N_JOINT : derived.residual]) == 2
    distance, residual, joint = columns_of(derived, values)
    assert residual.max() < 0.02
    assert np.mean(distance**2) == pytest.approx(2.0, rel=1e-3)
    assert joint.var(axis=1) == pytest.approx(np.ones(N_JOINT), rel=1e-3)
    broken = np.vstack([a, b, a + b + 0.1 * np.random.default_rng(1).normal(size=a.size)])
    assert np.median(columns_of(derived, broken)[1]) > 1.0


def test_an_axis_that_hardly_varies_does_not_blow_up_the_distance():
    rng = np.random.default_rng(0)
    a = rng.normal(size=5_000)
    values = np.vstack([a, a * (1 + 1e-7 * rng.normal(size=5_000)), rng.normal(size=5_000)])
    derived = weights_of(values)
    assert np.abs(derived.weights[: derived.residual]).max() <= 1 / np.sqrt(SMALLEST)
    # The same numbers as float32 are no drift.
    narrow = values.astype(np.float32).astype(np.float64)
    assert np.abs(np.subtract(columns_of(derived, narrow)[0], columns_of(derived, values)[0])).max() <= 2 / STEPS


def test_many_features_cost_no_more_rows_of_weights():
    derived = weights_of(correlated(150, 1_000))
    assert derived.weights.shape[0] <= MAX_AXES + MAX_AXES // 2
    values = correlated(150, 700, seed=2)
    assert with_derived(derived, values)[150:].tobytes() == derive_numpy(derived, values).tobytes()


def test_a_batch_that_lacks_a_feature_is_refused():
    with pytest.raises(ValueError, match="2 numeric columns where the weights are of 3"):
        with_derived(WEIGHTS[3], np.zeros((2, 4)))


def test_the_spread_of_a_column_keeps_what_a_sum_can_know():
    assert Spread.of(np.array([1.0, 1.0, 1.0])).standard is None
    assert Spread(1e20, 1.0, 1e20).standard is None
    centre, scale = Spread(1.7e12 + 1 / 3, 123.456789012345, 1.8e12).standard
    assert (centre, scale) == (pytest.approx(1.7e12 + 1 / 3, abs=1e-4), pytest.approx(123.456789012345, rel=1e-9))
    with pytest.raises(InvalidSetting, match="1 numeric features vary"):
        second_moments({0: Spread(0.0, 1.0, 3.0), 4: Spread(2.0, 0.0, 2.0)})


# --- kept in the reference ---


def test_weights_come_back_as_they_were():
    for derived in WEIGHTS.values():
        back = Derived.decode(derived.encode())
        assert (back, hash(back)) == (derived, hash(derived))
        assert back.weights.tobytes() == derived.weights.tobytes()
    assert WEIGHTS[2] != WEIGHTS[3]
    assert WEIGHTS[2] != 2


@pytest.mark.parametrize(
    "change",
    [
        {"features": b""},
        {"features": np.array([1, 0, 2]).tobytes()},
        {"features": np.array([-1, 0, 2]).tobytes()},
        {"centre": np.zeros(2).tobytes()},
        {"centre": b"123"},
        {"scale": np.zeros(3).tobytes()},
        {"scale": np.full(3, NULL).tobytes()},
        {"weights": np.zeros(3).tobytes()},
        {"weights": b"x" * 24},
        {"weights": (WEIGHTS[3].weights / 3.0).tobytes()},
        {"distance": 99},
        {"residual": 3},
    ],
)
def test_weights_that_contradict_themselves_are_refused(change):
    record = msgspec.msgpack.decode(WEIGHTS[3].encode())
    with np.errstate(divide="ignore"), pytest.raises(MalformedReference):
        Derived.decode(msgspec.msgpack.encode({**record, **change}))


@given(st.binary(max_size=60))
def test_rubbish_is_no_weights(data):
    with pytest.raises(MalformedReference):
        Derived.decode(data)


def test_a_reference_keeps_its_weights_and_its_digest_is_of_them():
    reference = reference_of_rows(correlated())
    back = Reference.decode(reference.encode())
    assert (back.derived, back.digest, back.layout) == (reference.derived, reference.digest, reference.layout)
    weights = reference.derived.weights * 2.0
    other = Derived(
        features=reference.derived.features, centre=reference.derived.centre, scale=reference.derived.scale,
        weights=weights, distance=reference.derived.distance, residual=reference.derived.residual,
    )  # fmt: skip
    reference = reference_of_rows(correlated())
    reference.derived = other
    assert reference.digest != back.digest


def test_a_file_of_the_format_before_is_read_and_keeps_its_digest():
    plain = reference_of_rows(correlated())
    observed, n = plain.layout.observed, plain.layout.observed.n_cells
    plain = Reference(
        model="m", version="1", layout=observed, dimensions={}, sketches={"": sketch_rows(observed, correlated())},
        cell_means=plain.cell_means[:n],
    )  # fmt: skip
    record = msgspec.msgpack.decode(zstandard.ZstdDecompressor().decompress(plain.encode()[41:]), strict=False)
    assert record.keys() == {"model", "version", "digest", "columns", "dimensions", "sketches", "cell_means"}
    before = plain.encode()[:8] + bytes([2]) + plain.encode()[9:]
    assert Reference.decode(before).digest == plain.digest
    assert Reference.decode(before).derived is None


def test_columns_and_weights_belong_together():
    reference = reference_of_rows(correlated(3))
    parts = {"model": "m", "version": "1", "dimensions": {}, "sketches": reference.sketches}
    with pytest.raises(ConfigurationError, match="do not fit"):
        Reference(**parts, layout=reference.layout, cell_means=reference.cell_means)
    observed = reference.layout.observed
    with pytest.raises(ConfigurationError, match="do not fit"):
        Reference(
            **{**parts, "sketches": {"": sketch_rows(observed, correlated(3))}},
            layout=observed, cell_means=reference.cell_means[: observed.n_cells], derived=reference.derived,
        )  # fmt: skip
    names = {"x0": "@score", "x1": "x1", "x2": "x2"}
    renamed = Layout(msgspec.structs.replace(c, name=names.get(c.name, c.name)) for c in reference.layout.columns)
    with pytest.raises(ConfigurationError, match="no numeric feature"):
        Reference(
            **{**parts, "sketches": {"": sketch_rows(renamed, with_derived(reference.derived, correlated(3)))}},
            layout=renamed, cell_means=reference.cell_means, derived=reference.derived,
        )  # fmt: skip


def test_events_have_neither_features_nor_predictions_in_derived_columns():
    columns = [numeric_column(name, np.arange(5.0))[0] for name in ("x", "@score", "y", *DERIVED_COLUMNS)]
    layout = Layout(columns)
    assert (layout.features, layout.prediction) == ((0, 2), (1,))
    assert layout.derived == tuple(range(3, 21))
    assert layout.observed == Layout(columns[:3])
    assert layout.observed.observed is layout.observed
    assert layout.numeric[:3] == layout.observed.numeric
