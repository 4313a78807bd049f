"""What can be changed on the page: who has an alert in hand, and what is silenced."""

import html
import re
import uuid
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from confluent_kafka import Producer
from support import page
from support.brokers import Broker
from support.decisions import Run, cell, day, policy
from support.events import model_section
from support.installation import Installation
from support.ports import free_port
from support.visitor import assert_only_text, get

from monitor.api.controls import ControlTopic
from monitor.api.site import Site
from monitor.cli.app import run
from monitor.config.load import parse
from monitor.decisions.controls import Acknowledgement, Control, Silence, decode_control
from monitor.decisions.wire import encode_alert
from monitor.kafka.read_all import read_all

TOKEN = "a-token-of-some-length"
OPEN = "open-1"
ACKNOWLEDGE = {"model": page.MODEL, "key": OPEN, "by": "ada", "reason": "looking"}
SILENCE = {
    "model": page.MODEL, "key": OPEN, "column": "temp", "segment": "(all rows)", "cause": "data_drift",
    "since": "2023-11-15", "until": "2d", "reason": "a new sensor", "by": "ada",
}  # fmt: skip


@pytest.fixture
def noted(page_dsn: str) -> Iterator[tuple[str, Site, page.Noted]]:
    """A server that wants a token, whose events go nowhere."""
    site, told = page.site_of(page_dsn, TOKEN), page.Noted()
    site.tells = told
    with page.served(site) as origin:
        yield origin, site, told


def sent(origin: str, site: Site, path: str, fields: dict[str, str], **headers: str) -> tuple[int, str]:
    """As a form of the page; headers and fields may say otherwise."""
    fields = {"form_token": site.access.form_token, **fields}
    headers = {
        "Cookie": f"driftline={site.access.cookie}",
        "Origin": origin,
        "Sec_Fetch_Site": "same-origin",
        **headers,
    }
    status, text, _ = get(
        origin + path, urlencode(fields).encode(), **{name: value for name, value in headers.items() if value}
    )
    return status, text


def shown(text: str) -> str:
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]*>", "", text)))


@pytest.mark.parametrize(
    ("headers", "fields", "status"),
    [
        ({"Cookie": ""}, {}, 401),
        ({"Cookie": "driftline=guessed"}, {}, 401),
        ({"Cookie": "", "Authorization": "Bearer wrong"}, {}, 401),
        ({"Origin": "http://evil.example"}, {}, 403),
        ({"Origin": "null"}, {}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, {}, 403),
        ({"Sec_Fetch_Site": "same-site"}, {}, 403),
        ({"Origin": "", "Sec_Fetch_Site": ""}, {"form_token": "guessed"}, 403),
        ({}, {"form_token": ""}, 403),
    ],
)
@pytest.mark.parametrize(("path", "form"), [("/alerts/acknowledge", ACKNOWLEDGE), ("/alerts/silence", SILENCE)])
def test_only_a_form_of_this_page_of_somebody_who_knows_the_token_changes_anything(
    path: str, form: dict[str, str], headers: dict[str, str], fields: dict[str, str], status: int,
    noted: tuple[str, Site, page.Noted],
) -> None:  # fmt: skip
    origin, site, told = noted
    assert sent(origin, site, path, {**form, **fields}, **headers)[0] == status
    assert told.said == []
    assert sent(origin, site, path, form)[0] == 200
    assert len(told.said) == 1


def test_a_page_without_a_token_changes_nothing_and_says_what_does(page_dsn: str) -> None:
    site, told = page.site_of(page_dsn), page.Noted()
    site.tells = told
    with page.served(site) as origin:
        for path, form in (("/alerts/acknowledge", ACKNOWLEDGE), ("/alerts/silence", SILENCE)):
            status, text = sent(origin, site, path, form, Cookie="")
            assert (status, "ui.token" in text) == (403, True)
        _, text, _ = get(origin + "/alerts")
    assert told.said == []
    assert "<form" not in text
    assert "driftline acknowledge CONFIG open-1 --by NAME" in shown(text)


def test_nothing_is_changed_by_asking_for_a_page(noted: tuple[str, Site, page.Noted]) -> None:
    origin, site, told = noted
    for path in ("/alerts/acknowledge", "/alerts/silence"):
        address = f"{origin}{path}?{urlencode({**ACKNOWLEDGE, 'form_token': site.access.form_token})}"
        assert get(address, Cookie=f"driftline={site.access.cookie}")[0] == 405
    assert told.said == []


def test_what_was_said_is_shown_and_a_silence_can_be_ended(noted: tuple[str, Site, page.Noted]) -> None:
    origin, site, told = noted
    _, text = sent(origin, site, "/alerts/acknowledge", ACKNOWLEDGE)
    assert "ada has it in hand" in shown(text)
    assert "acknowledged by ada" in shown(text)
    assert "1 of them in somebody's hand" in shown(text)
    _, text = sent(origin, site, "/alerts/silence", SILENCE)
    assert "silenced until 2023-11-17 00:00 UTC" in shown(text)
    _, text, _ = get(origin + "/alerts", Cookie=f"driftline={site.access.cookie}")
    assert "silenced until 2023-11-17 00:00 UTC" in shown(text)
    silence = told.said[-1]
    _, text = sent(origin, site, "/alerts/silence", {"model": page.MODEL, "remove": silence.id})
    assert "silenced until" not in shown(text)


