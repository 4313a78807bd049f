"""The page of the simulation of alerts says what was run, what was not, and whether the targets were reached."""

from dataclasses import replace

import numpy as np
import pytest

from monitor.alert_table.awake import SHIFTS, AwakeRound
from monitor.alert_table.late_labels import LATE_SHARES, LateRound, late_round
from monitor.alert_table.relation import SHARES, RelationRound, relation_round
from monitor.alert_table.report import Results, page, with_late_labels, with_relation
from monitor.alert_table.rounds import QuietRound, Raised
from monitor.alert_table.rules import RULES, FixedRules
from monitor.alert_table.streams import WORLDS, draw50, part


def quiet(*alarms: int, factor: float = 1.0) -> QuietRound:
    """A round in which streams had so many alarms."""
    raised = {
        f"{compare}, {kind}": Raised(factor=factor, expected=0.5, alarms=alarms)
        for compare in ("pinned", "season: hour_of_week")
        for kind in ("default", "calibrated")
    }
    return QuietRound(raised=raised, rules=dict.fromkeys(RULES, (10, 5)), drifted={"pinned": (100, 3)})


def test_the_page_says_what_was_reached_and_what_was_not_run() -> None:
    awake = AwakeRound(
        delays={shift.name: [4, 3, None, 5] for shift in SHIFTS},
        rules={shift.name: dict.fromkeys(RULES, (24, 12)) for shift in SHIFTS},
    )
    found = {name: [] for name in WORLDS} | {"independent": [quiet(0, 0, 1)], "weekend": [quiet(9, 9, factor=5.0)]}
    text = page(Results(seed=1, weeks=8, calibration_weeks=4, quiet=found, awake=[awake]))
    assert "5 unchanged streams of 30 days of hourly windows, of 200 wanted" in text
    assert "Not run for this page: AR(1) 0.9, daily season." in text
    assert "independent, pinned, default: 4.1 a stream-year, at most 1.0 wanted: **not reached**" in text
    assert (
        "weekend, season: hour_of_week, calibrated: 109.5 a stream-year, at most 24.3 wanted: **not reached**" in text
    )
    assert "- daily season: not run." in text
    assert "| pinned, calibrated (x 5) |" in text
    assert "| mean + 0.1 sd | 3 of 4 | 4 h | - | 50 % |" in text


def test_fixed_rules_find_a_shift_of_a_standard_deviation_and_the_units_of_columns_do_not_meet() -> None:
    rng = np.random.default_rng(1)
    rows = draw50(WORLDS["independent"], rng, 6_000, 0)
    sample, chunks = part(rows, np.arange(3_000)), [part(rows, np.arange(n, n + 300)) for n in range(3_000, 6_000, 300)]
    rules = FixedRules.of(sample, chunks)
    live = draw50(WORLDS["independent"], rng, 300, 0)
    live.numeric[0] += 1.0
    flags = rules.flagged(live)
    assert all(own.shape == (50,) for own in flags.values())
    assert all(own[0] for own in flags.values())
    assert not flags["NannyML three sigma"][20], "the same column of the second draw stands still"


def relation(*delays: int | None) -> RelationRound:
    return RelationRound(
        relation={share: list(delays) for share in SHARES}, loss={share: [7, None] for share in SHARES}
    )


def test_rows_of_a_changed_relation_say_their_own_count_and_are_made_new_alone() -> None:
    awake = AwakeRound(
        delays={shift.name: [4] for shift in SHIFTS},
        rules={shift.name: dict.fromkeys(RULES, (24, 12)) for shift in SHIFTS},
    )
    found = {name: [] for name in WORLDS} | {"independent": [quiet(0)]}
    results = Results(seed=1, weeks=8, calibration_weeks=4, quiet=found, awake=[awake])
    bare = page(results)
    once = page(replace(results, relation=[relation(3, None)]))
    assert "| a relation changed: of 20 % of labels, told of the relation | 1 of 2 | 3 h | - | - | - | - | - |" in once
    assert "| a relation changed: nothing, told of the loss | 1 of 2 | 7 h | - |" in once
    assert "*A relation changed*: 2 tries each on 1 reference" in once
    assert once.startswith(bare.rstrip())
    assert with_relation(bare, [relation(3, None)]) == once
    twice = with_relation(once, [relation(5, 5), relation(9, 9)])
    assert "told of the relation | 4 of 4 | 5 h | 9 h |" in twice
    assert with_relation(twice, [relation(3, None)]) == once


def test_a_changed_relation_is_found_and_none_where_nothing_changed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.alert_table.relation.REFERENCE_DAYS", 4)
    monkeypatch.setattr("monitor.alert_table.relation.HORIZON", 30)
    monkeypatch.setattr("monitor.alert_table.relation.SHARES", (0.0, 0.6))
    found = relation_round([1], 2)
    assert found.relation[0.0] == found.loss[0.0] == [None, None]
    assert all(delay is not None and delay <= 6 for delay in [*found.relation[0.6], *found.loss[0.6]])


def late(*delays: int | None) -> LateRound:
    return LateRound(
        relation={share: list(delays) for share in LATE_SHARES},
        loss={share: [81, None] for share in LATE_SHARES},
        alerts={share: [1, 0] for share in LATE_SHARES},
    )


def test_rows_of_late_labels_say_their_own_count_and_are_made_new_alone_in_any_order() -> None:
    awake = AwakeRound(
        delays={shift.name: [4] for shift in SHIFTS},
        rules={shift.name: dict.fromkeys(RULES, (24, 12)) for shift in SHIFTS},
    )
    found = {name: [] for name in WORLDS} | {"independent": [quiet(0)]}
    results = Results(seed=1, weeks=8, calibration_weeks=4, quiet=found, awake=[awake])
    bare, both = page(results), page(replace(results, relation=[relation(3, None)], late=[late(74, None)]))
    assert "days late: of 40 % of labels, told of the relation | 1 of 2 | 74 h | - | - |" in both
    assert "*Labels 2 to 3 days late*: 2 streams each on 1 reference" in both
    assert "told 1 alert of any cause in 288 hours" in both
    assert with_late_labels(with_relation(bare, [relation(3, None)]), [late(74, None)]) == both
    assert with_relation(with_late_labels(bare, [late(74, None)]), [relation(3, None)]) == both
    again = with_late_labels(both, [late(80, 90), late(70, 99)])
    assert "told of the relation | 4 of 4 | 80 h | 99 h |" in again
    assert with_late_labels(again, [late(74, None)]) == both


def test_a_changed_relation_is_told_once_its_late_labels_have_come_and_not_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("monitor.alert_table.relation.REFERENCE_DAYS", 4)
    for name, value in {
        "LATE_SHARES": (0.0, 0.6), "LEAST_HOURS": 8, "MOST_HOURS": 10, "QUIET_HOURS": 4, "LATE_HORIZON": 18,
    }.items():  # fmt: skip
        monkeypatch.setattr(f"monitor.alert_table.late_labels.{name}", value)
    found = late_round([1], 1)
    assert found.relation[0.0] == found.loss[0.0] == [None]
    assert found.alerts[0.0] == [0]
    assert all(delay is not None and 8 <= delay <= 16 for delay in [*found.relation[0.6], *found.loss[0.6]])
