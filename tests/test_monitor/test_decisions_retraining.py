"""Which alerts ask for a new model, and what holds a request back."""

from typing import Any

import pytest
from support.decisions import DAY_MS, Run, cell, day, gone, labels, policy

from monitor.config.decisions import RetrainingSettings
from monitor.config.rates import Rate
from monitor.decisions.controls import RetrainingOutcome, Rollout

LOSS = cell("@loss")


def run(**settings: Any) -> Run:
    return Run(policy(retraining=RetrainingSettings(**settings), reference_versions={"ab" * 32: "january"}))


def outcome(of: Run, status: str, **more: Any) -> RetrainingOutcome:
    request = of.state.retraining.open
    assert request is not None
    return RetrainingOutcome(
        id=request.dedupe_key, model="m", at_ms=0, dedupe_key=request.dedupe_key, status=status, **more
    )


def lossy(of: Run, first: int, until: int) -> Run:
    """Days on which labels show a loss."""
    for n in range(first, until):
        of.feed(day(n, LOSS), performance=[labels(n)])
    return of


def statuses(of: Run) -> list[str]:
    return [one.status for one in of.requests]


def codes(of: Run) -> list[list[str]]:
    return [[held.code for held in one.held_because] for one in of.requests]


def test_a_measured_loss_asks_once_with_its_evidence_and_what_to_train_on() -> None:
    own = lossy(run(), 0, 20)
    (request,) = [one for one in own.requests if one.status == "requested"]
    (alert,) = [one for one in own.alerts if one.state == "raised"]
    assert (request.model, request.version, request.causes) == ("m", "1", ("performance",))
    assert (request.reference, request.reference_version) == ("ab" * 32, "january")
    assert request.training_window.start_ms == alert.onset_ms
    assert request.training_window.end_ms == request.at_ms
    assert [one.dedupe_key for one in request.evidence.alerts] == [alert.dedupe_key]
    assert request.evidence.n_labels is not None
    assert request.evidence.n_labels >= 1_000
    assert request.evidence.maturity == pytest.approx(1.0)
    assert "the model got worse, since 1970-01-01" in request.reason


def test_drift_alone_asks_only_where_nobody_wants_labels_to_confirm_it() -> None:
    own = run().days(day(n, cell()) for n in range(10))
    assert (statuses(own), codes(own)) == (["held_back"], [["not_confirmed"]])
    assert statuses(run(require_confirmation=False).days(day(n, cell()) for n in range(6))) == ["requested"]


@pytest.mark.parametrize("require", [True, False])
def test_drift_that_labels_contradict_never_asks(require: bool) -> None:
    own = run(require_confirmation=require, min_labels=0)
    for n in range(12):
        own.feed(day(n, cell()), performance=[labels(n)])
    assert (set(statuses(own)), codes(own)) == ({"held_back"}, [["labels_contradict"]])


def test_drift_that_labels_confirm_asks() -> None:
    own = run()
    for n in range(8):
        own.feed(day(n, cell(), LOSS), performance=[labels(n)])
    (request,) = [one for one in own.requests if one.status == "requested"]
    assert set(request.causes) == {"performance", "data_drift"}


def test_too_few_labels_and_labels_that_are_not_due_hold_it_back() -> None:
    own = run(min_labels=5_000)
    for n in range(10):
        own.feed(day(n, LOSS), performance=[labels(n, n=600, maturity=0.5 if n < 5 else 0.9)])
    assert codes(own)[0] == ["immature_labels", "few_labels"]
    assert codes(own)[1] == ["few_labels"]
    assert own.requests[-1].status == "requested"
    assert own.requests[-1].evidence.n_labels == 5_400


def test_broken_data_are_mended_before_anything_is_trained_on_them() -> None:
    own = run()
    for n in range(8):
        own.feed(day(n, gone("temp"), LOSS), performance=[labels(n)])
    assert set(statuses(own)) == {"held_back"}
    assert all("broken_data" in one for one in codes(own))


def test_a_rollout_that_is_under_way_holds_it_back_until_it_is_over() -> None:
    own = run()
    own.feed(controls=[Rollout(id="r", model="m", at_ms=0, from_ms=0, until_ms=9 * DAY_MS, version="2")])
    lossy(own, 0, 8)
    assert codes(own)[-1] == ["rollout"]
    lossy(own, 8, 10)
    assert own.requests[-1].status == "requested"
    assert own.requests[-1].at_ms == 9 * DAY_MS


def test_one_that_is_held_back_is_said_once_for_the_same_reasons() -> None:
    own = run().days(day(n, cell()) for n in range(60))
    assert statuses(own) == ["held_back"]


def test_success_closes_it_and_the_same_alert_asks_no_more() -> None:
    own = lossy(run(cooldown_ms=0, budget=Rate(n=9, per_ms=DAY_MS)), 0, 6)
    asked = own.requests[-1]
    own.feed(controls=[outcome(own, "succeeded", version="2", by="airflow")])
    closed = own.requests[-1]
    assert (closed.status, closed.dedupe_key, closed.new_version) == ("succeeded", asked.dedupe_key, "2")
    lossy(own, 6, 30)
    assert statuses(own).count("requested") == 1


def test_what_failed_is_asked_again_under_another_key_after_the_cooldown() -> None:
    own = lossy(run(cooldown_ms=10 * DAY_MS), 0, 6)
    first = own.requests[-1]
    own.feed(controls=[outcome(own, "failed")])
    lossy(own, 6, 20)
    second = [one for one in own.requests if one.status == "requested"][-1]
    assert second.attempt == 2
    assert second.dedupe_key != first.dedupe_key
    assert second.at_ms - first.at_ms >= 10 * DAY_MS
    assert ["cooldown"] in codes(own)


def test_the_budget_holds_though_everything_fails() -> None:
    own = run(cooldown_ms=0, budget=Rate(n=2, per_ms=30 * DAY_MS))
    for n in range(40):
        lossy(own, n, n + 1)
        if own.state.retraining.open is not None:
            own.feed(controls=[outcome(own, "failed")])
    asked = [one.at_ms for one in own.requests if one.status == "requested"]
    assert len(asked) == 4
    assert asked[2] - asked[1] >= 30 * DAY_MS
    assert ["budget"] in codes(own)


def test_a_request_without_an_outcome_is_given_up() -> None:
    own = lossy(run(outcome_within_ms=5 * DAY_MS), 0, 20)
    assert statuses(own).count("requested") == 1
    assert own.requests[-1].status == "expired"


def test_a_version_that_is_old_asks_without_drift() -> None:
    own = run(stale_after_ms=20 * DAY_MS, require_confirmation=True).days(day(n) for n in range(25))
    (request,) = own.requests
    assert (request.status, request.causes, request.version) == ("requested", (), "1")
    assert request.at_ms == 20 * DAY_MS
    assert "version 1 is 20d old" in request.reason


def test_a_dry_run_asks_and_says_so() -> None:
    own = lossy(run(dry_run=True), 0, 6)
    assert [one.dry_run for one in own.requests if one.status == "requested"] == [True]


def test_causes_that_are_not_named_ask_for_nothing() -> None:
    assert lossy(run(causes=("concept_drift",)), 0, 10).requests == []
