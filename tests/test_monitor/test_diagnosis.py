"""The metric dropped, why? One made-up history for each answer."""

import math
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import DAY_MS, cell, day, gone, judged, policy

from monitor.decisions.diagnosis import Diagnosis, Stored, diagnose
from monitor.decisions.moved import ClosedWindow, MovedCell
from monitor.decisions.performance_found import MeasuredMetric, Part

POLICY = policy()
N = 40
BEGIN = 25


def history(*moved: MovedCell, begin: int = BEGIN) -> list[ClosedWindow]:
    """Quiet days, and from `begin` on these cells."""
    return [day(n, *(moved if n >= begin else ())) for n in range(N)]


def auc(number: int, value: float, **more: Any) -> MeasuredMetric:
    """What labels, or an estimate, say of a day, beside a reference of 0.8 that is usually between 0.77 and 0.83."""
    own = {"metric": "roc_auc", "reference_value": 0.8, "spread_low": 0.77, "spread_high": 0.83, "n_labelled": 900,
           "n": 1_000, **more}  # fmt: skip
    return MeasuredMetric(
        start_ms=number * DAY_MS, end_ms=(number + 1) * DAY_MS, value=value, ci_low=value - 0.02, ci_high=value + 0.02,
        **own,
    )  # fmt: skip


def part(number: int, name: str, contribution: float) -> Part:
    return Part(
        part=name, start_ms=number * DAY_MS, end_ms=(number + 1) * DAY_MS, contribution=contribution,
        ci_low=contribution - 0.01, ci_high=contribution + 0.01, n_now=900,
    )  # fmt: skip


HOLDS = [auc(n, 0.8) for n in range(N)]
FALLS = [auc(n, 0.8 if n < BEGIN else 0.7) for n in range(N)]


def answers(found: Diagnosis) -> list[str]:
    return [one.answer for one in found.steps]


def test_where_nothing_changed_there_is_nothing_to_do() -> None:
    found = diagnose(POLICY, Stored(windows=history(), measured=HOLDS))
    assert answers(found) == ["no", "no", "no", "no", "no", "unknown"]
    assert (found.action, found.since_ms) == ("nothing", None)
    assert "40,000 events in 40 windows" in found.steps[0].sentences[0]


def test_a_column_that_is_gone_is_the_pipelines_whatever_the_labels_say() -> None:
    found = diagnose(POLICY, Stored(windows=history(gone("x"), cell("@score")), measured=FALLS))
    assert answers(found)[:2] == ["no", "yes"]
    assert found.action == "fix the pipeline"
    assert found.since_ms == BEGIN * DAY_MS
    assert found.because == "Mend the pipeline that fills x, before anything else; do not retrain on these data."
    assert "1 % -> 100 %" in found.steps[1].sentences[0]
    assert found.steps[3].answer == "yes", "the predictions moved with it"


def test_no_events_and_rejected_events_are_the_first_thing_said() -> None:
    quiet = [day(n, n_events=1_000 if n < 35 else 1) for n in range(N)]
    found = diagnose(POLICY, Stored(windows=quiet))
    assert (found.action, found.steps[0].answer) == ("fix the pipeline", "yes")
    rejected = diagnose(POLICY, Stored(windows=history(), rejects={"schema": 9_000, "undecodable": 10}))
    assert rejected.steps[0].answer == "yes"
    assert rejected.steps[0].sentences == ("9,010 events rejected: schema 9,000, undecodable 10.",)
    assert rejected.action == "fix the pipeline"


def test_a_changed_relation_is_retrained_on_data_since_it_changed() -> None:
    windows = [*history(), *(judged(n, *([cell("@relation")] if n >= BEGIN else [])) for n in range(N))]
    parts = [one for n in range(BEGIN, N) for one in (part(n, "relation", 0.05), part(n, "inputs", 0.001))]
    found = diagnose(POLICY, Stored(windows=windows, measured=FALLS, parts=parts))
    assert answers(found) == ["no", "no", "no", "no", "yes", "yes"]
    assert (found.action, found.since_ms) == ("retrain", BEGIN * DAY_MS)
    assert "retrain on data since 1970-01-26" in found.because
    assert any("explains +0.05, moved inputs +0.001" in one for one in found.steps[5].sentences)
    without_alert = diagnose(POLICY, Stored(windows=history(), measured=FALLS, parts=parts))
    assert (without_alert.action, without_alert.since_ms) == ("retrain", BEGIN * DAY_MS)


