"""A window's evidence and verdicts: which rows, in which order, and when a column drifts."""

import numpy as np
import pytest
from support.batches import profile_objects, score_objects, verdict_objects

from detectors.accumulate import accumulate
from detectors.errors import InvalidSetting, LayoutMismatch, UnknownColumn, UnknownMethod
from detectors.layout import Layout
from detectors.profile import profiles
from detectors.reference import Reference, categorical_column, numeric_column
from detectors.registry import methods
from detectors.score import REASONS, Setting, score, score_stack, score_stacks
from detectors.sketch import Sketch
from detectors.stack import stacked
from detectors.verdict import verdicts

SETTINGS = [
    Setting(method="ks", threshold=0.1),
    Setting(method="psi", threshold=0.1),
    Setting(method="unseen", threshold=0.01),
]


def batch(layout, rng, n, shift=0.0, unseen=0.0):
    x, y = rng.normal(shift, 1.0, n), rng.exponential(1.0, n)
    y[: n // 10] = np.nan
    codes = rng.integers(0, 3, (1, n)).astype(np.int32)
    codes[0, rng.random(n) < unseen] = 4
    slots = np.stack([np.zeros(n), 1 + (rng.random(n) < 0.02)]).astype(np.int32)
    rows = [(int(row), f"new {row % 3}") for row in np.flatnonzero(codes[0] == 4)]
    counted = accumulate(layout, numeric=np.stack([x, y]), codes=codes, slots=slots, n_slots=3, unseen={0: rows})
    return dict(zip(["", "site=big", "site=small"], counted, strict=True))


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(10)
    x, means_x = numeric_column("x", rng.normal(size=20_000))
    y, means_y = numeric_column("y", rng.exponential(size=20_000))
    layout = Layout([x, categorical_column("kind", {"a": 3, "b": 2, "c": 1}), y])
    means = np.concatenate([means_x, np.full(5, np.nan), means_y])
    sketches = batch(layout, rng, 20_000)
    return Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={"site": ("big", "small")},
        sketches=sketches,
        cell_means=means,
    )


def rows_of(*arguments, **options):
    return score_objects(score(*arguments, **options))


def verdicts_of(*arguments, alpha=0.05, **options):
    rows = verdict_objects(verdicts(score(*arguments, **options), alpha))
    return {(row.segment, row.column): row for row in rows}


def by_key(rows):
    return {(row.segment, row.method, row.column): row for row in rows}


def test_rows_come_by_segment_then_setting_then_column(reference):
    live = batch(reference.layout, np.random.default_rng(1), 20_000, unseen=0.01)
    rows = rows_of(reference, dict(reversed(live.items())), SETTINGS)
    per_segment = [("ks", "x"), ("ks", "y"), ("psi", "x"), ("psi", "kind"), ("psi", "y"), ("unseen", "kind")]
    expected = [(segment, *key) for segment in ("", "site=big", "site=small") for key in per_segment]
    assert [(row.segment, row.method, row.column) for row in rows] == expected


def test_a_method_of_which_neither_side_holds_anything_is_silent(reference):
    live = batch(reference.layout, np.random.default_rng(1), 3_000)
    assert ("", "unseen", "kind") not in by_key(rows_of(reference, live, SETTINGS))


def test_a_column_drifts_when_its_effect_is_large_and_significant(reference):
    live = batch(reference.layout, np.random.default_rng(2), 5_000, shift=0.5, unseen=0.1)
    found = verdicts_of(reference, live, SETTINGS)
    assert found["", "x"].drifted
    assert found["", "kind"].drifted
    assert not found["", "y"].drifted


def test_a_significant_effect_below_the_threshold_is_no_drift(reference):
    live = batch(reference.layout, np.random.default_rng(3), 50_000, shift=0.05)
    row = verdicts_of(reference, live, [Setting(method="ks", threshold=0.1)])["", "x"]
    assert row.q_value < 0.01
    assert not row.drifted


