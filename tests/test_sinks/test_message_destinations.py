"""What every destination of messages keeps, whatever its form: the contract, against a server with every fault."""

import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from support.alerts import alert_row, alerts, request_row, requests
from support.destinations import (
    ALERT_URL_KEYS,
    NOT_OVER_OUR_HTTP,
    SECRET,
    SIGNING,
    TRIGGER_URL_KEYS,
    URL_KEYS,
    is_question,
    messages,
    opened,
    settings_for,
    well,
)
from support.http_server import Asked, LocalServer, Reply, serving

from sinks import destination as destinations
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.registry import own_destination_types


@pytest.fixture(scope="module")
def running() -> Iterator[LocalServer]:
    with serving(well) as made:
        yield made


@pytest.fixture
def server(running: LocalServer) -> LocalServer:
    """Well, and asked nothing yet."""
    running.respond = well
    running.asked.clear()
    return running


def one(name: str, key: str = "key/1") -> Any:
    return requests(request_row(dedupe_key=key)) if name in TRIGGER_URL_KEYS else alerts(alert_row(dedupe_key=key))


def many(name: str, *keys: str) -> Any:
    rows = [request_row(dedupe_key=k) if name in TRIGGER_URL_KEYS else alert_row(dedupe_key=k, summary=k) for k in keys]
    return requests(*rows) if name in TRIGGER_URL_KEYS else alerts(*rows)


def failing(reply: Reply) -> Any:
    """Questions are answered, and messages so."""
    return lambda asked: well(asked) if is_question(asked) else reply


def test_every_destination_is_in_the_contract() -> None:
    assert set(own_destination_types()) == set(URL_KEYS) | NOT_OVER_OUR_HTTP


@pytest.mark.parametrize("name", URL_KEYS)
def test_a_message_is_sent_once_and_the_same_message_has_the_same_body(name: str, server: LocalServer) -> None:
    destination = opened(name, server.url)
    assert destination.takes == {"retraining" if name in TRIGGER_URL_KEYS else "alert"}
    assert not destination.write([one(name)]).left
    first = messages(server)
    assert len(first) == 1
    destination.write([one(name)])
    destination.close()
    again = messages(server)[1:]
    if name != "alertmanager":  # its ends are instants of the clock
        assert [asked.body for asked in again] == [asked.body for asked in first]


PASSING = [Reply(s, b"no") for s in (408, 425, 429, 500, 502, 503, 504, 401, 302)] + [Reply(fault="close")]


@pytest.mark.parametrize("name", URL_KEYS)
def test_what_may_pass_is_kept_and_sent_again(name: str, server: LocalServer) -> None:
    destination = opened(name, server.url)
    for reply in PASSING:
        server.respond = failing(reply)
        written = destination.write([one(name)])
        assert [batch.num_rows for batch in written.left] == [1], reply
        assert written.because is not None
        assert not written.dropped
        server.respond = well
        rest = destination.write(written.left)
        assert (rest.left, rest.dropped, rest.because) == ((), (), None)
    destination.close()


@pytest.mark.parametrize("name", URL_KEYS)
@pytest.mark.parametrize("status", [400, 422])
def test_what_will_never_be_taken_is_dropped_with_the_reason(name: str, status: int, server: LocalServer) -> None:
    def respond(asked: Asked) -> Reply:
        if is_question(asked) or b"good" in asked.body:
            return well(asked)
        return Reply(status, {"error": f"bad thing of {SECRET}"})

    server.respond = respond
    destination = opened(name, server.url)
    written = destination.write([many(name, "bad/1", "good/2")])
    destination.close()
    assert not written.left
    (dropped,) = written.dropped
    assert dropped.rows.num_rows == 1
    assert dropped.rows.column("dedupe_key").to_pylist() == ["bad/1"]
    assert str(status) in dropped.reason
    assert "bad thing" in dropped.reason
    assert SECRET not in dropped.reason


@pytest.mark.parametrize("name", URL_KEYS)
def test_retry_after_is_kept(name: str, server: LocalServer) -> None:
    server.respond = failing(Reply(429, b"slower", {"Retry-After": "37"}))
    destination = opened(name, server.url)
    because = destination.write([one(name)]).because
    destination.close()
    assert because is not None
    assert because.retry_after_s == 37.0


