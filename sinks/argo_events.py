"""Argo Events: the webhook of an event source, whose sensor submits a workflow.

Argo Events does not deduplicate. The body is a CloudEvent whose `data.run_id` is made from the dedupe key and is a name
that Kubernetes takes. The sensor puts it into the workflow's `metadata.name`: a second one of that name is refused.

Source: https://argoproj.github.io/argo-events/eventsources/setup/webhook/
"""

from typing import TYPE_CHECKING, Final

from msgspec import field

from sinks.messages.cloud_event import CONTENT_TYPE, cloud_event
from sinks.messages.identity import run_id
from sinks.messages.retraining import Retraining
from sinks.messages.said import Said, said
from sinks.messages.settings import TriggerSettings, UrlWithOptions
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination

# A label of Kubernetes, which a workflow's name becomes.
_MOST: Final = 63


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """The event source's endpoint."""

    url: Secret[UrlWithOptions]
    """With its path, such as ``https://argo-events.example/retraining``."""
    token: Secret[str] = field(default_factory=lambda: Secret(""))
    """What the event source's `authSecret` holds."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, ArgoEvents(self.client(self.url.reveal(), self.token.reveal()), self))


class ArgoEvents:
    """Posts events."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._url = settings.url.reveal()
        token = settings.token.reveal()
        # The body is read by sensors as JSON by its content type, in structured mode as well.
        self._headers = {"Content-Type": CONTENT_TYPE, **({"Authorization": f"Bearer {token}"} if token else {})}

    def send(self, request: Retraining) -> Said:
        """POST it."""
        event = cloud_event(request)
        event["data"] = {**event["data"], "run_id": run_id(request.dedupe_key, most=_MOST, allowed="a-z0-9-")}
        return said(self._client.call("POST", self._url, body=event, headers=self._headers))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()
