"""The keys that all destinations of messages have."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta, field

from sinks.address_secrets import behind_host, options
from sinks.settings import Count, DestinationSettings, Form, FormError, Pause, RetryWindow

if TYPE_CHECKING:
    from sinks.http.client import HttpClient

_LONG = 12
"""Parts of a path of so many characters are taken for secrets."""


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        sound = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        sound = False
    if not sound or not text.isprintable() or " " in text or parts.fragment or parts.username is not None:
        raise FormError("expected an address that begins with https:// or http://, without user and '#'")
    return text.rstrip("/")


URL_FORM = Form(expected="an address such as https://host/path", read=_url)
Url = Annotated[str, Meta(extra={"form": URL_FORM})]
SecretUrl = Annotated[str, Meta(extra={"form": replace(URL_FORM, secrets=behind_host)})]
"""An address that lets in whoever knows it: what follows its host is secret."""
UrlWithOptions = Annotated[str, Meta(extra={"form": replace(URL_FORM, secrets=options)})]
"""An address whose path may be known, and what follows ``?`` not."""


class MessageSettings(DestinationSettings, frozen=True, kw_only=True):
    """Of destinations that send one message at a time."""

    batch_rows: Count = 100
    """Most messages in one write."""
    retry_window_ms: RetryWindow = field(name="retry_window", default=3_600_000)
    """How long a message is tried before it goes to `drift.undelivered`."""
    timeout_ms: Pause = field(name="timeout", default=10_000)
    """Longest time for one request."""
    max_age_ms: RetryWindow = field(name="max_age", default=0)
    """What was decided longer ago, by the wall clock, is dropped; ``0s``: nothing is. A destination that is new is told
    of all that still lies in `drift.results`, a week: this keeps it from old alerts, and from old requests."""
    models: tuple[str, ...] = ()
    """Only these models; none: all."""


class AlertSettings(MessageSettings, frozen=True, kw_only=True):
    """Of destinations that take alerts."""

    severity: Literal["warning", "critical"] = "warning"
    """The least that is sent."""
    updates: bool = True
    """Whether an open alert that changed is sent as well; of critical ones it always is."""
    link: str = ""
    """Where a message leads to, such as ``https://grafana/d/driftline?var-model={model}&from={onset_ms}``."""


class AlertHttpSettings(AlertSettings, frozen=True, kw_only=True):
    """Of those that take alerts over HTTP."""

    ca_file: Path | None = None
    """Certificates to trust instead of the machine's, in PEM."""

    def client(self, *secrets: str) -> "HttpClient":
        """A client of its own, which keeps these secrets out of messages."""
        return _client(self.timeout_ms, self.ca_file, secrets)


class TriggerSettings(MessageSettings, frozen=True, kw_only=True):
    """Of those that take retraining requests over HTTP."""

    retry_window_ms: RetryWindow = field(name="retry_window", default=86_400_000)
    """As of every destination of messages; a pipeline may be away for longer than people."""
    ca_file: Path | None = None
    """Certificates to trust instead of the machine's, in PEM."""

    def client(self, *secrets: str) -> "HttpClient":
        """A client of its own, which keeps these secrets out of messages."""
        return _client(self.timeout_ms, self.ca_file, secrets)


def _parts_of(secret: str) -> tuple[str, ...]:
    """The secret itself, and of an address what lies behind its host: answers may repeat either."""
    if "://" not in secret:
        return (secret,)
    parts = urlsplit(secret)
    long = [part for part in parts.path.split("/") if len(part) >= _LONG]
    return (secret, *((parts.query,) if parts.query else ()), *sorted(long, key=len, reverse=True))


def _client(timeout_ms: int, ca_file: Path | None, secrets: tuple[str, ...]) -> "HttpClient":
    from sinks.http.client import HttpClient

    return HttpClient(
        timeout_s=timeout_ms / 1000,
        ca_file=ca_file,
        secrets=tuple(part for secret in secrets for part in _parts_of(secret)),
    )
