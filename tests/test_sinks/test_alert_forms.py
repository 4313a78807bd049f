"""Alerts in the form of each place: short, escaped, signed, and resolved under the key they were raised with."""

import base64
import html
import json
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks
from hypothesis import given
from hypothesis import strategies as st
from support.alerts import DAY_MS, NAN, alert_row, moved
from support.destinations import SIGNING

from sinks import alertmanager, email, pagerduty, slack, teams
from sinks.http.client import Answer
from sinks.messages.alert import Alert, read_alert
from sinks.messages.cloud_event import cloud_event, encoded
from sinks.messages.identity import run_id
from sinks.messages.text import HEADLINE_CHARACTERS, message_of
from sinks.secret import Secret
from sinks.webhook import Webhook

HOSTILE = "<!channel> *x* <https://evil|y> & [z](https://evil) \r\nBcc: a@b <script>alert(1)</script> \u202eabc\x00"
NOW_MS = 20 * DAY_MS


def alert(**values: Any) -> Alert:
    return read_alert(alert_row(**values))


def hostile() -> Alert:
    return alert(
        summary=HOSTILE, recommendation=HOSTILE, columns=[moved(HOSTILE, segment=HOSTILE, direction=HOSTILE)],
        model=HOSTILE, version=HOSTILE, dedupe_key=HOSTILE,
    )  # fmt: skip


def texts(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for part in value.values() for text in texts(part)]
    if isinstance(value, list):
        return [text for part in value for text in texts(part)]
    return [value] if isinstance(value, str) else []


# The template ---------------------------------------------------------------------------------------------------------


@given(st.text(max_size=400), st.text(max_size=200), st.sampled_from(["raised", "updated", "resolved"]))
def test_the_headline_fits_a_lock_screen_and_no_text_has_control_characters(
    summary: str, name: str, state: str
) -> None:
    message = message_of(alert(summary=summary, columns=[moved(name)] * 5, recommendation=name, state=state))
    assert 0 < len(message.headline) <= HEADLINE_CHARACTERS
    assert len(message.changes) == 3
    assert message.more == 2
    assert all(c.isprintable() or c == "\n" for c in message.plain())


def test_a_message_says_state_summary_three_columns_onset_recommendation_and_link() -> None:
    columns = [moved("a"), moved("b", segment="origin=EWR"), moved("c", before=NAN), moved("d")]
    told = message_of(alert(columns=columns, severity="critical"), "https://g/d?m={model}&from={onset_ms}&x={other}")
    assert told.plain().splitlines() == [
        "[critical] flights (version 3): distance is up, mean from 1000 to 1250, since 1970-01-11.", "",
        "What moved:", "  a: mean 1000 → 1250 (up)", "  b in origin=EWR: mean 1000 → 1250 (up)", "  c: mean (up)",
        "  and 1 more", "", "Since: 1970-01-11 00:00 UTC", "", "What to do: Mend its source, or retrain.", "",
        f"https://g/d?m=flights&from={10 * DAY_MS}&x={{other}}",
    ]  # fmt: skip


def test_what_is_put_into_a_link_is_percent_encoded() -> None:
    assert message_of(alert(model="a&b=c/ü"), "https://g/?m={model}").link == "https://g/?m=a%26b%3Dc%2F%C3%BC"


def test_what_is_not_known_is_null_in_json() -> None:
    event = json.loads(encoded(alert(columns=[moved(before=NAN, after=float("inf"))])))
    assert event["data"]["columns"][0]["before"] is None
    assert event["data"]["columns"][0]["after"] is None


def test_a_cloud_event_has_its_required_attributes_and_one_id_a_transition() -> None:
    event = cloud_event(alert())
    assert event["specversion"] == "1.0"
    assert event["type"] == "io.driftline.alert.v1"
    assert event["source"] == "/driftline/models/flights"
    assert event["time"] == "1970-01-13T00:00:00.000Z"
    assert event["subject"] == event["data"]["dedupe_key"] == alert().dedupe_key
    ids = {alert(sequence=n, state=state).id for n, state in ((1, "raised"), (2, "updated"), (3, "resolved"))}
    assert len(ids) == 3
    assert alert(summary="said otherwise").id == alert().id


