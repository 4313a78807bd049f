"""What is drawn: plain values that `static/charts.js` reads, which knows how each kind looks; times in ms."""

from collections.abc import Sequence
from typing import Any

from monitor.api.queries.performance import Figure, Part
from monitor.api.queries.profiles import Distribution
from monitor.api.queries.verdicts import Volume
from monitor.api.views.distribution import bars, pairs, quantiles
from monitor.api.views.heat import HeatCell
from monitor.api.wording import column_name, moved
from monitor.wording import instant

Chart = dict[str, Any]


def distribution_chart(found: Distribution) -> Chart:
    """Now against the reference: by width, or categories in pairs."""
    if found.kind == "categorical":
        return {
            "kind": "pairs",
            "rows": [[one.name[:200], _round(one.reference), _round(one.live), one.note] for one in pairs(found)],
        }
    return {
        "kind": "density",
        "bars": [[_round(one.low), _round(one.high), _round(one.reference), _round(one.live)] for one in bars(found)],
        "range": [found.edges[0], found.edges[-1]] if found.edges else None,
    }


def distribution_parts(found: Distribution) -> dict[str, Any]:
    """What a template shows of it: the chart, and the rows of the table behind it."""
    return {
        "of": found,
        "chart": distribution_chart(found),
        "bars": [] if found.kind == "categorical" else bars(found),
        "pairs": pairs(found) if found.kind == "categorical" else [],
    }


def bands_chart(bands: Sequence[tuple[int, tuple[float, ...]]], found: Distribution) -> Chart:
    """Quantiles over time, beside the reference's."""
    known = quantiles(found.reference_counts, found.edges, None, None)
    return {
        "kind": "bands",
        "points": [[start_ms, *map(_round, levels)] for start_ms, levels in bands],
        "reference": [_round(value) for value in known] if known else None,
        "brush": True,
    }


def lines_chart(lines: Sequence[tuple[str, Sequence[tuple[int, float | None]]]], unit: str = "") -> Chart:
    """Some lines over time, labelled at their ends; `unit` is ``%`` or nothing."""
    return {
        "kind": "lines",
        "unit": unit,
        "lines": [{"name": name, "points": [[at, _round(value)] for at, value in points]} for name, points in lines],
        "brush": True,
    }


def strength_chart(cells: Sequence[HeatCell]) -> Chart:
    """Effect over threshold by window; those that changed are marked, and those that are only the season."""
    return {
        "kind": "strength",
        "points": [[one.cell.end_ms, _round(one.cell.strength), int(one.drifted), one.season] for one in cells],
        "brush": True,
    }


def volume_chart(windows: Sequence[Volume]) -> Chart:
    """Events a window; bars start at zero."""
    return {"kind": "bars", "points": [[one.start_ms, one.events] for one in windows], "brush": True}


def heat_columns(cells: Sequence[HeatCell]) -> list[str]:
    """Those that drifted most often and most strongly first; what is only the season does not count."""
    weight: dict[str, float] = {}
    for one in cells:
        name = one.cell.column
        weight[name] = weight.get(name, 0.0) + (min(one.cell.strength or 0.0, 10.0) if one.drifted else 0.0)
    return sorted(weight, key=lambda name: (-weight[name], name.startswith("@"), name))


def heat_chart(cells: Sequence[HeatCell], windows: Sequence[Volume], links: dict[str, str]) -> Chart:
    """Columns by time; what is missing was not scored."""
    columns = heat_columns(cells)
    row = {name: number for number, name in enumerate(columns)}
    ends = sorted({one.cell.end_ms for one in cells} | {one.end_ms for one in windows})
    at = {end_ms: number for number, end_ms in enumerate(ends)}
    return {
        "kind": "heat",
        "columns": [column_name(name)[:60] for name in columns],
        "links": [links.get(name, "") for name in columns],
        "ends": ends,
        "cells": [
            [
                at[one.cell.end_ms],
                row[one.cell.column],
                _round(one.cell.strength),
                int(one.cell.drifted),
                moved(one.cell) if one.cell.drifted else "",
                one.season,
            ]
            for one in cells
        ],
    }


def measured_chart(figures: Sequence[Figure]) -> Chart:
    """One metric over time: measured with its interval, estimated dashed, the reference's value and spread."""
    measured = [one for one in figures if not one.estimated and one.value is not None]
    guessed = [one for one in figures if one.estimated and one.value is not None]
    known = next((one for one in reversed(measured or guessed)), None)
    return {
        "kind": "measured",
        "points": [
            [one.end_ms, _round(one.value), _round(one.ci_low), _round(one.ci_high), one.maturity, int(one.provisional)]
            for one in measured
        ],
        "estimate": [[one.end_ms, _round(one.value)] for one in guessed],
        "reference": _round(known.reference_value) if known else None,
        "spread": [_round(known.spread_low), _round(known.spread_high)] if known else None,
        "brush": True,
    }


def parts_chart(parts: Sequence[Part], names: dict[str, str]) -> Chart:
    """Bars from zero, each with its interval."""
    return {
        "kind": "parts",
        "rows": [
            [names.get(one.part, one.column), _round(one.contribution), _round(one.ci_low), _round(one.ci_high)]
            for one in parts
        ],
    }


def when(start_ms: int, end_ms: int) -> str:
    """Of a table's row."""
    return f"{instant(start_ms)} to {instant(end_ms)}"


def _round(value: float | None) -> float | None:
    """Six digits are more than a screen shows, and less than a third of the bytes."""
    return None if value is None else float(f"{value:.6g}")