def test_what_unchanged_data_make_is_no_effect(reference):
    """Of 100 windows of 250 rows the statistic is 0.08 in the mean, the effect 0 in most."""
    live = {f"w{i}": batch(reference.layout, np.random.default_rng([4, i]), 250)[""] for i in range(100)}
    pinned = Reference(
        model="m",
        version="1",
        layout=reference.layout,
        dimensions={},
        sketches={"": reference.sketches[""], **dict.fromkeys(live, reference.sketches[""])},
        cell_means=reference.cell_means,
    )
    rows = rows_of(pinned, live, [Setting(method="js", threshold=0.02, columns=("x",))])
    assert 0.07 < np.mean([row.statistic for row in rows]) < 0.1
    assert np.median([row.effect for row in rows]) == 0.0


def test_the_verdict_rests_on_the_corrected_p_value(reference):
    live = {f"w{i}": batch(reference.layout, np.random.default_rng([5, i]), 1_000)[""] for i in range(60)}
    pinned = Reference(
        model="m",
        version="1",
        layout=reference.layout,
        dimensions={},
        sketches={"": reference.sketches[""], **dict.fromkeys(live, reference.sketches[""])},
        cell_means=reference.cell_means,
    )
    rows = verdicts_of(pinned, live, [Setting(method="psi", threshold=0.0)]).values()
    between = [row for row in rows if row.p_value <= 0.05 < row.q_value]
    assert between
    assert not any(row.drifted for row in between)


def test_a_setting_that_is_evidence_alone_has_no_say(reference):
    live = batch(reference.layout, np.random.default_rng(2), 5_000, shift=0.5)
    settings = [Setting(method="ks", threshold=0.1, verdict=False), Setting(method="missing", threshold=0.1)]
    assert by_key(rows_of(reference, live, settings))["", "ks", "x"].p_value < 1e-6
    assert not any(row.drifted for row in verdicts_of(reference, live, settings).values())


def test_a_segment_with_too_few_rows_has_no_rows_and_one_reason(reference):
    live = batch(reference.layout, np.random.default_rng(6), 3_000, shift=3.0)
    found = score(reference, live, SETTINGS, min_samples=200)
    assert {row.segment for row in score_objects(found)} == {"", "site=big"}
    assert found.segments == ("", "site=big", "site=small")
    assert found.scored.tolist() == [3, 3, 0]
    assert found.not_scored.tolist() == [0, 0, 3]
    assert [REASONS[code] for code in found.reason] == ["", "", "few events"]
    assert "site=small" in {row.segment for row in rows_of(reference, live, SETTINGS, min_samples=10)}


@pytest.mark.parametrize("segment", ["", "site=new"])
def test_an_empty_window_and_a_segment_that_the_reference_lacks_have_no_rows(reference, segment):
    live = (
        Sketch.empty(reference.layout)
        if segment == ""
        else batch(reference.layout, np.random.default_rng(7), 3_000)[""]
    )
    assert rows_of(reference, {segment: live}, SETTINGS) == []


def test_a_column_that_had_values_and_has_none_has_drifted(reference):
    live = batch(reference.layout, np.random.default_rng(7), 3_000)
    counts = reference.layout.cells(0)
    live[""].nulls[0] += live[""].counts[counts].sum()
    live[""].counts[counts] = 0
    settings = [Setting(method="ks", threshold=0.1), Setting(method="missing", threshold=0.01)]
    found = verdicts_of(reference, live, settings)["", "x"]
    assert (found.drifted, found.method) == (True, "missing")


def test_sizes_are_those_the_proportions_are_of(reference):
    live = batch(reference.layout, np.random.default_rng(8), 3_000)
    rows = by_key(rows_of(reference, live, [*SETTINGS, Setting(method="missing", threshold=0.1)]))
    assert rows["", "ks", "y"].n_current == 2_700
    assert rows["", "missing", "y"].n_current == 3_000
    assert rows["", "missing", "y"].statistic == pytest.approx(0.0, abs=1e-9)


