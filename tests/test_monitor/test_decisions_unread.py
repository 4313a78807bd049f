"""Alerts about events that are in no sketch: rejects, and features that the reference does not know."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support.decisions import DAY_MS, HOUR_MS, Run, day, gone, policy

from monitor.config.decisions import AlertSettings, RetrainingSettings, SilenceSettings
from monitor.sketching.messages import UnreadCounts


def counts(number: int, hour: int = 0, **more: Any) -> UnreadCounts:
    """Of a pane that begins at an hour of a day."""
    return UnreadCounts(model="m", pane_start_ms=number * DAY_MS + hour * HOUR_MS, **more)


def rejected(number: int, n: int, hour: int = 0, reason: str = "undecodable") -> UnreadCounts:
    return counts(number, hour, rejects={reason: n})


def looked(number: int, n: int = 30, **features: int) -> UnreadCounts:
    return counts(number, n_looked=n, features=features)


def new_in(run: Run, first: int, until: int, name: str = "tenure", n: int = 30) -> Run:
    for number in range(first, until):
        run.feed(day(number), unread=[looked(number, **{name: n})])
    return run


def unchanged(until: int) -> Run:
    run = Run()
    for number in range(until):
        run.feed(day(number), unread=[looked(number)])
    return run


def test_many_rejected_events_are_an_alert_that_says_why_and_ends() -> None:
    run = Run().days(day(n) for n in range(3))
    (alert,) = run.feed(
        day(3, n_events=700), unread=[rejected(3, 200), rejected(3, 90, 5), rejected(3, 10, 5, "schema")]
    )
    assert (alert.cause, alert.severity, alert.columns[0].after) == ("rejects", "warning", 0.3)
    assert alert.onset_ms == 3 * DAY_MS
    assert "share rejected (most: undecodable) of the model's events none -> 30 %" in alert.summary
    assert run.feed(day(4), unread=[rejected(4, 1)]) == []
    assert run.feed(day(5))[0].state == "resolved"


def test_a_window_in_which_all_events_are_rejected_is_told_when_time_has_passed_it() -> None:
    run = Run().days(day(n) for n in range(3))
    assert run.feed(unread=[rejected(3, 1_000)], now_ms=3 * DAY_MS) == []
    (alert,) = [one for one in run.feed(now_ms=4 * DAY_MS) if one.cause == "rejects"]
    assert (alert.severity, alert.columns[0].after) == ("critical", 1.0)


def test_few_rejects_and_a_small_share_of_them_are_none() -> None:
    run = Run().days(day(n) for n in range(3))
    for number, n, events in ((3, 19, 10), (4, 50, 1_000)):
        run.feed(day(number, n_events=events), unread=[rejected(number, n)])
    assert run.alerts == []
    never = Run(policy(alerts=AlertSettings(most_rejects=1.0, fewest_events=0.0))).days(day(n) for n in range(3))
    never.feed(day(3, n_events=0), unread=[rejected(3, 900)])
    assert never.alerts == []


def nameless(number: int, n: int, own: int = 0) -> UnreadCounts:
    return counts(number, nameless={"undecodable": n}, rejects={"schema": own} if own else {})


def test_rejects_that_name_no_model_are_a_warning_that_becomes_critical_with_the_models_own() -> None:
    run = Run().days(day(n) for n in range(3))
    (alert,) = run.feed(day(3, n_events=100), unread=[nameless(3, 300, own=5)])
    assert (alert.severity, alert.columns[0].direction) == ("warning", "more without a model")
    assert alert.columns[0].after == pytest.approx(305 / 405)
    (then,) = run.feed(day(4, n_events=100), unread=[nameless(4, 300, own=200)])
    assert (then.state, then.severity, then.columns[0].direction) == ("updated", "critical", "more rejected")
    assert then.columns[0].after == pytest.approx(200 / 300)
    assert then.dedupe_key == alert.dedupe_key
    run.days(day(n) for n in range(5, 8))
    assert [one.state for one in run.alerts] == ["raised", "updated", "resolved"]
    quiet = Run().days(day(n) for n in range(3))
    assert quiet.feed(day(3), unread=[nameless(3, 40)]) == []


def test_rejects_that_come_late_raise_the_alert_and_a_silence_keeps_it_back() -> None:
    run = Run().days(day(n) for n in range(4))
    (alert,) = run.feed(unread=[rejected(3, 300)])
    assert (alert.cause, alert.at_ms) == ("rejects", 4 * DAY_MS)
    quiet = SilenceSettings(reason="known", until_ms=99 * DAY_MS, column="@rejects")
    silent = Run(policy(alerts=AlertSettings(silences=(quiet,)))).days(day(n) for n in range(4))
    assert silent.feed(unread=[rejected(3, 300)]) == []


def test_a_feature_that_comes_later_is_told_once_and_is_over_when_it_is_no_news_any_more() -> None:
    run = new_in(unchanged(5), 5, 20)
    assert [(one.state, one.cause, one.severity) for one in run.alerts] == [
        ("raised", "schema", "warning"), ("resolved", "schema", "warning"),
    ]  # fmt: skip
    raised, resolved = run.alerts
    (column,) = raised.columns
    assert (column.column, column.direction, column.before, column.after) == ("tenure", "new feature", 0.0, 1.0)
    assert (raised.at_ms, raised.onset_ms) == (6 * DAY_MS, 5 * DAY_MS)
    assert resolved.at_ms == 11 * DAY_MS
    assert raised.summary.startswith(
        "m: share of events with a value of tenure 0 % -> 100 % in all rows, since 1970-01-06 (new feature): "
        "events have a feature that the reference does not know."
    )
    assert "build the reference from data that has it" in raised.recommendation


def test_a_feature_that_was_there_from_the_beginning_and_a_slip_are_no_news() -> None:
    assert new_in(Run(), 0, 20).alerts == []
    run = unchanged(5)
    run.feed(day(5), unread=[looked(5, slip=2)])
    assert new_in(run, 6, 9, name="slip", n=0).alerts == []


def test_names_without_number_are_no_features() -> None:
    run = unchanged(5)
    run.feed(day(5), unread=[looked(5, **{f"user{n:03}": 5 for n in range(101)})])
    assert run.alerts == []


def test_one_that_is_gone_and_one_that_is_new_are_one_alert() -> None:
    run = unchanged(5)
    run.feed(day(5, gone("tenure_days")), unread=[looked(5, tenure=30)])
    (alert,) = run.alerts
    assert (alert.cause, alert.severity) == ("schema", "critical")
    assert [one.column for one in alert.columns] == ["tenure_days", "tenure"]
    assert "Perhaps a feature was renamed" in alert.summary


@pytest.mark.parametrize(("broken", "expected"), [(False, "requested"), (True, "held_back")])
def test_a_new_feature_holds_no_retraining_back(broken: bool, expected: str) -> None:
    asks = RetrainingSettings(stale_after_ms=6 * DAY_MS)
    run = Run(policy(retraining=asks))
    for number in range(5):
        run.feed(day(number), unread=[looked(number)])
    run.feed(day(5, *([gone()] if broken else [])), unread=[looked(5, tenure=30)])
    assert [one.cause for one in run.alerts] == ["schema"]
    assert run.requests[-1].status == expected


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 23), st.integers(0, 11), st.sampled_from("abc"), st.integers(1, 40)), max_size=60
    ),
    st.randoms(use_true_random=False),
    st.integers(1, 12),
)
def test_however_counts_are_divided_the_same_is_told(
    found: list[tuple[int, int, str, int]], chance: Any, size: int
) -> None:
    """They come with the windows that they lie in, or before; in any order, alone or added up."""

    def told(order: list[tuple[int, int, str, int]], size: int) -> list[Any]:
        run = Run()
        for first in range(0, 12, size):
            own = [one for one in order if first <= one[1] < first + size]
            unread = [
                counts(number, hour, rejects={"schema": n}, n_looked=n, features={name: n}, nameless={name: 2 * n})
                for hour, number, name, n in own
            ]
            run.feed(*(day(number, n_events=100) for number in range(first, min(first + size, 12))), unread=unread)
        return [run.alerts, run.state.unread]

    mixed = list(found)
    chance.shuffle(mixed)
    assert told(found, 1) == told(mixed, size)
