"""What the panels of all dashboards share: data sources, colours, queries, and one function a kind of panel."""

import inspect
from collections.abc import Mapping, Sequence
from typing import Final

from grafana_foundation_sdk.builders import barchart, prometheus, stat, statushistory, table, timeseries
from grafana_foundation_sdk.builders import common as common_builders
from grafana_foundation_sdk.builders import dashboard as build
from grafana_foundation_sdk.cog import builder as cog
from grafana_foundation_sdk.cog import variants
from grafana_foundation_sdk.models import common, dashboard
from grafana_foundation_sdk.models.dashboard import DataSourceRef, DynamicConfigValue

CLICKHOUSE: Final = DataSourceRef(type_val="grafana-clickhouse-datasource", uid="${clickhouse}")
PROMETHEUS: Final = DataSourceRef(type_val="prometheus", uid="${prometheus}")

# Okabe & Ito (2008), Color Universal Design: told apart by people with any of the common colour deficiencies.
GREY: Final = "#999999"
BLUE: Final = "#0072B2"
SKY: Final = "#56B4E9"
ORANGE: Final = "#E69F00"
VERMILION: Final = "#D55E00"
PURPLE: Final = "#CC79A7"

_TIME_SERIES: Final = 0
_TABLE: Final = 1
_PLUGIN_VERSION: Final = "4.10.1"


class Sql(variants.Dataquery):
    """A statement for the ClickHouse data source plugin.

    Parameters
    ----------
    statement
        With Grafana's variables and the plugin's macros.
    as_series
        A column `time`, then numbers; each value of a text column makes a series. Else a table.
    """

    def __init__(self, statement: str, *, as_series: bool, ref_id: str = "A") -> None:
        self.statement = inspect.cleandoc(statement)
        self.as_series = as_series
        self.ref_id = ref_id

    def build(self) -> variants.Dataquery:
        """Itself: there is nothing left to put together."""
        return self

    def to_json(self) -> dict[str, object]:
        """As the plugin's editor for SQL saves it."""
        return {
            "datasource": CLICKHOUSE,
            "editorType": "sql",
            "format": _TIME_SERIES if self.as_series else _TABLE,
            "pluginVersion": _PLUGIN_VERSION,
            "queryType": "timeseries" if self.as_series else "table",
            "rawSql": self.statement,
            "refId": self.ref_id,
        }


class SqlBuilder(cog.Builder[variants.Dataquery]):
    """What panels take as a target."""

    def __init__(self, query: Sql) -> None:
        self._query = query

    def build(self) -> variants.Dataquery:
        """The statement."""
        return self._query


def _sql(statement: str, *, as_series: bool) -> SqlBuilder:
    return SqlBuilder(Sql(statement, as_series=as_series))


def steps(*above: tuple[float, str]) -> build.ThresholdsConfig:
    """Grey, and from each value on its colour."""
    first = dashboard.Threshold(value=None, color=GREY)
    return (
        build.ThresholdsConfig()
        .mode(dashboard.ThresholdsMode.ABSOLUTE)
        .steps([first, *(dashboard.Threshold(value=value, color=color) for value, color in above)])
    )


def fixed(color: str) -> DynamicConfigValue:
    """One colour for a field."""
    return DynamicConfigValue(id_val="color", value={"mode": "fixed", "fixedColor": color})


def dashed(color: str) -> list[DynamicConfigValue]:
    """What is not measured: a reference, an estimate, a bound."""
    style = {"fill": "dash", "dash": [6, 6]}
    return [fixed(color), DynamicConfigValue(id_val="custom.lineStyle", value=style)]


def unit(name: str) -> DynamicConfigValue:
    """The unit of one field."""
    return DynamicConfigValue(id_val="unit", value=name)


def link(title: str, url: str) -> DynamicConfigValue:
    """Where a click on one field leads."""
    return DynamicConfigValue(id_val="links", value=[{"title": title, "url": url, "targetBlank": False}])


def colored(*above: tuple[float, str]) -> list[DynamicConfigValue]:
    """A table's cell, filled grey and from each value on with its colour."""
    return [
        DynamicConfigValue(id_val="thresholds", value=steps(*above).build()),
        DynamicConfigValue(id_val="custom.cellOptions", value={"type": "color-background", "mode": "basic"}),
    ]


Overrides = Mapping[str, Sequence[DynamicConfigValue]]


