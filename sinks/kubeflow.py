"""Kubeflow Pipelines v2: a run of a pipeline's version, looked up by its name first.

The API has no idempotency of its own: the run's name is made from the dedupe key, and none is made where one of that
name is there. Two senders at once can still make two, as with Dagster (`sinks.dagster`); the pipeline's first step can
look for an older run of its own name.

Source: https://www.kubeflow.org/docs/components/pipelines/reference/api/kubeflow-pipeline-api-spec/
"""

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import msgspec
from msgspec import field

from sinks.messages.identity import run_id
from sinks.messages.retraining import Retraining
from sinks.messages.said import Said, said
from sinks.messages.settings import TriggerSettings, Url
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """Which pipeline."""

    url: Url
    """Of the API server, without `/apis`."""
    pipeline_id: str
    pipeline_version_id: str = ""
    """"": the newest."""
    experiment_id: str = ""
    """"": the default one."""
    namespace: str = ""
    """Of a multi-user installation."""
    parameter: str = "request"
    """The pipeline's parameter, a text, that takes the request as JSON."""
    token: Secret[str] = field(default_factory=lambda: Secret(""))
    """Sent as `Authorization: Bearer`."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, Kubeflow(self.client(self.token.reveal()), self))

    def where(self) -> str:
        """Pipeline and server."""
        return f"pipeline {self.pipeline_id} at {self.url}"


class Kubeflow:
    """Makes runs."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        token = settings.token.reveal()
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}
        self._runs = f"{settings.url}/apis/v2beta1/runs"

    def send(self, request: Retraining) -> Said:
        """Look for the run, then make it."""
        settings = self._settings
        name = run_id(request.dedupe_key)
        wanted = {"predicates": [{"key": "name", "operation": "EQUALS", "string_value": name}]}
        query = {
            "filter": msgspec.json.encode(wanted).decode(),
            "page_size": "1",
            **({"experiment_id": settings.experiment_id} if settings.experiment_id else {}),
            **({"namespace": settings.namespace} if settings.namespace else {}),
        }
        answer = self._client.call("GET", f"{self._runs}?{urlencode(query)}", headers=self._headers)
        found = answer.json()
        runs = found.get("runs") if isinstance(found, dict) else None
        if runs:
            return said(answer, f"the run {runs[0].get('run_id')} is there already", known=True)
        reference = {"pipeline_id": settings.pipeline_id}
        if settings.pipeline_version_id:
            reference["pipeline_version_id"] = settings.pipeline_version_id
        text = msgspec.json.encode(request.data()).decode()
        body = {
            "display_name": name,
            "description": request.reason[:1000],
            "pipeline_version_reference": reference,
            "runtime_config": {"parameters": {settings.parameter: text}},
            **({"experiment_id": settings.experiment_id} if settings.experiment_id else {}),
        }
        return said(self._client.call("POST", self._runs, body=body, headers=self._headers))

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()
