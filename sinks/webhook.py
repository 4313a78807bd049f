"""A webhook of anybody's: alerts as CloudEvents 1.0, signed as the Standard Webhooks specification says.

The receiver verifies `webhook-signature` (HMAC-SHA256 over id, timestamp and body), refuses timestamps that are older
than five minutes, and does nothing for a `webhook-id` that it has seen: a message that is sent again has the same one.

Source: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Final, Literal

from msgspec import Meta, field

from sinks.messages.cloud_event import CONTENT_TYPE, encoded
from sinks.messages.event import Event
from sinks.messages.said import Said, said
from sinks.messages.settings import AlertHttpSettings, UrlWithOptions
from sinks.secret import Secret
from sinks.settings import Form, FormError

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination

_PREFIX: Final = "whsec_"


def _signing_key(text: str) -> str:
    try:
        key = base64.b64decode(text.removeprefix(_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not 24 <= len(key) <= 64:
        raise FormError("expected whsec_ and 24 to 64 bytes in base64, such as `openssl rand -base64 32` makes")
    return text


_KEY = Form(expected="whsec_ and a key in base64", read=_signing_key)
_OLD_KEY = Form(expected=_KEY.expected, read=lambda text: _signing_key(text) if text else "")


class Settings(AlertHttpSettings, frozen=True, kw_only=True):
    """Where messages go, and what signs them."""

    url: Secret[UrlWithOptions]
    """The address; never shown, for many hold a token."""
    secret: Secret[Annotated[str, Meta(extra={"form": _KEY})]]
    """Signs every message."""
    previous_secret: Secret[Annotated[str, Meta(extra={"form": _OLD_KEY})]] = field(default_factory=lambda: Secret(""))
    """While the key is changed: a second signature by the one before."""
    records: Literal["alert", "retraining"] = "alert"
    """Alerts, or requests to retrain."""
    token: Secret[str] = field(default_factory=lambda: Secret(""))
    """Sent as `Authorization: Bearer`, where the receiver wants one."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import alert_destination, retraining_destination

        keys = [key.reveal() for key in (self.secret, self.previous_secret) if key.reveal()]
        client = self.client(self.url.reveal(), self.token.reveal(), *keys)
        sender = Webhook(client, self.url.reveal(), keys, token=self.token.reveal())
        if self.records == "alert":
            return alert_destination(self, sender)
        return retraining_destination(self, sender)


class Webhook:
    """Sends signed CloudEvents.

    Parameters
    ----------
    keys
        As in the settings; a message has a signature by each.
    now_s
        Seconds since 1970, for the timestamp that is signed.
    """

    def __init__(
        self,
        client: "HttpClient",
        url: str,
        keys: list[str],
        *,
        token: str = "",
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._url = url
        self._keys = [base64.b64decode(key.removeprefix(_PREFIX)) for key in keys]
        self._authorization = {"Authorization": f"Bearer {token}"} if token else {}
        self._now_s = now_s

    def send(self, event: Event) -> Said:
        """POST the event; a 2xx is taken as its receipt."""
        body = encoded(event)
        message_id = f"msg_{event.id}"
        timestamp = int(self._now_s())
        headers = {
            "Content-Type": CONTENT_TYPE,
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": " ".join(signature(key, message_id, timestamp, body) for key in self._keys),
            **self._authorization,
        }
        return said(self._client.call("POST", self._url, content=body, headers=headers))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def signature(key: bytes, message_id: str, timestamp_s: int, body: bytes) -> str:
    """Version 1 of the specification: HMAC-SHA256 over ``id.timestamp.body``, in base64."""
    signed = hmac.new(key, f"{message_id}.{timestamp_s}.".encode() + body, hashlib.sha256).digest()
    return f"v1,{base64.b64encode(signed).decode()}"
