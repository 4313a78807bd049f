"""What every registered method promises. A new method is found, and tested, by itself."""

import doctest
import importlib
import pkgutil

import msgspec
import numpy as np
import pytest

import detectors
import detectors.methods
from detectors.accumulate import accumulate
from detectors.dependence import DesignEffect
from detectors.errors import UnknownMethod
from detectors.layout import Layout
from detectors.reference import Reference, categorical_column, numeric_column
from detectors.registry import get, methods, register
from detectors.score import comparison_of

CASES = [(name, kind) for name, method in methods().items() for kind in sorted(method.kinds)]
MODULES = [module.name for module in pkgutil.walk_packages(detectors.__path__, "detectors.")]
SIGNED = {"location", "spread", "mean", "variance"}
# Statistics that grow with the rows: the effect is in another unit.
GROWING = {"chi2", "anderson_darling", "cramer_von_mises"}
LETTERS = ("a", "b", "c", "d", "e")


def draw(rng, n, shift=0.0, faults=0.0):
    """Two numeric and two categorical columns; `faults` of the rows are nulls, invalid, unseen and out of range."""
    numeric = np.stack([rng.normal(shift, 1.0, n), rng.poisson(2.0 + shift, n).astype(float)])
    codes = np.minimum(rng.poisson(1.0 + shift, (2, n)), 4).astype(np.int32)
    for row in (*numeric, *codes):
        numeric_row = row.dtype == np.float64
        for value in (np.nan, np.inf, 1e6) if numeric_row else (-1, -2, 6):
            row[rng.random(n) < faults] = value
    return numeric, codes


def count(layout, numeric, codes):
    slots = np.zeros((1, numeric.shape[1]), dtype=np.int32)
    return accumulate(layout, numeric=numeric, codes=codes, slots=slots, n_slots=1, unseen={})[0]


@pytest.fixture(scope="module")
def reference():
    numeric, codes = draw(np.random.default_rng(1), 5_000)
    columns, means = [], []
    for position, row in enumerate(numeric):
        column, cell_means = numeric_column(f"n{position}", row)
        columns.append(column)
        means.append(cell_means)
    for position in range(len(codes)):
        column = categorical_column(f"c{position}", {letter: 5 - i for i, letter in enumerate(LETTERS)})
        columns.append(column)
        means.append(np.full(column.n_cells, np.nan))
    layout = Layout(columns)
    whole = count(layout, numeric, codes)
    names = ["", "same", "moved", "none", "one"]
    return Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={},
        sketches=dict.fromkeys(names, whole),
        cell_means=np.concatenate(means),
    )


@pytest.fixture(scope="module")
def live(reference):
    layout = reference.layout
    rng = np.random.default_rng(2)
    return {
        "same": reference.sketches[""],
        "moved": count(layout, *draw(rng, 3_000, shift=1.0, faults=0.1)),
        "none": count(layout, *draw(rng, 0)),
        "one": count(layout, *draw(rng, 1)),
    }


def scored(name, comparison, ratio=1.0):
    n = comparison.n_current.size
    return get(name).score(
        comparison, DesignEffect(ratio=np.full(n, ratio), df=np.full(n, 40.0), nu=np.full(n, np.inf))
    )


