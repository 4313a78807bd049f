"""The dashboards as committed: every statement of every panel runs on ClickHouse, and answers what it needs."""

import contextlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DatabaseError
from prometheus_client.metrics import MetricWrapperBase
from support import dashboards, page
from support.batches import batch_of
from support.dashboards import TEXT, TIME, needed

from monitor import telemetry
from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

ROOT = Path(__file__).parents[2]
GRAFANA = ROOT / "dashboards" / "grafana"
FOLDER = GRAFANA / "dashboards"
BOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
COMMON = {"window": "3600", "method": "js", "metric": "roc_auc", "segment": "(all rows)"}
SCOPES = {
    "of a number": {**COMMON, "model": page.MODEL, "version": "1", "column": "temp"},
    "of categories": {**COMMON, "model": page.MODEL, "version": "1", "column": "carrier"},
    "of a segment": {**COMMON, "model": page.MODEL, "version": "1", "column": "temp", "segment": "origin=EWR"},
    "of the second half": {**COMMON, "model": page.MODEL, "version": "1", "column": "temp", "half": "second"},
    "of hostile names": {**COMMON, "model": page.HOSTILE, "version": page.HOSTILE, "column": page.HOSTILE},
}
PANELS = [
    pytest.param(name, panel, id=f"{name}-{panel['id']}-{panel['title']}")
    for name, board in BOARDS.items()
    for panel in board["panels"]
]
SQL_PANELS = [one for one in PANELS if one.values[1]["datasource"]["uid"] == "${clickhouse}"]  # type: ignore[index,call-overload]


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    dsn = f"chdb://{tmp_path_factory.mktemp('dashboards')}"
    sink = ClickHouseSink(dsn)
    with contextlib.closing(sink):
        sink.migrate()
        sink.setup()
        written = sink.write([batch_of(RECORDS[name], own) for name, own in dashboards.rows().items() if own])
        assert not written.dropped, written.dropped
        client = connect(dsn)
        try:
            yield client
        finally:
            client.close()


def asked(client: Client, statement: str, values: dict[str, str]) -> tuple[dict[str, str], list[tuple[Any, ...]]]:
    """Types by column, and rows."""
    from_ms = page.START_MS + page.HOUR_MS * 6 if values.get("half") else dashboards.FROM_MS
    text = dashboards.expanded(statement, values, from_ms)
    answer = client.query(text, settings={"session_timezone": "America/New_York"})
    types = dict(zip(answer.column_names, (kind.name for kind in answer.column_types), strict=True))
    if not types:  # chDB tells no columns where there are no rows
        types = {str(row[0]): str(row[1]) for row in client.query(f"DESCRIBE TABLE ({text})").result_rows}
    return types, [tuple(row) for row in answer.result_rows]


def named_fields(panel: dict[str, Any]) -> set[str]:
    """Columns that overrides and links count on."""
    overrides = panel["fieldConfig"]["overrides"]
    named = {one["matcher"]["options"] for one in overrides if one["matcher"]["id"] == "byName"}
    return named | set(re.findall(r"__data\.fields\.(\w+)", json.dumps(panel)))


def series_names(types: dict[str, str], answer: list[tuple[Any, ...]]) -> set[str]:
    """What the fields are called: a series is named by the values of its text column."""
    texts = [number for number, kind in enumerate(types.values()) if TEXT.match(kind)]
    return set(types) | {str(row[number]) for row in answer for number in texts}


@pytest.mark.parametrize(("name", "panel"), PANELS)
def test_every_panel_has_queries_a_unit_and_a_description(name: str, panel: dict[str, Any]) -> None:
    assert panel["targets"]
    assert all(target.get("rawSql") or target.get("expr") for target in panel["targets"])
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert len(panel["description"]) > 40


