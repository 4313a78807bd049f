"""Durations, addresses, secrets, variables and nearest words: the small parts, each by itself."""

import copy
import pickle

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.config.addresses import Address, parse_address
from monitor.config.durations import MAX_DURATION_MS, format_duration, parse_duration
from monitor.config.environment import expand
from monitor.config.nearest import nearest, slips
from monitor.config.spans import parse_span
from sinks.secret import Secret


@pytest.mark.parametrize(
    ("text", "duration_ms"),
    [("500ms", 500), ("90s", 90_000), ("15m", 900_000), ("1h", 3_600_000), ("7d", 604_800_000), ("0", 0), ("0d", 0)],
)
def test_durations_are_whole_milliseconds(text: str, duration_ms: int) -> None:
    assert parse_duration(text) == duration_ms


@pytest.mark.parametrize(
    "text",
    ["", "1", "h", "1.5h", "-1h", "+1h", "1 h", " 1h", "1h ", "1H", "1h30m", "1w", "1e3s", "\u0661h", "1h\n", "1_0s"],
)
def test_what_is_no_duration_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(ValueError, match="such as 500ms, 90s, 15m, 1h or 7d"):
        parse_duration(text)


def test_a_duration_has_a_longest() -> None:
    assert parse_duration(format_duration(MAX_DURATION_MS)) == MAX_DURATION_MS
    for text in ("3661d", "999999999999999d"):
        with pytest.raises(ValueError, match="at most 3660d"):
            parse_duration(text)


@settings(deadline=None)
@given(st.integers(0, MAX_DURATION_MS))
def test_a_duration_written_out_is_read_back(duration_ms: int) -> None:
    assert parse_duration(format_duration(duration_ms)) == duration_ms


@pytest.mark.parametrize(
    ("duration_ms", "text"), [(0, "0s"), (1_001, "1001ms"), (5_400_000, "90m"), (86_400_000, "1d")]
)
def test_a_duration_is_written_in_the_largest_unit_that_is_exact(duration_ms: int, text: str) -> None:
    assert format_duration(duration_ms) == text


@pytest.mark.parametrize(
    ("text", "days", "months"),
    [("1d", 1, None), ("48h", 2, None), ("2w", 14, None), ("36h", None, None), ("1mo", None, 1), ("12mo", None, 12)],
)
def test_a_span_is_days_or_months_or_neither_and_is_written_as_it_was_read(
    text: str, days: int | None, months: int | None
) -> None:
    span = parse_span(text)
    assert (span.days, span.months) == (days, months)
    assert parse_span(str(span)) == span


@pytest.mark.parametrize("text", ["", "0", "0d", "0w", "01w", "1.5w", "1 mo", "1M", "1mo2w", "-1w", "1w\n", "\u0661w"])
def test_what_is_no_span_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected a duration"):
        parse_span(text)


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [("127.0.0.1:9108", "127.0.0.1", 9108), ("kafka-0.svc:9092", "kafka-0.svc", 9092), ("[::1]:0", "::1", 0)],
)
def test_addresses_are_read_and_written_back(text: str, host: str, port: int) -> None:
    assert parse_address(text) == Address(host=host, port=port)
    assert str(parse_address(text)) == text


