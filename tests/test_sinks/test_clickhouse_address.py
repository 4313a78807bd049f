"""Addresses: what they mean, and that they keep their password."""

from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sinks.clickhouse.address import ClickHouseAddress
from sinks.clickhouse.client import connect
from sinks.errors import SinkError, SinkRejected


def test_a_full_address() -> None:
    address = ClickHouseAddress.parse("clickhouse://me:p%40ss@ch.example:9123/drift")
    assert (address.scheme, address.host, address.port) == ("clickhouse", "ch.example", 9123)
    assert (address.user, address.password, address.database) == ("me", "p@ss", "drift")
    assert not address.embedded


def test_what_a_short_address_leaves_out() -> None:
    plain, tls = (
        ClickHouseAddress.parse("clickhouse://h"),
        ClickHouseAddress.parse("clickhouses://h?ca_cert=/etc/ca.pem"),
    )
    assert (plain.port, plain.user, plain.password, plain.database) == (8123, "default", "", "default")
    assert (tls.port, tls.ca_cert) == (8443, "/etc/ca.pem")


def test_an_ipv6_host() -> None:
    address = ClickHouseAddress.parse("clickhouse://[::1]:8123/db")
    assert address.host == "::1"
    assert repr(address) == "clickhouse://default@[::1]:8123/db"


def test_the_embedded_engine() -> None:
    assert ClickHouseAddress.parse("chdb:///var/lib/drift%20line").path == "/var/lib/drift line"
    assert ClickHouseAddress.parse("chdb://memory").path == ":memory:"
    assert ClickHouseAddress.parse("chdb:///x").embedded


@pytest.mark.parametrize(
    "dsn",
    [
        "",
        "localhost:8123",
        "http://h:8123",
        "clickhouse://",
        "clickhouse:///db",
        "clickhouse://h:port/db",
        "clickhouse://h:99999/db",
        "clickhouse://h/db?ca_cert=/x",
        "clickhouses://h/db?verify=0",
        "clickhouse://h/db#x",
        "chdb://",
        "chdb:///",
        "chdb://relative/path",
        "chdb:///x?database=y",
    ],
)
def test_what_is_no_address_is_rejected(dsn: str) -> None:
    with pytest.raises(SinkRejected):
        ClickHouseAddress.parse(dsn)


@given(st.text(st.characters(categories=["L", "N", "P", "S"]), min_size=6))
def test_the_password_is_never_shown(password: str) -> None:
    address = ClickHouseAddress.parse(f"clickhouse://me:{quote(password, safe='')}@localhost:8123/db")
    assert address.password == password
    assert repr(address) == str(address) == f"{address}" == "clickhouse://me:***@localhost:8123/db"


@pytest.mark.parametrize("password", ["hunter2/x", "hunter2#x", "hunter2?x", "hun[ter2"])
def test_a_password_that_breaks_the_address_is_not_in_the_error(password: str) -> None:
    with pytest.raises(SinkError) as caught:
        ClickHouseAddress.parse(f"clickhouse://me:{password}@h:8123/db")
    seen = f"{caught.value!r} {caught.value.__cause__!r}"
    assert caught.value.__suppress_context__
    assert "hunter" not in seen
    assert "hun[ter2" not in seen
    assert "%XX" in str(caught.value)


def test_connect_takes_the_text_too() -> None:
    with pytest.raises(SinkRejected, match="scheme"):
        connect("postgres://me:secret@h/db")


@pytest.mark.parametrize("content", [None, b"not a certificate"])
def test_a_useless_authority_is_no_network_fault(content: bytes | None, tmp_path: Path) -> None:
    authority = tmp_path / "ca.pem"
    if content is not None:
        authority.write_bytes(content)
    with pytest.raises(SinkRejected, match="ca_cert"):
        connect(f"clickhouses://127.0.0.1:1/db?ca_cert={authority}")
