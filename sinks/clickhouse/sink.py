"""The ClickHouse sink: rows in, columnar inserts out."""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse import migrations
from sinks.clickhouse.classify import classify
from sinks.clickhouse.client import Address, connect
from sinks.clickhouse.migrations import DEFAULT_RETENTION_DAYS
from sinks.clickhouse.tables import TABLES, Table
from sinks.errors import BadRecord, SinkRejected
from sinks.records import Row

# An insert makes one part a partition, so few large inserts keep merges rare. These bounds keep one insert to about a
# second and its Python objects to some hundred megabytes.
BATCH_ROWS: Final = 50_000
BATCH_BYTES: Final = 32 << 20

_SETTINGS: Final = {
    # A replay of ten years lies in 120 monthly partitions. The server's limit of 100 would refuse it as TOO_MANY_PARTS,
    # which looks as if trying again would help.
    "max_partitions_per_insert_block": 0,
    # Where the server collects small inserts, answer when the rows are written: the caller commits next.
    "wait_for_async_insert": 1,
}


class ClickHouseSink:
    """Writes rows into their tables; knows `sinks.sink.Sink`.

    Idempotent: a row's key is its table's sorting key, a repeated row replaces itself, and of several revisions the
    views `*_latest` show the highest, in whatever order they came. A write that failed half-way is written again.

    It belongs to one thread at a time.

    Parameters
    ----------
    address
        Where ClickHouse is.
    retention_days
        How long rows are kept, for `migrate`.
    batch_rows, batch_bytes
        How much goes into one insert, at most. A row that is larger goes alone.
    on_drop
        Called for each row that cannot be written at all, with the reason; count it.
    connect
        Makes the client; for tests.
    """

    def __init__(
        self,
        address: Address | str,
        *,
        retention_days: int = DEFAULT_RETENTION_DAYS,
        batch_rows: int = BATCH_ROWS,
        batch_bytes: int = BATCH_BYTES,
        on_drop: Callable[[Row, BadRecord], None] | None = None,
        connect: Callable[[Address], Client] = connect,
    ) -> None:
        if batch_rows < 1 or batch_bytes < 1:
            raise SinkRejected("a batch holds at least one row and one byte")
        self._address = Address.parse(address) if isinstance(address, str) else address
        self._retention_days = retention_days
        self._batch_rows = batch_rows
        self._batch_bytes = batch_bytes
        self._on_drop = on_drop
        self._connect = connect
        self._client: Client | None = None

    def __repr__(self) -> str:
        return f"ClickHouseSink({self._address})"

    def setup(self) -> None:
        """Connect, and see that all migrations are applied. After a failure, call it again.

        Raises
        ------
        SinkUnavailable
            Out of reach.
        SinkRejected
            Refused, or the schema is not that of this release: run `driftline migrate`.
        """
        if self._client is None:
            self._client = self._connect(self._address)
        missing = migrations.pending(self._client)
        if missing:
            names = ", ".join(f"{migration.number:04d}" for migration in missing)
            raise SinkRejected(f"{self._address} lacks migrations {names}: run `driftline migrate`")

    def write(self, rows: Iterable[Row]) -> int:
        """Write rows; returns how many are now in ClickHouse. They are durable when it returns: then commit.

        Raises
        ------
        SinkUnavailable
            Some may be written; write them all again later.
        SinkRejected
            Stop.
        """
        by_table: dict[type[Row], list[Row]] = {}
        for row in rows:
            by_table.setdefault(type(row), []).append(row)
        n = 0
        for kind, group in by_table.items():
            for batch in batches(TABLES[kind], group, self._batch_rows, self._batch_bytes):
                n += self._insert(TABLES[kind], batch)
        return n

    def migrate(self) -> list[str]:
        """Make the database and bring its schema up to date; returns the names of the migrations that were applied.

        Raises
        ------
        SinkUnavailable, SinkRejected
            As `connect` and `migrations.migrate`.
        """
        with contextlib.closing(connect(self._address, create_database=True)) as client:
            applied = migrations.migrate(client, retention_days=self._retention_days)
        return [f"{migration.number:04d}_{migration.name}" for migration in applied]

    def holds_results(self) -> bool:
        """Whether any row of results or rejects is there.

        Raises
        ------
        SinkUnavailable, SinkRejected
            As `connect` and `classify`.
        """
        with contextlib.closing(self._connect(self._address)) as client:
            return migrations.holds_results(client)

    def close(self) -> None:
        """Let go of the connection."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def _insert(self, table: Table, rows: Sequence[Row]) -> int:
        try:
            self._insert_columns(table, rows)
        except BadRecord as error:
            kept = self._without_bad(rows)
            if len(kept) == len(rows):
                # Not the rows' fault. To drop them would hide a fault of ours, or a table that someone changed.
                raise SinkRejected(f"rows that keep the contract were refused: {error}") from error
            return self._insert(table, kept) if kept else 0
        return len(rows)

    def _insert_columns(self, table: Table, rows: Sequence[Row]) -> None:
        if self._client is None:
            raise SinkRejected("setup() comes before write()")
        try:
            self._client.insert(
                table.name,
                table.to_columns(rows),
                column_names=table.column_names,
                column_type_names=table.column_types,
                column_oriented=True,
                settings=_SETTINGS,
            )
        except (ClickHouseError, OSError, OverflowError, UnicodeError, TypeError, ValueError) as error:
            raise classify(error, secrets=(self._address.password,), address=str(self._address)) from error

    def _without_bad(self, rows: Sequence[Row]) -> list[Row]:
        """The rows that keep the contract. All that came through `decode_results` do: this is rare and may be slow."""
        kept = []
        for row in rows:
            try:
                msgspec.convert(msgspec.to_builtins(row), type(row))
                kept.append(row)
            except (msgspec.ValidationError, OverflowError, TypeError) as reason:
                if self._on_drop is not None:
                    self._on_drop(row, BadRecord(f"a {type(row).__name__} breaks the contract: {reason}"))
        return kept


def batches(table: Table, rows: Sequence[Row], batch_rows: int, batch_bytes: int) -> Iterator[Sequence[Row]]:
    """`rows` cut in order into pieces of at most `batch_rows` and, but for single rows, `batch_bytes`."""
    start, n_bytes = 0, 0
    for position, row in enumerate(rows):
        size = table.n_bytes(row)
        if position > start and (position - start >= batch_rows or n_bytes + size > batch_bytes):
            yield rows[start:position]
            start, n_bytes = position, 0
        n_bytes += size
    if start < len(rows):
        yield rows[start:]
