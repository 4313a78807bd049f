"""The HTTP client: TLS verified, no redirects, bounded answers; and what an answer asks for."""

import ssl
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st
from support.http_server import LocalServer, Reply, serving
from support.ports import free_port

from sinks.errors import MessageFailed, MessageRefused, SinkRejected, SinkUnavailable
from sinks.http.classify import LONGEST_RETRY_AFTER_S, Outcome, outcome_of, retry_after_s
from sinks.http.client import MAX_ANSWER_BYTES, HttpClient

NOW_S = 1_700_000_000.0


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def ca_file(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("ca") / "ca.pem"
    authority.cert_pem.write_to_path(path)
    return path


@pytest.fixture(scope="module")
def https(authority: trustme.CA) -> Iterator[LocalServer]:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with serving(tls=context) as server:
        yield server


def client(timeout_s: float = 5.0, ca_file: Path | None = None, *secrets: str) -> HttpClient:
    return HttpClient(timeout_s=timeout_s, ca_file=ca_file, secrets=secrets)


@pytest.mark.parametrize(
    ("outcome", "statuses"),
    [
        (Outcome.ACCEPTED, {200, 201, 202, 204}),
        (Outcome.BUSY, {408, 425, 429, 502, 503, 504}),
        (Outcome.FAILED, {100, 500, 501, 505, 599}),
        (Outcome.BLOCKED, {301, 302, 307, 308, 401, 403, 407}),
        (Outcome.REFUSED, {400, 404, 405, 409, 410, 413, 422}),
    ],
)
def test_each_status_has_its_outcome(outcome: Outcome, statuses: set[int]) -> None:
    assert {outcome_of(status) for status in statuses} == {outcome}


@given(st.integers(0, 10**12))
def test_retry_after_is_read_from_seconds_within_bounds(seconds: int) -> None:
    found = retry_after_s(str(seconds), NOW_S)
    assert found is not None
    assert 0 <= found <= LONGEST_RETRY_AFTER_S
    assert seconds > LONGEST_RETRY_AFTER_S or found == seconds


@given(st.integers(-1000, 3000))
def test_retry_after_is_read_from_a_date(ahead_s: int) -> None:
    date = format_datetime(datetime.fromtimestamp(NOW_S + ahead_s, UTC), usegmt=True)
    assert retry_after_s(date, NOW_S) == max(0, ahead_s)


@given(st.text(max_size=60))
def test_retry_after_of_any_text_is_a_time_within_bounds_or_nothing(text: str) -> None:
    found = retry_after_s(text, NOW_S)
    assert found is None or 0 <= found <= LONGEST_RETRY_AFTER_S


def test_a_certificate_of_a_trusted_authority_is_accepted(https: LocalServer, ca_file: Path) -> None:
    assert client(5.0, ca_file).request("POST", https.url, body={"a": 1}).status == 200


def test_a_certificate_of_an_unknown_authority_is_refused_before_anything_is_sent(https: LocalServer) -> None:
    https.asked.clear()
    with pytest.raises(SinkUnavailable, match="TLS"):
        client().request("POST", https.url, body={"a": 1})
    assert https.asked == []


def test_a_certificate_of_another_host_is_refused(https: LocalServer, ca_file: Path) -> None:
    with pytest.raises(SinkUnavailable, match="TLS"):
        client(5.0, ca_file).request("GET", https.url.replace("localhost", "127.0.0.1"))


def test_redirects_are_not_followed() -> None:
    with serving() as other, serving(lambda asked: Reply(307, b"", {"Location": other.url})) as server:
        with pytest.raises(SinkUnavailable, match="redirects are not followed"):
            client().call("POST", server.url, body={})
        assert other.asked == []


def test_an_answer_that_is_too_large_is_not_kept() -> None:
    large = Reply(200, b"x" * (MAX_ANSWER_BYTES + 1))
    with serving(lambda asked: large) as server, pytest.raises(SinkUnavailable, match="more than"):
        client().request("GET", server.url)


def test_an_answer_that_drips_ends_at_the_deadline_and_not_at_each_byte() -> None:
    with serving(lambda asked: Reply(fault="drip")) as server:
        before_s = time.monotonic()
        with pytest.raises(SinkUnavailable, match="within"):
            client(0.4).request("GET", server.url)
        assert time.monotonic() - before_s < 20  # it would drip for ever


def test_no_service_and_no_name_are_out_of_reach_and_the_message_names_only_the_host() -> None:
    for url in (f"http://127.0.0.1:{free_port()}/secret/path?token=x", "http://nowhere.invalid/secret/path"):
        with pytest.raises(SinkUnavailable) as caught:
            client().request("POST", url, body={})
        assert "secret/path" not in str(caught.value)


@pytest.mark.parametrize(("status", "error"), [(500, MessageFailed), (503, SinkUnavailable), (404, MessageRefused)])
def test_what_was_answered_is_told_without_secrets(status: int, error: type[Exception]) -> None:
    reply = Reply(status, b"no\r\nwith \x1b[31m hunter2")
    with serving(lambda asked: reply) as server, pytest.raises(error) as caught:
        client(5.0, None, "hunter2").call("POST", server.url, body={})
    assert type(caught.value) is error
    assert str(caught.value) == f"POST {server.url}: {status} no with ?[31m ***"


def test_a_header_with_a_line_break_is_refused() -> None:
    with serving() as server, pytest.raises(SinkRejected):
        client().request("GET", server.url, headers={"X": "a\r\nY: b"})
