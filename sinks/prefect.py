"""Prefect 3: a run of a deployment, once a request.

Prefect keeps the `idempotency_key` with the run and answers a repeat with the run that is there. Requests at once may
be answered 503 on SQLite, and are sent again.

Source: https://docs.prefect.io/v3/api-ref/rest-api/server/deployments/create-flow-run-from-deployment
"""

from typing import TYPE_CHECKING
from urllib.parse import quote

from msgspec import field

from sinks.errors import MessageRefused, SinkUnavailable
from sinks.messages.identity import run_id
from sinks.messages.retraining import Retraining
from sinks.messages.said import Said
from sinks.messages.settings import TriggerSettings, Url
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """Which deployment."""

    url: Url
    """Of the API, such as ``http://prefect:4200/api`` or ``https://api.prefect.cloud/api/accounts/A/workspaces/W``."""
    deployment: str
    """``flow/deployment``, or its id."""
    api_key: Secret[str] = field(default_factory=lambda: Secret(""))
    """Of Prefect Cloud."""
    parameter: str = "request"
    """The flow's parameter that takes the request."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, Prefect(self.client(self.api_key.reveal()), self))

    def where(self) -> str:
        """Deployment and server."""
        return f"deployment {self.deployment} at {self.url}"


class Prefect:
    """Makes flow runs."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        key = settings.api_key.reveal()
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._id = ""

    def send(self, request: Retraining) -> Said:
        """Make the run; 200 says that it is there already."""
        if not self._id:
            self._id = self._found()
        body = {
            "name": run_id(request.dedupe_key),
            "idempotency_key": request.dedupe_key,
            "parameters": {self._settings.parameter: request.data()},
            "enforce_parameter_schema": False,
            "tags": ["driftline"],
        }
        url = f"{self._settings.url}/deployments/{self._id}/create_flow_run"
        try:
            answer = self._client.call("POST", url, body=body, headers=self._headers)
        except MessageRefused:
            self._id = ""  # it may have been deployed anew, under another id
            raise
        told = answer.json()
        run = told.get("id", "") if isinstance(told, dict) else ""
        known = answer.status == 200
        return Said(f"flow run {run} {'is there already' if known else 'was made'}", answer.status, known)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _found(self) -> str:
        name = self._settings.deployment
        if "/" not in name:
            return quote(name, safe="")
        flow, _, deployment = name.partition("/")
        url = f"{self._settings.url}/deployments/name/{quote(flow, safe='')}/{quote(deployment, safe='')}"
        answer = self._client.call("GET", url, headers=self._headers, accept=(404,))
        told = answer.json()
        if answer.status == 404 or not isinstance(told, dict) or not isinstance(told.get("id"), str):
            # It may be deployed a moment later: the request waits.
            raise SinkUnavailable(f"{self._settings.url}: no deployment {name!r}")
        return str(told["id"])
