"""Panels drawn from what their queries answer, in the colours, units and places that their JSON says. Pure.

For pictures where no Grafana runs: each panel becomes HTML, and its chart an option of ECharts.
"""

import html
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from monitor.wording import figure

Row = Mapping[str, Any]
Panel = Mapping[str, Any]
_CELL_PX: Final = 30
"""Height of a cell of the grid, with the gap below it; Grafana's is 38."""
_MOST_ROWS: Final = 8
_MOST_SERIES: Final = 10
_MOST_LANES: Final = 20
_HOUR_MS: Final = 3_600_000
_DAY_S: Final = 86_400
_SHADES: Final = (0.0, 0.45, 0.2, 0.6, 0.1, 0.35, 0.7, 0.55)
_NOT_KNOWN: Final = "\N{EN DASH}"
_TEXT: Final = {"color": "#464c54", "fontSize": 11}


def drawn(panel: Panel, rows: Sequence[Row]) -> str:
    """A panel with these rows, each by column, as HTML; an element with `data-option` wants an ECharts chart."""
    place = panel["gridPos"]
    kinds = {"stat": _stat, "table": _table, "timeseries": _lines, "status-history": _heat, "barchart": _bars}
    inside = kinds[panel["type"]](panel, rows) if rows else '<p class="none">No data in this time range.</p>'
    style = (
        f"grid-column:{place['x'] + 1}/span {place['w']};grid-row:{place['y'] + 1}/span {place['h']};"
        f"height:{place['h'] * _CELL_PX - 8}px"
    )
    return f'<section style="{style}"><h2>{html.escape(panel["title"])}</h2>{inside}</section>'


def _chart(option: Mapping[str, Any], legend: Sequence[tuple[str, str]] = ()) -> str:
    keys = "".join(f'<span><i style="background:{color}"></i>{html.escape(name)}</span>' for name, color in legend)
    text = html.escape(json.dumps(option, default=str), quote=True)
    return f'<div class="plot" data-option="{text}"></div>' + (f'<p class="key">{keys}</p>' if keys else "")


def _properties(panel: Panel, field: str) -> dict[str, Any]:
    overrides = panel["fieldConfig"]["overrides"]
    own = [one["properties"] for one in overrides if one["matcher"] == {"id": "byName", "options": field}]
    return {each["id"]: each["value"] for properties in own for each in properties}


def _color(thresholds: Mapping[str, Any], value: float) -> str:
    passed = [step["color"] for step in thresholds["steps"] if step["value"] is None or value >= step["value"]]
    return str(passed[-1])


def _shade(color: str, number: int) -> str:
    """Of the panel's colour, as its mode "shades" tells series apart."""
    share = _SHADES[number % len(_SHADES)]
    parts = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * share):02x}" for part in parts)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _scale(unit: str, most: float) -> tuple[float, str]:
    """What values are multiplied with, and the unit then."""
    if unit == "percentunit":
        return 100.0, "%"
    if unit == "ms" and most >= _HOUR_MS:
        return 1 / _HOUR_MS, "h"
    if unit == "s" and most >= _DAY_S:
        return 1 / _DAY_S, "days"
    if unit == "cps":
        return 1.0, "per s"
    return 1.0, "" if unit in ("none", "short", "string") else unit


def _shown(value: Any, unit: str = "") -> str:
    if value is None or value != value:
        return _NOT_KNOWN
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return f"{value:%Y-%m-%d %H:%M}"
    if _is_number(value) and unit != "string":
        factor, name = _scale(unit, abs(value))
        text = f"{value:,}" if isinstance(value, int) and factor == 1.0 else figure("", value * factor)
        return f"{text} {name}".strip()
    return str(value)


