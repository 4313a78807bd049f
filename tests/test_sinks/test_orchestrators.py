"""Airflow, Prefect and Dagster themselves start a run from our request, and refuse the duplicate."""

import json
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from support.alerts import request_row, requests
from support.orchestrators import orchestrator, pipeline_folder, started, variables
from support.ports import free_port
from support.waiting import wait_for

from sinks import airflow, dagster, prefect
from sinks.destination import Destination
from sinks.errors import SinkUnavailable
from sinks.http.client import HttpClient
from sinks.messages.retraining import Retraining, read_retraining
from sinks.secret import Secret

pytestmark = pytest.mark.long

REPORTED = "retraining/flights/3/10 --status succeeded --version 3+1036800000\n"


class Orchestrator(NamedTuple):
    """A server that runs: its address, its commands, the folder of the pipelines, and its environment."""

    url: str
    bin: Path
    folder: Path
    environment: dict[str, str]

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Any:
        client = HttpClient(timeout_s=30)
        try:
            return client.call(method, f"{self.url}{path}", body=body, headers=headers).json()
        finally:
            client.close()


def answers(url: str) -> Callable[[], bool]:
    def ready() -> bool:
        client = HttpClient(timeout_s=2)
        try:
            return client.request("GET", url).status == 200
        except SinkUnavailable:
            return False
        finally:
            client.close()

    return ready


def deliver(destination: Destination, **values: Any) -> None:
    written = destination.write([requests(request_row(**values))])
    assert (written.left, written.dropped) == ((), ()), (written.because, written.dropped)


def at_once(make: Callable[[], Any], request: Retraining, n: int = 4) -> list[str]:
    """What `n` senders are told that send one request at once; those that are told to wait try again."""

    def send(sender: Any) -> str:
        for _ in range(50):
            try:
                return str(sender.send(request).text)
            except SinkUnavailable as error:
                said = error
        raise said

    with ThreadPoolExecutor(n) as pool:
        return list(pool.map(send, [make() for _ in range(n)]))


