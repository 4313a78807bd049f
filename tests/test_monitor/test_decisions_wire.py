"""Alerts and requests on the wire: CloudEvents 1.0 that their published schemas describe, with ids that repeat."""

import json
import re
from pathlib import Path
from typing import Any

import jsonschema_rs
import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.decisions import DAY_MS, Run, cell, day, gone, policy

from monitor.config.decisions import RetrainingSettings
from monitor.decisions.alert import Alert
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.rows import alerts_batch, requests_batch
from monitor.decisions.schemas import FILES, documents
from monitor.decisions.wire import (
    BadEvent,
    alert_event,
    decode_alert,
    decode_retraining,
    encode_alert,
    encode_retraining,
    retraining_event,
)
from sinks.records import Source, decode, encode

SCHEMAS = Path(__file__).parents[2] / "docs" / "schemas"


@pytest.fixture(scope="module")
def told() -> Run:
    run = Run(policy(retraining=RetrainingSettings(require_confirmation=False, min_labels=0)))
    run.days(day(n) for n in range(5))
    run.days(day(n, gone("temp"), cell("x"), cell("@score")) for n in range(5, 12))
    run.days(day(n, cell("x")) for n in range(12, 20))
    run.days(day(n) for n in range(20, 30))
    assert {one.state for one in run.alerts} == {"raised", "resolved"}
    assert {one.status for one in run.requests} >= {"requested", "held_back"}
    return run


def test_the_published_schemas_are_those_that_the_command_makes() -> None:
    assert {name: (SCHEMAS / name).read_text() for name in FILES} == documents()


def test_every_attribute_that_cloudevents_asks_for_is_there(told: Run) -> None:
    for data in [*map(encode_alert, told.alerts), *map(encode_retraining, told.requests)]:
        event = json.loads(data)
        assert event["specversion"] == "1.0"
        assert event["type"] in ("io.driftline.alert.v1", "io.driftline.retraining.v1")
        assert event["datacontenttype"] == "application/json"
        assert re.fullmatch(r"[0-9a-f]{32}", event["id"])
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event["time"])
        assert event["source"] == "/driftline/models/m"
        assert event["subject"] == event["data"]["dedupe_key"]


def test_an_alert_holds_what_the_issue_asks_for(told: Run) -> None:
    data = json.loads(encode_alert(told.alerts[0]))["data"]
    wanted = {
        "model", "version", "state", "cause", "severity", "columns", "onset_ms", "summary", "recommendation",
        "dedupe_key", "evidence",
    }  # fmt: skip
    assert wanted <= data.keys()
    assert {"column", "segment", "direction", "before", "after", "effect"} <= data["columns"][0].keys()


def test_events_are_valid_by_the_schemas_and_broken_ones_are_not(told: Run) -> None:
    schemas = {name: json.loads((SCHEMAS / name).read_text()) for name in FILES}
    for schema in schemas.values():
        jsonschema_rs.meta.validate(schema)
    validators = {name: jsonschema_rs.Draft202012Validator(schema) for name, schema in schemas.items()}
    alerts, requests = validators["alert.v1.schema.json"], validators["retraining.v1.schema.json"]
    for alert in told.alerts:
        alerts.validate(json.loads(encode_alert(alert)))
    for request in told.requests:
        requests.validate(json.loads(encode_retraining(request)))
    event: dict[str, Any] = json.loads(encode_alert(told.alerts[0]))
    for broken in (
        {**event, "specversion": "0.3"},
        {key: value for key, value in event.items() if key != "id"},
        {**event, "data": {**event["data"], "state": "gone"}},
        {**event, "data": {**event["data"], "onset_ms": "soon"}},
    ):
        assert not alerts.is_valid(broken)
        with pytest.raises(BadEvent):
            decode_alert(json.dumps(broken).encode())


def test_what_is_sent_is_what_is_read(told: Run) -> None:
    for alert in told.alerts:
        assert decode_alert(encode_alert(alert)) == alert_event(alert)
    for request in told.requests:
        assert decode_retraining(encode_retraining(request)) == retraining_event(request)
    with pytest.raises(BadEvent):
        decode_retraining(b"\xff")


def test_the_same_history_gives_the_same_bytes_and_no_id_twice(told: Run) -> None:
    again = Run(told.policy)
    again.days(day(n) for n in range(5))
    again.days(day(n, gone("temp"), cell("x"), cell("@score")) for n in range(5, 12))
    again.days(day(n, cell("x")) for n in range(12, 20))
    again.days(day(n) for n in range(20, 30))
    assert list(map(encode_alert, again.alerts)) == list(map(encode_alert, told.alerts))
    assert list(map(encode_retraining, again.requests)) == list(map(encode_retraining, told.requests))
    ids = [alert_event(one).id for one in told.alerts] + [retraining_event(one).id for one in told.requests]
    assert len(ids) == len(set(ids))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_model_name_makes_a_source_that_is_a_uri_reference(name: str) -> None:
    alert = msgspec.structs.replace(Run().days(day(n, cell()) for n in range(4)).alerts[0], model=name)
    assert re.fullmatch(r"/driftline/models/[A-Za-z0-9._~%-]+", alert_event(alert).source)
    assert decode_alert(encode_alert(alert)).data == alert


def test_they_are_rows_of_their_records_too(told: Run) -> None:
    source = Source(topic="t", partition=0, offset=0)
    alerts = decode(encode(alerts_batch(told.alerts), source)).to_pylist()
    assert [row["summary"] for row in alerts] == [one.summary for one in told.alerts]
    assert alerts[0]["columns"][0]["column"] == told.alerts[0].columns[0].column
    assert msgspec.json.decode(alerts[0]["evidence"])["rule"] == told.alerts[0].evidence.rule
    requests = decode(encode(requests_batch(told.requests), source)).to_pylist()
    assert [row["status"] for row in requests] == [one.status for one in told.requests]
    assert all(row["training_end_ms"] % DAY_MS == 0 for row in requests)


def test_a_field_that_is_not_known_yet_does_not_matter(told: Run) -> None:
    event = json.loads(encode_alert(told.alerts[0]))
    event["data"]["invented"] = {"later": 1}
    assert decode_alert(json.dumps(event).encode()).data == told.alerts[0]
    assert isinstance(told.alerts[0], Alert)
    assert isinstance(told.requests[0], RetrainingRequest)
