"""From one window of predictions and labels to rows: measured, estimated, split, tested."""

import dataclasses
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from support.batches import batch_of
from support.performance import DELAY_MS, HOUR_MS, Rows, World, draw

from detectors.performance.delay import delay_counts
from detectors.performance.measure import measure
from detectors.reference import WHOLE
from monitor.evaluation.performance_rows import PerformanceRows, performance_results
from monitor.evaluation.performance_window import PerformanceWindow
from sinks.records import RECORDS

N = 10_000
WORLD = World(draw(np.random.default_rng(2027), 50_000))


def rng(seed: int = 7) -> np.random.Generator:
    return np.random.default_rng(seed)


def results(window: PerformanceWindow, world: World = WORLD) -> PerformanceRows:
    """The rows, which are all good rows of their records and overwrite none of each other."""
    found = performance_results(world.model, window)
    for name, rows in (
        ("performance", found.performance),
        ("performance_part", found.parts),
        ("drift_verdict", found.verdicts),
    ):
        batch = batch_of(RECORDS[name], rows)
        keys = [tuple(row[key] for key in RECORDS[name].key) for row in batch.to_pylist()]
        assert len(set(keys)) == len(keys)
    return found


def metric(found: PerformanceRows, name: str, segment: str = WHOLE, *, estimated: bool = False) -> Mapping[str, Any]:
    (row,) = [
        row
        for row in found.performance
        if (row["metric"], row["segment"], row["estimated"]) == (name, segment, estimated)
    ]
    return row


def verdict(found: PerformanceRows, column: str, segment: str = WHOLE) -> Mapping[str, Any]:
    (row,) = [row for row in found.verdicts if (row["column"], row["segment"]) == (column, segment)]
    return row


def part(found: PerformanceRows, name: str, segment: str = WHOLE) -> Mapping[str, Any]:
    (row,) = [row for row in found.parts if (row["part"], row["segment"], row["rank"]) == (name, segment, 1)]
    return row


def relation_share(found: PerformanceRows) -> float:
    inputs, relation = (abs(part(found, name)["contribution"]) for name in ("inputs", "relation"))
    return float(relation / (inputs + relation))


def names(found: PerformanceRows, *, estimated: bool) -> set[str]:
    return {row["metric"] for row in found.performance if row["estimated"] is estimated and row["segment"] == WHOLE}


@pytest.mark.parametrize("shift", [-1.5, -1.0, 1.5])
def test_where_inputs_move_estimates_hold_and_the_split_is_theirs(shift: float) -> None:
    found = results(WORLD.window(draw(rng(), N, shift=shift)))
    for name in ("accuracy", "roc_auc"):
        measured, estimated = metric(found, name), metric(found, name, estimated=True)
        assert estimated["value"] == pytest.approx(measured["value"], abs=0.01)
        assert estimated["estimate_error"] == measured["value"] - estimated["value"]
    assert relation_share(found) <= 0.2
    assert not verdict(found, "@relation")["drifted"]


@pytest.mark.parametrize("bias", [1.0, 1.5, 2.0])
def test_where_the_relation_changes_estimate_and_measurement_part_and_the_split_says_so(bias: float) -> None:
    found = results(WORLD.window(draw(rng(), N, bias=bias)))
    assert metric(found, "log_loss", estimated=True)["estimate_error"] > 0.03
    assert relation_share(found) >= 0.8
    loss, relation = verdict(found, "@loss"), verdict(found, "@relation")
    assert (loss["drifted"], loss["direction"], loss["quantity"]) == (True, "worse", "log loss")
    assert loss["after"] == pytest.approx(metric(found, "log_loss")["value"], abs=1e-6)
    assert (relation["drifted"], relation["direction"]) == (True, "changed relation")
    assert verdict(found, "@loss", "s=a")["drifted"]
    assert part(found, "label prior")["p_value"] < 0.001


def test_a_relation_by_which_the_model_is_better_says_so() -> None:
    rows = draw(rng(), N)
    surer = dataclasses.replace(rows, label=rng(8).uniform(size=N) < np.where(rows.score > 0.5, 0.98, 0.02))
    relation = verdict(results(WORLD.window(surer)), "@relation")
    assert (relation["drifted"], relation["direction"]) == (True, "better")
    assert relation["after"] < relation["before"]