@pytest.mark.parametrize(
    "text", ["", "host", "host:", ":1", "host:65536", "host:x", "::1:80", "a b:1", "host:1\n", "host:\u0661"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="expected host:port"):
        parse_address(text)


@settings(deadline=None)
@given(st.text(min_size=6))
def test_a_secret_shows_itself_in_no_text(value: str) -> None:
    secret = Secret(value)
    texts = [repr(secret), str(secret), f"{secret}", f"{secret!r:>9}", f"{secret:>9}", str([secret])]
    assert all(text.strip("[] ") == "***" for text in texts)
    assert secret.reveal() == value


def test_secrets_compare_by_value_and_survive_copies() -> None:
    secret = Secret("hunter2")
    assert secret == Secret("hunter2") != Secret("hunter3")
    assert secret != "hunter2"
    assert {secret: 1}[Secret("hunter2")] == 1
    assert pickle.loads(pickle.dumps(secret)) == copy.deepcopy(secret) == secret


def test_a_secret_cannot_be_encoded_or_iterated() -> None:
    with pytest.raises(TypeError):
        msgspec.json.encode(Secret("hunter2"))
    with pytest.raises(TypeError):
        list(Secret("hunter2"))


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("", ""),
        ("plain $5 {x} $HOME", "plain $5 {x} $HOME"),
        ("${SET}", "value"),
        ("a${SET}b${SET}", "avaluebvalue"),
        ("${EMPTY}", ""),
        ("${EMPTY:-other}", "other"),
        ("${UNSET:-}", ""),
        ("${UNSET:-a b:c}", "a b:c"),
        ("${SET:-other}", "value"),
        ("${UNSET:-$5$}", "$5$"),
        ("$${SET}", "${SET}"),
        ("$$${SET}", "$${SET}"),
        ("${NESTED}", "${SET}"),
    ],
)
def test_variables_are_filled_in_once(text: str, expanded: str) -> None:
    assert expand(text, {"SET": "value", "EMPTY": "", "NESTED": "${SET}"}) == expanded


def test_an_unset_variable_is_named() -> None:
    with pytest.raises(ValueError, match=r"the environment variable UNSET is not set"):
        expand("${UNSET}", {})


@pytest.mark.parametrize(
    "text", ["${", "${}", "${A", "${1}", "${A-b}", "${A B}", "${A:b}", "x${", "${A:-${A}}", "${A:-" * 50_000]
)
def test_what_begins_like_a_variable_and_is_none_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="a variable is written"):
        expand(text, {"A": "hunter2"})


def test_a_variable_that_holds_no_text_is_named() -> None:
    with pytest.raises(ValueError, match="variable A does not hold UTF-8"):
        expand("${A}", {"A": "hunter\udcff"})


def test_a_password_in_a_url_is_percent_encoded_and_nothing_else_is() -> None:
    environ = {"PASSWORD": "p@s/s:#?ü", "HOST": "db:8123", "DSN": "clickhouse://u:p@h/d"}
    encoded = "p%40s%2Fs%3A%23%3F%C3%BC"
    assert expand("clickhouse://u:${PASSWORD}@${HOST}/d", environ) == f"clickhouse://u:{encoded}@db:8123/d"
    assert expand("${DSN}", environ) == "clickhouse://u:p@h/d"
    assert expand("${PASSWORD}", environ) == "p@s/s:#?ü"
    assert expand("clickhouse://${HOST}/d", environ) == "clickhouse://db:8123/d"
    assert expand("clickhouse://u:${UNSET:-a@b}@h", environ) == "clickhouse://u:a%40b@h"


WORDS = st.text(st.sampled_from("abcd"), max_size=6)


@settings(deadline=None)
@given(WORDS, WORDS)
def test_slips_count_both_ways_alike_and_are_zero_only_for_the_same(a: str, b: str) -> None:
    assert slips(a, b) == slips(b, a)
    assert (slips(a, b) == 0) == (a == b)
    assert abs(len(a) - len(b)) <= slips(a, b) <= max(len(a), len(b))


@pytest.mark.parametrize(
    ("a", "b", "n"), [("every", "evry", 1), ("every", "eveyr", 1), ("ks", "js", 1), ("", "abc", 3)]
)
def test_slips_of_known_words(a: str, b: str, n: int) -> None:
    assert slips(a, b) == n


def test_the_nearest_word_is_near_or_none() -> None:
    assert nearest("tresh_old", ["threshold", "method"]) == "threshold"
    assert nearest("Min-Samples", ["min_samples"]) == "min_samples"
    assert nearest("lateness_ms", ["lateness", "retention"]) == "lateness"
    assert nearest("colour", ["threshold", "method"]) == ""
    assert nearest("x", []) == ""
