"""The commands that tell a running Driftline something: each is one event on `drift.controls`."""

import re
import uuid
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from confluent_kafka import Producer
from support.brokers import Broker
from support.decisions import DAY_MS, Run, cell, day, policy
from support.events import MODEL, model_section
from support.installation import Installation

from monitor.cli.app import run
from monitor.config.decisions import RetrainingSettings
from monitor.decisions.alert import Alert
from monitor.decisions.controls import (
    Acknowledgement,
    Control,
    Removed,
    RetrainingOutcome,
    Rollout,
    Silence,
    decode_control,
)
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.wire import alert_event, encode_alert, encode_retraining
from monitor.kafka.read_all import read_all


@pytest.fixture(scope="module")
def installation(kafka: Broker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    folder = tmp_path_factory.mktemp("controls")
    section = model_section(folder / "model")
    made = Installation(folder, kafka.bootstrap_servers, f"c{uuid.uuid4().hex[:8]}", [section])
    yield made
    made.close()


@pytest.fixture(scope="module")
def told(installation: Installation) -> tuple[Alert, RetrainingRequest]:
    """An alert and a request that lie on their topics."""
    asks = RetrainingSettings(require_confirmation=False, min_labels=0)
    decided = Run(policy(retraining=asks)).days(day(number, cell()) for number in range(10))
    alert = msgspec.structs.replace(decided.alerts[0], model=MODEL)
    (asked,) = [one for one in decided.requests if one.status == "requested"]
    request = msgspec.structs.replace(asked, model=MODEL)
    assert run(["retraining", "list", str(installation.path)]) == 0  # makes the topics
    kafka = installation.config.kafka
    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    producer.produce(kafka.own_topic("alerts"), encode_alert(alert), key=alert.dedupe_key)
    producer.produce(kafka.own_topic("retraining"), encode_retraining(request), key=request.dedupe_key)
    assert producer.flush(60) == 0
    return alert, request


def said(installation: Installation) -> dict[str, Control]:
    kafka = installation.config.kafka
    found = (decode_control(one.value() or b"") for one in read_all(kafka, kafka.own_topic("controls")))
    return {one.id: one for one in found}


def command(installation: Installation, *arguments: str) -> int:
    name, *rest = arguments
    names = [name, rest.pop(0)] if name == "retraining" else [name]
    return run([*names, str(installation.path), *rest])


def test_each_command_is_one_event(installation: Installation, told: tuple[Alert, RetrainingRequest]) -> None:
    alert, request = told
    key = request.dedupe_key
    for arguments in (
        (
            "silence",
            "--model",
            MODEL,
            "--column",
            "amount",
            "--from",
            "1970-01-02",
            "--until",
            "1d",
            "--reason",
            "known",
        ),
        ("acknowledge", alert_event(alert).id, "--by", "ada"),
        ("rollout", "--model", MODEL, "--version", "4", "--from", "1970-01-02", "--until", "1970-01-05"),
        ("retraining", "report", key, "--status", "succeeded", "--version", "4"),
    ):
        assert command(installation, *arguments) == 0
    by_kind: dict[type, Any] = {type(one): one for one in said(installation).values()}
    silence, rollout, outcome = by_kind[Silence], by_kind[Rollout], by_kind[RetrainingOutcome]
    assert (silence.column, silence.segment, silence.from_ms, silence.until_ms) == ("amount", None, DAY_MS, 2 * DAY_MS)
    assert by_kind[Acknowledgement].dedupe_key == alert.dedupe_key
    assert by_kind[Acknowledgement].by == "ada"
    assert (rollout.version, rollout.from_ms, rollout.until_ms) == ("4", DAY_MS, 4 * DAY_MS)
    assert (outcome.dedupe_key, outcome.model, outcome.status, outcome.version) == (key, MODEL, "succeeded", "4")
    assert command(installation, "silence", "--model", MODEL, "--remove", silence.id) == 0
    assert isinstance(said(installation)[silence.id], Removed)


def test_requests_are_listed_with_what_can_be_done(
    installation: Installation, told: tuple[Alert, RetrainingRequest], capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(installation, "retraining", "list") == 0
    shown = capsys.readouterr().out
    assert told[1].dedupe_key in shown
    assert "driftline retraining report" in shown.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (("acknowledge", "nobody"), "alerts.dedupe_key"),
        (("retraining", "report", "nobody", "--status", "failed"), "retraining list"),
        (("retraining", "report", "k", "--status", "fine"), "succeeded, failed, cancelled"),
        (("silence", "--model", "other", "--reason", "x"), f"models: {MODEL}"),
        (("silence", "--model", MODEL), "those who miss the alert"),
        (("silence", "--model", MODEL, "--reason", "x", "--cause", "drift"), "data_drift"),
        (("silence", "--model", MODEL, "--reason", "x", "--until", "soon"), "with its offset"),
        (("rollout", "--model", MODEL, "--until", "1970-01-05"), "--from says since when"),
    ],
)
def test_what_cannot_be_told_is_refused_with_the_way_out(
    arguments: tuple[str, ...], hint: str, installation: Installation, told: object, capsys: pytest.CaptureFixture[str]
) -> None:
    before = said(installation)
    assert command(installation, *arguments) == 2
    assert hint in re.sub(r"\s+", " ", capsys.readouterr().err)
    assert said(installation) == before
