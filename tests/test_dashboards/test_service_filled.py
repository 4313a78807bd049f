"""The panels of the Service dashboard that ask Prometheus, filled by one that scrapes a whole running Driftline."""

import json
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from support.brokers import Broker
from support.events import encoded, model_section
from support.installation import Installation
from support.ports import free_port, free_ports

ROOT = Path(__file__).parents[2] / "dashboards"
N_EVENTS = 2_000
N_ROLES = 3
AT_REST = {"Sink errors", "Restarts and failed commits", "Undelivered"}
"""Panels of what did not happen: they have no line until it does."""


def panels() -> dict[str, list[str]]:
    """By title, what each panel asks Prometheus."""
    board = json.loads((ROOT / "grafana" / "dashboards" / "service.json").read_text())
    asked = {
        panel["title"]: [target["expr"] for target in panel["targets"] if "expr" in target] for panel in board["panels"]
    }
    return {title: expressions for title, expressions in asked.items() if expressions}


class Prometheus:
    """One that scrapes these ports twice a second, by the rules that are shipped."""

    def __init__(self, folder: Path, ports: range) -> None:
        self.address = f"127.0.0.1:{free_port()}"
        document = {
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms", "evaluation_interval": "500ms"},
            "rule_files": [str(ROOT / "prometheus-rules.yml")],
            "scrape_configs": [
                {
                    "job_name": "driftline",
                    "static_configs": [{"targets": [f"127.0.0.1:{port}" for port in ports]}],
                }
            ],
        }
        (folder / "prometheus.yml").write_text(yaml.safe_dump(document))
        self.log = (folder / "prometheus.log").open("wb")
        self.process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={folder / 'prometheus.yml'}",
                f"--storage.tsdb.path={folder / 'prometheus'}",
                f"--web.listen-address={self.address}",
            ],
            stdout=self.log,
            stderr=self.log,
        )

    def asked(self, expression: str) -> list[dict[str, Any]]:
        """The series that it answers; none while it does not listen yet. An expression it cannot read is an error."""
        query = urllib.parse.urlencode({"query": expression})
        try:
            with urllib.request.urlopen(f"http://{self.address}/api/v1/query?{query}", timeout=5) as answer:
                found: list[dict[str, Any]] = json.load(answer)["data"]["result"]
                return found
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{expression}: {error.read().decode()}") from error
        except OSError:
            return []

    def close(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        self.log.close()


@pytest.fixture
def running(kafka: Broker, tmp_path: Path) -> Iterator[tuple[Installation, Prometheus]]:
    """All roles under one supervisor, with their metrics on neighbouring ports, and who scrapes them."""
    if shutil.which("prometheus") is None:
        pytest.skip("prometheus is not installed (Debian: apt install prometheus)")
    section = model_section(tmp_path / "model")
    installation = Installation(tmp_path, kafka.bootstrap_servers, "filled", [section])
    first = free_ports(N_ROLES)
    document = msgspec.yaml.decode(installation.path.read_bytes())
    document["metrics"] = {"listen": f"127.0.0.1:{first}"}
    installation.path.write_bytes(msgspec.yaml.encode(document))
    installation.prepare(2)
    installation.processes["all"] = subprocess.Popen(
        [sys.executable, "-m", "monitor", "run", str(installation.path)],
        stdin=subprocess.DEVNULL, stdout=installation.log, stderr=installation.log,
    )  # fmt: skip
    prometheus = Prometheus(tmp_path, range(first, first + N_ROLES))
    try:
        yield installation, prometheus
    finally:
        prometheus.close()
        installation.close()


@pytest.mark.long
def test_panels_of_what_a_service_does_are_filled_and_those_of_what_went_wrong_are_empty(
    running: tuple[Installation, Prometheus],
) -> None:
    installation, prometheus = running

    def answers(expression: str) -> Callable[[], bool]:
        return lambda: bool(prometheus.asked(expression))

    # What a counter holds when it is first seen is no rate: what comes afterwards is one.
    installation.send(encoded(N_EVENTS, seed=1, hours=12.0), 2)
    installation.wait_for(answers("driftline_events_total > 0"), "events to be scraped", 120.0)
    installation.send(encoded(N_EVENTS, seed=2, hours=14.0), 2)
    installation.wait_for(answers("driftline:events:rate5m > 0"), "events to have a rate", 120.0)
    for title, expressions in panels().items():
        if title in AT_REST:
            found = [one for expression in expressions for one in prometheus.asked(expression)]
            assert [one for one in found if float(one["value"][1]) > 0] == [], title
        else:
            wanted = " or ".join(f"({expression})" for expression in expressions)
            installation.wait_for(answers(wanted), f"the panel {title}", 60.0)
    known = {one["metric"]["__name__"] for one in prometheus.asked('{__name__=~"driftline.+"}')}
    filled = [
        expression
        for own in panels().values()
        for expression in own
        if set(re.findall(r"driftline[\w:]+", expression)) <= known
    ]
    assert [expression for expression in filled if not prometheus.asked(expression)] == []