@given(st.text(max_size=300), st.text(max_size=300))
def test_ids_of_runs_are_short_safe_and_different_for_different_keys(one: str, other: str) -> None:
    for most, allowed in ((63, "a-z0-9-"), (200, "A-Za-z0-9_.~:+-"), (82, "A-Za-z0-9-")):
        made = [run_id(key, most=most, allowed=allowed) for key in (one, other)]
        assert (made[0] == made[1]) == (one == other)
        for text in made:
            assert 32 <= len(text) <= most
            assert text[0].isalpha()
            assert text[-1].isalnum()
            assert text.isascii()


# Slack and Teams ------------------------------------------------------------------------------------------------------


def test_slack_reads_nothing_of_a_hostile_name() -> None:
    body = slack.body_of(message_of(hostile()))
    assert "<" not in body["text"]
    assert ">" not in body["text"]
    kinds = [part for block in body["blocks"] for part in [block.get("text")] if part]
    assert {part["type"] for part in kinds} == {"plain_text"}
    assert all(len(part["text"]) <= 3000 for part in kinds)
    assert len(body["blocks"][0]["text"]["text"]) <= 150


@pytest.mark.parametrize(
    ("answer", "error"),
    [("ratelimited", "SinkUnavailable"), ("internal_error", "MessageFailed"), ("invalid_auth", "SinkUnavailable"),
     ("invalid_blocks", "MessageRefused")],
)  # fmt: skip
def test_slack_says_no_with_status_200(answer: str, error: str) -> None:
    class Client:
        def call(self, *_: Any, **__: Any) -> Answer:
            return Answer(status=200, body=json.dumps({"ok": False, "error": answer}).encode())

    sender = slack.Slack(Client(), slack.Settings(token=Secret("x"), channel="C1"))  # type: ignore[arg-type]
    with pytest.raises(Exception, match=answer) as caught:
        sender.send(alert())
    assert type(caught.value).__name__ == error


def test_teams_reads_no_markdown_of_a_hostile_name() -> None:
    body = teams.body_of(message_of(hostile()))
    card = body["attachments"][0]["content"]
    assert {block["type"] for block in card["body"]} == {"RichTextBlock"}
    assert {run["type"] for block in card["body"] for run in block["inlines"]} == {"TextRun"}


# E-mail ---------------------------------------------------------------------------------------------------------------


def test_a_mail_has_no_header_and_no_markup_of_a_hostile_name() -> None:
    settings = email.Settings(host="h", sender="a@example.org", to=("b@example.org",))
    mail = email.mail_of(hostile(), settings)
    assert "Bcc" not in mail
    assert "\n" not in str(mail["Subject"])
    page = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
    assert "<script" not in page
    assert html.escape("<!channel>") in page


def test_transitions_of_an_alert_are_one_thread_and_a_repeat_has_the_same_id() -> None:
    settings = email.Settings(host="h", sender="a@example.org", to=("b@example.org",))
    raised, again, resolved = (
        email.mail_of(one, settings) for one in (alert(), alert(), alert(state="resolved", sequence=2))
    )
    assert raised["Message-ID"] == again["Message-ID"] != resolved["Message-ID"]
    assert raised["References"] == resolved["References"]


# PagerDuty and Alertmanager -------------------------------------------------------------------------------------------


def test_pagerduty_resolves_under_the_key_that_it_was_triggered_with() -> None:
    key = "k" * 300
    raised = pagerduty.event_of(alert(dedupe_key=key, severity="critical"), "https://g/{model}")
    resolved = pagerduty.event_of(alert(dedupe_key=key, state="resolved"))
    assert (raised["event_action"], resolved["event_action"]) == ("trigger", "resolve")
    assert raised["dedup_key"] == resolved["dedup_key"]
    assert len(raised["dedup_key"]) <= 255
    assert raised["payload"]["severity"] == "critical"
    assert raised["links"] == [{"href": "https://g/flights", "text": "Look at it"}]
    assert raised["payload"]["timestamp"] == datetime.fromtimestamp(12 * 86400, UTC).isoformat().replace(
        "+00:00", ".000Z"
    )