def _stat(panel: Panel, rows: Sequence[Row]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    (value,) = rows[-1].values()
    color = _color(defaults["thresholds"], value) if _is_number(value) else "#999999"
    return f'<p class="stat" style="color:{color}">{html.escape(_shown(value, defaults["unit"]))}</p>'


def _table(panel: Panel, rows: Sequence[Row]) -> str:
    unit = panel["fieldConfig"]["defaults"]["unit"]
    names = list(rows[0])
    own = {name: _properties(panel, name) for name in names}
    is_number = {name: any(_is_number(row[name]) for row in rows) for name in names}
    head = "".join(f"<th{' class=n' if is_number[name] else ''}>{html.escape(name)}</th>" for name in names)
    lines = []
    for row in rows[:_MOST_ROWS]:
        cells = []
        for name in names:
            value, properties = row[name], own[name]
            filled = "custom.cellOptions" in properties and isinstance(value, bool | int | float) and value == value
            style = f' style="background:{_color(properties["thresholds"], value)}"' if filled else ""
            text = html.escape(_shown(value, properties.get("unit", unit)))
            cells.append(f"<td{' class=n' if is_number[name] else ''}{style}>{text}</td>")
        lines.append(f"<tr>{''.join(cells)}</tr>")
    left = len(rows) - _MOST_ROWS
    more = f'<p class="none">and {left:,} rows more</p>' if left > 0 else ""
    return f"<table><tr>{head}</tr>{''.join(lines)}</table>{more}"


def _series(rows: Sequence[Row]) -> dict[str, list[tuple[int, float | None]]]:
    """Points by name: a column of numbers each, and each value of the text columns."""
    names = [name for name in rows[0] if name != "time"]
    numbers = [name for name in names if any(_is_number(row[name]) for row in rows)]
    texts = [name for name in names if any(isinstance(row[name], str) for row in rows)]
    found: dict[str, list[tuple[int, float | None]]] = {}
    for row in rows:
        label = " ".join(str(row[name]) for name in texts)
        for name in numbers:
            value = row[name]
            key = label if texts and len(numbers) == 1 else f"{label} {name}".strip()
            found.setdefault(key, []).append((_ms(row["time"]), value if value == value else None))
    return found


def _ms(at: datetime) -> int:
    return int((at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp() * 1000)


def _axes(unit: str, panel: Panel, factor: float) -> dict[str, Any]:
    defaults = panel["fieldConfig"]["defaults"]
    bounds = {key: defaults[key] * factor for key in ("min", "max") if key in defaults}
    quiet = {"axisLabel": _TEXT, "splitLine": {"lineStyle": {"color": "#e8eaed"}}}
    y = {"type": "value", "name": unit, "nameTextStyle": _TEXT, "scale": "min" not in bounds}
    return {
        "animation": False,
        "useUTC": True,
        "grid": {"left": 8, "right": 14, "top": 22 if unit else 10, "bottom": 6, "containLabel": True},
        "yAxis": {**y, **bounds, **quiet},
    }


def _lines(panel: Panel, rows: Sequence[Row]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    found = _series(rows)
    most = max((abs(value) for points in found.values() for _, value in points if value is not None), default=0.0)
    factor, unit = _scale(defaults["unit"], most)
    bars = defaults["custom"]["drawStyle"] == "bars"
    series, legend = [], []
    for number, (name, points) in enumerate(list(found.items())[:_MOST_SERIES]):
        own = _properties(panel, name)
        color = own.get("color", {}).get("fixedColor") or _shade(defaults["color"]["fixedColor"], number)
        dashed = own.get("custom.lineStyle", {}).get("fill") == "dash"
        values = [[at_ms, None if value is None else value * factor] for at_ms, value in points]
        style = {"color": color, "width": 2, "type": "dashed" if dashed else "solid"}
        series.append(
            {"type": "bar", "data": values, "itemStyle": {"color": color, "opacity": 0.7}}
            if bars
            else {"type": "line", "data": values, "symbol": "none", "lineStyle": style, "itemStyle": {"color": color}}
        )
        legend.append((name, color))
    if len(found) > _MOST_SERIES:
        legend.append((f"and {len(found) - _MOST_SERIES:,} more", "#ffffff"))
    option = _axes(unit, panel, factor)
    option |= {"xAxis": {"type": "time", "axisLabel": {**_TEXT, "hideOverlap": True}}, "series": series}
    return _chart(option, legend)


def _heat(panel: Panel, rows: Sequence[Row]) -> str:
    found = dict(list(_series(rows).items())[:_MOST_LANES])
    times = sorted({at_ms for points in found.values() for at_ms, _ in points})
    lanes = list(found)
    steps = panel["fieldConfig"]["defaults"]["thresholds"]["steps"]
    pieces = [
        {"color": step["color"]}
        | ({} if step["value"] is None else {"gte": step["value"]})
        | ({"lt": after["value"]} if after else {})
        for step, after in zip(steps, [*steps[1:], None], strict=True)
    ]
    data = [
        [times.index(at_ms), lanes.index(name), value]
        for name, points in found.items()
        for at_ms, value in points
        if value is not None
    ]
    days = [f"{datetime.fromtimestamp(at_ms / 1000, UTC):%m-%d}" for at_ms in times]
    return _chart(
        {
            "animation": False,
            "grid": {"left": 8, "right": 14, "top": 6, "bottom": 6, "containLabel": True},
            "xAxis": {"type": "category", "data": days, "axisLabel": {**_TEXT, "hideOverlap": True}},
            "yAxis": {"type": "category", "data": lanes, "inverse": True, "axisLabel": _TEXT},
            "visualMap": {"type": "piecewise", "show": False, "pieces": pieces, "dimension": 2},
            "series": [{"type": "heatmap", "data": data, "itemStyle": {"borderColor": "#ffffff", "borderWidth": 1}}],
        }
    )


def _bars(panel: Panel, rows: Sequence[Row]) -> str:
    defaults = panel["fieldConfig"]["defaults"]
    first, *numbers = list(rows[0])
    factor, unit = _scale(defaults["unit"], 0.0)
    series, legend = [], []
    for number, name in enumerate(numbers):
        own = _properties(panel, name)
        color = own.get("color", {}).get("fixedColor") or _shade(defaults["color"]["fixedColor"], number)
        values = [None if row[name] is None else row[name] * factor for row in rows]
        series.append({"type": "bar", "data": values, "itemStyle": {"color": color}, "barGap": "0%"})
        legend.append((name, color))
    option = _axes(unit, panel, factor)
    labels = {**_TEXT, "hideOverlap": True}
    option |= {"xAxis": {"type": "category", "data": [str(row[first]) for row in rows], "axisLabel": labels}}
    return _chart({**option, "series": series}, legend)
