"""For each type of destination of messages: keys by which it talks to a server of this machine, and what that says.

A new destination that is called over HTTP needs an entry here: the contract test finds it by itself.
"""

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from support.http_server import Asked, LocalServer, Reply

from monitor.config.decode import SettingsDecoder
from monitor.config.document import read
from sinks.destination import Destination
from sinks.registry import settings_of

SECRET = "hunter2hunter2hunter2"
SIGNING = "whsec_" + base64.b64encode(SECRET.encode() + b"12345678").decode()
ENVIRON = {"DRIFTLINE_TEST_SECRET": SECRET, "DRIFTLINE_TEST_SIGNING": SIGNING}
"""The variables that the keys name."""
ALERT_URL_KEYS: Mapping[str, dict[str, Any]] = {
    "alertmanager": {"url": "{url}", "token": "${DRIFTLINE_TEST_SECRET}", "labels": {"team": "ml"}},
    "pagerduty": {"url": "{url}", "routing_key": "${DRIFTLINE_TEST_SECRET}"},
    "slack": {"url": "{url}/services/${DRIFTLINE_TEST_SECRET}"},
    "teams": {"url": "{url}/workflows/${DRIFTLINE_TEST_SECRET}"},
    "webhook": {"url": "{url}/hook/${DRIFTLINE_TEST_SECRET}", "secret": "${DRIFTLINE_TEST_SIGNING}"},
}
TRIGGER_URL_KEYS: Mapping[str, dict[str, Any]] = {
    "airflow": {"url": "{url}", "dag_id": "train", "username": "driftline", "password": "${DRIFTLINE_TEST_SECRET}"},
    "argo-events": {"url": "{url}/retraining", "token": "${DRIFTLINE_TEST_SECRET}"},
    "dagster": {"url": "{url}", "job": "train", "location": "defs.py", "token": "${DRIFTLINE_TEST_SECRET}"},
    "github": {"url": "{url}", "repository": "acme/models", "token": "${DRIFTLINE_TEST_SECRET}"},
    "kubeflow": {"url": "{url}", "pipeline_id": "p1", "token": "${DRIFTLINE_TEST_SECRET}"},
    "prefect": {"url": "{url}/api", "deployment": "train/prod", "api_key": "${DRIFTLINE_TEST_SECRET}"},
    "vertex": {
        "url": "{url}", "project": "p", "region": "r", "template_uri": "t", "output": "gs://b/o",
        "token": "${DRIFTLINE_TEST_SECRET}",
    },
    "zenml": {"url": "{url}", "snapshot_id": "s1", "api_key": "${DRIFTLINE_TEST_SECRET}"},
}  # fmt: skip
URL_KEYS = {**ALERT_URL_KEYS, **TRIGGER_URL_KEYS}
NOT_OVER_OUR_HTTP = frozenset({"clickhouse", "email", "apprise", "kafka-topic", "sagemaker"})
"""Each has tests of its own."""


def keys_of(name: str, url: str) -> dict[str, Any]:
    """The keys, with the server's address in them."""
    return {
        key: value.replace("{url}", url) if isinstance(value, str) else value for key, value in URL_KEYS[name].items()
    }


def is_question(asked: Asked) -> bool:
    """Whether a request only asks: a log-in or a look-up, no message."""
    return (
        asked.method == "GET"
        or asked.path in ("/auth/token", "/api/v1/login")
        or (asked.path == "/graphql" and b"runsOrError" in asked.body)
    )


def well(asked: Asked) -> Reply:
    """What a service that is well says to anything: who asks is let in, nothing is there yet, all is made."""
    if asked.path in ("/auth/token", "/api/v1/login"):
        return Reply(201, {"access_token": "t0ken"})
    if asked.path == "/graphql":
        if b"runsOrError" in asked.body:
            return Reply(200, {"data": {"runsOrError": {"__typename": "Runs", "results": []}}})
        return Reply(200, {"data": {"launchRun": {"__typename": "LaunchRunSuccess", "run": {"runId": "r1"}}}})
    if asked.path.startswith("/api/deployments/name/"):
        return Reply(200, {"id": "d1"})
    if asked.method == "GET":
        return Reply(200, {"items": [], "runs": []})
    return Reply(200, {"id": "r1", "ok": True})


def settings_for(name: str, url: str, **more: Any) -> Any:
    """Settings, read as from a file."""
    text = msgspec.json.encode({"timeout": "2s", **keys_of(name, url), **more}).decode()
    decoder = SettingsDecoder(ENVIRON, Path("/"))
    node, problems = read(text)
    assert node is not None, problems
    made = decoder.decode(node, settings_of(name))
    assert made is not None, decoder.problems
    return made


def opened(name: str, url: str, **more: Any) -> Destination:
    destination: Destination = settings_for(name, url, **more).open()
    destination.setup()
    return destination


def messages(server: LocalServer) -> list[Asked]:
    return [asked for asked in server.asked if not is_question(asked)]