# Airflow --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running_airflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    folder = tmp_path_factory.mktemp("airflow")
    commands = orchestrator("airflow")
    own = pipeline_folder(folder / "dags")
    (folder / "passwords.json").write_text(json.dumps({"driftline": "hunter2"}))
    environment = variables(
        folder,
        AIRFLOW_HOME=str(folder),
        AIRFLOW__CORE__LOAD_EXAMPLES="False",
        AIRFLOW__CORE__DAGS_FOLDER=str(folder / "dags"),
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS="driftline:admin",
        AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE=str(folder / "passwords.json"),
        PATH=f"{commands}:/usr/bin:/bin",
        **own,
    )
    for arguments in (["db", "migrate"], ["dags", "reserialize"]):
        done = subprocess.run(
            [str(commands / "airflow"), *arguments], env=environment, capture_output=True, text=True, timeout=200,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-2000:]
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [str(commands / "airflow"), "api-server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    with started(command, folder, environment, answers(f"{url}/api/v2/version")):
        yield Orchestrator(url, commands, folder / "dags", environment)


def test_airflow_starts_one_run_a_request(running_airflow: Orchestrator) -> None:
    settings = airflow.Settings(
        url=running_airflow.url,
        dag_id="driftline_retraining",
        username="driftline",
        password=Secret("hunter2"),
        timeout_ms=30_000,
    )
    destination = settings.open()
    deliver(destination)
    deliver(destination)
    said = at_once(lambda: airflow.Airflow(settings.client(), settings), read_retraining(request_row(dedupe_key="é/2")))
    destination.close()
    assert sorted("there already" in one for one in said) == [False, True, True, True]
    body = {"username": "driftline", "password": "hunter2"}
    token = running_airflow.ask("POST", "/auth/token", body)["access_token"]
    path = "/api/v2/dags/driftline_retraining/dagRuns"
    runs = running_airflow.ask("GET", path, Authorization=f"Bearer {token}")["dag_runs"]
    assert sorted(run["conf"]["dedupe_key"] for run in runs) == ["retraining/flights/3/10", "é/2"]


def test_a_dag_that_airflow_does_not_have_drops_the_request_with_its_words(running_airflow: Orchestrator) -> None:
    destination = airflow.Settings(
        url=running_airflow.url, dag_id="none", username="driftline", password=Secret("hunter2"), timeout_ms=30_000
    ).open()
    written = destination.write([requests()])
    destination.close()
    assert "404" in written.dropped[0].reason


def test_a_password_that_airflow_refuses_keeps_the_request(running_airflow: Orchestrator) -> None:
    destination = airflow.Settings(
        url=running_airflow.url, dag_id="driftline_retraining", username="driftline", password=Secret("wrong")
    ).open()
    written = destination.write([requests()])
    destination.close()
    assert len(written.left) == 1
    assert "401" in str(written.because)


def test_the_example_for_airflow_trains_on_the_window_and_reports(running_airflow: Orchestrator) -> None:
    conf = json.dumps(read_retraining(request_row()).data())
    command = [str(running_airflow.bin / "airflow"), "dags", "test", "driftline_retraining", "-c", conf]
    done = subprocess.run(
        command, env=running_airflow.environment, capture_output=True, text=True, timeout=200, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    check_example(running_airflow.folder)


def check_example(folder: Path) -> None:
    """The model is of the two days of the window, and the outcome was reported once."""
    assert (folder / "reports").read_text() == REPORTED
    model = json.loads((folder / "models" / "3+1036800000.json").read_text())
    assert (model["n_rows"], model["shares"]) == (2, {"no": 0.5, "yes": 0.5})


# Prefect --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running_prefect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    folder = tmp_path_factory.mktemp("prefect")
    commands = orchestrator("prefect")
    port = free_port()
    url = f"http://127.0.0.1:{port}/api"
    environment = variables(
        folder,
        PREFECT_HOME=str(folder),
        PREFECT_API_URL=url,
        PREFECT_SERVER_ANALYTICS_ENABLED="false",
        PATH=f"{commands}:/usr/bin:/bin",
        **pipeline_folder(folder / "flows"),
    )
    command = [
        str(commands / "prefect"), "server", "start", "--no-ui", "--host", "127.0.0.1", "--port", str(port),
    ]  # fmt: skip
    with started(command, folder, environment, answers(f"{url}/health")):
        yield Orchestrator(url, commands, folder / "flows", environment)


def test_prefect_starts_one_run_a_request(running_prefect: Orchestrator) -> None:
    flow = running_prefect.ask("POST", "/flows/", {"name": "driftline-retraining"})
    deployed = {"name": "prod", "flow_id": flow["id"], "entrypoint": "prefect_flow.py:driftline_retraining"}
    settings = prefect.Settings(url=running_prefect.url, deployment="driftline-retraining/prod", timeout_ms=30_000)
    destination = settings.open()
    early = destination.write([requests()])
    assert len(early.left) == 1
    assert "no deployment" in str(early.because)
    running_prefect.ask("POST", "/deployments/", deployed)
    deliver(destination)
    deliver(destination)
    said = at_once(lambda: prefect.Prefect(settings.client(), settings), read_retraining(request_row(dedupe_key="é/2")))
    destination.close()
    assert len({one.split()[2] for one in said}) == 1  # one run, whoever was told that it made it
    runs = running_prefect.ask("POST", "/flow_runs/filter", {})
    assert sorted(run["idempotency_key"] for run in runs) == ["retraining/flights/3/10", "é/2"]
    assert runs[0]["parameters"]["request"]["training_window"] == {"start_ms": 864000000, "end_ms": 1036800000}


def test_the_example_for_prefect_trains_on_the_window_and_reports(running_prefect: Orchestrator) -> None:
    request = json.dumps(read_retraining(request_row()).data())
    code = "import json, sys, prefect_flow; prefect_flow.driftline_retraining(json.loads(sys.argv[1]))"
    done = subprocess.run(
        [str(running_prefect.bin / "python"), "-c", code, request], cwd=running_prefect.folder,
        env=running_prefect.environment, capture_output=True, text=True, timeout=200, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    check_example(running_prefect.folder)


# Dagster --------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def running_dagster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Orchestrator]:
    folder = tmp_path_factory.mktemp("dagster")
    commands = orchestrator("dagster")
    own = pipeline_folder(folder / "code")
    # Runs start at once: the coordinator that is the default leaves them to a daemon.
    coordinator = "run_coordinator: {module: dagster.core.run_coordinator, class: DefaultRunCoordinator}\n"
    (folder / "dagster.yaml").write_text("telemetry: {enabled: false}\n" + coordinator)
    environment = variables(folder, DAGSTER_HOME=str(folder), PATH=f"{commands}:/usr/bin:/bin", **own)
    port = free_port()
    command = [
        str(commands / "dagster-webserver"), "-f", str(folder / "code" / "dagster_defs.py"), "-h", "127.0.0.1", "-p",
        str(port),
    ]  # fmt: skip
    url = f"http://127.0.0.1:{port}"
    with started(command, folder, environment, answers(f"{url}/server_info")):
        yield Orchestrator(url, commands, folder / "code", environment)


def runs_of(orchestrator: Orchestrator) -> list[Any]:
    query = "{ runsOrError { ... on Runs { results { status tags { key value } } } } }"
    found: list[Any] = orchestrator.ask("POST", "/graphql", {"query": query})["data"]["runsOrError"]["results"]
    return found


def dagster_settings(orchestrator: Orchestrator, **values: Any) -> dagster.Settings:
    return dagster.Settings(
        url=orchestrator.url,
        job="driftline_retraining",
        location="dagster_defs.py",
        timeout_ms=60_000,
        **{"op": "train_and_report", **values},
    )


def test_dagster_launches_one_run_a_request_which_trains_and_reports(running_dagster: Orchestrator) -> None:
    destination = dagster_settings(running_dagster).open()
    deliver(destination)
    deliver(destination)
    destination.close()
    runs = runs_of(running_dagster)
    assert [{"key": dagster.TAG, "value": "retraining/flights/3/10"} in run["tags"] for run in runs] == [True]
    done = lambda: runs_of(running_dagster)[0]["status"] in ("SUCCESS", "FAILURE")  # noqa: E731
    wait_for(done, "the run to end", 240)
    assert runs_of(running_dagster)[0]["status"] == "SUCCESS"
    check_example(running_dagster.folder)


def test_what_dagster_refuses_in_a_request_drops_it_with_its_words(running_dagster: Orchestrator) -> None:
    destination = dagster_settings(running_dagster, op="no_such_op").open()
    written = destination.write([requests(request_row(dedupe_key="refused"))])
    destination.close()
    assert "RunConfigValidationInvalid" in written.dropped[0].reason


def test_a_job_that_dagster_does_not_have_keeps_the_request(running_dagster: Orchestrator) -> None:
    settings = dagster.Settings(url=running_dagster.url, job="none", location="dagster_defs.py", timeout_ms=60_000)
    destination = settings.open()
    written = destination.write([requests(request_row(dedupe_key="kept"))])
    destination.close()
    assert len(written.left) == 1
    assert "PipelineNotFoundError" in str(written.because)
