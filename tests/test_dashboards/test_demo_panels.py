"""Every panel over what `driftline demo` has found: none is empty but those whose rows something must happen for."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from support.dashboards import needed
from support.demo import kept_demo

from monitor.dashboards.asked import expanded, variables
from sinks.clickhouse.client import connect

pytest.importorskip("sklearn", reason="the demo's packages are not installed: pip install 'driftline[demo]'")
pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
pytestmark = pytest.mark.long
FOLDER = Path(__file__).parents[2] / "dashboards" / "grafana" / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
DAY_MS = 86_400_000
MARCH_MS = 1_362_096_000_000  # 2013-03-01
NOT_IN_THE_DEMO = {
    ("model", "Retraining"): "two months of it ask for no new model",
    ("service", "Last rejects"): "every event of it can be used",
    ("service", "Deliveries by destination"): "it tells nobody: its configuration has no destination of alerts",
    ("service", "Late events by pane"): "none of its events is later than the retention",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What somebody chose."""

    chosen: Mapping[str, str] = field(default_factory=dict)
    from_ms: int = MARCH_MS - 34 * DAY_MS
    to_ms: int = MARCH_MS + 31 * DAY_MS


LOOKS = {
    "as it opens": Look(),
    "a week, of a number": Look(chosen={"column": "pressure"}, from_ms=MARCH_MS, to_ms=MARCH_MS + 7 * DAY_MS),
    "of categories": Look(chosen={"column": "dest"}),
    "while an alert was open": Look(to_ms=MARCH_MS - 18 * DAY_MS),
}


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """The database of a demo that was run for this, and kept."""
    folder = kept_demo(tmp_path_factory.mktemp("demo") / "kept")
    client = connect(f"chdb://{folder / 'clickhouse'}")
    yield client
    client.close()


def asked(client: Client, statement: str) -> tuple[dict[str, str], list[dict[str, Any]]]:
    """Types by column, and rows."""
    answer = client.query(statement)
    types = dict(zip(answer.column_names, (kind.name for kind in answer.column_types), strict=True))
    return types, list(answer.named_results())


def test_no_panel_is_empty_on_the_demos_data(client: Client) -> None:
    def first(statement: str) -> list[object]:
        return list(next(iter(client.query(statement).result_rows), ()))

    empty: set[tuple[str, str]] = set()
    for name, board in BOARDS.items():
        panels = [one for one in board["panels"] if all("rawSql" in target for target in one["targets"])]
        filled: set[str] = set()
        for look in LOOKS.values():
            values = variables(board, first, look.chosen, look.from_ms, look.to_ms)
            assert all(values.values()), values
            for panel in panels:
                for target in panel["targets"]:
                    types, rows = asked(client, expanded(target["rawSql"], values, look.from_ms, look.to_ms))
                    if rows:
                        needed(panel, types)
                        assert any(value is not None for row in rows for value in row.values())
                        filled.add(panel["title"])
        empty |= {(name, panel["title"]) for panel in panels if panel["title"] not in filled}
    assert empty == set(NOT_IN_THE_DEMO)


def test_what_may_be_empty_says_when(client: Client) -> None:
    for name, title in NOT_IN_THE_DEMO:
        (panel,) = [one for one in BOARDS[name]["panels"] if one["title"] == title]
        assert "Empty " in panel["description"] or "none" in panel["description"].lower()


def test_the_confusion_of_two_classes_is_what_accuracy_leaves(client: Client) -> None:
    board, look = BOARDS["performance"], Look()
    values = variables(board, lambda statement: list(client.query(statement).result_rows[0]), {}, *_span(look))
    (panel,) = [one for one in board["panels"] if one["title"] == "Confusion"]
    _, rows = asked(client, expanded(panel["targets"][0]["rawSql"], values, *_span(look)))
    by_truth = {row["truth"]: row for row in rows}
    metrics = client.query(
        "SELECT metric, value, n FROM performance_latest WHERE segment = '' AND NOT estimated AND metric IN "
        "('accuracy', 'recall') AND window_end - window_start = {size:Int64} "
        "ORDER BY provisional, window_end DESC LIMIT 1 BY metric",
        parameters={"size": int(values["window"])},
    ).result_rows
    known = {metric: (value, n) for metric, value, n in metrics}
    accuracy, n = known["accuracy"]
    assert sum(row["of_all"] for row in rows) == pytest.approx(1 - accuracy, abs=1e-12)
    assert by_truth["positive"]["share"] == pytest.approx(1 - known["recall"][0], abs=1e-12)
    # Counts are whole: what the shares say is n times a number of rows.
    assert all(row["of_all"] * n == pytest.approx(row["n"], abs=1e-6) for row in rows)
    # Both shares are of their own class: together with it they are all rows.
    sizes = {truth: row["n"] / row["share"] for truth, row in by_truth.items()}
    assert sum(sizes.values()) == pytest.approx(n, abs=1e-6)


def _span(look: Look) -> tuple[int, int]:
    return look.from_ms, look.to_ms