@pytest.mark.parametrize(("name", "panel"), SQL_PANELS)
def test_every_panel_gets_rows_of_the_columns_and_types_that_it_needs(
    name: str, panel: dict[str, Any], client: Client
) -> None:
    filled = 0
    found: set[str] = set()
    for values in SCOPES.values():
        for target in panel["targets"]:
            types, answer = asked(client, target["rawSql"], values)
            needed(panel, types)
            filled += bool(answer)
            found |= series_names(types, answer)
    assert filled, "no rows, whatever is chosen"
    assert named_fields(panel) <= found


def test_the_error_of_an_estimate_is_that_of_windows_whose_labels_are_mature(client: Client) -> None:
    (panel,) = (one for one in BOARDS["performance"]["panels"] if one["title"] == "Error of the estimate")
    (target,) = panel["targets"]
    _, rows = asked(client, target["rawSql"], SCOPES["of a number"])
    assert [error for _, error in rows] == [0.0] * (page.N_WINDOWS - 1)  # the last is provisional


def test_hostile_names_are_values_and_never_sql(client: Client) -> None:
    empty = set()
    for one in SQL_PANELS:
        name, panel = one.values
        assert isinstance(panel, dict)
        if not any(asked(client, target["rawSql"], SCOPES["of hostile names"])[1] for target in panel["targets"]):
            empty.add((name, panel["title"]))
    # That model's data lack a score, and the column is no category; nothing is before its first pane.
    assert empty == {
        ("column", "New categories"),
        ("column", "Against the range before"),
        ("model", "Predictions: quantiles of the score"),
    }


def test_a_panel_with_an_unknown_column_or_without_what_it_draws_would_be_found(client: Client) -> None:
    panel = BOARDS["model"]["panels"][0]
    values = SCOPES["of a number"]
    statement = panel["targets"][0]["rawSql"]
    with pytest.raises(DatabaseError, match="effekt"):
        asked(client, statement.replace("effect", "effekt"), values)
    untimed, _ = asked(client, statement.replace("AS time", "AS moment").replace("BY time", "BY moment"), values)
    with pytest.raises(KeyError):
        needed(panel, untimed)
    with pytest.raises(AssertionError):
        needed(panel, {"time": "DateTime", "strength": "Float64"})


@pytest.mark.parametrize("name", BOARDS)
def test_every_variable_offers_what_the_data_have(name: str, client: Client) -> None:
    for variable in BOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            for scope in ("of a number", "of hostile names"):
                types, answer = asked(client, variable["query"]["rawSql"], SCOPES[scope])
                assert SCOPES[scope][variable["name"]] in [row[0] for row in answer], variable["name"]
                assert len(types) <= 2


@pytest.mark.parametrize("name", BOARDS)
def test_every_annotation_has_a_time_and_a_text(name: str, client: Client) -> None:
    for annotation in BOARDS[name].get("annotations", {}).get("list", []):
        types, answer = asked(client, annotation["target"]["rawSql"], SCOPES["of a number"])
        assert answer
        assert TIME.match(types["time"])
        assert {"title", "text", "tags"} <= set(types)


@pytest.mark.parametrize("name", BOARDS)
def test_ids_are_stable_and_data_sources_are_variables(name: str) -> None:
    board = BOARDS[name]
    assert board["uid"] == f"driftline-{name}"
    assert [panel["id"] for panel in board["panels"]] == list(range(1, len(board["panels"]) + 1))
    offered = {f"${{{one['name']}}}" for one in board["templating"]["list"] if one["type"] == "datasource"}
    used = set(re.findall(r'"uid": "([^"]+)"', json.dumps({**board, "uid": ""}))) - {""}
    assert used <= offered


