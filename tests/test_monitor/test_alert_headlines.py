"""An alert's first 120 characters, which a lock screen shows, say whose, what moved and since when, everywhere."""

import html
from typing import get_args

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from monitor.config.decisions import Cause
from monitor.decisions.alert import Alert, Evidence, MovedColumn
from monitor.decisions.cause import NAMELESS, SKEWED
from monitor.decisions.words import safe, summary
from monitor.wording import figure, instant
from sinks import alertmanager, email, pagerduty, slack, teams
from sinks.messages import alert as sent
from sinks.messages.text import HEADLINE_CHARACTERS, message_of

HOUR_MS = 3_600_000
MOVED: dict[Cause, list[tuple[str, str, str]]] = {
    "schema": [("x", "more missing", "share missing"), ("x", "new feature", "share of events with a value")],
    "data_quality": [
        ("x", "more missing", "share missing"),
        ("x", "new category", "share unseen"),
        ("x", SKEWED, "share mismatched"),
        ("x", "fewer predictions", "share without its predictions"),
    ],
    "data_drift": [("x", "up", "mean"), ("x", "reshaped", "share of values 0.313 to 0.414")],
    "prediction_drift": [("@score", "reshaped", "share of values 0.313 to 0.414")],
    "subgroup": [("x", "up", "mean"), ("@subgroup", "worse in part", "log loss where carrier is US")],
    "performance": [("@loss", "worse", "log loss")],
    "concept_drift": [("@relation", "changed relation", "log loss of the same inputs"), ("x", "", "")],
    "label_delay": [
        ("@delay", "later", "median delay in hours"),
        ("@labels_selective", "selective", "share labelled by carrier, least and most"),
    ],
    "silence": [("@events", "none at all", "events a window")],
    "rejects": [("@rejects", NAMELESS, "share rejected (most: bad_timestamp)")],
}
"""Of each cause what may lead its alert: column, direction, quantity."""

CASES = [(cause, *lead) for cause in get_args(Cause) for lead in MOVED[cause]]
MARKS = [("raised", "critical"), ("updated", "critical"), ("resolved", "warning")]
names = st.one_of(
    st.sampled_from(["flight-delay", "x" * 300, "\u202e" * 50, "", "a b " * 40, "é" * 70, "<script>" * 9, "m: n. o"]),
    st.text(max_size=90),
)
figures = st.one_of(st.none(), st.floats(), st.sampled_from([0.0, 0.123456, -123456789.4, 1e300, -1.2345e-300]))


def alert_of(
    case: tuple[Cause, str, str, str],
    mark: tuple[str, str],
    *,
    model: str = "flight-delay",
    version: str = "3",
    name: str = "air_time",
    segment: str = "",
    before: float | None = 0.12,
    after: float | None = 0.98,
    since_ms: int = 376_992 * HOUR_MS,
) -> Alert:
    """An alert with its sentence; `name` is that of a column which events bring."""
    cause, column, direction, quantity = case
    first = MovedColumn(
        column=name if column == "x" else column, segment=segment, direction=direction, quantity=quantity,
        before=before, after=after, effect=1.0, threshold=0.1, method="location", since_ms=since_ms,
    )  # fmt: skip
    others = [msgspec.structs.replace(first, column=f"{name}{n}") for n in range(4)]
    evidence = Evidence(
        rule="budget", value=9.0, level=5.0, chance_once_in_ms=400 * 24 * HOUR_MS, window_start_ms=since_ms,
        window_end_ms=since_ms + HOUR_MS, n_windows=3, p_value=1e-9, compare="pinned", n_columns=5,
    )  # fmt: skip
    bare = Alert(
        model=model, version=version, reference="ab", state=mark[0], cause=cause, severity=mark[1], sequence=1,  # type: ignore[arg-type]
        at_ms=since_ms + 5 * HOUR_MS, onset_ms=since_ms, columns=(first, *others), summary="", recommendation="",
        dedupe_key="k", evidence=evidence,
    )  # fmt: skip
    return msgspec.structs.replace(bare, summary=summary(bare))