def test_nulls_are_a_cell_of_a_categorical_column_only(reference):
    live = Sketch.empty(reference.layout)
    live.n, live.nulls[:] = 1_000, 1_000
    rows = by_key(rows_of(reference, {"": live}, [Setting(method="js", threshold=0.1)]))
    assert rows["", "js", "kind"].statistic == 1.0
    assert ("", "js", "x") not in rows


@pytest.mark.parametrize("share", [0.01, 0.5, 1.0])
@pytest.mark.parametrize("sentinel", [1e200, 1e300, np.finfo(np.float64).max, -np.finfo(np.float64).max])
@pytest.mark.filterwarnings("error")
def test_a_huge_sentinel_is_drift_and_finite(sentinel, share):
    """In a column of rates, with a wider grid beside it."""
    rng = np.random.default_rng(14)
    values = np.stack([rng.random(5_000), (rng.random(5_000) < 0.5) * 1.0, rng.normal(size=5_000)])
    columns, means = zip(*(numeric_column(f"n{i}", row) for i, row in enumerate(values)), strict=True)
    layout = Layout(columns)

    def count(numeric):
        none, slots = np.empty((0, 5_000), dtype=np.int32), np.zeros((1, 5_000), dtype=np.int32)
        return accumulate(layout, numeric=numeric, codes=none, slots=slots, n_slots=1, unseen={})[0]

    reference = Reference(
        model="m",
        version="1",
        layout=layout,
        dimensions={},
        sketches={"": count(values)},
        cell_means=np.concatenate(means),
    )
    live = {"": count(np.where(rng.random((3, 5_000)) < share, sentinel, values))}
    rows = rows_of(
        reference, live, [Setting(method="wasserstein", threshold=0.1), Setting(method="mean", threshold=0.1)]
    )
    assert [row.method for row in rows] == ["wasserstein"] * 3 + ["mean"] * 3
    for row in rows:
        assert np.isfinite([row.statistic, row.effect, row.error_bound]).all()
        assert abs(row.statistic) >= row.effect >= 0.0
    for row in rows[:3]:
        assert row.effect >= 0.1
        assert row.p_value < 1e-5  # half a normal distribution, by three moments


def test_many_segments_score_as_each_alone(reference, monkeypatch):
    live = batch(reference.layout, np.random.default_rng(9), 3_000, shift=0.2)
    together = rows_of(reference, live, SETTINGS, min_samples=0)
    monkeypatch.setattr("detectors.score._CELLS_AT_ONCE", 1)
    assert [repr(row) for row in rows_of(reference, live, SETTINGS, min_samples=0)] == [repr(row) for row in together]


def test_windows_that_are_scored_together_score_as_each_alone(reference, monkeypatch):
    """Each with segments of its own, some too small, some unknown to the reference, one window without any event."""
    settings = [Setting(method=name, threshold=0.1) for name in methods()]
    windows = [batch(reference.layout, np.random.default_rng([8, i]), 100 + 900 * i, shift=0.1 * i) for i in range(4)]
    del windows[1]["site=small"]
    windows[2] = {"": windows[2][""], "site=new": windows[2]["site=big"], "site=small": windows[2]["site=small"]}
    windows.insert(2, {"": Sketch.empty(reference.layout)})
    stacks = [stacked(reference.layout, window) for window in windows]
    alone = [score_stack(reference, stack, settings) for stack in stacks]
    assert {len(own.segments) for own in alone} == {1, 2, 3}
    for at_once in (1_000_000, 2 * reference.layout.n_cells):
        monkeypatch.setattr("detectors.score._CELLS_AT_ONCE", at_once)
        together = score_stacks(reference, stacks, settings)
        for one, other in zip(together, alone, strict=True):
            for name in one.__struct_fields__:
                np.testing.assert_array_equal(getattr(one, name), getattr(other, name), err_msg=name)


