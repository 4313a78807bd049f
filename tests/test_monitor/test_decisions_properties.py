"""Laws of decisions, over any input."""

import dataclasses
import random
from collections import defaultdict
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import DAY_MS, Run, cell, day, gone, judged, labels, policy

from monitor.config.decisions import AlertSettings, RetrainingSettings
from monitor.config.rates import RaiseRule, Rate
from monitor.decisions.controls import Acknowledgement, RetrainingOutcome, Rollout, Silence
from monitor.decisions.decide import Decisions
from monitor.decisions.moved import ClosedWindow
from monitor.decisions.policy import Policy
from monitor.decisions.track import Track, absorb
from monitor.decisions.wire import alert_event, retraining_event

CELLS = st.one_of(
    st.builds(
        cell,
        st.sampled_from(["x", "y", "@score", "@loss", "@relation", "@joint"]),
        st.sampled_from(["", "origin=EWR"]),
        strength=st.sampled_from([0.9, 1.5, 6.0]),
        p=st.sampled_from([0.0, 1e-4, 0.04, 0.5]),
    ),
    st.builds(gone, st.sampled_from(["x", "y"])),
)
WINDOWS = st.builds(
    lambda number, cells, n_events, version, family: day(
        number,
        *{one.place: one for one in cells}.values(),
        n_events=n_events if family == "inputs" else None,  # as `gather` gives them
        version=version,
        n_segments=10,
        family=family,
    ),
    st.integers(0, 40),
    st.lists(CELLS, max_size=4),
    st.sampled_from([None, 1_000, 5]),
    st.sampled_from(["1", "1", "2"]),
    st.sampled_from(["inputs", "inputs", "labels"]),
)
STEPS = st.lists(
    st.tuples(
        st.lists(WINDOWS, max_size=6),
        st.lists(st.integers(0, 40).map(labels), max_size=2),
        st.sampled_from(["", "silence", "acknowledge", "rollout", "succeeded", "failed"]),
    ),
    max_size=14,
)
POLICIES = st.builds(
    lambda alerts, retraining: policy(alerts, retraining),
    st.builds(
        AlertSettings,
        false_alarms=st.sampled_from([Rate(n=1, per_ms=30 * DAY_MS), Rate(n=1, per_ms=2 * DAY_MS)]),
        raise_when=st.sampled_from([RaiseRule(), RaiseRule(k=1, n=1), RaiseRule(k=2, n=3)]),
        cooldown_ms=st.sampled_from([0, DAY_MS, 9 * DAY_MS]),
        resolve_after_ms=st.sampled_from([0, DAY_MS]),
    ),
    st.builds(
        RetrainingSettings,
        require_confirmation=st.booleans(),
        min_labels=st.sampled_from([0, 1_500]),
        cooldown_ms=st.sampled_from([0, 3 * DAY_MS]),
        budget=st.sampled_from([Rate(n=1, per_ms=10 * DAY_MS), Rate(n=2, per_ms=20 * DAY_MS)]),
        stale_after_ms=st.sampled_from([None, 5 * DAY_MS]),
        outcome_within_ms=st.sampled_from([DAY_MS, 7 * DAY_MS]),
    ),
)


def distinct(windows: list[ClosedWindow]) -> list[ClosedWindow]:
    """One a version, day and family, as `gather` gives them."""
    return list({(one.version, one.end_ms, one.family): one for one in windows}.values())


def run_steps(own: Policy, steps: list[Any], *, shuffle: int | None = None, stored: bool = False) -> Run:
    run = Run(own)
    for number, (windows, performance, said) in enumerate(steps):
        windows = distinct(windows)
        if shuffle is not None:
            generator = random.Random(shuffle + number)
            windows = [
                msgspec.structs.replace(one, moved=tuple(generator.sample(one.moved, len(one.moved))))
                for one in generator.sample(windows, len(windows))
            ]
        if stored:
            run.state = msgspec.msgpack.decode(msgspec.msgpack.encode(run.state), type=Decisions)
        run.feed(*windows, performance=performance, controls=controls(run, said, number))
    return run


def controls(run: Run, said: str, number: int) -> list[Any]:
    at_ms = run.state.last_end_ms or 0
    base = {"id": f"{said}{number}", "model": "m", "at_ms": at_ms}
    opened = run.state.machine.opened
    request = run.state.retraining.open
    if said == "silence":
        return [Silence(**base, from_ms=at_ms, until_ms=at_ms + 3 * DAY_MS, column="x")]
    if said == "acknowledge" and opened:
        return [Acknowledgement(**base, dedupe_key=opened[0].alert.dedupe_key)]
    if said == "rollout":
        return [Rollout(**base, from_ms=at_ms, until_ms=at_ms + 2 * DAY_MS)]
    if said in ("succeeded", "failed") and request is not None:
        return [RetrainingOutcome(**base, dedupe_key=request.dedupe_key, status=said)]
    return []


