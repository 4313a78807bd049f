"""Alertmanager itself receives what Driftline sends, groups it, and resolves it."""

import json
import shutil
import subprocess
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from support.alerts import alert_row, alerts
from support.http_server import LocalServer, serving
from support.ports import free_port
from support.waiting import wait_for

from monitor.process.children import dying_with_parent
from sinks.alertmanager import Settings

ALERTMANAGER = shutil.which("prometheus-alertmanager") or shutil.which("alertmanager")
CONFIG = """
route: {{receiver: hook, group_by: [model], group_wait: 300ms, group_interval: 300ms, repeat_interval: 1h}}
receivers: [{{name: hook, webhook_configs: [{{url: "{url}", send_resolved: true}}]}}]
"""


@pytest.fixture(scope="module")
def receiver() -> Iterator[LocalServer]:
    with serving() as server:
        yield server


@pytest.fixture(scope="module")
def url(receiver: LocalServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    if ALERTMANAGER is None:
        pytest.skip("no Alertmanager is installed (Debian: prometheus-alertmanager)")
    folder = tmp_path_factory.mktemp("alertmanager")
    (folder / "config.yml").write_text(CONFIG.format(url=receiver.url))
    address = f"127.0.0.1:{free_port()}"
    command = [
        ALERTMANAGER, f"--config.file={folder / 'config.yml'}", f"--storage.path={folder}",
        f"--web.listen-address={address}", "--cluster.listen-address=",
    ]  # fmt: skip
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=dying_with_parent())
    try:
        wait_for(lambda: process.poll() is not None or ready(address), "Alertmanager to be ready")
        assert process.poll() is None, (folder / "log").read_text()
        yield f"http://{address}"
    finally:
        process.terminate()
        process.wait(10)


def ready(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{address}/-/ready", timeout=1) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def firing(url: str, model: str) -> list[dict[str, Any]]:
    with urllib.request.urlopen(f"{url}/api/v2/alerts?active=true", timeout=5) as answer:
        return [one for one in json.load(answer) if one["labels"]["model"] == model]


def send(url: str, *rows: dict[str, Any]) -> None:
    destination = Settings(url=url, labels={"team": "ml"}, link="https://g/{model}").open()
    written = destination.write([alerts(*rows)])
    destination.close()
    assert (written.left, written.dropped) == ((), ())


def test_alerts_fire_are_grouped_and_resolve(url: str, receiver: LocalServer) -> None:
    drift = alert_row(model="grouped", dedupe_key="one")
    quality = alert_row(model="grouped", dedupe_key="two", cause="data_quality", severity="critical")
    send(url, drift, quality)
    assert {one["labels"]["severity"] for one in firing(url, "grouped")} == {"warning", "critical"}
    assert {one["labels"]["team"] for one in firing(url, "grouped")} == {"ml"}
    told = lambda status: [  # noqa: E731
        asked.json() for asked in receiver.asked
        if asked.json()["status"] == status and asked.json()["groupLabels"] == {"model": "grouped"}
    ]  # fmt: skip
    wait_for(lambda: told("firing"), "the group to be told")
    (first, *_) = told("firing")
    assert {one["labels"]["dedupe_key"] for one in first["alerts"] if one["status"] == "firing"} == {"one", "two"}
    send(url, *({**row, "state": "resolved", "sequence": 2} for row in (drift, quality)))
    assert firing(url, "grouped") == []
    wait_for(lambda: told("resolved"), "the group to be told that it is over")


def test_an_alert_that_gets_worse_fires_once_under_its_new_severity(url: str) -> None:
    row = alert_row(model="worse")
    send(url, row)
    send(url, row)  # a repeat changes nothing
    assert [one["labels"]["severity"] for one in firing(url, "worse")] == ["warning"]
    send(url, {**row, "state": "updated", "sequence": 2, "severity": "critical"})
    assert [one["labels"]["severity"] for one in firing(url, "worse")] == ["critical"]


def test_names_of_any_kind_are_taken(url: str) -> None:
    hostile = '"<é\u202e{}\n\x00 日本'
    send(url, alert_row(model=hostile, dedupe_key=hostile, version=hostile, summary=hostile))


def test_the_test_alert_is_named_so_and_nothing_stays_open(url: str, receiver: LocalServer) -> None:
    destination = Settings(url=url).open()
    assert len(destination.send_test()) == 2
    destination.close()
    assert firing(url, "driftline-test") == []
