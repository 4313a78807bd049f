"""No password in a message."""

from hypothesis import given
from hypothesis import strategies as st

from sinks.errors import scrub

words = st.text(st.characters(categories=["Ll", "Lu", "Nd"]), min_size=4, max_size=20)


@given(words, words, words)
def test_the_password_of_an_address_never_stays_in_a_text(before: str, password: str, after: str) -> None:
    text = scrub(f"{before} clickhouse://me:{password}#@h:8123/db {after}", [f"{password}#"])
    assert f"{password}#" not in text
    assert "clickhouse://me:***@h:8123/db" in text


def test_an_address_is_masked_even_when_nobody_named_its_password() -> None:
    assert scrub("https://a:b@h/x and https://h/y") == "https://a:***@h/x and https://h/y"


def test_a_password_with_an_at_sign_is_masked_to_its_last() -> None:
    assert scrub("kafka://me:p@ss@h:9092") == "kafka://me:***@h:9092"
