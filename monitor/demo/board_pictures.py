"""What the dashboards show: every panel's own query over a kept demo, drawn with ECharts and not by Grafana."""

import html
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from clickhouse_connect.driver.client import Client

from monitor.dashboards.asked import expanded, legend, variables
from monitor.dashboards.drawing import drawn

WIDTH: Final = 1100
_FEBRUARY_13_MS: Final = 1_360_713_600_000
_MARCH_MS: Final = 1_362_096_000_000
_DAY_MS: Final = 86_400_000
LOOKS: Final[Mapping[str, tuple[int, int, Mapping[str, str]]]] = {
    "fleet": (_MARCH_MS - 34 * _DAY_MS, _FEBRUARY_13_MS, {}),
    "model": (_MARCH_MS - 34 * _DAY_MS, _MARCH_MS + 31 * _DAY_MS, {}),
    "column": (_MARCH_MS, _MARCH_MS + 28 * _DAY_MS, {"column": "pressure"}),
    "performance": (_MARCH_MS - 34 * _DAY_MS, _MARCH_MS + 31 * _DAY_MS, {}),
}
"""Time range and choices by dashboard. That of `service` is when the demo ran, in the clock's time."""
Rates = Callable[[str], Sequence[Mapping[str, Any]]]
"""Answers an expression of Prometheus with its series over the time range: `metric` and `values`."""
_MOST_ROWS: Final = 50
"""Of the dashboard's grid: a picture ends there."""
_MOST_ROWS_OF_RATES: Final = 40
"""Below these the service's panels ask of rejects and deliveries, which the demo has none of."""
_CSS: Final = """
* { box-sizing: border-box }
body { margin: 0; padding: 12px 14px; background: #f4f5f7; color: #1f2329; font: 12px/1.4 system-ui, sans-serif }
h1 { font-size: 17px; margin: 0 } header p { margin: 2px 0 10px; color: #5b636e }
main { display: grid; grid-template-columns: repeat(24, 1fr); grid-auto-rows: 22px; gap: 8px }
section { background: #fff; border: 1px solid #dfe3e8; border-radius: 3px; padding: 6px 10px; overflow: hidden;
  display: flex; flex-direction: column; min-width: 0 }
h2 { font-size: 12.5px; font-weight: 600; margin: 0 0 2px }
.plot { flex: 1; min-height: 0 } .stat { font-size: 34px; font-weight: 600; margin: auto }
.key { margin: 2px 0 0; max-height: 34px; overflow: hidden; display: flex; flex-wrap: wrap; gap: 0 12px }
.key i { display: inline-block; width: 12px; height: 3px; margin-right: 5px; vertical-align: middle }
.none { color: #5b636e; margin: 4px 0 }
table { border-collapse: collapse; width: 100% } th { text-align: left; color: #5b636e; font-weight: 550 }
th, td { padding: 3px 8px 3px 0; border-bottom: 1px solid #eef0f2; white-space: nowrap; max-width: 330px;
  overflow: hidden; text-overflow: ellipsis } .n { text-align: right; padding-right: 14px }
"""
DRAW: Final = """() => { for (const plot of document.querySelectorAll("[data-option]"))
  echarts.init(plot, null, { renderer: "canvas" }).setOption(JSON.parse(plot.dataset.option)); }"""
"""Fills the page that `board_page` made, once ECharts is loaded."""


def board_page(
    board: Mapping[str, Any], client: Client, look: tuple[int, int, Mapping[str, str]], rates: Rates | None = None
) -> str:
    """A dashboard's panels over what `client` answers, and `rates` where they ask Prometheus, as one page of HTML."""
    from_ms, to_ms, chosen = look
    ask = _asking(client)
    values = variables(board, lambda statement: list(next(iter(ask(statement)), {}).values()), chosen, from_ms, to_ms)
    panels = []
    for panel in board["panels"]:
        if panel["gridPos"]["y"] >= (_MOST_ROWS if rates is None else _MOST_ROWS_OF_RATES):
            continue
        rows: list[Mapping[str, Any]] = []
        for target in panel["targets"]:
            if "expr" not in target:
                rows += ask(expanded(target["rawSql"], values, from_ms, to_ms))
            elif rates is not None:
                rows += _points(rates(target["expr"]), target["legendFormat"])
        panels.append(drawn(panel, rows))
    shown = " · ".join(f"{name} {value}" for name, value in values.items())
    said = "Drawn from the panels' own queries over two months of driftline demo, with ECharts and not by Grafana."
    if rates is not None:
        said += (
            " A Prometheus scraped it while it ran: less than a minute, so means of five minutes only rise, and with "
            "events of 2013, so event time is years behind."
        )
    return (
        f"<!doctype html><meta charset=utf-8><style>{_CSS}</style><header><h1>{html.escape(board['title'])}</h1>"
        f"<p>{said} {html.escape(shown)}</p></header><main>{''.join(panels)}</main>"
    )


def _points(series: Sequence[Mapping[str, Any]], format_: str) -> list[dict[str, Any]]:
    """Rows of a series each: `time`, `name` as the legend says, and `value`."""
    return [
        {"time": datetime.fromtimestamp(float(at_s), UTC), "name": legend(format_, one["metric"]), "value": float(text)}
        for one in series
        for at_s, text in one["values"]
    ]


def _asking(client: Client) -> Callable[[str], Sequence[dict[str, Any]]]:
    def ask(statement: str) -> Sequence[dict[str, Any]]:
        return list(client.query(statement).named_results())

    return ask
