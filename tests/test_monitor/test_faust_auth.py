"""One security section serves librdkafka and aiokafka; what the latter would leave out is refused."""

from typing import Any

import pytest

from monitor.errors import StoppedError
from monitor.kafka.faust.auth import credentials


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("ssl.keystore.location", "/etc/client.p12"),
        ("ssl.crl.location", "/etc/crl.pem"),
        ("ssl.ca.pem", "-----BEGIN"),
        ("SSL.certificate.pem", "-----BEGIN"),
    ],
)
def test_a_setting_of_tls_that_would_be_left_out_is_refused(key: str, value: str) -> None:
    with pytest.raises(StoppedError, match=key.lower()) as caught:
        credentials({"security.protocol": "SSL", key: value})
    assert "ssl.ca.location" in caught.value.hint
    assert value not in str(caught.value) + caught.value.hint


def test_a_setting_of_sasl_that_would_be_left_out_is_refused() -> None:
    client = {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "PLAIN", "sasl.oauthbearer.config": "x"}
    with pytest.raises(StoppedError, match=r"sasl\.oauthbearer\.config: not supported by evaluate"):
        credentials(client)


def test_a_setting_that_its_protocol_does_not_use_is_nobodys() -> None:
    sasl = {"sasl.mechanism": "PLAIN", "sasl.username": "u", "sasl.password": "p"}
    assert credentials({"ssl.crl.location": "/x", **sasl}) is None
    assert credentials({"security.protocol": "SASL_PLAINTEXT", "ssl.crl.location": "/x", **sasl}) is not None


def test_what_both_clients_know_passes() -> None:
    client = {"security.protocol": "SASL_SSL", "sasl.mechanisms": "SCRAM-SHA-512", "sasl.username": "u"}
    assert credentials({**client, "sasl.password": "p", "ssl.endpoint.identification.algorithm": "none"}) is not None


def test_plain_text_needs_no_credentials() -> None:
    assert credentials({}) is None
    assert credentials({"security.protocol": "plaintext", "client.id": "x"}) is None


def test_faust_speaks_as_safely_as_the_other_clients() -> None:
    tls = credentials({"security.protocol": "SSL"})
    assert tls is not None
    assert tls.context.check_hostname  # type: ignore[attr-defined]
    login = {"sasl.mechanisms": "scram-sha-512", "sasl.username": "u", "sasl.password": "geheim"}
    sasl: Any = credentials({"security.protocol": "SASL_SSL", **login})
    assert (sasl.mechanism.value, sasl.username, sasl.password) == ("SCRAM-SHA-512", "u", "geheim")
    assert sasl.ssl_context.check_hostname
    assert "geheim" not in repr(sasl)


@pytest.mark.parametrize(
    "settings",
    [
        {"security.protocol": "SASL_SSL", "sasl.mechanism": "GSSAPI"},
        {"security.protocol": "SASL_SSL"},
        {"security.protocol": "SASL_PLAINTEXT", "sasl.mechanism": "OAUTHBEARER"},
        {"security.protocol": "TLS"},
    ],
)
def test_what_faust_cannot_speak_is_refused_and_never_weakened(settings: dict[str, str]) -> None:
    with pytest.raises(StoppedError, match="is not supported") as caught:
        credentials(settings)
    assert "SCRAM-SHA-512" in caught.value.hint
