"""The panels of the Service dashboard that ask Prometheus, filled by one that scrapes a whole running Driftline."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from support.brokers import Broker
from support.events import encoded, model_section
from support.installation import Installation
from support.ports import free_ports

from monitor.demo.scraped import Prometheus

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
    ports = range(first, first + N_ROLES)
    try:
        with Prometheus(tmp_path / "prometheus", ports, ROOT / "prometheus-rules.yml") as prometheus:
            yield installation, prometheus
    finally:
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