@settings(deadline=None, max_examples=25)
@given(POLICIES, STEPS)
def test_there_are_never_two_open_alerts_of_one_cause_and_raised_and_resolved_alternate(
    own: Policy, steps: list[Any]
) -> None:
    run = run_steps(own, steps)
    opened: dict[str, str] = {}
    sequence: dict[str, int] = {}
    for alert in run.alerts:
        if alert.state == "raised":
            assert alert.cause not in opened
            assert alert.dedupe_key not in sequence, "a key is of one alert"
            opened[alert.cause] = alert.dedupe_key
        else:
            assert opened[alert.cause] == alert.dedupe_key
        if alert.state == "resolved":
            del opened[alert.cause]
        assert alert.sequence == sequence.get(alert.dedupe_key, 0) + 1
        sequence[alert.dedupe_key] = alert.sequence
        assert alert.columns
        assert alert.summary
    assert {one.alert.cause for one in run.state.machine.opened} == set(opened)
    ids = [alert_event(one).id for one in run.alerts]
    assert len(ids) == len(set(ids))


@settings(deadline=None, max_examples=20)
@given(POLICIES, STEPS, st.integers(0, 1_000))
def test_the_order_of_columns_and_windows_changes_nothing_nor_does_a_restart_between_any_two_steps(
    own: Policy, steps: list[Any], seed: int
) -> None:
    first = run_steps(own, steps)
    for other in (run_steps(own, steps, shuffle=seed), run_steps(own, steps, stored=True)):
        assert other.alerts == first.alerts
        assert other.requests == first.requests
        assert other.state == first.state


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(CELLS, max_size=3), min_size=2, max_size=30), st.data())
def test_windows_that_are_revised_in_any_order_leave_the_evidence_that_they_would_have_left_in_time(
    cells: list[Any], data: st.DataObject
) -> None:
    last = [day(number, *{one.place: one for one in own}.values()) for number, own in enumerate(cells)]
    wrong = data.draw(st.sets(st.integers(0, len(last) - 1)))
    in_time = empty = Track(version="1", reference="ab", first_ms=0)
    for window in last:
        in_time = absorb(in_time, window, retention_ms=90 * DAY_MS)
    late = empty
    for number, window in enumerate(last):
        first = day(number, cell("z", strength=3.0, p=0.0)) if number in wrong else window
        late = absorb(late, first, retention_ms=90 * DAY_MS)
    for number in data.draw(st.permutations(sorted(wrong))):
        late = absorb(late, last[number], retention_ms=90 * DAY_MS)
    assert late == in_time


@settings(deadline=None, max_examples=25)
@given(POLICIES, STEPS)
def test_cooldown_holds_over_any_input(own: Policy, steps: list[Any]) -> None:
    resolved_ms: dict[str, int] = {}
    for alert in run_steps(own, steps).alerts:
        if alert.state == "resolved":
            resolved_ms[alert.cause] = alert.at_ms
        elif alert.state == "raised" and alert.cause in resolved_ms:
            soon = alert.at_ms - resolved_ms[alert.cause] < own.alerts.cooldown_ms
            assert not soon or alert.severity == "critical"


@settings(deadline=None, max_examples=30)
@given(POLICIES, STEPS)
def test_retraining_keeps_cooldown_and_budget_and_one_request_at_a_time(own: Policy, steps: list[Any]) -> None:
    asked_ms: list[int] = []
    opened = ""
    ids: dict[str, int] = defaultdict(int)
    for request in run_steps(own, steps).requests:
        if request.status == "requested":
            assert opened == "", "one at a time"
            opened = request.dedupe_key
            ids[request.dedupe_key] += 1
            assert not asked_ms or request.at_ms - asked_ms[-1] >= own.retraining.cooldown_ms
            within = [one for one in asked_ms if request.at_ms - one < own.retraining.budget.per_ms]
            assert len(within) < own.retraining.budget.n
            asked_ms.append(request.at_ms)
        elif request.status == "held_back":
            assert request.held_because
        else:
            assert opened == request.dedupe_key
            opened = ""
        assert request.training_window.start_ms <= request.training_window.end_ms
        assert retraining_event(request).subject == request.dedupe_key
    assert all(n == 1 for n in ids.values()), "one request a key"


@settings(max_examples=60, deadline=None)
@given(
    POLICIES,
    st.lists(st.lists(CELLS, max_size=3), min_size=10, max_size=30),
    st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=30, max_size=30),
)
def test_what_events_say_is_told_alike_whenever_labels_come(
    own: Policy, days: list[list[Any]], judgements: list[tuple[bool, int]]
) -> None:
    """With each window, windows later, or not yet."""
    own = dataclasses.replace(own, label_horizon_ms=30 * DAY_MS)

    def told(lags: list[int]) -> list[Any]:
        run = Run(own)
        for number, cells in enumerate(days):
            seen = {one.place: one for one in cells if not one.column.startswith(("@loss", "@relation"))}
            run.feed(day(number, *seen.values(), n_segments=10))
            for of, (lossy, _) in enumerate(judgements[: number + 1]):
                if of + lags[of] == number:
                    run.feed(judged(of, *([cell("@loss"), cell("@relation")] if lossy else [])))
        return [one for one in run.alerts if one.cause not in ("performance", "concept_drift")]

    bare = told([99] * 30)
    assert told([0] * 30) == bare
    assert told([lag for _, lag in judgements]) == bare
