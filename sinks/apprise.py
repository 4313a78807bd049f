"""The long tail of places that people read, through Apprise: `pip install driftline[apprise]`.

Apprise has no key that makes a message idempotent and does not say why one failed: it is tried again.
"""

from typing import TYPE_CHECKING, Any

from sinks.errors import SinkRejected, SinkUnavailable
from sinks.messages.alert import Alert
from sinks.messages.said import Said
from sinks.messages.settings import AlertSettings
from sinks.messages.text import message_of
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.messages.destination import MessageDestination


class Settings(AlertSettings, frozen=True, kw_only=True):
    """One of Apprise's addresses; a destination each, so that one that is down holds up only itself."""

    url: Secret[str]
    """Such as ``ntfys://host/topic``; Apprise's documentation lists them."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import alert_destination

        return alert_destination(self, Apprise(self))


class Apprise:
    """Notifies."""

    def __init__(self, settings: Settings) -> None:
        try:
            import apprise
        except ImportError as error:
            raise SinkRejected("the package apprise is missing: pip install 'driftline[apprise]'") from error
        self._settings = settings
        self._apprise: Any = apprise.Apprise()
        self._types = {"critical": apprise.NotifyType.FAILURE, "warning": apprise.NotifyType.WARNING}
        self._resolved = apprise.NotifyType.SUCCESS
        self._format = apprise.NotifyFormat.TEXT
        if not self._apprise.add(settings.url.reveal()):
            raise SinkRejected("url: Apprise knows no such address")

    def send(self, alert: Alert) -> Said:
        """Notify; Apprise escapes text where a service reads another format."""
        message = message_of(alert, self._settings.link)
        taken = self._apprise.notify(
            title=message.headline,
            body=message.plain(),
            notify_type=self._resolved if alert.state == "resolved" else self._types[alert.severity],
            body_format=self._format,
            interpret_escapes=False,
        )
        if not taken:
            raise SinkUnavailable("Apprise could not deliver it, and does not say why")
        return Said("Apprise delivered it")

    def close(self) -> None:
        """Nothing is kept open."""