def test_measured_metrics_are_those_of_the_sketch_and_beside_them_stands_the_reference() -> None:
    window = WORLD.window(draw(rng(), N))
    found = results(window)
    assert WORLD.reference.performance is not None
    for segment in (WHOLE, "s=b"):
        for name, own in measure(window.matched[segment]).items():
            row = metric(found, name, segment)
            assert (row["value"], row["ci_low"], row["n"]) == (own.value, own.ci_low, own.n)
    row, own = metric(found, "roc_auc"), WORLD.reference.performance
    assert row["reference_value"] == own.metrics["roc_auc"].value
    assert (row["spread_low"], row["spread_high"]) == (own.spread["roc_auc"].low, own.spread["roc_auc"].high)
    in_segment = metric(found, "roc_auc", "s=b")
    assert in_segment["reference_value"] == measure(WORLD.reference.segment_performance["s=b"])["roc_auc"].value


def test_before_any_label_there_is_the_estimate_alone() -> None:
    rows = draw(rng(), N)
    found = results(WORLD.window(rows, rows.where(np.zeros(N, dtype=np.bool_)), age_ms=0))
    assert "roc_auc" in names(found, estimated=True)
    assert "roc_auc" not in names(found, estimated=False)
    row = metric(found, "roc_auc", estimated=True)
    assert (row["n_labelled"], row["n_total"], row["maturity"], row["provisional"]) == (0, N, 0.0, True)
    assert math.isnan(row["estimate_error"])
    assert {row["segment"] for row in found.performance} == {WHOLE, "s=a", "s=b", "s=c"}


def test_while_provisional_the_loss_is_measured_and_not_tested() -> None:
    rows = draw(rng(), N, bias=2.0)
    young = rows.where(rows.label | (np.arange(N) % 2 == 0))  # the positive ones come quickly
    found = results(WORLD.window(rows, young))
    assert metric(found, "roc_auc")["provisional"]
    assert not [row for row in found.verdicts if row["column"] in ("@loss", "@relation", "@subgroup")]
    old = results(WORLD.window(rows, young, age_ms=24 * HOUR_MS))
    assert not metric(old, "roc_auc")["provisional"], "the horizon is over"
    assert verdict(old, "@loss")["drifted"]


def test_estimates_stay_the_same_as_labels_come() -> None:
    rows = draw(rng(), N)
    before = results(WORLD.window(rows, rows.where(np.arange(N) < 1_000)))
    after = results(WORLD.window(rows, revision=2))
    for name in names(before, estimated=True):
        one, two = (metric(found, name, estimated=True) for found in (before, after))
        assert (one["value"], one["ci_low"], one["ci_high"]) == (two["value"], two["ci_low"], two["ci_high"])
    assert overwritten(before, after)


def overwritten(before: PerformanceRows, after: PerformanceRows) -> bool:
    """Whether every row of a revision is corrected by the next."""
    kept = True
    for kind, name in (("performance", "performance"), ("parts", "performance_part"), ("verdicts", "drift_verdict")):
        key = RECORDS[name].key
        one, two = ({tuple(row[field] for field in key) for row in getattr(found, kind)} for found in (before, after))
        kept = kept and one <= two
    return kept


def test_what_a_correction_takes_away_is_overwritten() -> None:
    rows = draw(rng(), N, bias=2.0)
    some = rows.where((rows.score > 0.4) | (np.arange(N) % 3 > 0))
    before = results(WORLD.window(rows, some, age_ms=24 * HOUR_MS))
    assert verdict(before, "@labels_selective")["drifted"]
    assert verdict(before, "@subgroup")["drifted"]
    sure = dataclasses.replace(rows, label=rows.score > 0.5)  # no loss goes up anywhere
    after = results(WORLD.window(sure, age_ms=24 * HOUR_MS, revision=2))
    assert overwritten(before, after)
    assert not verdict(after, "@labels_selective")["drifted"]
    assert not verdict(after, "@subgroup")["drifted"]


def masked(n: int) -> Rows:
    """Where x1 is above 1.8 the labels are turned over; where it is below 0, so many are what the model says that the
    mean log loss is the same."""
    rows = draw(rng(3), n)
    p = rows.score
    expected = -p * np.log(p) - (1.0 - p) * np.log(1.0 - p)
    turned, said = -p * np.log(1.0 - p) - (1.0 - p) * np.log(p), -np.log(np.maximum(p, 1.0 - p))
    fails, gains = rows.features[1] > 1.8, rows.features[1] < 0.0
    share = float((turned - expected)[fails].sum() / (expected - said)[gains].sum())
    label = np.where(fails, ~rows.label, rows.label)
    label = np.where(gains & (rng(4).uniform(size=n) < share), p > 0.5, label)
    return dataclasses.replace(rows, label=label)


def test_a_subgroup_that_fails_while_the_aggregate_stands_still_is_told() -> None:
    found = results(WORLD.window(masked(N)))
    assert not verdict(found, "@loss")["drifted"]
    worst = verdict(found, "@subgroup")
    assert (worst["drifted"], worst["direction"]) == (True, "masked")
    assert "x1" in worst["quantity"]
    assert metric(found, "subgroups_masked")["value"] >= 1.0
    first = part(found, "subgroup")
    assert (first["column"], first["failing"]) == ("x1", True)
    assert first["loss_now"] > first["loss_before"]


