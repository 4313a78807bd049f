"""What only the season explains: the same on the fleet, a model's and a column's page, the API and the dashboards."""

import contextlib
import html
import json
import re
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support import dashboards, page
from support.batches import batch_of

from monitor.api import report
from monitor.api.model_card import markdown, model_card
from monitor.api.queries import fleet, verdicts
from monitor.api.replayed import replayed
from monitor.api.site import Site
from monitor.api.source import Source
from monitor.api.views.fleet import SPARKS, Spark, fleet_lines, spark_path
from monitor.dashboards.asked import variables
from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
SEASON: Final = "season hour_of_week"
BOARDS: Final = Path(__file__).parents[3] / "dashboards" / "grafana" / "dashboards"
NEWEST: Final = page.N_WINDOWS - 1
COLUMN: Final = f"/column?model={page.MODEL}&version=1&column=temp"
PER_WINDOW: Final = {"temp": (True, False), "carrier": (True, True), "@score": (True, None)}
"""In the newest windows, whether a column drifted beside the whole reference, and beside its season."""


def verdict_rows() -> list[dict[str, Any]]:
    """`temp` is only the season; `carrier` changed beside both; `@score` changed, and has no season."""
    made = [one for one in page.rows()["drift_verdict"] if one["model"] == page.MODEL]
    found = []
    for one in made:
        number = (one["window_start_ms"] - page.START_MS) // page.HOUR_MS
        pinned, season = PER_WINDOW[one["column"]]
        late = number >= page.DRIFTED_FROM
        strength = {"temp": 9.0, "carrier": 3.0, "@score": 2.0}[one["column"]]
        said = {"direction": "up", "quantity": "mean", "method": "js", "threshold": 0.1, "revision": 2}
        found.append({**one, **said, "drifted": late and pinned, "effect": 0.1 * strength if late else 0.01})
        if season is not None:
            drifted = late and season
            effect = 0.15 if drifted else 0.01
            found.append({**one, **said, "compare": SEASON, "revision": 1, "drifted": drifted, "effect": effect})
    return found


