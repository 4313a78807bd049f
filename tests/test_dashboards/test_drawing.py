"""Panels drawn from rows, for pictures: in the colours, units and names that their JSON says, whatever rows hold."""

import html
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from support import page

from monitor.dashboards.asked import expanded, variables
from monitor.dashboards.drawing import drawn

FOLDER = Path(__file__).parents[2] / "dashboards" / "grafana" / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def panel(board: str, title: str) -> dict[str, Any]:
    (found,) = [one for one in BOARDS[board]["panels"] if one["title"] == title]
    return found  # type: ignore[no-any-return]


def option(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'data-option="([^"]*)"', text)
    return json.loads(html.unescape(found))  # type: ignore[no-any-return]


def test_lines_have_the_colours_and_dashes_of_their_overrides_and_a_key() -> None:
    rows = [
        {
            "time": NOON + timedelta(hours=n), "measured": 0.7, "low": 0.6, "high": 0.8, "estimate": float("nan"),
            "reference": 0.75,
        }
        for n in range(3)
    ]  # fmt: skip
    text = drawn(panel("performance", "Measured and estimated"), rows)
    series = option(text)["series"]
    assert [one["lineStyle"]["type"] for one in series] == ["solid", "solid", "solid", "dashed", "dashed"]
    assert series[0]["lineStyle"]["color"] == "#0072B2"
    assert series[0]["data"][1] == [1_772_370_000_000, 0.7]
    assert [value for _, value in series[3]["data"]] == [None, None, None]
    assert re.findall(r"</i>([^<]*)</span>", text) == ["measured", "low", "high", "estimate", "reference"]


def test_a_text_column_makes_a_line_of_each_value_and_shares_are_per_cent() -> None:
    rows = [{"time": NOON, "name": name, "maturity": 0.25} for name in ("a 1", "b 1")]
    made = option(drawn(panel("fleet", "Label maturity"), rows))
    assert [one["data"][0][1] for one in made["series"]] == [25.0, 25.0]
    assert (made["yAxis"]["name"], made["yAxis"]["min"], made["yAxis"]["max"]) == ("%", 0, 100)


def test_a_heat_map_has_the_pieces_of_its_thresholds() -> None:
    rows = [{"time": NOON + timedelta(days=n), "column": "temp", "strength": 2.0 * n} for n in range(3)]
    made = option(drawn(panel("model", "Verdicts by column"), rows))
    assert made["visualMap"]["pieces"] == [
        {"color": "#999999", "lt": 1}, {"color": "#E69F00", "gte": 1, "lt": 3}, {"color": "#D55E00", "gte": 3},
    ]  # fmt: skip
    assert made["series"][0]["data"] == [[0, 0, 0.0], [1, 0, 2.0], [2, 0, 4.0]]


def test_cells_of_tables_are_coloured_and_counted() -> None:
    rows = [{"name": f"a=b{n}", "strength": 5.0 - n} for n in range(10)]
    text = drawn(panel("model", "Segments that changed"), rows)
    assert re.findall(r'style="background:([^"]*)"', text)[:5] == ["#D55E00"] * 3 + ["#E69F00"] * 2
    assert "and 2 rows more" in text


def test_what_is_strong_and_may_be_chance_is_not_coloured_as_changed() -> None:
    rows = [{"column": "a", "changed": True, "strength": 2.0}, {"column": "b", "changed": False, "strength": 9.0}]
    text = drawn(panel("model", "What moved"), rows)
    assert re.findall(r'<td style="background:([^"]*)">([^<]*)</td>', text) == [("#E69F00", "yes"), ("#999999", "no")]
    assert "background" not in text.partition("9</td>")[0].rpartition("<td")[2]


@pytest.mark.parametrize("kind", ["table", "timeseries", "status-history", "barchart"])
def test_hostile_names_are_text(kind: str) -> None:
    made = next(one for board in BOARDS.values() for one in board["panels"] if one["type"] == kind)
    first = {} if kind in ("table", "barchart") else {"time": NOON}
    text = drawn(made, [{**first, "name": page.HOSTILE, "value": 1.0}])
    assert "<img" not in text
    assert "onerror" in text


def test_what_has_no_rows_says_so() -> None:
    assert "No data" in drawn(panel("model", "Retraining"), [])


def test_variables_take_the_first_value_of_what_was_chosen_before_them() -> None:
    asked: list[str] = []

    def first(statement: str) -> list[object]:
        asked.append(statement)
        return [f"value {len(asked)}"]

    values = variables(BOARDS["column"], first, {"column": "temp"}, 0, 1_000)
    assert values["model"] == "value 1"
    assert values["column"] == "temp"
    assert "value%201" in asked[1]
    assert not [statement for statement in asked if "$" in statement]


def test_an_unknown_macro_or_variable_is_no_statement() -> None:
    with pytest.raises(ValueError, match="macro"):
        expanded("SELECT $__interval", {}, 0, 1)
    with pytest.raises(KeyError):
        expanded("SELECT '${other:percentencode}'", {}, 0, 1)