def lines(
    title: str, description: str, statement: str, *, unit: str, overrides: Overrides | None = None, span: int = 12,
    minimum: float | None = None, maximum: float | None = None, bars: bool = False,
) -> timeseries.Panel:  # fmt: skip
    """Numbers over time, from SQL."""
    panel = _timeseries(title, description, unit, span, overrides or {}, bars).datasource(CLICKHOUSE)
    panel.with_target(_sql(statement, as_series=True))
    if minimum is not None:
        panel.min(minimum)
    if maximum is not None:
        panel.max(maximum)
    return panel


def rates(title: str, description: str, exprs: Mapping[str, str], *, unit: str, span: int = 12) -> timeseries.Panel:
    """Numbers over time, from Prometheus: `exprs` by legend."""
    panel = _timeseries(title, description, unit, span, {}, False).datasource(PROMETHEUS).min(0)
    for number, (legend, expr) in enumerate(exprs.items()):
        query = prometheus.Dataquery().expr(expr).legend_format(legend).range().ref_id(chr(ord("A") + number))
        panel.with_target(query.datasource(PROMETHEUS))
    return panel


def _timeseries(
    title: str, description: str, unit: str, span: int, overrides: Overrides, bars: bool
) -> timeseries.Panel:
    panel = (
        timeseries.Panel()
        .title(title)
        .description(description)
        .unit(unit)
        .span(span)
        .height(8)
        .line_width(2)
        .fill_opacity(60 if bars else 0)
        .draw_style(common.GraphDrawStyle.BARS if bars else common.GraphDrawStyle.LINE)
        .show_points(common.VisibilityMode.AUTO)
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.SHADES).fixed_color(BLUE))
        .legend(
            common_builders.VizLegendOptions()
            .display_mode(common.LegendDisplayMode.LIST)
            .placement(common.LegendPlacement.BOTTOM)
            .show_legend(True)
        )
        .tooltip(common_builders.VizTooltipOptions().mode(common.TooltipDisplayMode.MULTI))
    )
    for name, properties in overrides.items():
        panel.override_by_name(name, list(properties))
    return panel


def number(
    title: str, description: str, statement: str, *, unit: str, thresholds: build.ThresholdsConfig, span: int = 6
) -> stat.Panel:
    """One number, with the colour of its threshold."""
    return (
        stat.Panel()
        .title(title)
        .description(description)
        .datasource(CLICKHOUSE)
        .with_target(_sql(statement, as_series=False))
        .unit(unit)
        .thresholds(thresholds)
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .graph_mode(common.BigValueGraphMode.NONE)
        .color_mode(common.BigValueColorMode.VALUE)
        .reduce_options(common_builders.ReduceDataOptions().calcs(["lastNotNull"]))
        .span(span)
        .height(4)
    )


def rows(
    title: str, description: str, statement: str, *, overrides: Overrides | None = None, unit: str = "short",
    span: int = 24, height: int = 8,
) -> table.Panel:  # fmt: skip
    """A table."""
    panel = (
        table.Panel()
        .title(title)
        .description(description)
        .datasource(CLICKHOUSE)
        .with_target(_sql(statement, as_series=False))
        .unit(unit)
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .thresholds(steps())
        .filterable(True)
        .span(span)
        .height(height)
    )
    for name, properties in (overrides or {}).items():
        panel.override_by_name(name, list(properties))
    return panel


def heat(
    title: str, description: str, statement: str, *, thresholds: build.ThresholdsConfig, unit: str = "short",
    span: int = 24, height: int = 10,
) -> statushistory.Panel:  # fmt: skip
    """A cell a value of the text column and instant, coloured by the number."""
    return (
        statushistory.Panel()
        .title(title)
        .description(description)
        .datasource(CLICKHOUSE)
        .with_target(_sql(statement, as_series=True))
        .unit(unit)
        .decimals(2)
        .thresholds(thresholds)
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.THRESHOLDS))
        .show_value(common.VisibilityMode.AUTO)
        .row_height(0.9)
        .span(span)
        .height(height)
    )


def bars(
    title: str, description: str, statement: str, *, unit: str, overrides: Overrides, span: int = 24
) -> barchart.Panel:
    """Bars side by side, a group a value of the first column."""
    panel = (
        barchart.Panel()
        .title(title)
        .description(description)
        .datasource(CLICKHOUSE)
        .with_target(_sql(statement, as_series=False))
        .unit(unit)
        .min(0)
        .color_scheme(build.FieldColor().mode(dashboard.FieldColorModeId.SHADES).fixed_color(BLUE))
        .span(span)
        .height(9)
    )
    for name, properties in overrides.items():
        panel.override_by_name(name, list(properties))
    return panel
