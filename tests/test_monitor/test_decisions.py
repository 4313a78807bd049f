"""From verdicts to alerts: what raises, what is one alert, what resolves, and what late data changes."""

import msgspec
import pytest
from support.decisions import DAY_MS, HOUR_MS, Run, cell, day, gone, judged, policy

from monitor.config.decisions import AlertSettings, SilenceSettings
from monitor.config.rates import RaiseRule
from monitor.decisions.controls import Acknowledgement, Removed, Silence
from monitor.decisions.machine import LONGEST_MS
from monitor.decisions.moved import ClosedWindow, MovedCell
from monitor.decisions.policy import Policy
from monitor.decisions.tiling import Tiling, tiling
from monitor.decisions.track import Track, absorb
from monitor.decisions.wire import decode_alert, encode_alert
from monitor.eventtime.calendar_shape import CalendarShape
from monitor.eventtime.windows import FixedShape

BOTH_RULES = AlertSettings(raise_when=RaiseRule(k=2, n=3))


def test_nothing_that_moved_is_no_alert() -> None:
    assert Run().days(day(n) for n in range(60)).told == []


def test_one_window_that_drifted_is_no_alert_and_several_are_one() -> None:
    # day    0 .. 9 quiet, 10 drifts, 11 quiet   |   20, 21, 22, ... drift
    run = Run().days(day(n) for n in range(10))
    assert run.feed(day(10, cell())) == []
    run.days(day(n) for n in range(11, 20))
    run.days(day(n, cell()) for n in range(20, 30))
    (alert,) = run.alerts
    assert (alert.state, alert.cause, alert.severity, alert.sequence) == ("raised", "data_drift", "warning", 1)
    assert alert.onset_ms == 20 * DAY_MS
    assert alert.at_ms <= 23 * DAY_MS
    (column,) = alert.columns
    assert (column.column, column.segment, column.before, column.after) == ("x", "", 1.0, 2.0)
    assert alert.evidence.rule == "budget"
    assert alert.evidence.value >= alert.evidence.level == 30.0


def test_an_effect_that_does_not_matter_is_no_evidence_however_sure() -> None:
    assert Run().days(day(n, cell(strength=0.9, p=0.0)) for n in range(60)).told == []


def test_it_is_resolved_after_five_quiet_windows_and_a_day_and_raised_again_only_by_new_evidence() -> None:
    run = Run().days(day(n, cell()) for n in range(10))
    run.days(day(n) for n in range(10, 14))
    assert run.told == [("raised", "data_drift")]
    (resolved,) = run.feed(day(14))
    assert (resolved.state, resolved.dedupe_key, resolved.sequence) == ("resolved", run.alerts[0].dedupe_key, 2)
    run.feed(day(15, cell()))
    assert len(run.alerts) == 2
    run.days(day(n, cell()) for n in range(16, 20))
    assert run.told[2:] == [("raised", "data_drift")]
    assert run.alerts[2].dedupe_key != resolved.dedupe_key
    assert run.alerts[2].onset_ms == 15 * DAY_MS


def test_evidence_beyond_all_doubt_in_long_windows_is_told_in_64_bits() -> None:
    def month(number: int, *moved: MovedCell) -> ClosedWindow:
        own = day(0, *moved, n_whole=1)
        return msgspec.structs.replace(own, start_ms=number * 30 * DAY_MS, end_ms=(number + 1) * 30 * DAY_MS)

    # While another column is broken this one follows it; all its evidence is there once that is mended.
    run = Run(Policy(model="m", tiling=Tiling(FixedShape(size_ms=30 * DAY_MS, every_ms=30 * DAY_MS))))
    run.days(month(n, gone("temp"), cell("@score", p=0.0)) for n in range(20))
    run.days(month(n, cell("@score", p=0.0)) for n in range(20, 25))
    alert = run.alerts[-1]
    assert (alert.state, alert.cause) == ("raised", "prediction_drift")
    assert alert.evidence.value * 30 * DAY_MS > 2**64
    assert alert.evidence.chance_once_in_ms == LONGEST_MS
    assert decode_alert(encode_alert(alert)).data == alert
    assert "once in 100 years or more" in alert.summary


def test_hourly_windows_are_quiet_for_a_day_before_it_is_resolved() -> None:
    hourly = Policy(model="m", tiling=Tiling(FixedShape(size_ms=HOUR_MS, every_ms=HOUR_MS)))

    def hour(number: int, *moved: object):  # type: ignore[no-untyped-def]
        own = day(0, *moved, n_events=None)
        return msgspec.structs.replace(own, start_ms=number * HOUR_MS, end_ms=(number + 1) * HOUR_MS)

    run = Run(hourly).days(hour(n, cell()) for n in range(48))
    assert run.told == [("raised", "data_drift")]
    run.days(hour(n) for n in range(48, 71))
    assert len(run.alerts) == 1
    run.feed(hour(71))
    assert run.told[-1] == ("resolved", "data_drift")


