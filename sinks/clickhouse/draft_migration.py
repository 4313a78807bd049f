"""`python -m sinks.clickhouse.draft_migration [NAME]`: writes the next migration, from what the records have become.

The committed migrations are applied to an engine in memory, and the schema that they give is compared with the records.
New records become tables, new fields columns, and the views `*_latest` are renewed. What would change or take away
what is there is refused: such a migration is written, and thought about, by hand.
"""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

import msgspec
from clickhouse_connect.driver.client import Client

from sinks.clickhouse import migrations
from sinks.clickhouse.client import connect
from sinks.clickhouse.ddl import (
    add_column,
    column_comment,
    column_name,
    column_type,
    comment_column,
    create_latest,
    create_table,
)
from sinks.errors import SinkRejected
from sinks.records import RECORDS, Record

FOLDER = Path(__file__).with_name("migrations")


class TableColumn(msgspec.Struct, frozen=True):
    """A column that is there."""

    name: str
    type: str
    comment: str


def draft(client: Client, records: Mapping[str, Record] = RECORDS) -> list[str]:
    """The statements that bring a migrated database to the records; none when it has them already.

    Raises
    ------
    SinkRejected
        A column has another type or place than its field, or no field any more.
    """
    statements: list[str] = []
    for record in records.values():
        there = _columns(client, record.table)
        if not there:
            statements += [create_table(record), create_latest(record)]
            continue
        own = _changes(record, there)
        statements += own
        if any("ADD COLUMN" in statement for statement in own):
            statements.append(create_latest(record))
    return statements


def _columns(client: Client, table: str) -> list[TableColumn]:
    query = (
        "SELECT name, type, comment FROM system.columns WHERE database = currentDatabase() AND table = {table:String} "
        "ORDER BY position"
    )
    rows = client.query(query, {"table": table}).result_rows
    return [TableColumn(str(name), str(kind), str(comment)) for name, kind, comment in rows if name != "inserted_at"]


def _changes(record: Record, there: list[TableColumn]) -> list[str]:
    known = {column.name: column for column in there}
    names = [column_name(field) for field in record.fields]
    gone = [name for name in known if name not in names]
    kept = [name for name in names if name in known]
    if gone or kept != [column.name for column in there]:
        raise SinkRejected(f"{record.table} has the columns {list(known)}, the record {names}: write that by hand")
    statements = []
    for before, field in zip([None, *record.fields], record.fields, strict=False):
        column = known.get(column_name(field))
        if column is None:
            if before is None or field.key or field.default is None:
                raise SinkRejected(f"{record.name}.{field.name} is new: it needs a default and can be no key")
            statements.append(add_column(record, field, before))
        elif column.type != column_type(field):
            raise SinkRejected(
                f"{record.table}.{column.name} is {column.type}, the field {column_type(field)}: write that by hand"
            )
        elif column.comment != column_comment(field):
            statements.append(comment_column(record, field))
    return statements


def write(statements: list[str], folder: Path, name: str) -> Path:
    """The statements as the next numbered file."""
    number = max((int(path.name[:4]) for path in folder.glob("[0-9]*.sql")), default=0) + 1
    path = folder / f"{number:04d}_{name}.sql"
    path.write_text("-- Drafted from `sinks.records`.\n\n" + "\n\n".join(statements) + "\n", encoding="utf-8")
    return path


def main(name: str = "records") -> None:
    """Draft, write, and say what was written."""
    with contextlib.closing(connect("chdb://memory")) as client:
        migrations.apply_pending(client)  # without the retention: a new record has no table yet
        statements = draft(client)
    out = sys.stdout
    if statements:
        out.write(f"{write(statements, FOLDER, name)}: {len(statements)} statements; read them before you commit\n")
    else:
        out.write("the migrations give the records' schema already\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