@pytest.mark.parametrize(
    ("setting", "error", "message"),
    [
        (Setting(method="kss", threshold=0.1), UnknownMethod, "did you mean 'ks'"),
        (Setting(method="ks", threshold=0.1, columns=("z",)), UnknownColumn, "no column 'z'"),
        (Setting(method="ks", threshold=-0.1), InvalidSetting, "threshold"),
        (Setting(method="ks", threshold=float("nan")), InvalidSetting, "threshold"),
        (Setting(method="psi", threshold=0.1, bins=7), InvalidSetting, "bins"),
    ],
)
def test_what_cannot_be_scored_is_refused(reference, setting, error, message):
    with pytest.raises(error, match=message):
        rows_of(reference, {}, [setting])


def test_one_method_may_not_score_a_column_twice(reference):
    twice = [Setting(method="ks", threshold=0.1), Setting(method="ks", threshold=0.2, columns=("x",))]
    with pytest.raises(InvalidSetting, match="'x' twice"):
        rows_of(reference, {}, twice)


def test_a_sketch_of_another_reference_is_refused(reference):
    with pytest.raises(LayoutMismatch):
        rows_of(reference, {"": Sketch.empty(Layout([]))}, SETTINGS)


def test_a_reference_of_one_kind_or_of_no_values_scores():
    column, means = numeric_column("x", np.full(300, np.nan))
    layout = Layout([column])
    whole = Sketch.empty(layout)
    whole.n, whole.nulls[:] = 300, 300
    reference = Reference(model="m", version="1", layout=layout, dimensions={}, sketches={"": whole}, cell_means=means)
    methods = ("psi", "ks", "js", "wasserstein", "chi2", "missing", "out_of_range", "unseen")
    live = accumulate(
        layout,
        numeric=np.ones((1, 400)),
        codes=np.empty((0, 400), dtype=np.int32),
        slots=np.zeros((1, 400), dtype=np.int32),
        n_slots=1,
        unseen={},
    )[0]
    rows = {
        row.method: row for row in rows_of(reference, {"": live}, [Setting(method=m, threshold=0.1) for m in methods])
    }
    assert list(rows) == ["missing"]
    assert rows["missing"].statistic == 1.0


def test_profiles_say_what_the_values_were(reference):
    rng = np.random.default_rng(12)
    sketch = batch(reference.layout, rng, 5_000, unseen=0.1)[""]
    x, kind, y = profile_objects(profiles(reference.layout, {"": sketch}))
    assert (x.column, kind.column, y.column) == ("x", "kind", "y")
    assert (y.n, y.nulls, y.invalid) == (4_500, 500, 0)
    assert x.std == pytest.approx(1.0, abs=0.05)
    assert sum(x.counts) == x.n
    assert kind.counts[-1] == sum(count for _, count, _ in kind.frequent)
    assert {value for value, _, _ in kind.frequent} == {"new 0", "new 1", "new 2"}
    assert kind.quantiles == ()
    assert np.isnan(kind.mean)


def test_profile_quantiles_lie_in_the_cell_of_the_exact_ones(reference):
    values = np.random.default_rng(13).normal(0.3, 1.5, 4_000)
    layout = Layout([reference.layout.columns[0]])
    none, slots = np.empty((0, 4_000), dtype=np.int32), np.zeros((1, 4_000), dtype=np.int32)
    sketch = accumulate(layout, numeric=values[None], codes=none, slots=slots, n_slots=1, unseen={})[0]
    quantiles = profile_objects(profiles(layout, {"": sketch}))[0].quantiles
    exact = np.quantile(values, (0.05, 0.25, 0.5, 0.75, 0.95), method="inverted_cdf")
    edges = layout.column_edges(0)
    bounds = np.concatenate([[values.min()], edges, [values.max()]])
    for ours, true in zip(quantiles, exact, strict=True):
        cell = np.searchsorted(edges, true)
        assert bounds[cell] <= ours <= bounds[cell + 1]
