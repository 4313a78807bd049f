"""Prometheus Alertmanager, API v2: an alert fires until it is resolved, and Alertmanager groups, routes and silences.

Labels are an alert's identity there, and severity is one of them, since routes ask for it. An alert that has changed
its severity would be another one, so that each message fires the alert under its severity and resolves it under the
other; to resolve what does not fire tells nobody. To send a message again changes nothing.

An alert starts when it is first sent, and not at its onset: a group that holds an alert older than its `group_wait` is
told at once, and would be told again of each further alert. Of overlapping starts Alertmanager keeps the first.

Alertmanager forgets alerts when it is restarted; senders such as Prometheus repeat theirs. Driftline tells of one when
it is updated, or resolved.

Source: https://github.com/prometheus/alertmanager/blob/main/api/v2/openapi.yaml
"""

import re
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from msgspec import field

from sinks.messages.alert import Alert
from sinks.messages.cloud_event import rfc3339
from sinks.messages.said import Said, said
from sinks.messages.settings import AlertHttpSettings, Url
from sinks.messages.text import clean, message_of
from sinks.secret import Secret
from sinks.settings import Pause

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination

_LABEL: Final = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_OWN: Final = ("alertname", "model", "version", "cause", "severity", "dedupe_key")
_SEVERITIES: Final = ("warning", "critical")


class Settings(AlertHttpSettings, frozen=True, kw_only=True):
    """Where Alertmanager is."""

    url: Url
    """Without `/api/v2`, such as ``http://alertmanager:9093``."""
    labels: dict[str, str] = field(default_factory=dict)
    """Added to every alert, for routes; names are of a-z, A-Z, 0-9 and ``_``."""
    expires_ms: Pause = field(name="expires", default=30 * 86_400_000)
    """An open alert that is not updated for so long ends there by itself."""
    username: str = ""
    """For basic authentication, as a proxy may want it."""
    password: Secret[str] = field(default_factory=lambda: Secret(""))
    token: Secret[str] = field(default_factory=lambda: Secret(""))
    """Sent as `Authorization: Bearer`."""

    def __post_init__(self) -> None:
        """Check the labels."""
        for name in self.labels:
            if not _LABEL.fullmatch(name) or name in _OWN:
                raise ValueError(f"labels: {clean(name, 40)!r} is no name of a label, or is Driftline's own")

    def open(self) -> "MessageDestination":
        """The destination."""
        import urllib3

        from sinks.messages.destination import alert_destination

        token, password = self.token.reveal(), self.password.reveal()
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        if self.username:
            headers = urllib3.make_headers(basic_auth=f"{self.username}:{password}")
        client = self.client(token, password)
        return alert_destination(self, Alertmanager(client, self, headers))

    def where(self) -> str:
        """The address."""
        return self.url


class Alertmanager:
    """Posts alerts; `now_s` are seconds since 1970."""

    def __init__(
        self,
        client: "HttpClient",
        settings: Settings,
        headers: Mapping[str, str],
        now_s: Callable[[], float] = time.time,
    ) -> None:
        self._client = client
        self._settings = settings
        self._headers = headers
        self._now_s = now_s

    def send(self, alert: Alert) -> Said:
        """POST the alert in both severities, one firing or none."""
        body = alerts_of(alert, self._settings, int(self._now_s() * 1000))
        return said(self._client.call("POST", f"{self._settings.url}/api/v2/alerts", body=body, headers=self._headers))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def alerts_of(alert: Alert, settings: Settings, now_ms: int) -> list[dict[str, Any]]:
    """The body: what fires until it expires, and what is over now. No end lies before its start."""
    message = message_of(alert, settings.link)
    annotations = {
        "summary": message.headline,
        "description": message.plain(),
        "recommendation": message.recommendation,
        "onset": rfc3339(alert.onset_ms),
    }
    labels = {
        **settings.labels,
        "alertname": "DriftlineTest" if alert.test else "Driftline",
        "model": clean(alert.model),
        "version": clean(alert.version),
        "cause": alert.cause,
        "dedupe_key": clean(alert.dedupe_key),
    }
    return [
        {
            "labels": {name: value for name, value in {**labels, "severity": severity}.items() if value},
            "annotations": {name: value for name, value in annotations.items() if value},
            "startsAt": rfc3339(now_ms - 1),
            "endsAt": rfc3339(now_ms + settings.expires_ms if _fires(alert, severity) else now_ms),
            **({"generatorURL": message.link} if message.link else {}),
        }
        for severity in _SEVERITIES
    ]


def _fires(alert: Alert, severity: str) -> bool:
    return alert.state != "resolved" and severity == alert.severity
