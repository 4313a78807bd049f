"""ZenML: a run of a pipeline's snapshot by the server's REST API, looked up by its name first.

Names of runs are unique in a ZenML project, so that a duplicate that was not found is refused by the server itself.
To run snapshots over the API is a feature of ZenML Pro.

Source: https://docs.zenml.io/concepts/snapshots, https://docs.zenml.io/api-reference/oss-api
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import quote, urlencode

import msgspec

from sinks.errors import SinkUnavailable
from sinks.http.classify import Outcome, outcome_of
from sinks.messages.identity import run_id
from sinks.messages.retraining import Retraining
from sinks.messages.said import Said, said
from sinks.messages.settings import TriggerSettings, Url
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import Answer, HttpClient
    from sinks.messages.destination import MessageDestination

_EXISTS: Final = 409
_UNAUTHORIZED: Final = 401


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """Which snapshot, and who asks."""

    url: Url
    """Of the server, without `/api/v1`."""
    snapshot_id: str
    api_key: Secret[str]
    """Of a service account; a token is fetched with it."""
    parameter: str = "request"
    """The pipeline's parameter, a text, that takes the request as JSON."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, ZenML(self.client(self.api_key.reveal()), self))

    def where(self) -> str:
        """Snapshot and server."""
        return f"snapshot {self.snapshot_id} at {self.url}"


class ZenML:
    """Runs snapshots."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._token = ""

    def send(self, request: Retraining) -> Said:
        """Look for the run, then make it."""
        name = run_id(request.dedupe_key)
        found = self._ask("GET", f"runs?{urlencode({'name': name, 'size': 1})}")
        self._client.check(found, f"{self._settings.url}/api/v1/runs")
        told = found.json()
        if isinstance(told, dict) and told.get("items"):
            return said(found, f"the run {told['items'][0].get('id')} is there already", known=True)
        text = msgspec.json.encode(request.data()).decode()
        path = f"pipeline_snapshots/{quote(self._settings.snapshot_id, safe='')}/runs"
        body = {"run_configuration": {"run_name": name, "parameters": {self._settings.parameter: text}}}
        answer = self._ask("POST", path, body)
        if answer.status == _EXISTS:
            return said(answer, f"the run {name} is there already", known=True)
        self._client.check(answer, f"{self._settings.url}/api/v1/{path}")
        return said(answer)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _ask(self, method: str, path: str, body: object = None) -> "Answer":
        url = f"{self._settings.url}/api/v1/{path}"
        answer = self._client.request(method, url, body=body, headers=self._authorized())
        if answer.status == _UNAUTHORIZED:
            self._token = ""
            answer = self._client.request(method, url, body=body, headers=self._authorized())
        return answer

    def _authorized(self) -> dict[str, str]:
        if not self._token:
            url = f"{self._settings.url}/api/v1/login"
            form = urlencode({"grant_type": "zenml-api-key", "password": self._settings.api_key.reveal()}).encode()
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            answer = self._client.request("POST", url, content=form, headers=headers)
            told = answer.json()
            token = told.get("access_token") if isinstance(told, dict) else None
            if outcome_of(answer.status) is not Outcome.ACCEPTED or not isinstance(token, str):
                raise SinkUnavailable(f"{url}: {self._client.scrub(str(answer.status))}; mend api_key")
            self._token = token
        return {"Authorization": f"Bearer {self._token}"}