@pytest.fixture(scope="module")
def dsn(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with page.made_database(tmp_path_factory.mktemp("season") / "db") as dsn:
        sink = ClickHouseSink(dsn)
        sink.setup()
        # In two parts and one of them twice, as deliveries come.
        rows = verdict_rows()
        for part in (rows[::2], rows[1::2], rows[::2]):
            sink.write([batch_of(RECORDS["drift_verdict"], part)])
        sink.close()
        yield dsn


@pytest.fixture(scope="module")
def site(dsn: str) -> Iterator[Site]:
    found = page.site_of(dsn)
    yield found
    found.source.close()


@pytest.fixture(scope="module")
def origin(dsn: str) -> Iterator[str]:
    with page.served(page.site_of(dsn)) as origin:
        yield origin


def get(address: str) -> str:
    with urllib.request.urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


def words(text: str) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", text)).split())


def newest(site: Site) -> fleet.Changes:
    found = fleet.changes(site.source, page.START_MS, page.NEWEST_MS, 3600)
    (one,) = [one for one in found if (one.model, one.version, one.window_end_ms) == (page.MODEL, "1", page.NEWEST_MS)]
    return one


def test_the_fleet_counts_what_changed_and_the_season_apart(site: Site) -> None:
    one = newest(site)
    assert (one.n_columns, one.n_drifted, one.n_season) == (3, 2, 1)
    assert one.worst == ["carrier", "@score"]
    changes = fleet.changes(site.source, 0, page.NEWEST_MS, 3600)
    (line,) = [
        line
        for line in fleet_lines(site.sized(), changes, [], {}, site.now_ms())
        if (line.model, line.version) == (page.MODEL, "1")
    ]
    assert (line.state_text, line.worst, line.n_season) == ("2 columns changed", ("carrier", "@score"), 1)


def test_the_fleets_page_says_so_in_words(origin: str) -> None:
    row = next(one for one in get(origin + "/").split("<tr>") if "version=1" in one and f"model={page.MODEL}" in one)
    assert "1 column only as the season" in words(row)
    assert "2 of 3 now" in words(row)
    assert "now 2 of 3, and 1 more differ only as the season does" in html.unescape(row)
    assert ">temp</a>" not in row


def test_the_api_answers_the_same(origin: str, site: Site) -> None:
    asked = f"/api/v1/changes?from_ms={page.START_MS}&to_ms={page.NEWEST_MS}"
    found = [
        one
        for one in json.loads(get(origin + asked))["items"]
        if (one["model"], one["version"], one["window_end_ms"]) == (page.MODEL, "1", page.NEWEST_MS)
    ]
    assert [(one["n_drifted"], one["n_season"], one["worst"]) for one in found] == [(2, 1, newest(site).worst)]
    span = f"from_ms={page.START_MS}&to_ms={page.NEWEST_MS}&size_s=3600"
    runs = json.loads(get(origin + f"/api/v1/runs?model={page.MODEL}&version=1&{span}"))["items"]
    whole = {(one["column"], one["compare"]): (one["season"], one["n_season"]) for one in runs if not one["segment"]}
    n_late = page.N_WINDOWS - page.DRIFTED_FROM
    assert whole == {
        ("temp", "pinned"): (SEASON, n_late), ("carrier", "pinned"): ("", 0), ("carrier", SEASON): ("", 0),
        ("@score", "pinned"): ("", 0),
    }  # fmt: skip


def panel_rows(dsn: str, board: str, title: str) -> list[dict[str, Any]]:
    """What a panel of a dashboard answers of the whole of version 1."""
    client = connect(dsn)
    try:

        def first(statement: str) -> list[object]:
            return list(next(iter(client.query(statement).result_rows), ()))

        document = json.loads((BOARDS / f"{board}.json").read_text())
        chosen = {"model": page.MODEL, "version": "1", "segment": "(all rows)"}
        values = variables(document, first, chosen, dashboards.FROM_MS, dashboards.TO_MS)
        (panel,) = [one for one in document["panels"] if one["title"] == title and one["type"] != "stat"]
        return list(client.query(dashboards.expanded(panel["targets"][0]["rawSql"], values)).named_results())
    finally:
        client.close()


def test_the_fleets_dashboard_counts_as_the_page_does(dsn: str, site: Site) -> None:
    one = newest(site)
    rows = panel_rows(dsn, "fleet", "Models")
    (row,) = [row for row in rows if (row["model"], row["version"]) == (page.MODEL, "1")]
    assert (row["n_changed"], row["n_season"], row["worst_column"]) == (one.n_drifted, one.n_season, one.worst[0])
    shares = [
        row["share"]
        for row in panel_rows(dsn, "fleet", "Share of columns changed")
        if row["name"] == f"{page.MODEL} 1" and row["time"].timestamp() * 1000 == page.NEWEST_MS
    ]
    assert shares == [pytest.approx(one.n_drifted / one.n_columns)]


def test_the_models_dashboard_leaves_the_season_grey(dsn: str) -> None:
    cells = {
        row["column"]: row["strength"]
        for row in panel_rows(dsn, "model", "Verdicts by column")
        if row["time"].timestamp() * 1000 == page.NEWEST_MS
    }
    assert cells == {"temp": 0.99, "carrier": pytest.approx(3.0), "@score": pytest.approx(2.0)}
    moved = {
        (row["column"], row["compare"]): (row["changed"], row["only_season"])
        for row in panel_rows(dsn, "model", "What moved")
    }
    assert moved == {
        ("temp", "pinned"): (False, True), ("temp", SEASON): (False, False), ("carrier", "pinned"): (True, False),
        ("carrier", SEASON): (True, False), ("@score", "pinned"): (True, False),
    }  # fmt: skip
    last = panel_rows(dsn, "model", "Share of columns changed")[-1]
    assert last["changed"] == pytest.approx(2 / 3)
    of_segments = {row["name"]: row for row in panel_rows(dsn, "model", "Segments that changed")}
    assert of_segments["(all rows)"]["n_changed"] == 2
    assert of_segments["(all rows)"]["worst_column"] == "carrier"


def test_the_models_page_lists_it_apart_and_counts_a_column_once(origin: str) -> None:
    text = get(origin + f"/model?model={page.MODEL}&version=1")
    first = words(re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)[1])  # type: ignore[index]
    assert "1 input moved (carrier)" in first
    assert "temp" not in first
    now, _, rest = text.partition("Only the season: nothing to do")
    seasonal = rest.partition("</section>")[0]
    assert "temp" not in words(now.partition("What differs from the reference now")[2])
    assert "only the season: unchanged beside the same hour of week" in words(seasonal)
    assert words(seasonal).count("temp :") == 1
    moved = words(now.partition("What differs from the reference now")[2])
    assert moved.count("carrier :") == 1
    assert "beside the whole reference , and the same hour of week" in moved.replace("reference,", "reference ,")