def test_hysteresis_keeps_it_open_below_the_threshold() -> None:
    run = Run().days(day(n, cell()) for n in range(10))
    run.days(day(n, cell(strength=0.85)) for n in range(10, 40))
    assert run.told == [("raised", "data_drift")]
    run.days(day(n, cell(strength=0.5)) for n in range(40, 50))
    assert run.told[-1] == ("resolved", "data_drift")


def test_a_column_that_is_gone_raises_at_once_and_is_critical() -> None:
    run = Run().days(day(n) for n in range(5))
    (alert,) = run.feed(day(5, gone("temp")))
    assert (alert.cause, alert.severity, alert.evidence.rule, alert.onset_ms) == (
        "schema", "critical", "at once", 5 * DAY_MS,
    )  # fmt: skip
    run.feed(day(6))
    (resolved,) = run.feed(day(7))  # what breaks at once is mended at once
    assert resolved.state == "resolved"


def test_a_change_of_unit_raises_at_once() -> None:
    moved = cell("distance", strength=12.0, threshold=0.08, p=0.0, method="ks")
    (alert,) = Run().feed(day(0, moved))
    assert (alert.cause, alert.severity) == ("data_drift", "critical")


def test_when_all_moves_because_one_column_did_it_is_one_alert_that_says_so() -> None:
    def broken(n: int):  # type: ignore[no-untyped-def]
        parts = [gone("temp"), gone("temp", "origin=EWR"), cell("@score"), cell("@joint"), cell("@score", "origin=EWR")]
        return day(n, *parts, n_segments=20)

    run = Run().days([day(n, n_segments=20) for n in range(5)] + [broken(n) for n in range(5, 12)])
    assert [one for one in run.told if one[0] == "raised"] == [("raised", "schema")]
    # Once the source is mended, what still moves stands for itself.
    run.days(day(n, cell("@score"), n_segments=20) for n in range(12, 20))
    assert ("resolved", "schema") in run.told
    assert run.told[-1] == ("raised", "prediction_drift")


def test_a_segment_alone_is_a_subgroup_and_with_its_whole_it_is_not() -> None:
    run = Run().days(day(n, cell("x", "origin=EWR"), n_segments=20) for n in range(10))
    assert run.told == [("raised", "subgroup")]
    run = Run().days(day(n, cell("x", "origin=EWR"), cell("x"), n_segments=20) for n in range(10))
    assert run.told == [("raised", "data_drift")]
    assert {one.segment for one in run.alerts[0].columns} == {"", "origin=EWR"}


def test_columns_are_ranked_by_effect_times_importance() -> None:
    moved = [cell("a", strength=4.0), cell("b", strength=3.0), cell("c", strength=2.0)]
    run = Run(policy(AlertSettings(importance={"c": 10.0}))).days(day(n, *moved) for n in range(5))
    assert [one.column for one in run.alerts[0].columns] == ["c", "a", "b"]


def test_large_effects_on_what_matters_are_critical_and_becoming_so_is_told_at_once() -> None:
    settings = AlertSettings(importance={"x": 8.0})
    run = Run(policy(settings)).days(day(n, cell(strength=2.0)) for n in range(5))
    assert [one.severity for one in run.alerts] == ["warning"]
    (updated,) = run.feed(day(5, cell(strength=6.0)))
    assert (updated.state, updated.severity) == ("updated", "critical")
    other = Run(policy(settings)).days(day(n, cell("y", strength=6.0)) for n in range(5))
    assert [one.severity for one in other.alerts] == ["warning"]


def test_a_column_that_joins_is_told_once() -> None:
    run = Run().days(day(n, cell("x")) for n in range(5))
    run.days(day(n, cell("x"), cell("y")) for n in range(5, 20))
    assert run.told == [("raised", "data_drift"), ("updated", "data_drift")]
    assert [one.column for one in run.alerts[-1].columns] == ["x", "y"]


def test_late_data_that_takes_the_drift_back_resolves_its_alert() -> None:
    run = Run().days(day(n, cell()) for n in range(4))
    assert run.told == [("raised", "data_drift")]
    run.feed(day(0), day(1), day(2))
    (resolved,) = run.feed(day(3))
    assert resolved.state == "resolved"
    assert "late events" in resolved.summary
    assert run.state.machine.opened == ()


