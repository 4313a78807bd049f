"""GitHub Actions: a `repository_dispatch` event, which starts the workflows that wait for its type.

GitHub does not deduplicate: a request whose answer was lost starts the workflow twice. The workflow sets
`concurrency: {group: "${{ github.event.client_payload.dedupe_key }}"}` and looks for an earlier run of the key.

Source: https://docs.github.com/rest/repos/repos#create-a-repository-dispatch-event: the type has at most 100
characters, the payload at most 10 properties at its top.
"""

from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta

from sinks.messages.retraining import Retraining
from sinks.messages.said import Said, said
from sinks.messages.settings import TriggerSettings, Url
from sinks.secret import Secret
from sinks.settings import Form, FormError

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination


def _repository(text: str) -> str:
    owner, _, name = text.partition("/")
    if not all(part and part.strip(".") and part.replace("-", "").replace("_", "").replace(".", "").isalnum()
               for part in (owner, name)) or not text.isascii():  # fmt: skip
        raise FormError("expected owner/name")
    return text


_REPOSITORY = Form(expected="owner/name", read=_repository)


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """Which repository."""

    repository: Annotated[str, Meta(extra={"form": _REPOSITORY})]
    token: Secret[str]
    """Fine-grained, with "Contents: write" on the repository."""
    event_type: Annotated[str, Meta(min_length=1, max_length=100)] = "driftline-retraining"
    url: Url = "https://api.github.com"
    """Of a GitHub Enterprise Server: ``https://github.example/api/v3``."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, GitHub(self.client(self.token.reveal()), self))

    def where(self) -> str:
        """The repository."""
        return f"{self.repository} at {self.url}"


class GitHub:
    """Dispatches events."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings

    def send(self, request: Retraining) -> Said:
        """Dispatch it; GitHub answers 204, and does not say which workflows start."""
        settings = self._settings
        headers = {
            "Accept": "application/vnd.github+json",
            "Authorization": f"Bearer {settings.token.reveal()}",
            "X-GitHub-Api-Version": "2022-11-28",
        }
        url = f"{settings.url}/repos/{settings.repository}/dispatches"
        body = {"event_type": settings.event_type, "client_payload": payload_of(request)}
        return said(self._client.call("POST", url, body=body, headers=headers))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()


def payload_of(request: Retraining) -> dict[str, Any]:
    """What workflows are told: seven properties, the last of which is all of the request as JSON."""
    return {
        "model": request.model,
        "version": request.version,
        "reason": request.reason,
        "training_window": msgspec.to_builtins(request.training_window),
        "dedupe_key": request.dedupe_key,
        "test": request.test,
        "request": msgspec.json.encode(request.data()).decode(),
    }
