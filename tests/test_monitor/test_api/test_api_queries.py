"""What the page asks of the database, against what was written and what other code makes of it."""

from pathlib import Path

import msgspec
import pyarrow as pa
import pytest
from support import page
from support.batches import batch_of

from monitor.api import record_rows
from monitor.api.address import Chosen, chosen, read_instant, written
from monitor.api.between import compared_cells
from monitor.api.queries import alerts, fleet, models, performance, profiles, pulse, rejects, verdicts
from monitor.api.site import Site
from monitor.decisions.usual import hour_of_week
from monitor.replay.drifted import drifted_columns
from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS


def at(site: Site, model: str = page.MODEL, version: str = "1") -> Chosen:
    return chosen({"model": model, "version": version}, models.sized_windows(site.source))


def test_every_version_and_its_windows_are_found(page_site: Site) -> None:
    found = {(one.model, one.version): one for one in models.sized_windows(page_site.source)}
    assert set(found) == {(page.MODEL, "1"), (page.MODEL, "2"), (page.HOSTILE, page.HOSTILE)}
    one = found[page.MODEL, "1"]
    assert (one.size_s, one.windows, one.first_ms, one.last_ms) == (3600, page.N_WINDOWS, page.START_MS, page.NEWEST_MS)
    assert one.last_events == 103


def test_runs_are_those_that_the_replay_tells(page_site: Site) -> None:
    verdict = RECORDS["drift_verdict"]
    table = pa.Table.from_batches([batch_of(verdict, page.rows()["drift_verdict"])])
    for model in (page.MODEL, page.HOSTILE):
        version = "1" if model == page.MODEL else page.HOSTILE
        told = {
            one.column: (one.first_ms, one.end_ms, one.n_windows, one.lasts, one.before, one.after)
            for one in drifted_columns(table, {model: [(page.HOUR_MS, "1h")]})
            if (one.model, one.version) == (model, version)
        }
        runs = [run for run in verdicts.runs(page_site.source, at(page_site, model, version).scope) if not run.segment]
        assert {
            run.column: (run.first_ms, run.end_ms, run.n_windows, run.lasts, run.before, run.after) for run in runs
        } == told
        assert told


def test_the_column_that_drifted_most_comes_first(page_site: Site) -> None:
    runs = verdicts.runs(page_site.source, at(page_site).scope)
    assert (runs[0].column, runs[0].first_ms) == ("temp", page.START_MS + page.DRIFTED_FROM * page.HOUR_MS)
    assert runs[0].strength == pytest.approx(4.11)


def test_a_distribution_adds_up_panes_of_just_the_span(page_site: Site) -> None:
    from_ms = page.START_MS + 6 * page.HOUR_MS
    span = profiles.Span(model=page.MODEL, version="1", from_ms=from_ms, to_ms=page.NEWEST_MS)
    found = profiles.distribution(page_site.source, span, "temp")
    assert found is not None
    panes = [page.live_counts("temp", number) for number in range(6, page.N_WINDOWS)]
    assert found.counts == [sum(cells) for cells in zip(*panes, strict=True)]
    assert (found.n, found.nulls, found.reference_counts, found.edges) == (600, 18, [0, 40, 40, 20, 0], page.EDGES)


def test_any_windows_psi_is_that_of_the_shipped_view(page_site: Site) -> None:
    span = profiles.Span(model=page.MODEL, version="1", from_ms=page.START_MS, to_ms=page.NEWEST_MS)
    class_ = msgspec.defstruct("Between", [("column", str), ("psi", float), ("js", float)])
    known = page_site.source.rows(
        "SELECT column, psi, js FROM drift_between(model = {model:String}, segment = '', from_time = {from:String}, "
        "to_time = {to:String}) WHERE version = '1'",
        class_,
        {"model": page.MODEL, "from": "2023-11-14 23:00:00", "to": "2023-11-15 11:00:00"},
    )
    assert len(known) == 3
    for one in known:
        found = profiles.distribution(page_site.source, span, one.column)
        assert found is not None
        assert found.psi == pytest.approx(one.psi, abs=1e-12)
        assert found.js == pytest.approx(one.js, abs=1e-12)


