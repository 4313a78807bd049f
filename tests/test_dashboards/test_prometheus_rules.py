"""The rules for Prometheus: tested by promtool, and fired by a real Prometheus that scrapes a real process."""

import json
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client import generate_latest

from monitor import telemetry

DASHBOARDS = Path(__file__).parents[2] / "dashboards"
RULES = DASHBOARDS / "prometheus-rules.yml"

# A role's metrics as it serves them, with one column drifted. It ends with its standard input.
_SERVES = """
import sys
from monitor import telemetry
from monitor.config.addresses import Address
from monitor.process.health import Health
from monitor.process.health_server import HealthServer

telemetry.DRIFTED.labels("flights", "dep_hour").set(1)
telemetry.DRIFTED.labels("flights", "distance").set(0)
print(HealthServer(Health("ingest"), Address(host="127.0.0.1", port=0)).port, flush=True)
sys.stdin.read()
"""


def promtool(*arguments: object) -> subprocess.CompletedProcess[str]:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    return subprocess.run(
        ["promtool", *map(str, arguments)], capture_output=True, text=True, check=False, timeout=60, cwd=DASHBOARDS
    )


def test_promtool_accepts_the_rules() -> None:
    done = promtool("check", "rules", RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_rules_fire_and_stay_quiet_as_their_tests_say() -> None:
    done = promtool("test", "rules", DASHBOARDS / "prometheus-rules-test.yml")
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_alert_is_in_a_test() -> None:
    groups = yaml.safe_load(RULES.read_text())["groups"]
    alerts = {rule["alert"] for group in groups for rule in group["rules"] if "alert" in rule}
    tested = set(re.findall(r"Driftline\w+", (DASHBOARDS / "prometheus-rules-test.yml").read_text()))
    assert alerts == tested


def test_rules_name_only_metrics_that_there_are() -> None:
    used = set(re.findall(r"\bdriftline_\w+", RULES.read_text()))
    documented = set(re.findall(r"^\| (driftline_\w+) \|", telemetry.__doc__ or "", re.MULTILINE))
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in used} <= documented


def test_promtool_finds_nothing_wrong_with_what_a_process_serves() -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=generate_latest(), capture_output=True, check=False, timeout=60
    )
    ours = [line for line in (done.stdout + done.stderr).decode().splitlines() if line.startswith("driftline_")]
    assert not ours


@pytest.fixture
def served() -> Iterator[int]:
    """The port of a process that serves metrics."""
    process = subprocess.Popen([sys.executable, "-c", _SERVES], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield int(process.stdout.readline())
    finally:
        process.stdin.close()
        process.wait(20)
        process.stdout.close()


def test_a_real_prometheus_scrapes_a_process_and_a_rule_fires(served: int, tmp_path: Path) -> None:
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed")
    document = yaml.safe_load((DASHBOARDS / "prometheus.yml").read_text())
    document["global"] = {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"}
    document["rule_files"] = [str(RULES)]
    document["scrape_configs"] = [
        {"job_name": "driftline", "static_configs": [{"targets": [f"127.0.0.1:{served}"]}]},
    ]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(document))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={tmp_path / 'prometheus.yml'}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address={address}",
            ],
            stdout=log,
            stderr=log,
        )
        try:
            found = _alerts(address, "DriftlineDrift", 60.0)
        finally:
            process.terminate()
            process.wait(30)
    assert [(one["labels"]["column"], one["state"]) for one in found] == [("dep_hour", "firing")], (
        tmp_path / "log"
    ).read_text()


def _alerts(address: str, name: str, within_s: float) -> list[dict[str, Any]]:
    """The alerts of this name, as soon as there are some."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        try:
            with urllib.request.urlopen(f"http://{address}/api/v1/alerts", timeout=5) as answer:
                alerts = json.load(answer)["data"]["alerts"]
        except OSError:
            alerts = []
        found = [one for one in alerts if one["labels"]["alertname"] == name]
        if found:
            return found
        time.sleep(0.2)
    return []