@pytest.mark.parametrize(
    ("path", "form", "words"),
    [
        ("/alerts/acknowledge", {**ACKNOWLEDGE, "by": " "}, "who has it in hand?"),
        ("/alerts/acknowledge", {**ACKNOWLEDGE, "key": "other"}, "there is no such alert"),
        ("/alerts/acknowledge", {**ACKNOWLEDGE, "by": "x" * 1_001}, "at most 1,000 characters"),
        ("/alerts/silence", {**SILENCE, "model": "other"}, "no model 'other'. models: flights"),
        ("/alerts/silence", {**SILENCE, "until": "soon"}, "until is no time"),
        ("/alerts/silence", {**SILENCE, "until": "2023-11-14"}, "until must come after from"),
        ("/alerts/silence", {**SILENCE, "reason": ""}, "a silence needs a reason"),
        ("/alerts/silence", {**SILENCE, "cause": "drift"}, "data_quality"),
    ],
)
def test_what_cannot_be_said_is_refused_and_what_was_written_is_kept(
    path: str, form: dict[str, str], words: str, noted: tuple[str, Site, page.Noted]
) -> None:
    origin, site, told = noted
    status, text = sent(origin, site, path, form)
    assert status == 400
    assert words in shown(text)
    assert told.said == []
    if form["key"] == OPEN:
        assert (
            f'value="{form["reason"]}"' in re.search(r"<details class=.change. open>.*?</details>", text, re.DOTALL)[0]
        )  # type: ignore[index]


def test_hostile_words_of_people_are_text(noted: tuple[str, Site, page.Noted]) -> None:
    origin, site, _ = noted
    hostile = page.HOSTILE
    for path, form in (
        ("/alerts/acknowledge", {**ACKNOWLEDGE, "by": hostile, "reason": hostile}),
        ("/alerts/silence", {**SILENCE, "column": hostile, "segment": hostile, "reason": hostile, "by": hostile}),
        ("/alerts/silence", {**SILENCE, "until": hostile, "column": hostile, "segment": hostile}),
        ("/alerts/silence", {**SILENCE, "model": hostile, "cause": hostile}),
    ):
        _, text = sent(origin, site, path, form)
        assert_only_text(text)
        assert "onerror" in text


def test_a_broker_that_is_away_is_told_and_what_was_written_is_kept(page_dsn: str) -> None:
    site = page.site_of(page_dsn, TOKEN)
    nowhere = parse(
        f"models: [{{name: {page.MODEL}, reference: r.ref}}]\nkafka: {{bootstrap_servers: '127.0.0.1:{free_port()}'}}"
    )
    site.tells = ControlTopic(lambda: nowhere)
    with page.served(site) as origin:
        status, text = sent(origin, site, "/alerts/acknowledge", ACKNOWLEDGE)
        assert status == 503
        assert "Nothing was changed: Kafka at 127.0.0.1" in shown(text)
        assert "forms work while Driftline runs" in shown(text)
        assert 'value="ada"' in text
        assert site.told().standing(60).problem
        _, text, _ = get(origin + "/alerts", Cookie=f"driftline={site.access.cookie}")
        assert "is not known now: Kafka at 127.0.0.1" in shown(text)
        assert "flights: temp moved" in shown(text)


def test_the_page_says_the_same_as_the_commands(kafka: Broker, page_dsn: str, tmp_path: Path) -> None:
    section = {**model_section(tmp_path / "model"), "name": page.MODEL}
    made = Installation(tmp_path, kafka.bootstrap_servers, f"p{uuid.uuid4().hex[:8]}", [section])
    made.prepare(1)
    topics = made.config.kafka
    found = Run(policy()).days(day(number, cell()) for number in range(10)).alerts[0]
    alert = msgspec.structs.replace(found, model=page.MODEL, dedupe_key=OPEN)
    producer = Producer({"bootstrap.servers": topics.bootstrap_servers})
    producer.produce(topics.own_topic("alerts"), encode_alert(alert), key=OPEN)
    assert producer.flush(60) == 0

    def newest(kind: type[Control]) -> tuple[bytes | None, Control]:
        messages = read_all(topics, topics.own_topic("controls"))
        said = [(one.key(), decode_control(one.value() or b"")) for one in messages]
        key, control = [one for one in said if isinstance(one[1], kind)][-1]
        assert control.at_ms > 0
        return key, msgspec.structs.replace(control, at_ms=0, by="")

    config = str(made.path)
    assert run(["acknowledge", config, OPEN, "--by", "ada", "--reason", "looking"]) == 0
    silence = ["--column", "temp", "--segment", "", "--cause", "data_drift", "--from", "2023-11-15", "--until", "2d"]
    assert run(["silence", config, "--model", page.MODEL, *silence, "--reason", "a new sensor"]) == 0
    commands = newest(Acknowledgement), newest(Silence)

    site = page.site_of(page_dsn, TOKEN)
    site.tells = ControlTopic(lambda: made.config)
    with page.served(site) as origin:
        for path, form in (("/alerts/acknowledge", ACKNOWLEDGE), ("/alerts/silence", SILENCE)):
            status, text = sent(origin, site, path, {**form, "by": "bo"})
            assert status == 200, shown(text)
        assert "acknowledged by bo" in shown(text)
        assert "silenced until 2023-11-17" in shown(text)
    assert (newest(Acknowledgement), newest(Silence)) == commands
    assert len(list(read_all(topics, topics.own_topic("controls")))) == 4
    made.close()
