"""The schema as numbered files, applied in order, each once.

`migrations/0001_records.sql` and so on. `python -m sinks.clickhouse.draft_migration` writes the next one where records
(`sinks.records`) have changed. Rules for one by hand: the next number; statements that end with `;` at the end of
a line, and that may run twice (`IF NOT EXISTS`, `OR REPLACE`), because ClickHouse has no transaction over DDL and the
whole file runs again after a failure in the middle. A released file is never edited: the database keeps its checksum.
"""

import hashlib
import re
from importlib import resources
from typing import Final

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse.classify import classify
from sinks.clickhouse.ddl import DEFAULT_RETENTION_DAYS
from sinks.errors import SinkRejected
from sinks.records import RECORDS

# ClickHouse keeps the time of expiry in 32 bits, until 2106. Beyond that it wraps round, and rows expire at once.
MAX_RETENTION_DAYS: Final = 20_000
EXPIRING_TABLES: Final = (
    *(record.table for record in RECORDS.values() if record.expires), "drifted_windows", "season_windows"
)  # fmt: skip

_FILE_NAME: Final = re.compile(r"(\d{4})_(\w+)\.sql")
_TTL_DAYS: Final = re.compile(r"\bTTL\b.*?toIntervalDay\((\d+)\)")
_LEDGER: Final = """
CREATE TABLE IF NOT EXISTS schema_migrations
(
    number UInt32,
    name String,
    checksum String,
    applied_at DateTime64(3, 'UTC') DEFAULT now64(3)
)
ENGINE = ReplacingMergeTree(applied_at)
ORDER BY number
"""


class Migration(msgspec.Struct, frozen=True, kw_only=True):
    """One file.

    Attributes
    ----------
    checksum
        SHA-256 of the text, in hexadecimal; line ends do not matter.
    """

    number: int
    name: str
    sql: str
    checksum: str

    @property
    def statements(self) -> list[str]:
        """The statements in order, without comments."""
        lines = (line for line in self.sql.splitlines() if not line.lstrip().startswith("--"))
        parts = re.split(r";[ \t]*$", "\n".join(lines), flags=re.MULTILINE)
        return [part.strip() for part in parts if part.strip()]


def migrations() -> list[Migration]:
    """All files of this release, in order."""
    found = []
    for entry in resources.files("sinks.clickhouse").joinpath("migrations").iterdir():
        match = _FILE_NAME.fullmatch(entry.name)
        if match:
            sql = entry.read_text(encoding="utf-8").replace("\r\n", "\n")
            checksum = hashlib.sha256(sql.encode()).hexdigest()
            found.append(Migration(number=int(match[1]), name=match[2], sql=sql, checksum=checksum))
    return sorted(found, key=lambda migration: migration.number)


def pending(client: Client) -> list[Migration]:
    """What `migrate` would apply. A database that is ahead of this release is accepted: workers roll over one by one.

    Raises
    ------
    SinkRejected
        A migration that was applied is not the one of this release.
    SinkUnavailable
        Out of reach.
    """
    try:
        if not int(client.command("EXISTS TABLE schema_migrations")):  # type: ignore[arg-type]  # 0 or 1
            return migrations()
        rows = client.query("SELECT number, name, checksum FROM schema_migrations FINAL").result_rows
    except ClickHouseError as error:
        raise classify(error) from error
    applied = {int(number): (str(name), str(checksum)) for number, name, checksum in rows}
    missing = []
    for migration in migrations():
        if migration.number not in applied:
            missing.append(migration)
        elif applied[migration.number][1] != migration.checksum:
            name, _ = applied[migration.number]
            raise SinkRejected(
                f"migration {migration.number:04d} ({name}) was applied in another form than this release has; "
                "use the release that made the database, or restore the file"
            )
    return missing


def migrate(client: Client, *, retention_days: int = DEFAULT_RETENTION_DAYS) -> list[Migration]:
    """Apply what is pending, then set the retention. Returns what was applied; running it again applies nothing.

    Parameters
    ----------
    client
        Bound to the database to migrate.
    retention_days
        Rows are deleted this many days after they were written, from 1 to `MAX_RETENTION_DAYS`. Not after the time they
        speak of: a replay of last year's events is kept as long as today's.

    Raises
    ------
    SinkRejected
        As `pending`, or the user may not create tables or functions.
    SinkUnavailable
        Out of reach; run it again.
    """
    if not 1 <= retention_days <= MAX_RETENTION_DAYS:
        raise SinkRejected(f"retention must be from 1 to {MAX_RETENTION_DAYS} days, not {retention_days}")
    missing = apply_pending(client)
    try:
        for table in EXPIRING_TABLES:
            if _retention_of(client, table) != retention_days:
                expiry = f"toDateTime(inserted_at) + toIntervalDay({retention_days:d})"
                client.command(f"ALTER TABLE {table} MODIFY TTL {expiry}")
    except ClickHouseError as error:
        raise classify(error) from error
    return missing


def apply_pending(client: Client) -> list[Migration]:
    """Apply what is pending, and nothing else; raises as `migrate`."""
    missing = pending(client)
    try:
        client.command(_LEDGER)
        for migration in missing:
            for statement in migration.statements:
                client.command(statement)
            row = (migration.number, migration.name, migration.checksum)
            client.insert("schema_migrations", [row], column_names=["number", "name", "checksum"])
    except ClickHouseError as error:
        raise classify(error) from error
    return missing


def holds_results(client: Client) -> bool:
    """Whether any table that results and rejects go to has a row. The tables must be there.

    Raises
    ------
    SinkUnavailable, SinkRejected
        As `classify` says.
    """
    union = " UNION ALL ".join(f"SELECT 1 FROM (SELECT 1 FROM {table} LIMIT 1)" for table in EXPIRING_TABLES)  # noqa: S608 - constants
    try:
        return bool(client.query(union).result_rows)
    except ClickHouseError as error:
        raise classify(error) from error


def _retention_of(client: Client, table: str) -> int | None:
    query = "SELECT create_table_query FROM system.tables WHERE database = currentDatabase() AND name = {table:String}"
    rows = client.query(query, {"table": table}).result_rows
    found = _TTL_DAYS.search(str(rows[0][0])) if rows else None
    return int(found.group(1)) if found else None
