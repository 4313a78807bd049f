"""A dashboard's frame: its name, data sources, variables, links and annotations, and ids for its panels."""

from collections.abc import Sequence
from typing import Final

from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.models import dashboard

from monitor.api.queries.fleet import METRICS
from monitor.api.queries.sizes import SIZE
from monitor.dashboards.parts import CLICKHOUSE, ORANGE, PURPLE, Sql
from monitor.dashboards.sql import COLUMN, MODEL, OF_VERSION, OF_VERSION_OR_ALL, SEGMENT, VERSION, WHOLE

_SIZES: Final = f"""
SELECT toString({SIZE}) AS value, formatReadableTimeDelta({SIZE}) AS text FROM windows WHERE {OF_VERSION}
GROUP BY value, text ORDER BY toInt64(value)
"""
_SEGMENTS: Final = f"""
SELECT if(w.segment = '', '{WHOLE}', w.segment) AS name FROM windows AS w WHERE {OF_VERSION}
GROUP BY w.segment ORDER BY w.segment
"""
# Inputs before what the model says of them: the first is what a dashboard opens with.
_COLUMNS: Final = f"""
SELECT column FROM column_profiles WHERE {OF_VERSION} GROUP BY column ORDER BY startsWith(column, '@'), column
"""
_METHODS: Final = f"""
SELECT DISTINCT method FROM drift_scores WHERE {OF_VERSION} AND segment = {SEGMENT} AND column = {COLUMN}
ORDER BY method
"""
# Those that tell of a model in one number first.
_METRICS: Final = f"""
SELECT metric FROM performance WHERE {OF_VERSION} AND segment = '' AND isFinite(reference_value) GROUP BY metric
ORDER BY indexOf({list(METRICS)}, metric) = 0, indexOf({list(METRICS)}, metric), metric
"""
_VARIABLES: Final = {
    "model": ("Model", "SELECT DISTINCT model FROM windows ORDER BY model"),
    "version": (
        "Version",
        f"SELECT version FROM windows WHERE model = {MODEL} GROUP BY version ORDER BY max(window_end) DESC",
    ),
    "window": ("Window", _SIZES),
    "segment": ("Segment", _SEGMENTS),
    "column": ("Column", _COLUMNS),
    "method": ("Method", _METHODS),
    "metric": ("Metric", _METRICS),
}
_CHAIN: Final = ("fleet", "model", "column", "performance", "service")


class _SqlAnnotation(dashboard.AnnotationTarget):
    """The SDK knows the target of Grafana's own annotations alone."""

    def __init__(self, statement: str) -> None:
        super().__init__()
        self._query = Sql(statement, as_series=False, ref_id="Anno")

    def to_json(self) -> dict[str, object]:
        return self._query.to_json()


def address(name: str) -> str:
    """A dashboard's path; the same wherever it is provisioned."""
    return f"/d/driftline-{name}"


def board(
    name: str,
    title: str,
    description: str,
    variables: Sequence[str],
    panels: Sequence[cog.Builder[dashboard.Panel]],
    *,
    prometheus: bool = False,
    annotated: bool = False,
) -> dashboard.Dashboard:
    """One dashboard.

    Parameters
    ----------
    name
        Its stable id is `driftline-<name>`.
    variables
        Of `_VARIABLES`, each after those that its statement names.
    panels
        Their ids are their numbers, from 1.
    prometheus
        Whether panels ask Prometheus.
    annotated
        Whether alerts and retraining of the chosen model are drawn into charts.
    """
    made = (
        build.Dashboard(title)
        .uid(f"driftline-{name}")
        .description(description)
        .tags(["driftline"])
        .readonly()
        .timezone("browser")
        .time("now-7d", "now")
        .refresh("1m")
        .tooltip(dashboard.DashboardCursorSync.CROSSHAIR)
        .with_variable(build.DatasourceVariable("clickhouse").label("ClickHouse").type("grafana-clickhouse-datasource"))
    )
    if prometheus:
        made.with_variable(build.DatasourceVariable("prometheus").label("Prometheus").type("prometheus"))
    for key in variables:
        label, statement = _VARIABLES[key]
        made.with_variable(_variable(key, label, statement))
    for other in _CHAIN:
        if other != name:
            made.link(
                build.DashboardLink(other.capitalize())
                .type(dashboard.DashboardLinkType.LINK)
                .url(address(other))
                .include_vars(True)
                .keep_time(True)
            )
    if annotated:
        for annotation in _annotations():
            made.annotation(annotation)
    for number, panel in enumerate(panels, start=1):
        built = panel.build()
        built.id_val = number
        made.with_panel(_Built(built))
    return made.build()


class _Built(cog.Builder[dashboard.Panel]):
    def __init__(self, panel: dashboard.Panel) -> None:
        self._panel = panel

    def build(self) -> dashboard.Panel:
        return self._panel


def _variable(name: str, label: str, statement: str) -> build.QueryVariable:
    return (
        build.QueryVariable(name)
        .label(label)
        .datasource(CLICKHOUSE)
        .query(Sql(statement, as_series=False).to_json())
        .refresh(dashboard.VariableRefresh.ON_TIME_RANGE_CHANGED)
        .sort(dashboard.VariableSort.DISABLED)
    )


def _annotations() -> list[build.AnnotationQuery]:
    alerts = (
        "SELECT at AS time, concat(severity, ': ', cause, ' ', state) AS title, summary AS text, "
        f"[cause, state] AS tags FROM alerts_latest WHERE {OF_VERSION_OR_ALL} "
        "AND state != 'updated' AND $__timeFilter_ms(at) ORDER BY at"
    )
    retraining = (
        "SELECT at AS time, concat('retraining ', status) AS title, reason AS text, [status] AS tags "
        f"FROM retraining_latest WHERE model = {MODEL} AND version = {VERSION} AND $__timeFilter_ms(at) ORDER BY at"
    )
    return [
        build.AnnotationQuery()
        .name(name)
        .datasource(CLICKHOUSE)
        .enable(True)
        .icon_color(color)
        .target(_Target(_SqlAnnotation(statement)))
        for name, color, statement in (("Alerts", ORANGE, alerts), ("Retraining", PURPLE, retraining))
    ]


class _Target(cog.Builder[dashboard.AnnotationTarget]):
    def __init__(self, target: _SqlAnnotation) -> None:
        self._target = target

    def build(self) -> dashboard.AnnotationTarget:
        return self._target