@pytest.mark.parametrize("name", URL_KEYS)
@pytest.mark.parametrize("fault", ["silent", "drip", "cut"])
def test_a_service_that_does_not_finish_its_answer_is_given_up_in_time(
    name: str, fault: str, server: LocalServer
) -> None:
    server.respond = failing(Reply(200, b"x" * 1000, fault=fault))
    destination = opened(name, server.url, timeout="300ms")
    because = destination.write([many(name, "a", "b", "c")]).because
    destination.close()
    assert isinstance(because, SinkUnavailable)
    assert len(messages(server)) == 1  # nobody is there: the others wait


@pytest.mark.parametrize("name", URL_KEYS)
def test_an_error_of_one_message_holds_back_its_own_key_alone(name: str, server: LocalServer) -> None:
    def respond(asked: Asked) -> Reply:
        return Reply(500) if not is_question(asked) and b"ill" in asked.body else well(asked)

    server.respond = respond
    destination = opened(name, server.url)
    written = destination.write([many(name, "ill", "fine", "ill", "fine/too")])
    destination.close()
    assert [row.column("dedupe_key").to_pylist() for row in written.left] == [["ill"], ["ill"]]
    assert len(messages(server)) == 3


@pytest.mark.parametrize("name", URL_KEYS)
def test_no_secret_is_shown(name: str, server: LocalServer, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    settings = settings_for(name, server.url)
    server.respond = lambda asked: Reply(400, asked.body + str(asked.headers).encode())
    destination = settings.open()
    written = destination.write([one(name)])
    server.respond = lambda asked: Reply(503, str(asked.headers).encode() + asked.path.encode())
    refused = destination.write([one(name)])
    destination.close()
    shown = [repr(settings), settings.where(), repr(destination), str(refused.because), caplog.text]
    shown += [dropped.reason for dropped in written.dropped]
    assert not [text for text in shown if SECRET in text or SIGNING in text]


@pytest.mark.parametrize("name", URL_KEYS)
def test_a_test_is_marked_as_one(name: str, server: LocalServer) -> None:
    destination = opened(name, server.url)
    assert isinstance(destination, destinations.Testable)
    said = destination.send_test()
    destination.close()
    assert said
    assert all(said)
    assert all(b"test" in asked.body.lower() for asked in messages(server))


@pytest.mark.parametrize("name", TRIGGER_URL_KEYS)
def test_only_what_was_requested_reaches_a_pipeline(name: str, server: LocalServer) -> None:
    destination = opened(name, server.url, models=["flights"])
    rows = [
        request_row(status="held_back"),
        request_row(status="succeeded"),
        request_row(dry_run=True),
        request_row(model="other"),
    ]
    assert destination.write([requests(*rows)]).left == ()
    destination.close()
    assert messages(server) == []


@pytest.mark.parametrize("name", ALERT_URL_KEYS)
def test_filters_of_alerts_are_by_severity_model_and_update(name: str, server: LocalServer) -> None:
    destination = opened(name, server.url, models=["flights"], severity="critical", updates=False)
    destination.write([alerts(alert_row(), alert_row(model="other", severity="critical"), alert_row(state="updated"))])
    assert messages(server) == []
    destination.write([alerts(alert_row(severity="critical"), alert_row(severity="critical", state="updated"))])
    destination.close()
    assert len(messages(server)) == 2


@pytest.mark.parametrize("name", URL_KEYS)
def test_a_row_that_cannot_be_read_is_dropped_and_the_next_one_sent(name: str, server: LocalServer) -> None:
    broken = {"evidence": "{"}
    rows = [{**request_row(), **broken}, request_row()]
    if name in ALERT_URL_KEYS:
        rows = [{**alert_row(), **broken}, alert_row()]
    destination = opened(name, server.url)
    written = destination.write([(requests if name in TRIGGER_URL_KEYS else alerts)(*rows)])
    destination.close()
    assert len(written.dropped) == 1
    assert len(messages(server)) == 1


@pytest.mark.parametrize("name", ["webhook", "airflow"])
def test_a_certificate_file_that_is_missing_stops_before_anything_is_sent(name: str, tmp_path: Path) -> None:
    with pytest.raises(SinkRejected, match="ca_file"):
        opened(name, "https://localhost:1", ca_file=str(tmp_path / "none.pem"))


@pytest.mark.parametrize("name", ["webhook", "airflow"])
def test_what_is_older_than_max_age_is_dropped_and_never_sent(name: str, server: LocalServer) -> None:
    destination = opened(name, server.url, max_age="1d")
    written = destination.write([one(name)])
    destination.close()
    assert "max_age: at 1970-01-13" in written.dropped[0].reason
    assert messages(server) == []