def test_the_columns_page_says_it_in_its_sentence_chart_and_tables(origin: str) -> None:
    text = get(origin + f"/column?model={page.MODEL}&version=1&column=temp")
    first = words(re.search(r"<h1>(.*?)</h1>", text, re.DOTALL)[1])  # type: ignore[index]
    assert first.endswith("but only the season: unchanged beside the same hour of week.")
    n_late = page.N_WINDOWS - page.DRIFTED_FROM
    assert text.count("<td>only the season</td>") == n_late
    charts = [json.loads(html.unescape(one)) for one in re.findall(r"data-chart='([^']*)'", text)]
    (chart,) = [one for one in charts if one["kind"] == "strength"]
    assert [point[2:] for point in chart["points"]] == [[0, ""]] * page.DRIFTED_FROM + [[0, SEASON]] * n_late
    table = text.partition("Where it moved")[2].partition("</table>")[0]
    assert "only the season: unchanged beside the same hour of week" in words(table)
    text = get(origin + f"/column?model={page.MODEL}&version=1&column=carrier")
    assert "only the season" not in text.partition("The evidence")[0]


def test_without_seasons_nothing_is_one(site: Site) -> None:
    span = {"size_s": 3600, "from_ms": page.START_MS, "to_ms": page.NEWEST_MS}
    found = verdicts.runs(site.source, verdicts.Scope(model=page.HOSTILE, version=page.HOSTILE, **span))
    assert found
    assert {(one.season, one.n_season) for one in found} == {("", 0)}


def test_a_spark_has_the_season_above_what_changed() -> None:
    sparks = [Spark(end_ms=n, n_drifted=1, n_season=2, n_columns=4) for n in range(SPARKS)]
    (changed,) = set(re.findall(r" ([\d.]+)v-([\d.]+)h", spark_path(sparks, "changed")))
    (season,) = set(re.findall(r" ([\d.]+)v-([\d.]+)h", spark_path(sparks, "season")))
    assert changed == ("25", "8.0")
    assert season == ("17", "16.0")
    assert spark_path(sparks, "quiet") == ""


@pytest.fixture(params=["database", "replay"])
def told(request: pytest.FixtureRequest, site: Site, tmp_path: Path) -> Iterator[Site]:
    """What a report is made of: the database, or the files of a replay."""
    if request.param == "database":
        yield site
        return
    rows = {**page.rows(), "drift_verdict": verdict_rows()}
    for record in RECORDS.values():
        if record.file and rows[record.name]:
            pq.write_table(pa.Table.from_batches([batch_of(record, rows[record.name])]), tmp_path / record.file)
    references = [batch_of(RECORDS["reference_column"], rows["reference_column"])]
    with contextlib.closing(Source(lambda: replayed(tmp_path, references), connections=1)) as source:
        yield Site(source=source, config=site.config, access=site.access, now_ms=site.now_ms)


def test_a_report_shows_a_column_that_is_only_the_season_as_the_page_does(told: Site, origin: str) -> None:
    text = report.html_report(told, report.choose(told, page.MODEL, "1", None, None))
    body = re.sub(r"<script>.*?</script>|<style>.*?</style>", "", text, flags=re.DOTALL)
    first = words(re.search(r"<h1>(.*?)</h1>", get(origin + COLUMN), re.DOTALL)[1])  # type: ignore[index]
    assert first.endswith("but only the season: unchanged beside the same hour of week.")
    assert first in words(body)
    listed = words(body.partition("Only the season: nothing to do")[2].partition("</section>")[0])
    assert "9 times the smallest effect that counts beside the whole reference" in listed
    assert "0.1 times beside the same hour of week" in listed
    assert listed in words(get(origin + f"/model?model={page.MODEL}&version=1"))


def test_a_card_tells_it_apart_in_words_and_in_numbers(told: Site) -> None:
    card = model_card(told, report.choose(told, page.MODEL, "1", None, None))
    (one,) = card.season
    assert (one.column, one.segment, one.direction, list(one.beside)) == ("temp", "", "up", [SEASON])
    assert one.beside[SEASON] == pytest.approx(0.1)
    assert one.strength == pytest.approx(9.0)
    assert one.since_ms == page.START_MS + page.DRIFTED_FROM * page.HOUR_MS
    assert card.drift
    assert not any(sentence.startswith("temp") for sentence in card.drift)
    document = json.loads(msgspec.json.encode(card))
    assert document["season"][0]["sentence"] == one.sentence
    drift, _, rest = markdown(card).partition("### Only the season: nothing to do")
    assert "- temp: " not in drift
    line = next(line for line in rest.splitlines() if line.startswith("- temp: "))
    assert "only the season: unchanged beside the same hour of week" in line
    assert "0.1 times beside the same hour of week" in line