def test_at_most_twenty_parts_of_a_kind_are_kept_and_the_number_looked_at_is_told() -> None:
    world = World(draw(rng(), 20_000, n_features=25))
    found = results(world.window(draw(rng(8), 5_000, n_features=25)), world)
    kinds = [row["part"] for row in found.parts if row["segment"] == WHOLE]
    assert {kind: kinds.count(kind) for kind in set(kinds)} == {
        "inputs": 1, "relation": 1, "label prior": 1, "inputs by column": 20, "relation by column": 20, "subgroup": 20,
    }  # fmt: skip
    assert metric(found, "subgroups_looked_at")["value"] == 250.0


def test_labels_that_are_due_and_missing_are_told_and_young_ones_are_not() -> None:
    rows = draw(rng(), N)
    half = rows.where(np.arange(N) % 2 == 0)
    found = results(WORLD.window(rows, half))
    missing = verdict(found, "@labels_missing")
    assert (missing["drifted"], missing["direction"]) == (True, "labels missing")
    assert missing["after"] == 0.5
    assert metric(found, "labels_missing")["value"] == pytest.approx(0.5, abs=0.01)
    young = WORLD.window(rows, half, age_ms=-HOUR_MS // 2 + int(DELAY_MS))  # half of the reference's delays are over
    assert not verdict(results(young), "@labels_missing")["drifted"]
    assert not verdict(results(WORLD.window(rows)), "@labels_missing")["drifted"]


def test_labels_that_come_later_are_told_with_their_delay() -> None:
    late = results(WORLD.window(draw(rng(), N), delay_ms=10 * DELAY_MS))
    row = verdict(late, "@delay")
    assert (row["drifted"], row["direction"]) == (True, "later")
    assert row["quantity"] == "median delay in hours"
    assert row["before"] == pytest.approx(DELAY_MS / HOUR_MS, rel=0.1)
    assert row["after"] == pytest.approx(10 * DELAY_MS / HOUR_MS, rel=0.1)
    assert metric(late, "label_delay_ms:0.5")["reference_value"] == pytest.approx(DELAY_MS, rel=0.1)
    assert not verdict(results(WORLD.window(draw(rng(), N))), "@delay")["drifted"]


def test_a_young_window_is_not_told_to_have_quick_labels() -> None:
    # The reference's labels take 30 to 90 s. A minute after the window's end those seen took 40 to 53 s: longer than
    # those of the reference that can be seen by then, and shorter than most of all its labels.
    seen = delay_counts(rng().uniform(40_000.0, 53_000.0, 2_000), np.ones(2_000, dtype=np.int64))
    window = dataclasses.replace(WORLD.window(draw(rng(), N), age_ms=60_000), delays=seen)
    row = verdict(results(window), "@delay")
    assert (row["drifted"], row["direction"]) == (True, "later")
    assert 30_000 / HOUR_MS < row["before"] < row["after"] < 54_000 / HOUR_MS


def test_labels_that_come_for_the_approved_alone_are_told_once_the_window_is_mature() -> None:
    rows = draw(rng(), N)
    approved = rows.where(rows.score < 0.4)
    assert not [row for row in results(WORLD.window(rows, approved)).verdicts if row["column"] == "@labels_selective"]
    row = verdict(results(WORLD.window(rows, approved, age_ms=24 * HOUR_MS)), "@labels_selective")
    assert (row["drifted"], row["quantity"]) == (True, "share labelled by @score, least and most")
    assert (row["before"], row["after"]) == (0.0, 1.0)
    some = rows.where(rng(9).uniform(size=N) < 0.5)
    assert not verdict(results(WORLD.window(rows, some, age_ms=24 * HOUR_MS)), "@labels_selective")["drifted"]


def test_what_some_predictions_labels_say_is_no_error_of_the_estimate_of_all() -> None:
    rows = draw(rng(), N)
    approved, some = rows.where(rows.score < 0.4), rows.where(rng(9).uniform(size=N) < 0.5)
    for labelled, comparable in ((approved, False), (some, True)):
        found = results(WORLD.window(rows, labelled, age_ms=24 * HOUR_MS))
        assert math.isnan(metric(found, "accuracy", estimated=True)["estimate_error"]) is not comparable


def test_a_segment_with_few_matches_is_counted_and_not_measured() -> None:
    rows = draw(rng(), N)
    few = rows.where((rows.segment != 1) | (np.cumsum(rows.segment == 1) <= 20))
    found = results(WORLD.window(rows, few))
    assert {row["segment"] for row in found.performance if not row["estimated"]} == {WHOLE, "s=a", "s=c"}
    assert metric(found, "segments_not_measured")["value"] == 1.0
    assert metric(found, "roc_auc", "s=b", estimated=True)["n_labelled"] == 20


def test_without_a_labelled_reference_measured_metrics_come_all_the_same() -> None:
    world = World(draw(rng(), 5_000), labelled=False)
    found = results(world.window(draw(rng(8), 2_000)), world)
    assert math.isnan(metric(found, "roc_auc")["reference_value"])
    assert not names(found, estimated=True)
    assert found.parts == []
    assert {row["column"] for row in found.verdicts} <= {"@labels_selective"}


def test_a_window_of_nothing_has_no_rows() -> None:
    none = draw(rng(), 0)
    assert performance_results(WORLD.model, WORLD.window(none)) == PerformanceRows(
        performance=[], parts=[], verdicts=[]
    )


@pytest.mark.parametrize("hostile", ["x=y", "'; DROP TABLE", "\ud800", "日本\x00", ""])
def test_hostile_names_of_columns_and_segments_are_names_like_others(hostile: str) -> None:
    world = World(draw(rng(), 3_000, n_features=2), names=[hostile, "x1"], values=["a", hostile or "b", "c"])
    found = performance_results(world.model, world.window(draw(rng(8), 1_000, n_features=2, bias=1.0)))
    assert any(row["column"] == hostile for row in found.parts)
    assert {f"s={hostile}"} & {row["segment"] for row in found.performance} or not hostile


def test_labels_taken_back_before_they_came_are_not_measured() -> None:
    window = WORLD.window(draw(rng(), N))
    owed = dataclasses.replace(window, matched={WHOLE: window.matched["s=a"].taken_back()})
    found = results(owed)
    assert "roc_auc" not in names(found, estimated=False)


def test_the_business_number_is_averaged() -> None:
    window = WORLD.window(draw(rng(), 500))
    sketch = window.matched[WHOLE]
    from detectors.performance.accumulate import sketch_matches
    from detectors.performance.matches import Matches

    extra = sketch_matches(
        WORLD.space, Matches.of(WORLD.space, 2, label=np.array([0, 1], dtype=np.int32), value=np.array([10.0, 20.0]))
    )
    found = results(dataclasses.replace(window, matched={WHOLE: sketch.merge(extra)}))
    assert (metric(found, "value")["value"], metric(found, "value")["n"]) == (15.0, 2)


def rates(windows: Sequence[PerformanceRows]) -> dict[str, float]:
    """The share of windows with a false verdict, and of p-values of the whole's loss and relation up to 5 %."""
    columns = ("@loss", "@relation")
    drifted = [any(row["drifted"] for row in one.verdicts if row["column"] in columns) for one in windows]
    p_values = {
        column: float(np.mean([verdict(one, column)["p_value"] <= 0.05 for one in windows])) for column in columns
    }
    return {"drifted": float(np.mean(drifted)), **p_values}


def plain(random: np.random.Generator, bias: float = 0.0) -> Rows:
    return draw(random, 1_000, n_features=1, n_segments=2, bias=bias)


def restless(random: np.random.Generator) -> Rows:
    """An hour with a relation of its own."""
    return plain(random, bias=0.5 * random.normal())


def world_of(hours: Sequence[Rows]) -> World:
    """The world whose reference has these hours as its panes."""
    # Row i of a reference lies in pane i modulo the panes.
    order = np.argsort(np.tile(np.arange(len(hours[0])), len(hours)), kind="stable")
    joined = {
        name: np.concatenate([getattr(one, name) for one in hours], axis=-1)[..., order]
        for name in ("features", "score", "label", "segment")
    }
    return World(Rows(**joined), n_panes=len(hours))


@pytest.mark.parametrize("hour", [plain, restless])
def test_on_unchanged_data_one_window_in_twenty_or_fewer_has_a_false_verdict(
    hour: Callable[[np.random.Generator], Rows],
) -> None:
    random = rng(2028)
    windows = []
    for _ in range(10):  # a reference's own luck is in all windows that are compared with it
        world = world_of([hour(random) for _ in range(30)])
        windows += [performance_results(world.model, world.window(hour(random))) for _ in range(30)]
    found = rates(windows)
    # Of 300 windows 5 % are 15, with a standard deviation of 3.8. Were rows of restless hours taken to be independent,
    # half of them would be significant.
    assert found["drifted"] <= 0.05, found
    assert found["@loss"] <= 0.08, found
    assert found["@relation"] <= 0.08, found