def told(alert: Alert) -> sent.Alert:
    """As destinations have it."""
    columns = [
        sent.ColumnChange(
            column=one.column, segment=one.segment, direction=one.direction, quantity=one.quantity, before=one.before,
            after=one.after, effect=one.effect, threshold=one.threshold, method=one.method, since_ms=one.since_ms,
        )
        for one in alert.columns
    ]  # fmt: skip
    return sent.Alert(
        model=alert.model, dedupe_key=alert.dedupe_key, sequence=1, version=alert.version, reference="ab",
        state=alert.state, cause=alert.cause, severity=alert.severity, at_ms=alert.at_ms, onset_ms=alert.onset_ms,
        columns=tuple(columns), summary=alert.summary, recommendation="", evidence={},
    )  # fmt: skip


def first_words(alert: Alert) -> str:
    return message_of(told(alert)).headline


def begins(text: str, name: str, least: int = 8) -> bool:
    """Whether a name stands in a text, or at least what it begins with and an ellipsis."""
    return name in text or any(f"{name[:n].rstrip()}…" in text for n in range(least, len(name)))


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark[0])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def test_of_every_cause_it_says_whose_what_moved_by_how_much_and_since_when(
    case: tuple[Cause, str, str, str], mark: tuple[str, str]
) -> None:
    alert = alert_of(case, mark)
    line = first_words(alert)
    first = alert.columns[0]
    assert len(line) <= HEADLINE_CHARACTERS
    assert "flight-delay" in line
    assert instant(alert.onset_ms) in line
    if first.quantity:
        change = f"{figure(first.quantity, first.before)} -> {figure(first.quantity, first.after)}"
        assert change in line
    if case[1] == "x":
        assert "air_time" in line


@settings(deadline=None, max_examples=300)
@given(
    st.sampled_from(CASES), st.sampled_from(MARKS), names, names, names, st.one_of(st.just(""), names), figures, figures
)
@example(CASES[0], MARKS[1], "m" * 300, "v" * 300, "c" * 300, "s" * 300, -123456789.4, -1.2345e-300)
@example(CASES[0], MARKS[2], "m" * 300, "v" * 300, "c" * 300, "s" * 300, -123456789.4, -123456789.4)
def test_it_does_so_whatever_the_names_are(
    case: tuple[Cause, str, str, str], mark: tuple[str, str], model: str, version: str, name: str, segment: str,
    before: float | None, after: float | None,
) -> None:  # fmt: skip
    # Minutes, not whole days, are the longer way to say when.
    alert = alert_of(
        case, mark, model=model, version=version, name=name, segment=segment, before=before, after=after,
        since_ms=376_992 * HOUR_MS + 61_000,
    )  # fmt: skip
    line = first_words(alert)
    first = alert.columns[0]
    assert len(line) <= HEADLINE_CHARACTERS
    assert instant(alert.onset_ms) in line
    assert begins(line, safe(model))
    if first.quantity:
        assert f"{figure(first.quantity, before)} -> {figure(first.quantity, after)}" in line
    if case[1] == "x":
        assert begins(line, safe(name))
    if segment:
        assert begins(line, safe(segment), 6)
    assert safe(model) in alert.summary, "what is shortened in the first words is said in full further on"
    if case[1] == "x":
        assert safe(name) in alert.summary


@pytest.mark.parametrize("mark", MARKS, ids=lambda mark: mark[0])
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1]}-{case[2]}")
def test_every_destination_shows_these_words_first(case: tuple[Cause, str, str, str], mark: tuple[str, str]) -> None:
    alert = alert_of(case, mark, model="model of " + "m" * 60, name="column of " + "c" * 60)
    line, one = first_words(alert), told(alert)
    message = message_of(one)
    assert html.unescape(slack.body_of(message)["text"]) == line
    assert teams.body_of(message)["summary"] == line
    manager = alertmanager.Settings(url="http://alertmanager:9093")
    assert {each["annotations"]["summary"] for each in alertmanager.alerts_of(one, manager, one.at_ms)} == {line}
    mail = email.Settings(host="h", sender="a@b.org", to=("c@d.org",))
    assert email.mail_of(one, mail)["Subject"] == line
    if mark[0] != "resolved":  # which has no text there
        assert pagerduty.event_of(one)["payload"]["summary"] == line
    assert message.plain().startswith(line)