def test_an_alert_that_late_data_takes_back_and_brings_again_is_another_with_a_key_of_its_own() -> None:
    run = Run(policy(AlertSettings(cooldown_ms=0)))
    gone_day = [day(n) for n in range(5)]
    run.days(gone_day)
    for _ in range(2):
        run.feed(day(4, gone("temp")))
        run.feed(day(4))
    assert run.told == [("raised", "schema"), ("resolved", "schema")] * 2
    keys = [one.dedupe_key for one in run.alerts]
    assert keys[0] == keys[1] != keys[2] == keys[3]


def test_late_data_that_brings_drift_counts_as_if_it_had_come_in_time() -> None:
    late = Run().days(day(n) for n in range(8))
    late.feed(*(day(n, cell()) for n in range(3, 8)))
    assert late.told == [("raised", "data_drift")]
    in_time = Run().days([*(day(n) for n in range(3)), *(day(n, cell()) for n in range(3, 8))])
    assert late.state.tracks == in_time.state.tracks


def test_late_data_that_changes_the_columns_updates_the_alert() -> None:
    run = Run().days(day(n, cell("x")) for n in range(5))
    (updated,) = run.feed(*(day(n, cell("x"), cell("y")) for n in range(1, 5)))
    assert updated.state == "updated"
    assert {one.column for one in updated.columns} == {"x", "y"}


def test_what_was_resolved_is_no_evidence_any_more_even_if_its_windows_come_again() -> None:
    run = Run().days([*(day(n, cell()) for n in range(5)), *(day(n) for n in range(5, 12))])
    assert run.told[-1][0] == "resolved"
    run.feed(*(day(n, cell()) for n in range(5)))
    assert len(run.alerts) == 2


def test_k_of_n_verdicts_is_the_plain_rule() -> None:
    run = Run(policy(BOTH_RULES))
    run.days([day(0, cell()), day(1), day(2)])
    assert run.told == []
    run.days([day(3, cell()), day(4), day(5, cell())])
    assert run.told == [("raised", "data_drift")]
    assert run.alerts[0].evidence.rule == "verdicts, 2 of 3"


def test_a_cooldown_holds_a_warning_back_and_no_critical_one() -> None:
    settings = AlertSettings(cooldown_ms=30 * DAY_MS)
    run = Run(policy(settings)).days([*(day(n, cell()) for n in range(5)), *(day(n) for n in range(5, 12))])
    run.days(day(n, cell()) for n in range(12, 20))
    assert len(run.alerts) == 2
    run.feed(day(20, cell(strength=12.0, threshold=0.08, p=0.0, method="ks")))
    assert run.told[-1] == ("raised", "data_drift")


def test_what_is_silenced_raises_nothing_and_is_told_when_the_silence_ends() -> None:
    known = SilenceSettings(reason="known", until_ms=20 * DAY_MS, column="x")
    run = Run(policy(AlertSettings(silences=(known,)))).days(day(n, cell()) for n in range(15))
    assert run.told == []
    run.days(day(n, cell()) for n in range(15, 25))
    assert run.alerts[0].at_ms == 20 * DAY_MS


def test_a_silence_by_command_can_be_taken_back() -> None:
    quiet = Silence(id="s", model="m", at_ms=0, from_ms=0, until_ms=50 * DAY_MS, cause="data_drift")
    run = Run()
    run.feed(controls=[quiet])
    run.days(day(n, cell()) for n in range(10))
    assert run.told == []
    run.feed(controls=[Removed(id="s", model="m", at_ms=0)])
    run.feed(day(10, cell()))
    assert run.told == [("raised", "data_drift")]


def test_an_acknowledged_alert_is_told_again_only_where_it_becomes_critical_or_is_over() -> None:
    run = Run(policy(AlertSettings(importance={"x": 8.0}))).days(day(n, cell()) for n in range(5))
    known = Acknowledgement(id="a", model="m", at_ms=0, by="Kim", dedupe_key=run.alerts[0].dedupe_key)
    run.feed(controls=[known])
    run.days(day(n, cell(), cell("y")) for n in range(5, 10))
    assert len(run.alerts) == 1
    (updated,) = run.feed(day(10, cell(strength=9.0)))
    assert (updated.severity, updated.acknowledged_by) == ("critical", "Kim")


def test_hardly_any_events_are_silence_and_none_at_all_too() -> None:
    run = Run().days(day(n) for n in range(28))
    (alert,) = run.feed(day(28, n_events=100))
    assert (alert.cause, alert.severity, alert.columns[0].before, alert.columns[0].after) == (
        "silence", "warning", 1_000.0, 100.0,
    )  # fmt: skip
    # Two days without a row: seen once event time has passed them.
    (updated,) = run.feed(now_ms=31 * DAY_MS)
    assert (updated.state, updated.severity) == ("updated", "critical")
    run.feed(day(31))
    assert run.feed(day(32))[-1].state == "resolved"


