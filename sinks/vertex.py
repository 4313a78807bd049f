"""Vertex AI Pipelines: a job from a template, once a request: `pip install driftline[vertex]`.

The job's id is made from the dedupe key, so that Google itself refuses the duplicate: 409 means that the job is there.
The official client is heavy; this is its one REST call, with `google-auth` for tokens. Credentials come from where
Google's own tools find them.

Source: https://cloud.google.com/vertex-ai/docs/reference/rest/v1/projects.locations.pipelineJobs/create
"""

from typing import TYPE_CHECKING, Annotated, Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Meta, field

from sinks.errors import SinkRejected, SinkUnavailable
from sinks.messages.identity import run_id
from sinks.messages.retraining import Retraining
from sinks.messages.said import Said, said
from sinks.messages.settings import URL_FORM, TriggerSettings
from sinks.secret import Secret
from sinks.settings import Form

if TYPE_CHECKING:
    from sinks.http.client import HttpClient
    from sinks.messages.destination import MessageDestination

_EXISTS: Final = 409
_SCOPE: Final = "https://www.googleapis.com/auth/cloud-platform"

_ENDPOINT: Final = Form(expected=URL_FORM.expected, read=lambda text: URL_FORM.read(text) if text else "")


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """Which template, and where it runs."""

    project: str
    region: str
    template_uri: str
    """Of a compiled pipeline, such as ``https://europe-kfp.pkg.dev/project/repository/train/v1``."""
    output: str
    """A folder of Cloud Storage for what the job leaves, ``gs://...``."""
    service_account: str = ""
    parameter: str = "request"
    """The pipeline's parameter, a text, that takes the request as JSON."""
    token: Secret[str] = field(default_factory=lambda: Secret(""))
    """An access token; "": one is fetched, and fetched again when it is over."""
    url: Annotated[str, Meta(extra={"form": _ENDPOINT})] = ""
    """"":  ``https://REGION-aiplatform.googleapis.com``."""

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, Vertex(self.client(self.token.reveal()), self))

    def where(self) -> str:
        """The template."""
        return f"{self.template_uri} in {self.project}, {self.region}"


class Vertex:
    """Makes pipeline jobs."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._credentials: Any = None
        base = settings.url or f"https://{settings.region}-aiplatform.googleapis.com"
        parent = f"projects/{quote(settings.project, safe='')}/locations/{quote(settings.region, safe='')}"
        self._jobs = f"{base}/v1/{parent}/pipelineJobs"
        if not settings.token.reveal():
            self._credentials = _credentials()

    def send(self, request: Retraining) -> Said:
        """Make the job; that it is there already is as good."""
        job = run_id(request.dedupe_key, allowed="a-z0-9-")
        text = msgspec.json.encode(request.data()).decode()
        settings = self._settings
        body = {
            "displayName": job,
            "templateUri": settings.template_uri,
            "runtimeConfig": {
                "gcsOutputDirectory": settings.output,
                "parameterValues": {settings.parameter: text},
            },
            **({"serviceAccount": settings.service_account} if settings.service_account else {}),
        }
        headers = {"Authorization": f"Bearer {self._token()}"}
        answer = self._client.call(
            "POST", f"{self._jobs}?pipelineJobId={job}", body=body, headers=headers, accept=(_EXISTS,)
        )
        if answer.status == _EXISTS:
            return said(answer, f"the job {job} is there already", known=True)
        return said(answer, f"job {job}")

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _token(self) -> str:
        if self._credentials is None:
            return self._settings.token.reveal()
        import google.auth.exceptions
        from google.auth.transport.urllib3 import Request

        if not self._credentials.valid:
            import urllib3

            try:
                self._credentials.refresh(Request(urllib3.PoolManager()))  # type: ignore[no-untyped-call]  # untyped there
            except google.auth.exceptions.GoogleAuthError as error:
                raise SinkUnavailable(f"Google gives no token: {type(error).__name__}") from error
        return str(self._credentials.token)


def _credentials() -> Any:
    try:
        import google.auth
        import google.auth.exceptions
    except ImportError as error:
        raise SinkRejected("the package google-auth is missing: pip install 'driftline[vertex]'") from error
    try:
        found, _ = google.auth.default(scopes=[_SCOPE])
    except google.auth.exceptions.GoogleAuthError as error:
        raise SinkRejected(f"no credentials of Google's: {error}") from error
    return found
