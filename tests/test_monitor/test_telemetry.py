"""The table in the docstring of `monitor.telemetry` is the truth: every metric, its type and its labels."""

import json
import re
import subprocess
import sys

import prometheus_client
import pytest
from prometheus_client.metrics import MetricWrapperBase

from monitor import telemetry

_KINDS = {
    prometheus_client.Counter: "counter",
    prometheus_client.Gauge: "gauge",
    prometheus_client.Histogram: "histogram",
}
# What may be a label: bounded by the configuration, the reference or the code. No id, no value, no segment.
_LABELS = {
    "model", "reason", "outcome", "topic", "role", "partition", "column", "drifted", "sink", "record", "kind", "cause",
    "state", "destination",
}  # fmt: skip

# Every role's code, its logging, and one retry: stamina then registers a counter of its own if it is left to.
_REGISTERED = """
import json
import prometheus_client, stamina
import monitor.cli.app, monitor.roles.deliver, monitor.roles.evaluate, monitor.roles.ingest
import monitor.process.supervisor, monitor.wiring
from monitor.process.logs import configure_logging

configure_logging("ingest")
for attempt in stamina.retry_context(on=OSError, attempts=2, wait_initial=0.01, wait_max=0.01):
    with attempt:
        if attempt.num == 1:
            raise OSError("the broker is away")
print(json.dumps([family.name for family in prometheus_client.REGISTRY.collect()]))
"""


def exported() -> dict[str, tuple[str, tuple[str, ...]]]:
    metrics = [value for value in vars(telemetry).values() if isinstance(value, MetricWrapperBase)]
    found = {}
    for metric in metrics:
        kind = _KINDS[type(metric)]
        (family,) = metric.describe()
        found[family.name + ("_total" if kind == "counter" else "")] = (kind, metric._labelnames)
    assert len(found) == len(metrics)
    return found


def documented() -> dict[str, tuple[str, tuple[str, ...]]]:
    rows = re.findall(r"^\| (driftline_\w+) \| (\w+) \| ([^|]*) \| ([^|]+) \|$", telemetry.__doc__ or "", re.MULTILINE)
    assert all(meaning.strip() for *_, meaning in rows)
    return {name: (kind, tuple(labels.split(", ")) if labels else ()) for name, kind, labels, _ in rows}


def test_the_table_lists_exactly_the_metrics_that_there_are() -> None:
    assert documented() == exported()


@pytest.mark.parametrize("name", sorted(exported()))
def test_every_label_is_bounded(name: str) -> None:
    assert set(exported()[name][1]) <= _LABELS


def test_a_process_of_ours_exports_the_table_and_what_the_client_says_of_the_process() -> None:
    # In a process of its own: other tests retry without a role's logging, and libraries register what they like.
    ended = subprocess.run([sys.executable, "-c", _REGISTERED], capture_output=True, text=True, timeout=120, check=True)
    registered = set(json.loads(ended.stdout))
    ours = {name.removesuffix("_total") for name in exported()}
    assert {name for name in registered if not name.startswith(("python_", "process_"))} == ours
    assert "trying again" in ended.stderr


def test_what_roles_count_of_configured_models_begins_at_zero() -> None:
    """Prometheus has no rate of what a series holds when it is first seen."""

    def value(name: str) -> float | None:
        return prometheus_client.REGISTRY.get_sample_value(name, {"model": "begins"})

    assert value("driftline_events_total") is None
    telemetry.begin_at_zero("ingest", ["begins"])
    assert value("driftline_events_total") == 0.0
    assert value("driftline_windows_scored_total") is None
    telemetry.begin_at_zero("evaluate", ["begins"])
    assert value("driftline_windows_scored_total") == 0.0
    telemetry.begin_at_zero("join", ["begins"])