@pytest.mark.parametrize("kind", ["numeric", "categorical"])
def test_rare_categories_share_a_cell_as_in_the_shipped_function(kind: str, page_site: Site) -> None:
    counts, decile = list(range(150)), [min(cell, 100) for cell in range(150)]
    (one,) = page_site.source.rows(
        "SELECT driftline_cells({kind:String}, {counts:Array(UInt64)}, 7, {decile:Array(UInt32)}) AS cells",
        msgspec.defstruct("Cells", [("cells", list[float])]),
        {"kind": kind, "counts": str(counts), "decile": str(decile)},
    )
    assert compared_cells(kind, counts, 7, decile).tolist() == one.cells
    assert len(one.cells) == 101 + (kind == "categorical")


def test_versions_are_compared_in_the_same_cells(page_site: Site) -> None:
    span = profiles.Span(model=page.MODEL, version="1", from_ms=page.START_MS, to_ms=page.NEWEST_MS)
    found = {one.column: one for one in profiles.versus(page_site.source, span, "2")}
    assert set(found) == {"temp", "carrier", "@score"}
    assert found["carrier"].js == 0.0
    assert (found["temp"].a_n, found["temp"].b_n) == (1200, 1320)
    assert (found["temp"].js or 0.0) > 0.1


def test_a_span_in_buckets_holds_all_its_values(page_site: Site) -> None:
    span = profiles.Span(model=page.MODEL, version="1", from_ms=page.START_MS, to_ms=page.NEWEST_MS)
    found = profiles.buckets(page_site.source, span, "temp", 5 * page.HOUR_MS)
    assert [one.n for one in found] == [500, 500, 200]
    assert [one.start_ms for one in found] == [page.START_MS + n * page.HOUR_MS for n in (0, 5, 10)]


def test_the_fleets_last_windows_tell_what_changed(page_site: Site) -> None:
    found = fleet.changes(page_site.source, page.START_MS, page.NEWEST_MS, 3600)
    newest = {(one.model, one.version): one for one in found if one.window_end_ms == page.NEWEST_MS}
    assert newest[page.MODEL, "1"].n_drifted == 1
    assert newest[page.MODEL, "1"].worst == ["temp"]
    assert newest[page.HOSTILE, page.HOSTILE].worst == [page.HOSTILE, page.LONG]
    values = {
        (one.model, one.estimated): one.metric for one in fleet.headlines(page_site.source, 0, page.NEWEST_MS, 3600)
    }
    assert values[page.MODEL, False] == values[page.MODEL, True] == "roc_auc"


def test_earlier_windows_of_an_hour_of_the_week_hold_their_last_revisions_events(tmp_path: Path) -> None:
    first = page.rows()["window"][0]
    week_ms = 168 * page.HOUR_MS
    hour = hour_of_week(page.START_MS, page.HOUR_MS)
    rows = []
    for weeks, lengths, revision, events in (
        (0, 1, 1, 50), (1, 1, 1, 10), (1, 1, 2, 70), (2, 1, 1, 80), (8, 1, 1, 90), (9, 1, 1, 60), (1, 168, 1, 700),
    ):  # fmt: skip
        start_ms = page.START_MS - weeks * week_ms
        ends = {"window_start_ms": start_ms, "window_end_ms": start_ms + lengths * page.HOUR_MS}
        rows.append({**first, **ends, "revision": revision, "events": events})
    rows.append({**first, "window_start_ms": page.START_MS - page.HOUR_MS, "window_end_ms": page.START_MS})
    rows.append({**rows[2], "segment": "origin=EWR"})
    with page.made_database(tmp_path / "db", empty=True) as dsn:
        sink = ClickHouseSink(dsn)
        sink.setup()
        sink.write([batch_of(RECORDS["window"], rows)])
        sink.close()
        site = page.site_of(dsn)
        found = fleet.earlier(site.source, [hour, -1], page.START_MS)
        site.source.close()
    assert {(one.size_s, one.hour_of_week): sorted(n for _, n in one.seen) for one in found} == {
        (3_600, hour): [70, 80, 90],
        (604_800, -1): [700],
    }


def test_performance_and_its_parts_are_of_the_span(page_site: Site) -> None:
    scope = at(page_site).scope
    assert len(performance.figures(page_site.source, scope)) == 2 * page.N_WINDOWS
    assert {one.part for one in performance.parts(page_site.source, scope)} == {"inputs", "relation", "subgroup"}
    assert len(performance.by_segment(page_site.source, scope, "roc_auc", page.NEWEST_MS)) == 1


