"""What each failure means: try again, stop, drop."""

import pytest
from clickhouse_connect.driver.exceptions import DatabaseError, DataError, OperationalError, ProgrammingError
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.classify import classify
from sinks.clickhouse.client import connect
from sinks.errors import BadRecord, SinkError, SinkRejected, SinkUnavailable


@pytest.mark.parametrize("code", [159, 173, 202, 209, 210, 241, 242, 243, 252, 254, 285, 319, 499, 692, 745, 999, 1002])
def test_what_passes_by_itself_is_tried_again(code: int) -> None:
    error = classify(DatabaseError("no", code=code))
    assert isinstance(error, SinkUnavailable)
    assert error.retry_after_s > 0


@pytest.mark.parametrize(
    ("code", "advice"),
    [(60, "driftline migrate"), (16, "driftline migrate"), (46, "driftline migrate"), (81, "driftline migrate"),
     (516, "password"), (192, "password"), (193, "password"), (497, "grant"), (164, "grant")],
)  # fmt: skip
def test_what_needs_a_person_stops_and_says_what_to_do(code: int, advice: str) -> None:
    error = classify(DatabaseError("no", code=code))
    assert isinstance(error, SinkRejected)
    assert advice in str(error)


@pytest.mark.parametrize("error", [DataError("x"), OverflowError("x"), UnicodeEncodeError("utf-8", "a", 0, 1, "x")])
def test_a_value_that_does_not_fit_is_a_bad_record(error: Exception) -> None:
    assert isinstance(classify(error), BadRecord)


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_proxy_in_trouble_is_tried_again(status: int) -> None:
    assert isinstance(classify(DatabaseError(f"HTTP driver received HTTP status {status}")), SinkUnavailable)


@pytest.mark.parametrize("status", [401, 403, 404, 400])
def test_a_proxy_that_refuses_stops(status: int) -> None:
    assert isinstance(classify(DatabaseError(f"HTTP driver received HTTP status {status}")), SinkRejected)


def test_the_code_is_found_in_the_text_when_the_header_is_missing() -> None:
    error = DatabaseError("HTTP driver received HTTP status 500, server response: Code: 60. DB::Exception: no table")
    assert isinstance(classify(error), SinkRejected)


@pytest.mark.parametrize("error", [OperationalError("Error executing HTTP request"), ConnectionResetError(), OSError()])
def test_no_answer_is_tried_again(error: Exception) -> None:
    assert isinstance(classify(error), SinkUnavailable)


def test_no_answer_says_what_the_system_said() -> None:
    with pytest.raises(SinkUnavailable, match=r"127\.0\.0\.1:1/default does not answer: Connection"):
        connect("clickhouse://127.0.0.1:1")


def test_a_certificate_that_cannot_be_verified_says_why() -> None:
    said = "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: Hostname mismatch, certificate is not valid for"
    error = OperationalError("Error executing HTTP request")
    error.__cause__ = OSError(f"{said} 'ch.example'. (_ssl.c:1016)")
    classified = classify(error)
    assert isinstance(classified, SinkRejected)
    assert "(Hostname mismatch, certificate is not valid for 'ch.example')" in str(classified)


@pytest.mark.parametrize("error", [DatabaseError("?", code=987_654), ProgrammingError("?"), RuntimeError("?")])
def test_what_nobody_foresaw_stops(error: Exception) -> None:
    assert isinstance(classify(error), SinkRejected)


def test_a_missing_engine_says_how_to_install_it() -> None:
    assert "driftline[embedded]" in str(classify(ImportError("chdb")))


def test_what_was_classified_before_stays_as_it_is() -> None:
    error = SinkUnavailable("x", retry_after_s=7)
    assert classify(error) is error


@given(st.integers(0, 2_000), st.text(max_size=700), st.text(st.characters(categories=["L"]), min_size=5))
def test_every_error_is_classified_without_its_secrets_and_in_few_words(code: int, text: str, secret: str) -> None:
    error = classify(DatabaseError(f"{text}{secret}{text}", code=code), secrets=[secret], address="clickhouse://h:1/d")
    assert isinstance(error, SinkError)
    assert secret not in str(error).replace("clickhouse://h:1/d", "").replace("driftline migrate", "")
    assert len(str(error)) < 700
