"""For whom a model fails: exact constructions, and what chance makes."""

import numpy as np
import pytest
from scipy import stats

from detectors.errors import LayoutMismatch
from detectors.performance.examples import binary_sketch, binary_space, multiclass_space, regression_space
from detectors.performance.measure import measure
from detectors.performance.sketch import PerformanceSketch
from detectors.performance.subgroups import LEAST_ROWS, subgroups

pytestmark = pytest.mark.filterwarnings("error")

EDGES = np.linspace(0.0, 1.0, 257)


def two_groups(errors):
    """1,000 rows in each of two cells of "x", all said to be negative, of which `errors` are positive."""
    space = binary_space(EDGES, {"x": EDGES, "y": EDGES})
    x = np.repeat([2, 7], 1_000)
    y = np.tile(np.arange(10), 200)
    label = np.concatenate([np.arange(1_000) < wrong for wrong in errors])
    return binary_sketch(np.full(2_000, 0.2), label, space=space, coarse=[x, y])


def test_an_aggregate_that_stands_still_over_a_subgroup_that_fails_is_found():
    before, now = two_groups((200, 200)), two_groups((300, 100))
    for name in ("log_loss", "accuracy", "brier"):
        assert measure(before)[name].value == measure(now)[name].value
    found = subgroups(before, now)
    assert found.p_aggregate == 1.0
    assert found.masked
    assert [(part.column, part.cell) for part in found.failing] == [("x", 2)]
    worst = found.parts[0]
    assert (worst.n_before, worst.n_now, worst.share) == (1_000, 1_000, 0.5)
    assert worst.contribution == pytest.approx(0.5 * 0.1 * np.log(0.8 / 0.2), abs=1e-6)
    assert found.parts[-1].cell == 7
    assert found.parts[-1].q_value < 0.05
    assert not found.parts[-1].failing


def test_nothing_fails_and_nothing_is_masked_when_nothing_changed():
    found = subgroups(two_groups((200, 200)), two_groups((200, 200)))
    assert found.n_looked_at == 12
    assert not found.failing
    assert not found.masked
    assert {part.p_value for part in found.parts} == {1.0}


def test_an_aggregate_that_fails_is_not_said_to_be_masked():
    found = subgroups(two_groups((200, 200)), two_groups((400, 200)))
    assert found.failing
    assert not found.masked


def test_the_p_value_is_welchs():
    rng = np.random.default_rng(1)
    prediction = rng.normal(size=3_000)
    space = regression_space(prediction, prediction + rng.normal(size=3_000))
    x = rng.normal(size=3_000)
    from detectors.performance.accumulate import sketch_matches
    from detectors.performance.matches import Matches

    space = type(space)(
        task=space.task, scores=space.scores, residual_edges=space.residual_edges, centre=space.centre,
        scale=space.scale, parts=binary_space(EDGES, {"x": x}).parts,
    )  # fmt: skip

    def side(scale):
        cell = rng.integers(3, size=3_000)
        target = prediction + scale * rng.normal(size=3_000)
        matches = Matches.of(
            space, 3_000, target=target, scores=prediction[None, :], parts=cell[None, :].astype(np.uint8)
        )
        return sketch_matches(space, matches), cell, np.abs(prediction - target)

    (before, cell_r, loss_r), (now, cell_l, loss_l) = side(1.0), side(1.05)
    for part in subgroups(before, now).parts:
        wanted = stats.ttest_ind(loss_r[cell_r == part.cell], loss_l[cell_l == part.cell], equal_var=False).pvalue
        assert part.p_value == pytest.approx(wanted, rel=1e-4)


def test_of_unchanged_windows_few_have_a_failing_part():
    rng = np.random.default_rng(2)
    space = binary_space(EDGES, {f"x{i}": EDGES for i in range(10)})

    def window(n):
        score = rng.uniform(size=n)
        coarse = [rng.integers(10, size=n) for _ in range(10)]
        return binary_sketch(score, rng.uniform(size=n) < score, space=space, coarse=coarse)

    reference = window(50_000)
    found = [subgroups(reference, window(5_000)) for _ in range(100)]
    assert all(own.n_looked_at == 100 for own in found)
    assert sum(bool(own.failing) for own in found) <= 11  # of 100 at 5 %: 12 or more once in 200 times


def test_a_part_with_few_rows_is_counted_and_not_looked_at():
    space = binary_space(EDGES, {"x": EDGES})
    few = LEAST_ROWS - 1
    cell = np.concatenate([np.zeros(1_000, int), np.ones(few, int)])
    sketch = binary_sketch(np.full(cell.size, 0.3), np.arange(cell.size) % 3 == 0, space=space, coarse=[cell])
    found = subgroups(sketch, sketch)
    assert (found.n_looked_at, found.n_too_few) == (1, 1)
    assert [part.cell for part in found.parts] == [0]


def test_a_model_without_monitored_columns_has_no_parts():
    space = multiclass_space(3)
    empty = PerformanceSketch.empty(space)
    assert subgroups(empty, empty).parts == ()


def test_other_cells_are_refused():
    with pytest.raises(LayoutMismatch):
        subgroups(two_groups((1, 1)), PerformanceSketch.empty(multiclass_space(3)))
