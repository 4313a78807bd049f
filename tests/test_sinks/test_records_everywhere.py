"""A field is defined in one place, and reaches the wire, Parquet, ClickHouse and the documentation from there."""

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from support.batches import batch_of
from support.clickhouse import read

from monitor.replay.record_file import RecordFile
from sinks.clickhouse import draft_migration, migrations
from sinks.clickhouse.client import connect
from sinks.clickhouse.draft_migration import draft, write
from sinks.clickhouse.migrations import Migration
from sinks.clickhouse.sink import ClickHouseSink
from sinks.destination import Written
from sinks.errors import SinkRejected
from sinks.records import RECORDS, Field, Record, Source, decode, encode
from sinks.records.document import document

SCORE = RECORDS["drift_score"]
POWER = Field(name="power", type=pa.float64(), meaning="the chance to find it", unit="per cent", default=0.5)
SOURCE = Field(
    name="source", type=pa.dictionary(pa.int32(), pa.string()), meaning="a book or 'a paper'", default="a book"
)
CHANGED = msgspec.structs.replace(SCORE, fields=(*SCORE.fields[:-1], POWER, SCORE.fields[-1], SOURCE))
ROW = {
    "model": "m", "version": "1", "segment": "", "column": "x", "method": "psi", "window_start_ms": 0,
    "window_end_ms": 1, "reference": "ab", "compare": "pinned", "statistic": 0.5, "effect": 0.4, "p_value": 0.01,
    "calibration": "panes", "threshold": 0.2, "n_reference": 1000, "n_current": 500, "error_bound": 0.0, "revision": 1,
}  # fmt: skip
NEW_ROW = {**ROW, "column": "y", "power": 0.25, "source": "a paper"}
EVERYWHERE = ("sinks.records.registry.records", "sinks.records.wire.records")


@pytest.fixture
def changed(monkeypatch: pytest.MonkeyPatch) -> Mapping[str, Record]:
    """This release with two fields more in one record."""
    records = {**RECORDS, SCORE.name: CHANGED}
    for name in EVERYWHERE:
        monkeypatch.setattr(name, lambda: records)
    for name in ("sinks.clickhouse.sink.RECORDS", "support.clickhouse.RECORDS"):
        monkeypatch.setattr(name, records)
    return records


def test_a_field_that_is_added_in_one_place_reaches_clickhouse_by_the_migration_that_a_command_writes(
    tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    dsn = f"chdb://{tmp_path / 'db'}"
    with contextlib.closing(connect(dsn)) as client:
        migrations.migrate(client)
        with contextlib.closing(ClickHouseSink(dsn)) as sink:
            sink.setup()
            sink.write([batch_of(SCORE, [ROW])])
        records = request.getfixturevalue("changed")
        statements = draft(client, records)
        path = write(statements, tmp_path, "power")
        assert path.name == "0001_power.sql", "the next number in its folder"
        for statement in Migration(number=1, name="x", sql=path.read_text(), checksum="").statements:
            client.command(statement)
            client.command(statement)  # it may run twice
        assert draft(client, records) == []
        with contextlib.closing(ClickHouseSink(dsn)) as sink:
            sink.setup()
            assert sink.write([batch_of(CHANGED, [NEW_ROW])]) == Written()
        assert read(client, "drift_score") == [{**ROW, "power": 0.5, "source": "a book"}, NEW_ROW]
        ((comment,),) = client.query(
            "SELECT comment FROM system.columns WHERE table = 'drift_scores' AND name = 'power'"
        ).result_rows
        assert comment == "the chance to find it (per cent)"


def test_it_reaches_parquet_the_wire_and_the_documentation(changed: Mapping[str, Record], tmp_path: Path) -> None:
    file = RecordFile(tmp_path / "drift.parquet", CHANGED)
    file.write(decode(encode(batch_of(CHANGED, [NEW_ROW]), Source(topic="t", partition=0, offset=0))))
    file.close()
    assert pq.read_table(tmp_path / "drift.parquet").to_pylist() == [NEW_ROW]
    line = "| `power` | float64 | the chance to find it; per cent; `0.5` in rows from before the field was there |"
    assert line in document(changed).splitlines()


def test_a_record_that_is_new_becomes_a_table_and_a_view(tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    invented = msgspec.structs.replace(SCORE, name="invented", table="invented_later")
    with contextlib.closing(connect(f"chdb://{tmp_path}")) as client:
        migrations.migrate(client)
        for statement in draft(client, {**RECORDS, "invented": invented}):
            client.command(statement.rstrip(";"))
        assert client.command("SELECT count() FROM invented_later_latest") == 0
        assert draft(client, {**RECORDS, "invented": invented}) == []


def test_what_would_take_away_or_change_a_column_is_left_to_a_person(tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")

    def with_fields(*fields: Field) -> dict[str, Record]:
        return {"drift_score": msgspec.structs.replace(SCORE, fields=fields)}

    own: Any = SCORE.fields
    other_type = msgspec.structs.replace(own[-1], type=pa.float64())
    without_default = msgspec.structs.replace(POWER, default=None)
    with contextlib.closing(connect(f"chdb://{tmp_path}")) as client:
        migrations.migrate(client)
        for fields in (own[:-1], (*own[:-1], other_type), (own[1], own[0], *own[2:]), (*own, without_default)):
            with pytest.raises(SinkRejected):
                draft(client, with_fields(*fields))
        reworded = msgspec.structs.replace(own[-1], meaning="how often it was corrected, and one more")
        (statement,) = draft(client, with_fields(*own[:-1], reworded))
        client.command(statement.rstrip(";"))
        assert draft(client, with_fields(*own[:-1], reworded)) == []


def test_the_command_finds_nothing_to_do_in_what_is_committed(capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("chdb", reason="the embedded engine is an optional dependency")
    draft_migration.main()
    assert capsys.readouterr().out == "the migrations give the records' schema already\n"


def test_the_documentation_is_up_to_date() -> None:
    page = Path(__file__).parents[2] / "docs" / "records.md"
    assert page.read_text() == document(RECORDS), "run make records"
