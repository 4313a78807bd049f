"""Dagster: a run of a job by GraphQL `launchRun`, looked up first.

Dagster has no idempotency of its own. A run carries the dedupe key as the tag `driftline/dedupe_key`, and none is
launched where one with that tag is there. **Two senders at once can still launch two**: there is one consumer group a
destination and one worker a partition, so that this needs a worker that was thought dead and was not. A job that must
not run twice looks for an older run with its tag first, as `docs/pipelines/dagster_defs.py` does.

Source: https://docs.dagster.io/api/graphql
"""

from typing import TYPE_CHECKING, Any, Final

from msgspec import field

from sinks.errors import MessageFailed, MessageRefused, SinkUnavailable
from sinks.http.classify import Outcome, outcome_of
from sinks.messages.retraining import Retraining
from sinks.messages.said import Said
from sinks.messages.settings import TriggerSettings, Url
from sinks.secret import Secret

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination

TAG: Final = "driftline/dedupe_key"
_LOOK: Final = """query($filter: RunsFilter!) { runsOrError(filter: $filter, limit: 1) {
  __typename ... on Runs { results { runId } }
  ... on PythonError { message } ... on InvalidPipelineRunsFilterError { message }
} }"""
_LAUNCH: Final = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename ... on LaunchRunSuccess { run { runId } } ... on Error { message }
  ... on RunConfigValidationInvalid { errors { message } }
} }"""
# What is wrong with the request itself, whatever the time.
_REFUSED: Final = frozenset({"RunConfigValidationInvalid", "InvalidSubsetError", "PresetNotFoundError"})


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """Which job of which code location."""

    url: Url
    """Of the webserver, without `/graphql`."""
    job: str
    repository: str = "__repository__"
    """``__repository__`` where the location has `Definitions`."""
    location: str
    """The code location's name, as Dagster's page shows it."""
    op: str = ""
    """The op whose config takes the request as `request`; "": the job finds it in the tag `driftline/request` alone."""
    token: Secret[str] = field(default_factory=lambda: Secret(""))
    """Of Dagster+."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, Dagster(self.client(self.token.reveal()), self))

    def where(self) -> str:
        """Job and server."""
        return f"job {self.job} at {self.url}"


class Dagster:
    """Launches runs."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        token = settings.token.reveal()
        self._headers = {"Dagster-Cloud-Api-Token": token} if token else {}

    def send(self, request: Retraining) -> Said:
        """Look for the run, then launch it."""
        import msgspec

        tag = {"key": TAG, "value": request.dedupe_key}
        runs = self._ask(_LOOK, {"filter": {"tags": [tag]}}, "runsOrError")
        if runs.get("__typename") != "Runs":
            raise MessageFailed(f"{self._settings.url}: {runs.get('__typename')}: {runs.get('message', '')}")
        if runs.get("results"):
            return Said(f"the run {runs['results'][0].get('runId')} is there already", 200, known=True)
        settings = self._settings
        text = msgspec.json.encode(request.data()).decode()
        parameters = {
            "selector": {
                "jobName": settings.job,
                "repositoryName": settings.repository,
                "repositoryLocationName": settings.location,
            },
            "runConfigData": {"ops": {settings.op: {"config": {"request": text}}}} if settings.op else {},
            "executionMetadata": {"tags": [tag, {"key": "driftline/request", "value": text}]},
        }
        launched = self._ask(_LAUNCH, {"params": parameters}, "launchRun")
        kind = str(launched.get("__typename"))
        if kind == "LaunchRunSuccess":
            return Said(f"run {launched['run']['runId']} was launched", 200)
        said = launched.get("message") or "; ".join(str(e.get("message")) for e in launched.get("errors", ()))
        words = self._client.scrub(f"{self._settings.url}: {kind}: {said}")[:500]
        raise MessageRefused(words) if kind in _REFUSED else MessageFailed(words)

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _ask(self, query: str, variables: dict[str, Any], name: str) -> dict[str, Any]:
        """The part `name` of the answer's data. Errors of GraphQL come with the statuses 200, 400 and 500."""
        body = {"query": query, "variables": variables}
        answer = self._client.request("POST", f"{self._settings.url}/graphql", body=body, headers=self._headers)
        said = answer.json()
        data = said.get("data") if isinstance(said, dict) else None
        found = data.get(name) if isinstance(data, dict) else None
        if isinstance(found, dict):
            return found
        if isinstance(said, dict) and said.get("errors"):
            # The query does not fit this release of Dagster: a person is needed, and no request is at fault.
            raise SinkUnavailable(f"{self._settings.url}/graphql: {self._client.scrub(str(answer))}")
        if outcome_of(answer.status) is Outcome.ACCEPTED:
            raise SinkUnavailable(f"{self._settings.url}/graphql: an answer that is none of GraphQL: {answer}")
        self._client.check(answer, f"{self._settings.url}/graphql")
        raise AssertionError("check raises")
