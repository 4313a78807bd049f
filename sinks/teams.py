"""Microsoft Teams: an Adaptive Card to a workflow's webhook ("Post to a channel when a webhook request is received").

Teams has no key that makes a message idempotent: one whose answer was lost is shown twice. All that comes from events
is in runs of text (`RichTextBlock`), which, other than `TextBlock`, read no Markdown.

Source: https://adaptivecards.io/explorer/RichTextBlock.html,
https://learn.microsoft.com/microsoftteams/platform/webhooks-and-connectors/how-to/connectors-using
"""

from typing import TYPE_CHECKING, Any

from sinks.messages.alert import Alert
from sinks.messages.said import Said, said
from sinks.messages.settings import AlertHttpSettings, SecretUrl
from sinks.messages.text import Message, message_of
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination


class Settings(AlertHttpSettings, frozen=True, kw_only=True):
    """The workflow's address."""

    url: Secret[SecretUrl]
    """As Teams gives it: its signature lets anyone post who knows it."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import alert_destination

        return alert_destination(self, Teams(self.client(self.url.reveal()), self))


class Teams:
    """Posts cards."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def send(self, alert: Alert) -> Said:
        """Post it."""
        body = body_of(message_of(alert, self._settings.link), critical=alert.severity == "critical")
        return said(self._client.call("POST", self._settings.url.reveal(), body=body))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def body_of(message: Message, *, critical: bool = False) -> dict[str, Any]:
    """A message with one card. What has happened is in its first run, which a notification shows."""
    colour = "attention" if critical and not message.headline.startswith("[resolved]") else "default"
    headline = {"type": "TextRun", "text": message.headline, "weight": "bolder", "size": "medium", "color": colour}
    body: list[dict[str, Any]] = [
        {"type": "RichTextBlock", "inlines": [headline]},
        {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": message.summary}]},
    ]
    for name, text in message.facts():
        runs = [{"type": "TextRun", "text": f"{name}: ", "weight": "bolder"}, {"type": "TextRun", "text": text}]
        body.append({"type": "RichTextBlock", "inlines": runs})
    card = {
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
        "type": "AdaptiveCard",
        "version": "1.4",
        "fallbackText": message.headline,
        "body": body,
        **(
            {"actions": [{"type": "Action.OpenUrl", "title": "Look at it", "url": message.link}]}
            if message.link
            else {}
        ),
    }
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "summary": message.headline, "attachments": [attachment]}