def test_rejects_come_newest_first_with_an_example(page_site: Site) -> None:
    last = rejects.last_rejects(page_site.source, 10)
    assert [one.reason for one in last] == ["undecodable", "bad_timestamp"]
    assert last[0].example.startswith(page.MARKUP)
    assert [one.n for one in rejects.reject_counts(page_site.source)] == [1, 1]


def test_an_alert_stands_where_its_last_transition_left_it(page_site: Site) -> None:
    found = alerts.last_alerts(page_site.source, page.MODEL)
    assert [(one.dedupe_key, one.state) for one in found] == [
        ("open-1", "updated"),
        ("open-2", "updated"),
        ("over-1", "resolved"),
        ("over-2", "resolved"),
    ]
    assert found[0].names == ["temp"]
    assert alerts.open_alerts(page_site.source) == {page.MODEL: 2, page.HOSTILE: 1}
    assert [one.held_because for one in alerts.last_retraining(page_site.source, page.MODEL)] == [["cooldown"]] * 2


def test_a_hostile_name_is_a_value_and_nothing_else(page_site: Site) -> None:
    for name in (page.HOSTILE, page.LONG, "'; DROP TABLE windows; --", "{model:String}", "\\", "\\N", "\0", "\t\n\r"):
        scope = verdicts.Scope(model=name, version=name, size_s=3600, from_ms=0, to_ms=page.NEWEST_MS, segment=name)
        assert (verdicts.cells(page_site.source, scope) != []) is False
        span = profiles.Span(model=page.HOSTILE, version=page.HOSTILE, from_ms=0, to_ms=page.NEWEST_MS)
        found = profiles.distribution(page_site.source, span, name)
        assert (found is not None) == (name in (page.HOSTILE, page.LONG))
        assert found is None or found.column == name
    assert len(models.sized_windows(page_site.source)) == 3


@pytest.mark.parametrize("name", sorted(RECORDS))
def test_rows_of_every_record_are_what_was_written(page_site: Site, name: str) -> None:
    written_rows = page.rows()[name]
    found = record_rows.rows(
        page_site.source, RECORDS[name], equal={}, from_ms=None, to_ms=None, limit=10_000, offset=0
    )
    assert len(found) == len(written_rows)
    for key in RECORDS[name].key:
        assert sorted(getattr(row, key) for row in found) == sorted(row[key] for row in written_rows)


def test_pages_of_rows_put_together_are_all_rows(page_site: Site) -> None:
    def ask(limit: int, offset: int) -> list[object]:
        equal: dict[str, str | bool] = {"model": page.MODEL, "drifted": True}
        return record_rows.rows(
            page_site.source,
            RECORDS["drift_verdict"],
            equal=equal,
            from_ms=None,
            to_ms=None,
            limit=limit,
            offset=offset,
        )

    everything = ask(1000, 0)
    assert len(everything) == 2 * 2 * (page.N_WINDOWS - page.DRIFTED_FROM)
    assert [row for offset in range(0, len(everything), 5) for row in ask(5, offset)] == everything


def test_the_pulse_stands_still_until_rows_come(page_site: Site) -> None:
    assert pulse.pulse(page_site.source) == pulse.pulse(page_site.source) != ""


def test_an_address_shows_a_colleague_the_same(page_site: Site) -> None:
    sized = models.sized_windows(page_site.source)
    one = at(page_site)
    assert one.default
    from urllib.parse import parse_qsl

    query = dict(parse_qsl(one.query(**{"from": written(page.START_MS + 1), "to": written(page.NEWEST_MS)})))
    again = chosen(query, sized)
    assert (again.from_ms, again.to_ms, again.version) == (page.START_MS + 1, page.NEWEST_MS, "1")
    assert chosen(dict(parse_qsl(again.query())), sized) == again


@pytest.mark.parametrize("time_ms", [0, 1, 999, 60_000, 1_700_000_000_000, 4_102_444_800_001])
def test_an_instant_in_an_address_is_read_back(time_ms: int) -> None:
    assert read_instant(written(time_ms)) == time_ms
