"""What is written under `alerts` and `retraining` is strict like the rest, and has defaults."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.config import parse
from monitor.config.decisions import AlertSettings, PolicyFile, RetrainingSettings
from monitor.config.load import load_policy
from monitor.config.rates import RaiseRule, Rate, parse_rate, parse_rule
from monitor.errors import ConfigError

DAY_MS = 86_400_000


def model(text: str):  # type: ignore[no-untyped-def]
    return parse(f"models:\n  - name: m\n    reference: r\n    {text}", environ={}).models[0]


def test_what_is_left_out_is_one_false_alarm_in_thirty_days() -> None:
    own = model("")
    assert own.alerts == AlertSettings()
    assert (own.alerts.false_alarms, own.alerts.raise_when) == (Rate(n=1, per_ms=30 * DAY_MS), RaiseRule())
    assert own.retraining == RetrainingSettings()


def test_rules_and_rates_are_written_as_people_say_them() -> None:
    own = model("alerts: {raise: 'verdicts, 2 of 3', false_alarms: 2 per 7d, cooldown: 3h, importance: {x: 2}}")
    assert own.alerts.raise_when == RaiseRule(k=2, n=3)
    assert own.alerts.false_alarms == Rate(n=2, per_ms=7 * DAY_MS)
    assert own.alerts.importance == {"x": 2.0}
    assert model("alerts:\n      raise: verdicts, 1 of 2").alerts.raise_when == RaiseRule(k=1, n=2)
    assert model("alerts: {raise: verdicts}").alerts.raise_when == RaiseRule(k=1, n=1)


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        ("alerts: {false_alarm: 1 per 30d}", "alerts.false_alarm", "unknown key"),
        ("alerts: {false_alarms: 30d}", "alerts.false_alarms", "expected a rate such as 1 per 30d"),
        ("alerts: {false_alarms: 0 per 30d}", "alerts.false_alarms", "above 0"),
        ("alerts: {raise: 'verdicts, 3 of 2'}", "alerts.raise", "K from 1 to N"),
        ("alerts: {raise: bugdet}", "alerts.raise", "did you mean 'budget'?"),
        ("alerts: {hysteresis: 1.5}", "alerts.hysteresis", "at most 1"),
        ("alerts: {silences: [{reason: x}]}", "alerts.silences[0]", "the key 'until' is missing"),
        ("alerts: {silences: [{reason: x, until: 2026-01-01}]}", "alerts.silences[0].until", "with its offset"),
        ("alerts: {silences: [{reason: x, until: 2026-01-01T00:00:00Z, from: 2027-01-01T00:00:00Z}]}",
         "alerts.silences[0]", "until must come after from"),
        ("alerts: {importance: {'@score': 2}}", "alerts.importance", "names with @"),
        ("retraining: {causes: [drift]}", "retraining.causes[0]", "expected one of"),
        ("retraining: {causes: [silence, silence]}", "retraining.causes[1]", "already"),
        ("retraining: {budget: 2 per 1d}", "retraining.budget", "shorter time than the cooldown"),
        ("retraining: {min_labels: -1}", "retraining.min_labels", "from 0"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_path(text: str, path: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        model(text)
    (problem,) = caught.value.problems
    assert problem.path.startswith(f"models[0].{path}")
    assert message in str(problem)


@given(st.integers(1, 999), st.integers(1, 3_000))
def test_a_rate_that_is_written_out_is_read_back(n: int, days: int) -> None:
    rate = Rate(n=n, per_ms=days * DAY_MS)
    assert parse_rate(str(rate)) == rate


@given(st.integers(1, 50), st.integers(0, 49))
def test_a_rule_that_is_written_out_is_read_back(k: int, more: int) -> None:
    rule = RaiseRule(k=k, n=min(k + more, 50))
    assert parse_rule(str(rule)) == rule
    assert parse_rule(str(RaiseRule())) == RaiseRule()


def test_a_policy_has_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "policy.yaml"
    path.write_text("alerts: {raise: verdicts}\n")
    assert load_policy(path) == PolicyFile(alerts=AlertSettings(raise_when=RaiseRule(k=1, n=1)))
    path.write_text("alert: {}\n")
    with pytest.raises(ConfigError) as caught:
        load_policy(path)
    assert "did you mean 'alerts'?" in str(caught.value)
    with pytest.raises(ConfigError, match="cannot be read"):
        load_policy(tmp_path / "none.yaml")
