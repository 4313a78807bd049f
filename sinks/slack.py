"""Slack: Block Kit by an incoming webhook, or by `chat.postMessage` with a bot's token.

Slack has no key that makes a message idempotent: one whose answer was lost is shown twice. All that comes from events
is `plain_text`, where neither mrkdwn nor mentions are read; the fallback text escapes what begins one.

Source: https://docs.slack.dev/messaging/formatting-message-text, https://docs.slack.dev/reference/block-kit/blocks
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any, Final

from msgspec import Meta, field

from sinks.address_secrets import behind_host, password
from sinks.errors import MessageFailed, MessageRefused, SinkUnavailable
from sinks.messages.alert import Alert
from sinks.messages.said import Said, said
from sinks.messages.settings import URL_FORM, AlertHttpSettings
from sinks.messages.text import Message, message_of, shortened
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination

_MOST_HEADER: Final = 150
_MOST_TEXT: Final = 2900
_MOST_URL: Final = 3000
_BUSY: Final = frozenset({"ratelimited", "rate_limited", "service_unavailable", "request_timeout"})
_FAILED: Final = frozenset({"internal_error", "fatal_error", "team_added_to_org"})
_BLOCKED: Final = frozenset(
    {
        "access_denied", "account_inactive", "channel_not_found", "ekm_access_denied", "invalid_auth", "is_archived",
        "missing_scope", "no_permission", "not_authed", "not_in_channel", "org_login_required", "token_expired",
        "token_revoked",
    }
)  # fmt: skip


def _secrets(text: str) -> Mapping[str, str]:
    """A webhook's path is secret; that of the API is known."""
    return password(text) if text.rstrip("/").endswith("/api") else behind_host(text)


_URL: Final = replace(URL_FORM, secrets=_secrets)


class Settings(AlertHttpSettings, frozen=True, kw_only=True):
    """An incoming webhook, or a token and a channel."""

    url: Secret[Annotated[str, Meta(extra={"form": _URL})]] = field(
        default_factory=lambda: Secret("https://slack.com/api")
    )
    """The webhook's address; with a token that of the API."""
    token: Secret[str] = field(default_factory=lambda: Secret(""))
    """Of a bot with the scope `chat:write`; then the channel is needed."""
    channel: str = ""
    """Its id, such as C0123456789."""

    def __post_init__(self) -> None:
        """Check that one of the two ways is whole."""
        if bool(self.token.reveal()) != bool(self.channel):
            raise ValueError("token and channel belong together")
        if not self.channel and self.url.reveal() == "https://slack.com/api":
            raise ValueError("url: a webhook's address is needed, or a token and a channel")

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import alert_destination

        return alert_destination(self, Slack(self.client(self.url.reveal(), self.token.reveal()), self))


class Slack:
    """Posts messages."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def send(self, alert: Alert) -> Said:
        """Post it."""
        settings = self._settings
        body = body_of(message_of(alert, settings.link))
        if not settings.channel:
            return said(self._client.call("POST", settings.url.reveal(), body=body))
        answer = self._client.call(
            "POST",
            f"{settings.url.reveal()}/chat.postMessage",
            body={"channel": settings.channel, "unfurl_links": False, **body},
            headers={
                "Authorization": f"Bearer {settings.token.reveal()}",
                "Content-Type": "application/json; charset=utf-8",
            },
        )
        told = answer.json()
        if not isinstance(told, dict) or told.get("ok") is not True:
            raise _error(str(told.get("error", "")) if isinstance(told, dict) else "", str(answer))
        return said(answer)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def body_of(message: Message) -> dict[str, Any]:
    """Text for notifications, and blocks."""
    blocks: list[dict[str, Any]] = [
        {"type": "header", "text": _plain(message.headline, _MOST_HEADER)},
        {"type": "section", "text": _plain(message.summary, _MOST_TEXT)},
    ]
    for name, text in message.facts():
        blocks.append(
            {"type": "section", "text": _plain(f"{name}: {text}" if "\n" not in text else f"{name}:\n{text}")}
        )
    if message.link and len(message.link) <= _MOST_URL:
        button = {"type": "button", "text": _plain("Look at it"), "url": message.link}
        blocks.append({"type": "actions", "elements": [button]})
    return {"text": escaped(message.headline), "mrkdwn": False, "blocks": blocks}


def escaped(text: str) -> str:
    """Text that mrkdwn reads as text: no mention, link or special begins in it."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _plain(text: str, most: int = _MOST_TEXT) -> dict[str, Any]:
    cut = text if len(text) <= most else shortened(text, most)
    return {"type": "plain_text", "text": cut, "emoji": False}


def _error(name: str, words: str) -> SinkUnavailable | MessageRefused:
    if name in _BUSY:
        return SinkUnavailable(f"Slack: {words}")
    if name in _FAILED:
        return MessageFailed(f"Slack: {words}")
    if name in _BLOCKED:
        return SinkUnavailable(f"Slack: {words} (mend the token, its scopes or the channel)")
    return MessageRefused(f"Slack: {words}")
