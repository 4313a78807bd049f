"""A new version, or a new reference, takes over: what the one before said last keeps no alert open."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import DAY_MS, Run, cell, day, gone, judged, labels, policy

from monitor.config.decisions import RetrainingSettings
from monitor.decisions.controls import RetrainingOutcome

LOSS = cell("@loss")
NEW = {"version": "2", "reference": "cd" * 32}


def drifting(until: int) -> Run:
    """Version 1 drifts on its reference."""
    return Run().days(day(n, cell()) for n in range(until))


def asked(of: Run) -> RetrainingOutcome:
    """The outcome of the open request: version 2."""
    request = of.state.retraining.open
    assert request is not None
    key = request.dedupe_key
    return RetrainingOutcome(id=key, model="m", at_ms=0, dedupe_key=key, status="succeeded", version="2")


def states(of: Run, cause: str) -> list[str]:
    return [one.state for one in of.alerts if one.cause == cause and one.state != "updated"]


@pytest.mark.parametrize("version", ["1", "2"])
def test_windows_on_a_new_reference_end_the_alert_of_the_one_before(version: str) -> None:
    own = drifting(8)
    assert states(own, "data_drift") == ["raised"]
    own.feed(day(8, **{**NEW, "version": version}))
    assert states(own, "data_drift") == ["raised"], "one window may be a mixture"
    (resolved,) = own.feed(day(9, **{**NEW, "version": version}))
    by = "version 2" if version == "2" else "another reference"
    assert resolved.summary == (
        "m (version 1): over: mean of x 1 -> 2 (up) in all rows, since 1970-01-01. "
        f"Drift of inputs is over, {by} has taken over."
    )
    assert own.state.machine.opened == ()


def test_drift_from_the_new_reference_is_evidence_of_its_own() -> None:
    own = drifting(8).days(day(n, *([cell()] if n >= 11 else []), **NEW) for n in range(8, 20))
    raised = [one for one in own.alerts if one.state == "raised"]
    assert [one.reference for one in raised] == ["ab" * 32, "cd" * 32]
    assert raised[1].onset_ms >= 11 * DAY_MS


def test_two_versions_side_by_side_both_count() -> None:
    own = drifting(8)
    for n in range(8, 14):
        own.feed(day(n, cell()), day(n, **NEW))
    assert states(own, "data_drift") == ["raised"]


def test_one_that_is_put_back_counts_again() -> None:
    own = drifting(8).days(day(n, **NEW) for n in range(8, 11))
    own.days(day(n, gone(), version="1") for n in range(11, 13))
    assert states(own, "data_drift") == ["raised", "resolved"]
    assert states(own, "schema") == ["raised"]


def test_another_version_on_the_same_reference_takes_over_only_where_an_outcome_says_so() -> None:
    other = drifting(8).days(day(n, version="2") for n in range(8, 12))
    assert states(other, "data_drift") == ["raised"]


def lossy(until: int, **more: Any) -> Run:
    own = Run(policy(retraining=RetrainingSettings(cooldown_ms=0, **more)))
    for n in range(until):
        own.feed(day(n), judged(n, LOSS), performance=[labels(n)])
    return own


def test_the_version_that_an_outcome_names_takes_over_on_the_same_reference() -> None:
    own = lossy(8)
    own.feed(controls=[asked(own)])
    assert own.requests[-1].status == "succeeded"
    assert states(own, "performance") == ["raised"], "it is still version 1 that predicts"
    for n in range(8, 10):
        own.feed(day(n, version="2"), performance=[labels(n)])
    assert states(own, "performance") == ["raised"], "no label of version 2 has come yet"
    for n in range(8, 10):
        own.feed(msgspec.structs.replace(judged(n), version="2"))
    assert states(own, "performance") == ["raised", "resolved"]


def test_age_is_that_of_the_version_that_has_taken_over() -> None:
    own = Run(policy(retraining=RetrainingSettings(stale_after_ms=20 * DAY_MS, min_labels=0, cooldown_ms=0)))
    own.days(day(n) for n in range(21))
    assert own.requests[-1].version == "1"
    own.feed(controls=[asked(own)])
    own.days(day(n, **NEW) for n in range(21, 43))
    stale = [one for one in own.requests if one.status == "requested"]
    assert [(one.version, one.reference, one.evidence.age_ms // DAY_MS) for one in stale] == [
        ("1", "ab" * 32, 20), ("2", "cd" * 32, 20),
    ]  # fmt: skip


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(1, 9), max_size=6))
def test_messages_of_any_size_tell_the_same(cuts: list[int]) -> None:
    windows = [day(n, cell()) for n in range(8)] + [day(n, cell("y"), **NEW) for n in range(8, 20)]

    def told(sizes: list[int]) -> list[Any]:
        own, at = Run(), 0
        for size in [*sizes, len(windows)]:
            own.feed(*windows[at : at + size])
            at += size
        return own.alerts

    assert told(cuts) == told([1] * len(windows))