def test_a_silence_is_not_over_by_its_own_length() -> None:
    # Ten days, of which no weekday has been three times; then nothing comes.
    run = Run().days(day(n) for n in range(10))
    run.feed(now_ms=11 * DAY_MS)
    run.feed(now_ms=20 * DAY_MS)
    assert [state for state, cause in run.told if cause == "silence"][-1] != "resolved"
    run.feed(day(20))
    assert run.feed(day(21))[-1].state == "resolved"


def test_days_that_are_empty_every_week_are_usual() -> None:
    assert Run().days(day(n) for n in range(70) if n % 7 < 5).told == []


def test_weekends_with_fewer_events_are_usual() -> None:
    run = Run().days(day(n, n_events=1_000 if n % 7 < 5 else 100) for n in range(70))
    assert run.told == []


def test_late_events_take_a_silence_back() -> None:
    run = Run().days(day(n) for n in range(28))
    run.feed(day(28, n_events=10))
    assert run.feed(day(28, n_events=990))[0].state == "resolved"


def test_verdicts_that_rest_on_labels_come_later_and_raise_all_the_same() -> None:
    # Labels come ten days after the day they belong to, and again with more of them; inputs stand still.
    loss = cell("@loss", direction="worse")
    run = Run()
    for n in range(40):
        windows = [day(n)]
        if n >= 10:
            late = n - 10
            moved = [loss] if 5 <= late < 15 else []
            windows += [
                judged(late, *moved),
                *([judged(late - 1, *([loss] if 5 <= late - 1 < 15 else []))] if late else []),
            ]
        run.feed(*windows)
    assert run.told == [("raised", "performance"), ("resolved", "performance")]
    raised, resolved = run.alerts
    assert raised.onset_ms == 5 * DAY_MS
    assert 15 * DAY_MS < raised.at_ms <= 20 * DAY_MS
    assert "late events" not in resolved.summary


def test_verdicts_of_labels_leave_those_of_inputs_alone() -> None:
    run = Run().days(day(n, cell()) for n in range(6))
    run.feed(*(judged(n) for n in range(6)))
    assert run.told == [("raised", "data_drift")]
    assert run.state.machine.opened


def test_a_model_that_became_better_is_no_alert() -> None:
    run = Run().days(day(n) for n in range(10))
    run.feed(*(judged(n, cell("@loss", direction="better")) for n in range(10)))
    assert run.told == []


def test_two_versions_share_one_budget_and_one_alert() -> None:
    def both(n: int):  # type: ignore[no-untyped-def]
        return [day(n, cell()), day(n, cell("y"), version="2", reference="cd" * 32)]

    run = Run()
    for n in range(8):
        run.feed(*both(n))
    assert [one for one in run.told if one[0] == "raised"] == [("raised", "data_drift")]
    assert {one.column for one in run.state.machine.opened[0].alert.columns} == {"x", "y"}


@pytest.mark.parametrize(
    ("shapes", "pane_ms", "inside", "outside"),
    [
        ([FixedShape(size_ms=7 * DAY_MS, every_ms=DAY_MS), FixedShape(size_ms=DAY_MS, every_ms=DAY_MS)], DAY_MS,
         (0, DAY_MS), (0, 7 * DAY_MS)),
        ([FixedShape(size_ms=3 * DAY_MS, every_ms=2 * DAY_MS)], 4 * DAY_MS, (0, 3 * DAY_MS), (2 * DAY_MS, 5 * DAY_MS)),
        ([CalendarShape(size=1, every=1, timezone="Europe/Berlin")], DAY_MS, (-HOUR_MS, 23 * HOUR_MS), (0, DAY_MS)),
    ],
)  # fmt: skip
def test_the_shortest_windows_that_tile_time_count_and_of_overlapping_ones_those_apart(
    shapes: list[FixedShape], pane_ms: int, inside: tuple[int, int], outside: tuple[int, int]
) -> None:
    own = tiling(shapes)
    assert own.pane_ms == pane_ms
    assert own.holds(*inside)
    assert not own.holds(*outside)


def test_labels_of_a_window_that_a_thousand_came_after_move_no_evidence_and_of_the_next_one_do() -> None:
    """How far back labels are heeded, as the README says it."""
    track = Track(version="1", reference="ab" * 32, first_ms=0, family="labels")
    retention_ms = 2_000 * DAY_MS
    for number in range(1_001):
        track = absorb(track, judged(number), retention_ms=retention_ms)
    assert absorb(track, judged(0, cell("@loss")), retention_ms=retention_ms) == track
    assert absorb(track, judged(1, cell("@loss")), retention_ms=retention_ms) != track