def compared(reference, live, name, kind, segments):
    return comparison_of(reference, {segment: live[segment] for segment in segments}, get(name).grid, kind=kind)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_identical_data_score_zero_and_p_one(reference, live, name, kind):
    scores = scored(name, compared(reference, live, name, kind, ["same"]))
    assert scores.statistic == pytest.approx([0.0, 0.0], abs=1e-12)
    assert scores.effect.tolist() == [0.0, 0.0]
    assert scores.p_value == pytest.approx([1.0, 1.0], abs=1e-12)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_a_great_change_passes_threshold_and_significance(reference, live, name, kind):
    scores = scored(name, compared(reference, live, name, kind, ["moved"]))
    assert np.all(np.abs(scores.statistic) >= get(name).default_threshold)
    assert np.all(scores.effect >= get(name).default_threshold)
    assert np.all(scores.p_value < 1e-6)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_an_empty_side_is_nan(reference, live, name, kind):
    scores = scored(name, compared(reference, live, name, kind, ["none"]))
    for field in ("statistic", "effect", "p_value", "p_panes", "dispersion"):
        assert np.isnan(getattr(scores, field)).all(), field


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_every_row_has_a_statistic_a_probability_and_a_bound(reference, live, name, kind):
    comparison = compared(reference, live, name, kind, ["moved", "one", "same"])
    scores = scored(name, comparison)
    rows = comparison.n_current.size
    assert scores.statistic.shape == scores.p_value.shape == scores.error_bound.shape == (rows,)
    assert np.all(scores.effect >= 0.0)
    assert name in GROWING or np.all(scores.effect <= np.abs(scores.statistic) + 1e-12)
    assert name in SIGNED or np.all(scores.statistic >= 0.0)
    assert np.all((scores.p_value >= 0.0) & (scores.p_value <= 1.0))
    assert np.all(scores.error_bound >= 0.0)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_rows_score_together_as_they_score_alone(reference, live, name, kind):
    segments = ["moved", "none", "one", "same"]
    together = scored(name, compared(reference, live, name, kind, segments))
    alone = [scored(name, compared(reference, live, name, kind, [segment])) for segment in segments]
    for field in ("statistic", "effect", "p_value", "dispersion", "error_bound"):
        one_by_one = np.concatenate([getattr(scores, field) for scores in alone])
        assert np.array_equal(getattr(together, field), one_by_one, equal_nan=True)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_padding_changes_nothing(reference, live, name, kind):
    comparison = compared(reference, live, name, kind, ["moved"])
    empty = np.zeros((2, 5), dtype=np.int64)

    def padded(matrix, with_value):
        return np.concatenate([matrix, np.full((2, 5), with_value)], axis=1) if matrix.shape[1] else matrix

    wide = msgspec.structs.replace(
        comparison,
        reference=msgspec.structs.replace(comparison.reference, counts=np.hstack([comparison.reference.counts, empty])),
        current=msgspec.structs.replace(comparison.current, counts=np.hstack([comparison.current.counts, empty])),
        single_valued=np.hstack([comparison.single_valued, empty.astype(bool)]),
        expected=padded(comparison.expected, 0.0),
        edges=padded(comparison.edges, np.inf),
        cell_means=padded(comparison.cell_means, np.nan),
    )
    scores, same = scored(name, comparison), scored(name, wide)
    assert same.statistic == pytest.approx(scores.statistic, rel=1e-12)
    assert same.p_value == pytest.approx(scores.p_value, rel=1e-9)
    assert same.error_bound == pytest.approx(scores.error_bound, rel=1e-12)


@pytest.mark.parametrize(("name", "kind"), [case for case in CASES if get(case[0]).symmetric])
def test_a_symmetric_method_does_not_care_which_side_is_which(reference, live, name, kind):
    there = compared(reference, live, name, kind, ["moved"])
    back = msgspec.structs.replace(there, reference=there.current, current=there.reference)
    sign = -1.0 if name in SIGNED else 1.0
    assert sign * scored(name, back).statistic == pytest.approx(scored(name, there).statistic, rel=1e-12)


@pytest.mark.parametrize("name", methods())
def test_every_method_names_its_source_its_default_and_an_example(name):
    text = type(get(name)).__doc__
    assert all(
        word in text for word in ("Source:", "default_threshold", "Statistic:", "p-value:", "Edge cases:", ">>>")
    )


@pytest.mark.parametrize("module", MODULES)
def test_the_examples_in_docstrings_run(module):
    assert doctest.testmod(importlib.import_module(module)).failed == 0


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_dependent_rows_make_a_larger_p_value_and_a_smaller_effect(reference, live, name, kind):
    comparison = compared(reference, live, name, kind, ["moved"])
    alone, dependent = scored(name, comparison), scored(name, comparison, ratio=30.0)
    assert np.isnan(alone.p_panes).all()
    assert np.all((dependent.p_panes > alone.p_value) & (dependent.p_panes <= 1.0))
    assert np.all(dependent.effect <= alone.effect)
    assert np.array_equal(dependent.dispersion, alone.dispersion)
    assert np.all(alone.dispersion > 1.0)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_the_order_of_columns_and_segments_changes_no_score(reference, live, name, kind):
    there = scored(name, compared(reference, live, name, kind, ["moved", "same"]))
    back = scored(name, compared(reference, live, name, kind, ["same", "moved"]))
    assert np.array_equal(there.p_value, back.p_value)


@pytest.mark.parametrize(("name", "kind"), CASES)
def test_scores_are_repeatable_and_leave_the_global_generator_alone(reference, live, name, kind):
    np.random.seed(5)  # noqa: NPY002  # the global generator is what is watched
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    comparison = compared(reference, live, name, kind, ["moved"])
    assert np.array_equal(scored(name, comparison).p_value, scored(name, comparison).p_value)
    assert np.array_equal(before, np.random.get_state()[1])  # noqa: NPY002


def test_every_module_in_methods_registers_its_own_method():
    files = {module.name for module in pkgutil.iter_modules(detectors.methods.__path__)}
    assert set(methods()) == files
    assert set(methods()) == {
        *("psi", "ks", "js", "wasserstein", "hellinger", "tvd", "linf", "chi2", "anderson_darling", "cramer_von_mises"),
        *("location", "spread", "mean", "variance"),
        *("missing", "unseen", "invalid", "out_of_range", "coverage"),
    }


def test_an_unknown_method_names_the_nearest():
    with pytest.raises(UnknownMethod, match="did you mean 'wasserstein'"):
        get("waserstein")


def test_two_methods_of_one_name_are_refused():
    with pytest.raises(ValueError, match="two methods are named 'psi'"):
        register(type(get("psi")))