def test_inputs_that_moved_and_cost_performance_are_retrained_and_those_that_cost_nothing_are_not() -> None:
    windows = history(cell("x"))
    parts = [one for n in range(BEGIN, N) for one in (part(n, "relation", 0.0), part(n, "inputs", 0.05))]
    costs = diagnose(POLICY, Stored(windows=windows, measured=FALLS, parts=parts))
    assert answers(costs) == ["no", "no", "yes", "no", "yes", "no"]
    assert (costs.action, costs.since_ms) == ("retrain", BEGIN * DAY_MS)
    assert "where the model is weaker" in costs.because
    free = diagnose(POLICY, Stored(windows=windows, measured=HOLDS))
    assert (free.action, free.because) == ("nothing", "Inputs moved, and labels show that the model holds.")


def test_without_labels_drift_and_an_estimate_alone_retrain_nothing() -> None:
    windows = history(cell("x"))
    blind = diagnose(POLICY, Stored(windows=windows))
    assert (blind.action, blind.steps[4].answer) == ("nothing", "unknown")
    assert blind.because.startswith("No label shows a loss yet.")
    estimates = [msgspec.structs.replace(one, estimated=True, n_labelled=0) for one in FALLS]
    estimated = diagnose(POLICY, Stored(windows=windows, measured=estimates))
    assert (estimated.action, estimated.steps[4].answer) == ("nothing", "yes")
    assert "wait for them" in estimated.because


def test_drift_that_comes_each_weekend_or_is_none_beside_the_season_is_the_season() -> None:
    weekly = [day(n, *([cell("x")] if n % 7 in (2, 3, 4) else [])) for n in range(N)]
    found = diagnose(POLICY, Stored(windows=weekly))
    assert found.steps[2].answer == "yes"
    assert "drifts with the day of the week, in 3 of 7" in found.steps[2].sentences[-1]
    assert found.action == "nothing"
    assert "season: hour_of_week" in found.because
    beside = diagnose(POLICY, Stored(windows=history(cell("x")), seasonal=history()))
    assert "0 % beside the same season" in beside.steps[2].sentences[-1]
    still = diagnose(POLICY, Stored(windows=history(cell("x")), seasonal=history(cell("x"))))
    assert len(still.steps[2].sentences) == 1


def test_a_subgroup_is_named() -> None:
    found = diagnose(
        POLICY, Stored(windows=[msgspec.structs.replace(one, n_segments=20) for one in history(cell("x", "s=a"))])
    )
    assert found.steps[2].answer == "yes"
    assert "s=a" in found.steps[2].sentences[0]


def test_a_part_in_which_the_model_fails_is_a_loss_and_no_drift_of_inputs() -> None:
    failing = cell("@subgroup", direction="masked", quantity="log loss where carrier is VX", before=0.4, after=0.9)
    windows = [one for n in range(N) for one in (day(n), judged(n, *([failing] if n >= BEGIN else [])))]
    found = diagnose(POLICY, Stored(windows=windows, measured=HOLDS))
    assert answers(found)[2:5] == ["no", "no", "yes"]
    assert "log loss where carrier is VX 0.4 -> 0.9 (masked)" in found.steps[4].sentences[1].lower().replace("vx", "VX")
    assert (found.action, found.since_ms) == ("nothing", found.steps[4].since_ms)
    assert found.because.startswith("Look at the rows where carrier is VX alone")
    lost = diagnose(POLICY, Stored(windows=windows, measured=FALLS))
    assert lost.because.startswith("Labels show a loss that neither inputs nor relation explain")


def test_what_was_over_before_the_time_asked_about_is_not_found() -> None:
    windows = [day(n, *([cell("x")] if n < 10 else [])) for n in range(N)]
    assert diagnose(POLICY, Stored(windows=windows)).steps[2].answer == "yes"
    later = diagnose(POLICY, Stored(windows=windows), since_ms=30 * DAY_MS)
    assert later.steps[2].answer == "no"
    assert later.n_windows == 10


def test_without_any_window_nothing_is_known() -> None:
    found = diagnose(POLICY, Stored())
    assert set(answers(found)) == {"unknown"}
    assert found.action == "nothing"


@pytest.mark.parametrize(
    ("metric", "value", "worse"), [("roc_auc", 0.7, True), ("log_loss", 0.9, True), ("log_loss", 0.7, False)]
)
def test_worse_knows_the_direction_of_its_metric(metric: str, value: float, worse: bool) -> None:
    assert auc(0, value, metric=metric).worse is worse
    assert not auc(0, value, metric=metric, reference_value=math.nan).worse


@settings(max_examples=20, deadline=None)
@given(order=st.permutations(range(N)))
def test_the_order_of_the_rows_changes_nothing(order: list[int]) -> None:
    windows = history(cell("x"))
    one = diagnose(POLICY, Stored(windows=windows, measured=FALLS))
    other = diagnose(POLICY, Stored(windows=[windows[n] for n in order], measured=[FALLS[n] for n in order]))
    assert one == other
