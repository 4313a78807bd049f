"""Requests to retrain in the form of each pipeline: what makes a run one, and what is looked up first."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest
from support.alerts import request_row, requests
from support.destinations import is_question, messages, opened, well
from support.http_server import Asked, LocalServer, Reply, serving

from sinks import dagster, github
from sinks.messages.retraining import read_retraining

KEY = "é" * 100 + "/retraining flights"


@pytest.fixture
def server() -> Iterator[LocalServer]:
    with serving(well) as made:
        yield made


def sent(server: LocalServer, name: str, **row: Any) -> Asked:
    """The one message of a request."""
    destination = opened(name, server.url)
    written = destination.write([requests(request_row(dedupe_key=KEY, **row))])
    destination.close()
    assert (written.left, written.dropped) == ((), ())
    (asked,) = messages(server)
    return asked


def outcomes(server: LocalServer, name: str) -> list[str]:
    destination = opened(name, server.url)
    written = destination.write([requests()])
    destination.close()
    assert (written.left, written.dropped) == ((), ())
    return [attempt.outcome for attempt in written.attempts]


def test_airflow_is_given_a_run_id_that_it_takes_and_no_logical_date(server: LocalServer) -> None:
    asked = sent(server, "airflow")
    body = asked.json()
    assert asked.path == "/api/v2/dags/train/dagRuns"
    assert asked.headers["Authorization"] == "Bearer t0ken"
    assert re.fullmatch(r"[A-Za-z0-9_.~:+-]{1,250}", body["dag_run_id"])
    assert body["logical_date"] is None
    assert body["conf"]["dedupe_key"] == KEY


def test_airflow_is_logged_in_to_again_when_its_token_is_over(server: LocalServer) -> None:
    tokens = iter(["old", "new"])

    def respond(asked: Asked) -> Reply:
        if asked.path == "/auth/token":
            return Reply(201, {"access_token": next(tokens)})
        return Reply(401 if "old" in asked.headers["Authorization"] else 200)

    server.respond = respond
    assert outcomes(server, "airflow") == ["accepted"]


@pytest.mark.parametrize("name", ["airflow", "vertex", "zenml"])
def test_a_run_that_is_there_already_is_as_good_as_a_new_one(name: str, server: LocalServer) -> None:
    server.respond = lambda asked: well(asked) if is_question(asked) else Reply(409)
    assert outcomes(server, name) == ["known"]


def found(asked: Asked) -> Reply:
    if asked.path == "/graphql":
        runs = [{"runId": "r0"}]
        return Reply(200, {"data": {"runsOrError": {"__typename": "Runs", "results": runs}}})
    return Reply(200, {"runs": [{"run_id": "r0"}], "items": [{"id": "r0"}]}) if asked.method == "GET" else well(asked)


@pytest.mark.parametrize("name", ["dagster", "kubeflow", "zenml"])
def test_where_a_run_is_found_none_is_made(name: str, server: LocalServer) -> None:
    server.respond = found
    assert outcomes(server, name) == ["known"]
    assert messages(server) == []


@pytest.mark.parametrize("name", ["dagster", "kubeflow", "zenml"])
def test_where_the_look_up_fails_none_is_made(name: str, server: LocalServer) -> None:
    server.respond = lambda asked: Reply(503) if is_question(asked) and "login" not in asked.path else well(asked)
    destination = opened(name, server.url)
    written = destination.write([requests()])
    destination.close()
    assert len(written.left) == 1
    assert messages(server) == []


def test_dagster_is_given_the_key_as_a_tag(server: LocalServer) -> None:
    body = sent(server, "dagster").json()
    tags = body["variables"]["params"]["executionMetadata"]["tags"]
    assert {"key": dagster.TAG, "value": KEY} in tags
    (question,) = [asked.json() for asked in server.asked if is_question(asked)]
    assert question["variables"]["filter"]["tags"] == [{"key": dagster.TAG, "value": KEY}]


@pytest.mark.parametrize(
    ("kind", "dropped"), [("RunConfigValidationInvalid", 1), ("PythonError", 0), ("PipelineNotFoundError", 0)]
)
def test_dagster_says_no_with_status_200(kind: str, dropped: int, server: LocalServer) -> None:
    no = Reply(200, {"data": {"launchRun": {"__typename": kind, "message": "m"}}})
    server.respond = lambda asked: well(asked) if is_question(asked) else no
    destination = opened("dagster", server.url)
    written = destination.write([requests()])
    destination.close()
    assert (len(written.dropped), len(written.left)) == (dropped, 1 - dropped)


def test_kubeflow_is_asked_for_the_name_that_the_run_will_have(server: LocalServer) -> None:
    body = sent(server, "kubeflow").json()
    (question,) = [asked for asked in server.asked if is_question(asked)]
    wanted = json.loads(parse_qs(urlsplit(question.path).query)["filter"][0])
    assert [predicate["string_value"] for predicate in wanted["predicates"]] == [body["display_name"]]
    assert json.loads(body["runtime_config"]["parameters"]["request"])["dedupe_key"] == KEY


def test_prefect_is_asked_for_the_deployment_once_and_given_the_key(server: LocalServer) -> None:
    destination = opened("prefect", server.url)
    destination.write([requests(request_row(), request_row(dedupe_key=KEY))])
    destination.close()
    assert [asked.path for asked in server.asked if is_question(asked)] == ["/api/deployments/name/train/prod"]
    assert [asked.json()["idempotency_key"] for asked in messages(server)] == [request_row()["dedupe_key"], KEY]


def test_argo_events_is_given_a_name_that_kubernetes_takes(server: LocalServer) -> None:
    body = sent(server, "argo-events").json()
    assert re.fullmatch(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", body["data"]["run_id"])
    assert body["subject"] == KEY


def test_vertex_is_given_an_id_that_it_takes(server: LocalServer) -> None:
    asked = sent(server, "vertex")
    (job,) = parse_qs(urlsplit(asked.path).query)["pipelineJobId"]
    assert re.fullmatch(r"[a-z][-a-z0-9]{0,127}", job)


def test_github_is_given_at_most_ten_properties_and_all_of_the_request(server: LocalServer) -> None:
    asked = sent(server, "github")
    body = asked.json()
    assert asked.path == "/repos/acme/models/dispatches"
    assert len(body["client_payload"]) <= 10
    assert len(body["event_type"]) <= 100
    request = json.loads(body["client_payload"]["request"])
    assert request == json.loads(msgspec.json.encode(read_retraining(request_row(dedupe_key=KEY)).data()))


@pytest.mark.parametrize("name", ["acme", "acme/", "/x", "acme/x/y", "a b/c", "../x", "acme/é"])
def test_a_repository_that_is_none_is_refused_in_the_configuration(name: str) -> None:
    with pytest.raises(ValueError, match="owner/name"):
        github._REPOSITORY.read(name)  # type: ignore[arg-type]
