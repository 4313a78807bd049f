"""PagerDuty, Events API v2: an incident is triggered and resolved under its `dedup_key`.

To trigger an open key again adds to its incident, and to resolve a closed one changes nothing, so that a message that
is sent again does no harm.

Source: https://developer.pagerduty.com/docs/send-alert-event
"""

from typing import TYPE_CHECKING, Any, Final

from sinks.messages.alert import Alert
from sinks.messages.cloud_event import rfc3339
from sinks.messages.identity import run_id
from sinks.messages.said import Said, said
from sinks.messages.settings import AlertHttpSettings, Url
from sinks.messages.text import clean, message_of
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination

_MOST_KEY: Final = 255
_MOST_SUMMARY: Final = 1024


class Settings(AlertHttpSettings, frozen=True, kw_only=True):
    """Which service, by its routing key."""

    routing_key: Secret[str]
    """Of an integration "Events API v2", 32 characters."""
    url: Url = "https://events.pagerduty.com"
    """``https://events.eu.pagerduty.com`` for accounts of the EU region."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import alert_destination

        return alert_destination(self, PagerDuty(self.client(self.routing_key.reveal()), self))


class PagerDuty:
    """Enqueues events."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def send(self, alert: Alert) -> Said:
        """Trigger or resolve."""
        body = {"routing_key": self._settings.routing_key.reveal(), **event_of(alert, self._settings.link)}
        return said(self._client.call("POST", f"{self._settings.url}/v2/enqueue", body=body))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def event_of(alert: Alert, link: str = "") -> dict[str, Any]:
    """The body, but for the routing key."""
    message = message_of(alert, link)
    key = alert.dedupe_key if len(alert.dedupe_key) <= _MOST_KEY else run_id(alert.dedupe_key, most=_MOST_KEY)
    if alert.state == "resolved":
        return {"event_action": "resolve", "dedup_key": key}
    return {
        "event_action": "trigger",
        "dedup_key": key,
        "client": "Driftline",
        "payload": {
            "summary": message.headline[:_MOST_SUMMARY],
            "source": clean(alert.model),
            "severity": alert.severity,
            "timestamp": rfc3339(alert.at_ms),
            "component": f"{clean(alert.model)} {clean(alert.version)}".strip(),
            "class": alert.cause,
            "custom_details": dict((("What happened", message.summary), *message.facts())),
        },
        **({"links": [{"href": message.link, "text": "Look at it"}]} if message.link else {}),
    }
