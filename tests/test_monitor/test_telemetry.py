"""The table in the docstring of `monitor.telemetry` is the truth: every metric, its type and its labels."""

import re

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
_LABELS = {"model", "reason", "topic", "role", "partition", "column", "method", "sink", "record", "kind"}


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


def test_no_metric_of_ours_is_made_outside_the_table() -> None:
    import monitor.cli.app
    import monitor.deliver
    import monitor.evaluate
    import monitor.ingest
    import monitor.supervisor
    import monitor.wiring  # noqa: F401 - what a role imports may register metrics

    registered = {family.name for family in prometheus_client.REGISTRY.collect()}
    ours = {name.removesuffix("_total") for name in exported()}
    libraries = ("python_", "process_")
    # Stamina registers a counter of its own at the first retry if it is left to; see `monitor.logs`.
    assert {name for name in registered if not name.startswith(libraries)} == ours