def test_alertmanager_fires_one_severity_and_ends_the_other() -> None:
    settings = alertmanager.Settings(url="http://a", labels={"team": "ml"})
    firing = {
        state: [a["labels"]["severity"] for a in alertmanager.alerts_of(alert(**state_of), settings, NOW_MS)
                if a["endsAt"] > "1970-01-21T00:00:00.000Z"]
        for state, state_of in {
            "raised": {"severity": "warning"}, "worse": {"severity": "critical", "state": "updated"},
            "over": {"severity": "critical", "state": "resolved"},
        }.items()
    }  # fmt: skip
    assert firing == {"raised": ["warning"], "worse": ["critical"], "over": []}


@given(st.integers(0, 30), st.sampled_from(["raised", "updated", "resolved"]))
def test_alertmanager_is_never_given_an_end_before_its_start(onset_days: int, state: str) -> None:
    settings = alertmanager.Settings(url="http://a")
    for one in alertmanager.alerts_of(alert(onset_ms=onset_days * DAY_MS, state=state), settings, NOW_MS):
        assert one["endsAt"] > one["startsAt"]


@pytest.mark.parametrize("name", ["te-am", "", "1a", "team name", "severity", "é"])
def test_labels_that_alertmanager_would_refuse_are_refused_in_the_configuration(name: str) -> None:
    with pytest.raises(ValueError, match="labels"):
        alertmanager.Settings(url="http://a", labels={name: "x"})


# Signatures -----------------------------------------------------------------------------------------------------------


class Kept:
    """A client that keeps what it was given."""

    def __init__(self) -> None:
        self.headers: dict[str, str] = {}
        self.content = b""

    def call(self, _method: str, _url: str, *, content: bytes, headers: dict[str, str]) -> Answer:
        self.headers, self.content = headers, content
        return Answer(status=200, body=b"")

    def close(self) -> None:
        pass


def signed(*keys: str, now_s: float | None = None, one: Alert | None = None) -> Kept:
    kept = Kept()
    clock = {} if now_s is None else {"now_s": lambda: now_s}
    Webhook(kept, "https://h", list(keys), **clock).send(one or alert())  # type: ignore[arg-type]
    return kept


def test_the_foreign_package_verifies_our_signature() -> None:
    kept = signed(SIGNING, one=hostile())
    data = standardwebhooks.Webhook(SIGNING).verify(kept.content, kept.headers)
    assert data["type"] == "io.driftline.alert.v1"
    assert kept.headers["webhook-id"] == signed(SIGNING, one=hostile()).headers["webhook-id"]


def test_a_body_that_was_changed_or_is_old_or_of_another_key_is_refused() -> None:
    kept = signed(SIGNING)
    old = signed(SIGNING, now_s=datetime.now(UTC).timestamp() - 301)
    other = "whsec_" + base64.b64encode(b"another key of enough bytes").decode()
    for key, content, headers in (
        (SIGNING, kept.content.replace(b"1000", b"1001"), kept.headers),
        (SIGNING, kept.content, {**kept.headers, "webhook-id": "msg_other"}),
        (SIGNING, old.content, old.headers),
        (other, kept.content, kept.headers),
    ):
        with pytest.raises(standardwebhooks.WebhookVerificationError):
            standardwebhooks.Webhook(key).verify(content, headers)


def test_while_a_key_is_changed_receivers_with_either_accept() -> None:
    new = "whsec_" + base64.b64encode(b"another key of enough bytes").decode()
    kept = signed(new, SIGNING)
    for key in (new, SIGNING):
        standardwebhooks.Webhook(key).verify(kept.content, kept.headers)
