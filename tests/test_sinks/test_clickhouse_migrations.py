"""The schema is applied once, in order, and cannot change behind our back."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clickhouse_connect.driver.client import Client

from sinks.clickhouse.client import connect
from sinks.clickhouse.ddl import column_name, latest
from sinks.clickhouse.draft_migration import draft
from sinks.clickhouse.migrations import EXPIRING_TABLES, MAX_RETENTION_DAYS, Migration, migrate, migrations, pending
from sinks.clickhouse.sink import ClickHouseSink
from sinks.errors import SinkRejected
from sinks.records import RECORDS


@pytest.fixture
def bare(tmp_path: Path) -> Iterator[Client]:
    client = connect(f"chdb://{tmp_path}")
    try:
        yield client
    finally:
        client.close()


def test_numbers_have_no_gap_and_every_statement_may_run_twice() -> None:
    found = migrations()
    assert [migration.number for migration in found] == list(range(1, len(found) + 1))
    for migration in found:
        assert migration.statements
        for statement in migration.statements:
            assert re.match(
                r"CREATE (TABLE IF NOT EXISTS|OR REPLACE (VIEW|FUNCTION)|MATERIALIZED VIEW IF NOT EXISTS) "
                r"|INSERT INTO (drifted|season)_windows "
                r"|ALTER TABLE \w+\s+((ADD|COMMENT|DROP|MODIFY) COLUMN IF|MODIFY COMMENT) ",
                statement,
            )


def test_a_semicolon_ends_a_statement_only_at_the_end_of_a_line() -> None:
    sql = "-- a comment;\nSELECT ';x';  \nSELECT\n  -- another;\n  2;\n\n"
    assert Migration(number=1, name="x", sql=sql, checksum="").statements == ["SELECT ';x'", "SELECT\n  2"]


def test_an_empty_database_gets_everything_once(bare: Client) -> None:
    assert pending(bare) == migrations()
    assert migrate(bare) == migrations()
    assert pending(bare) == []
    assert migrate(bare) == []


def test_a_failure_in_the_middle_is_made_good_by_running_it_again(bare: Client) -> None:
    first = migrations()[0]
    bare.command(first.statements[0])
    assert migrate(bare) == migrations()


def test_every_statement_runs_twice_and_gives_the_same(bare: Client) -> None:
    for migration in migrations():
        for statement in [statement for statement in migration.statements for _ in range(2)]:
            bare.command(statement)
    assert draft(bare) == []


def test_scores_of_the_release_before_are_kept_and_corrected(bare: Client) -> None:
    """Rows from before `compare` joined the key: they were compared with the pinned reference, and so they read."""
    for migration in migrations():
        if migration.number == 5:
            bare.command(
                "INSERT INTO drift_scores (model, column, method, window_end, statistic, q_value, drifted, revision) "
                "VALUES ('m', 'x', 'psi', 1, 0.5, 0.01, true, 1), ('m', 'y', 'psi', 1, 0.5, 0.01, true, 1)"
            )
        for statement in migration.statements:
            bare.command(statement)
    bare.command(
        "INSERT INTO drift_scores (model, column, method, window_end, compare, statistic, effect, revision) VALUES "
        "('m', 'x', 'psi', 1, 'pinned', 0.6, 0.4, 2), ('m', 'x', 'psi', 1, 'trailing 28d', 0.1, 0.0, 1)"
    )
    for step in ("SYSTEM STOP MERGES", "OPTIMIZE TABLE drift_scores FINAL"):  # before and after rows are merged
        if step.startswith("OPTIMIZE"):
            bare.command("SYSTEM START MERGES")
        bare.command(step)
        rows = bare.query(
            "SELECT column, compare, calibration, statistic, effect, revision FROM drift_scores_latest ORDER BY ALL"
        ).result_rows
        assert rows == [
            ("x", "pinned", "theory", 0.6, 0.4, 2),
            ("x", "trailing 28d", "theory", 0.1, 0.0, 1),
            ("y", "pinned", "theory", 0.5, 0.0, 1),
        ]


def test_a_database_that_is_ahead_is_accepted(bare: Client) -> None:
    migrate(bare)
    bare.insert("schema_migrations", [(9999, "later", "x")], column_names=["number", "name", "checksum"])
    assert pending(bare) == []


def test_a_migration_that_was_edited_after_it_was_applied_is_refused(bare: Client) -> None:
    migrate(bare)
    bare.insert("schema_migrations", [(1, "tables", "other")], column_names=["number", "name", "checksum"])
    with pytest.raises(SinkRejected, match="0001"):
        pending(bare)
    with pytest.raises(SinkRejected, match="0001"):
        migrate(bare)


def test_retention_follows_the_setting(bare: Client) -> None:
    def days() -> set[str]:
        query = "SELECT name, create_table_query FROM system.tables WHERE database = currentDatabase()"
        tables = {name: sql for name, sql in bare.query(query).result_rows}  # noqa: C416  # typed
        return {re.findall(r"toIntervalDay\((\d+)\)", tables[name])[-1] for name in EXPIRING_TABLES}

    migrate(bare)
    assert days() == {"400"}
    migrate(bare, retention_days=30)
    assert days() == {"30"}
    migrate(bare, retention_days=30)
    assert days() == {"30"}
    with pytest.raises(SinkRejected):
        migrate(bare, retention_days=0)
    # ClickHouse's time of expiry wraps round in 2106: rows would be gone at once.
    with pytest.raises(SinkRejected, match="from 1 to 20000 days"):
        migrate(bare, retention_days=MAX_RETENTION_DAYS + 1)


def test_the_migrations_give_what_the_records_say(bare: Client) -> None:
    migrate(bare)
    assert draft(bare) == [], "run python -m sinks.clickhouse.draft_migration"
    for record in RECORDS.values():
        names = [column_name(field) for field in record.fields]
        described = [row[0] for row in bare.query(f"DESCRIBE TABLE {record.table}").result_rows]
        assert described == [*names, "inserted_at"]
        view = [row[0] for row in bare.query(f"DESCRIBE TABLE {latest(record)}").result_rows]
        assert view == names
        ((key,),) = bare.query(
            "SELECT sorting_key FROM system.tables WHERE database = currentDatabase() AND name = {t:String}",
            {"t": record.table},
        ).result_rows
        assert key.split(", ") == [column_name(field) for field in record.fields if field.key]


def test_a_sink_on_a_database_without_the_schema_says_what_to_run(tmp_path: Path) -> None:
    sink = ClickHouseSink(f"chdb://{tmp_path}")
    with pytest.raises(SinkRejected, match="driftline migrate"):
        sink.setup()
    sink.close()


def test_verdicts_from_before_say_what_was_compared_with_a_season_however_often_they_are_taken(bare: Client) -> None:
    for migration in migrations():
        if migration.number == 8:
            bare.command(
                "INSERT INTO drift_verdicts (model, version, segment, column, compare, drifted, revision) VALUES "
                "('m', '1', '', 'x', 'pinned', true, 1), ('m', '1', '', 'x', 'season month', false, 1), "
                "('m', '1', '', 'y', 'season month', true, 1), ('m', '1', 'a=b', 'z', 'season month', false, 1), "
                "('m', '1', '', 'w', 'version 2', false, 1)"
            )
        for statement in [statement for statement in migration.statements for _ in range(1 + (migration.number == 8))]:
            bare.command(statement)
    bare.command(
        "INSERT INTO drift_verdicts (model, version, segment, column, compare, drifted, revision) VALUES "
        "('m', '1', '', 'v', 'season month', false, 1)"
    )
    rows = bare.query("SELECT compare, arraySort(groupUniqArrayArray(columns)) FROM season_windows GROUP BY compare")
    assert list(rows.result_rows) == [("season month", ["v", "x", "y"])]
    hashed = "arraySort(groupUniqArrayArray(hashes)) = arraySort(arrayMap(x -> cityHash64(x), ['v', 'x', 'y']))"
    for _ in ("as they came", "merged"):  # rows from before have none on disk until they are
        assert bare.query(f"SELECT {hashed} FROM season_windows").result_rows == [(True,)]
        bare.command("OPTIMIZE TABLE season_windows FINAL")
    drifted = bare.query("SELECT column, compare FROM drifted_windows FINAL ORDER BY column").result_rows
    assert list(drifted) == [("x", "pinned"), ("y", "season month")]
