"""The security part of `kafka.client` for Faust, which speaks through aiokafka instead of librdkafka. Pure but for
files.

One place in the configuration serves both clients: librdkafka's names are translated here. What has no counterpart is
an error at start-up, never a connection that is less safe than asked for.
"""

import ssl
from collections.abc import Mapping

from faust.auth import SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from monitor.errors import ConfigError, Problem, StoppedError

_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")
_KNOWN = {
    "ssl.": (
        "ssl.ca.location",
        "ssl.certificate.location",
        "ssl.key.location",
        "ssl.key.password",
        "ssl.endpoint.identification.algorithm",
    ),
    "sasl.": ("sasl.mechanism", "sasl.mechanisms", "sasl.username", "sasl.password"),
}


def credentials(client: Mapping[str, str | int | bool]) -> CredentialsT | None:
    """Faust's credentials for librdkafka settings; None for plain text without authentication.

    Raises `StoppedError` for a protocol or mechanism that the score role cannot speak, and for a setting of either that
    it would have to leave out.
    """
    settings = {key.lower(): str(value) for key, value in client.items()}
    protocol = settings.get("security.protocol", "plaintext").upper()
    if protocol == "PLAINTEXT":
        return None
    for prefix in ("ssl.", "sasl."):
        if prefix[:-1].upper() in protocol.split("_"):
            _refuse_unknown(prefix, settings)
    if protocol == "SSL":
        return SSLCredentials(_context(settings))
    if protocol not in ("SASL_PLAINTEXT", "SASL_SSL"):
        raise StoppedError("the kafka.client security.protocol is not supported", hint=_hint())
    mechanism = settings.get("sasl.mechanism", settings.get("sasl.mechanisms", "GSSAPI")).upper()
    if mechanism not in _MECHANISMS:
        raise StoppedError("the kafka.client sasl.mechanism is not supported by evaluate", hint=_hint())
    return SASLCredentials(
        username=settings.get("sasl.username"),
        password=settings.get("sasl.password"),
        mechanism=mechanism,
        ssl_context=_context(settings) if protocol == "SASL_SSL" else None,
    )


def _refuse_unknown(prefix: str, settings: Mapping[str, str]) -> None:
    unknown = sorted(key for key in settings if key.startswith(prefix) and key not in _KNOWN[prefix])
    if unknown:
        files = "; certificates and keys are files in PEM form" if prefix == "ssl." else ""
        raise StoppedError(
            f"kafka.client {', '.join(unknown)}: not supported by evaluate",
            hint=f"use {', '.join(_KNOWN[prefix])}{files}",
        )


def _hint() -> str:
    return f"use SSL, SASL_PLAINTEXT or SASL_SSL, and a mechanism of {', '.join(_MECHANISMS)}"


def _context(settings: Mapping[str, str]) -> ssl.SSLContext:
    try:
        return _loaded(settings)
    except (OSError, ValueError) as error:  # an SSLError is one; its words may hold a path, which is a setting's value
        reason = getattr(error, "reason", None) or type(error).__name__
        raise ConfigError(
            [Problem(path="kafka.client", message=f"a certificate or key cannot be used: {reason}")],
            hint="certificates and keys are files in PEM form",
        ) from None


def _loaded(settings: Mapping[str, str]) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=settings.get("ssl.ca.location"))
    if settings.get("ssl.endpoint.identification.algorithm", "https").lower() == "none":
        context.check_hostname = False
    if settings.get("enable.ssl.certificate.verification", "true").lower() == "false":
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    certificate = settings.get("ssl.certificate.location")
    if certificate:
        context.load_cert_chain(certificate, settings.get("ssl.key.location"), settings.get("ssl.key.password"))
    return context