@pytest.mark.parametrize("name", BOARDS)
def test_panels_lie_in_the_grid_and_none_on_another(name: str) -> None:
    taken: set[tuple[int, int]] = set()
    for panel in BOARDS[name]["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert max(x for x, _ in cells) < 24, panel["title"]
        assert not cells & taken, panel["title"]
        taken |= cells


@pytest.mark.parametrize("name", BOARDS)
def test_variables_that_statements_name_are_offered(name: str) -> None:
    board = BOARDS[name]
    offered = {one["name"] for one in board["templating"]["list"]}
    texts = [target.get("rawSql", "") for panel in board["panels"] for target in panel["targets"]]
    texts += [one["query"]["rawSql"] for one in board["templating"]["list"] if one["type"] == "query"]
    assert set(re.findall(r"\$\{(\w+):percentencode\}", " ".join(texts))) <= offered


def test_links_lead_from_fleet_to_model_to_column_and_nowhere_else() -> None:
    addresses = {f"driftline-{name}" for name in BOARDS}
    for board in BOARDS.values():
        assert set(re.findall(r"/d/([\w-]+)", json.dumps(board))) <= addresses


def expressions() -> list[str]:
    """What panels ask Prometheus."""
    panels = [panel for board in BOARDS.values() for panel in board["panels"]]
    return [target["expr"] for panel in panels for target in panel["targets"] if "expr" in target]


def test_prometheus_can_read_what_panels_ask_it(tmp_path: Path) -> None:
    if shutil.which("promtool") is None:
        pytest.skip("promtool is not installed")
    rules = [{"record": f"asked:{number}", "expr": expr} for number, expr in enumerate(expressions())]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_panels_ask_prometheus_for_metrics_that_roles_and_rules_have() -> None:
    rules = yaml.safe_load((ROOT / "dashboards" / "prometheus-rules.yml").read_text())["groups"]
    known = {rule["record"] for group in rules for rule in group["rules"] if "record" in rule}
    for metric in vars(telemetry).values():
        if isinstance(metric, MetricWrapperBase):
            known |= {f"{one.name}_total" if one.type == "counter" else one.name for one in metric.describe()}
    named = {name for expr in expressions() for name in re.findall(r"driftline[\w:]+", expr)}
    assert named
    assert named <= known


def test_provisioning_finds_the_dashboards_and_tells_nobody_unasked() -> None:
    compose = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]["grafana"]
    mounts = dict(volume.split(":")[:2] for volume in compose["volumes"])
    assert {source: (ROOT / source).is_dir() for source in mounts if source.startswith("./")} == {
        "./dashboards/grafana/provisioning": True,
        "./dashboards/grafana/dashboards": True,
    }
    (provider,) = yaml.safe_load((GRAFANA / "provisioning/dashboards/driftline.yaml").read_text())["providers"]
    assert provider["options"]["path"] == mounts["./dashboards/grafana/dashboards"]

    sources = yaml.safe_load((GRAFANA / "provisioning/datasources/driftline.yaml").read_text())["datasources"]
    offered = {
        one["query"] for board in BOARDS.values() for one in board["templating"]["list"] if one["type"] == "datasource"
    }
    assert {source["type"] for source in sources} == offered
    assert sources[0]["jsonData"]["customSettings"] == [{"setting": "readonly", "value": "2"}]
    assert set(yaml.safe_load((GRAFANA / "provisioning/alerting/driftline.yaml").read_text())) == {"apiVersion"}


@pytest.mark.parametrize("name", BOARDS)
def test_colours_are_those_that_the_colour_blind_tell_apart(name: str) -> None:
    """Okabe and Ito's, and grey for what needs nobody; Grafana's own palettes are named by other modes."""
    text = json.dumps(BOARDS[name])
    named = {color.upper() for color in re.findall(r'"(#[0-9A-Fa-f]{6})"', text)}
    assert named <= {"#999999", "#0072B2", "#56B4E9", "#E69F00", "#D55E00", "#CC79A7"}
    modes = {panel["fieldConfig"]["defaults"].get("color", {}).get("mode") for panel in BOARDS[name]["panels"]}
    assert modes <= {"shades", "thresholds", None}


def test_the_committed_files_are_what_the_code_builds() -> None:
    pytest.importorskip("grafana_foundation_sdk")
    from monitor.dashboards.__main__ import texts

    assert {path.name: path.read_text() for path in FOLDER.glob("*.json")} == texts(), "run `make dashboards`"
