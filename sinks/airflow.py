"""Apache Airflow 3: a run of a DAG by the REST API v2, once a request.

`dag_run_id` is made from the dedupe key, so that Airflow itself refuses the duplicate: 409 means that the run is there.

Source: https://airflow.apache.org/docs/apache-airflow/stable/stable-rest-api-ref.html
"""

from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from msgspec import field

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
_ALLOWED: Final = "A-Za-z0-9_.~:+-"


class Settings(TriggerSettings, frozen=True, kw_only=True):
    """Which DAG, and who asks: a token, or a user for whom one is fetched, and fetched again when it is over."""

    url: Url
    """Of the API server, without `/api/v2`."""
    dag_id: str
    username: str = ""
    password: Secret[str] = field(default_factory=lambda: Secret(""))
    token: Secret[str] = field(default_factory=lambda: Secret(""))

    def __post_init__(self) -> None:
        """Check that there is one way to log in."""
        if bool(self.username) == bool(self.token.reveal()):
            raise ValueError("a token is needed, or a username with its password, and not both")

    def open(self) -> "MessageDestination":
        """The destination."""
        from sinks.messages.destination import retraining_destination

        return retraining_destination(self, Airflow(self.client(self.password.reveal(), self.token.reveal()), self))

    def where(self) -> str:
        """DAG and server."""
        return f"DAG {self.dag_id} at {self.url}"


class Airflow:
    """Makes DAG runs."""

    def __init__(self, client: "HttpClient", settings: Settings) -> None:
        self._client = client
        self._settings = settings
        self._token = settings.token.reveal()

    def send(self, request: Retraining) -> Said:
        """Make the run; that it is there already is as good."""
        answer = self._post(request)
        if answer.status == _UNAUTHORIZED and self._settings.username:
            self._token = ""  # they live for a day
            answer = self._post(request)
        if answer.status == _EXISTS:
            return said(answer, f"the run {_id(request)} is there already", known=True)
        self._client.check(answer, f"DAG {self._settings.dag_id}")
        return said(answer, f"run {_id(request)}")

    def close(self) -> None:
        """Let go of the connection."""
        self._client.close()

    def _post(self, request: Retraining) -> "Answer":
        # `logical_date` must be there, and null means that the run stands for no date of the DAG's schedule.
        body = {"dag_run_id": _id(request), "logical_date": None, "conf": request.data()}
        dag = quote(self._settings.dag_id, safe="")
        headers = {"Authorization": f"Bearer {self._token or self._log_in()}"}
        return self._client.request(
            "POST", f"{self._settings.url}/api/v2/dags/{dag}/dagRuns", body=body, headers=headers
        )

    def _log_in(self) -> str:
        body = {"username": self._settings.username, "password": self._settings.password.reveal()}
        answer = self._client.request("POST", f"{self._settings.url}/auth/token", body=body)
        told = answer.json()
        token = told.get("access_token") if isinstance(told, dict) else None
        if outcome_of(answer.status) is not Outcome.ACCEPTED or not isinstance(token, str):
            # No message is at fault, whatever the status.
            shown = str(answer.status) if token else str(answer)
            raise SinkUnavailable(f"{self._settings.url}/auth/token: {self._client.scrub(shown)}")
        self._token = token
        return token


def _id(request: Retraining) -> str:
    return run_id(request.dedupe_key, most=200, allowed=_ALLOWED)
