"""The ClickHouse destination: batches in, Arrow inserts out."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse import migrations
from sinks.clickhouse.address import ClickHouseAddress
from sinks.clickhouse.classify import classify
from sinks.clickhouse.client import connect
from sinks.clickhouse.ddl import DEFAULT_RETENTION_DAYS, column_name
from sinks.destination import Dropped, Written
from sinks.errors import BadRecord, SinkRejected, SinkUnavailable, scrub
from sinks.records import RECORDS, Record, record_of
from sinks.records.check import broken_rows
from sinks.records.split import split

# An insert makes one part a partition, so few large inserts keep merges rare. These bounds keep one insert to about a
# second, and to so much memory beside the batch itself.
BATCH_ROWS: Final = 50_000
BATCH_BYTES: Final = 32 << 20

_FORMS: Final = {"table": "PrettyCompactMonoBlock", "json": "JSONEachRow", "csv": "CSVWithNames", "parquet": "Parquet"}
_SETTINGS: Final = {
    # A replay of ten years lies in 120 monthly partitions. The server's limit of 100 would refuse it as TOO_MANY_PARTS,
    # which looks as if trying again would help.
    "max_partitions_per_insert_block": 0,
    # Where the server collects small inserts, answer when the rows are written: the caller commits next.
    "wait_for_async_insert": 1,
}


class ClickHouseSink:
    """Writes rows into their tables: a `sinks.destination.Destination`.

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
    connect
        Makes the client; for tests.
    """

    def __init__(
        self,
        address: ClickHouseAddress | str,
        *,
        retention_days: int = DEFAULT_RETENTION_DAYS,
        batch_rows: int = BATCH_ROWS,
        batch_bytes: int = BATCH_BYTES,
        connect: Callable[[ClickHouseAddress], Client] = connect,
    ) -> None:
        if batch_rows < 1 or batch_bytes < 1:
            raise SinkRejected("a batch holds at least one row and one byte")
        self._address = ClickHouseAddress.parse(address) if isinstance(address, str) else address
        self._retention_days = retention_days
        self._batch_rows = batch_rows
        self._batch_bytes = batch_bytes
        self._connect = connect
        self._client: Client | None = None
        self._reader: Client | None = None

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

    @property
    def takes(self) -> frozenset[str]:
        """Every record."""
        return frozenset(RECORDS)

    def write(self, batches: Sequence[pa.RecordBatch]) -> Written:
        """Write rows. Those of one kind go together, in inserts of bounded size.

        Raises
        ------
        SinkUnavailable
            Nothing is known to be written; write everything again later.
        SinkRejected
            Stop.
        """
        dropped: list[Dropped] = []
        pieces: list[pa.RecordBatch] = []
        for record, rows in _by_record(batches):
            sound, broken = _sound(record, rows)
            dropped += broken
            pieces += split(sound, self._batch_bytes, self._batch_rows)
        for position, piece in enumerate(pieces):
            try:
                self._insert(piece)
            except SinkUnavailable as error:
                if position == 0:
                    raise
                return Written(left=tuple(pieces[position:]), because=error, dropped=tuple(dropped))
        return Written(dropped=tuple(dropped))

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

    def query(self, statement: str, form: str, parameters: Mapping[str, object] | None = None) -> bytes:
        """What a statement answers, as `sinks.destination.Queryable` says. The connection is kept for the next one.

        Raises
        ------
        SinkUnavailable, SinkRejected
            As `connect`.
        BadRecord
            ClickHouse's words about the statement.
        """
        if self._reader is None:
            self._reader = self._connect(self._address)
        try:
            text = statement.rstrip().rstrip(";")
            return bytes(self._reader.raw_query(text, dict(parameters) if parameters else None, fmt=_FORMS[form]))
        except (ClickHouseError, OSError) as error:
            problem = classify(error, secrets=(self._address.password,), address=str(self._address))
            if not isinstance(problem, SinkUnavailable):
                raise BadRecord(scrub(str(error), (self._address.password,))) from error
            self._reader.close()
            self._reader = None
            raise problem from error

    def close(self) -> None:
        """Let go of the connection."""
        for client in (self._client, self._reader):
            if client is not None:
                client.close()
        self._client = self._reader = None

    def _insert(self, rows: pa.RecordBatch) -> None:
        if self._client is None:
            raise SinkRejected("setup() comes before write()")
        record = record_of(rows)
        try:
            self._client.insert_arrow(record.table, to_table(record, rows), settings=_SETTINGS)
        except (ClickHouseError, pa.ArrowException, OSError, OverflowError, TypeError, ValueError) as error:
            problem = classify(error, secrets=(self._address.password,), address=str(self._address))
            if isinstance(problem, BadRecord):
                # Not the rows' fault. To drop them would hide a fault of ours, or a table that someone changed.
                raise SinkRejected(f"rows that keep the contract were refused: {problem}") from error
            raise problem from error


def _by_record(batches: Sequence[pa.RecordBatch]) -> Iterator[tuple[Record, pa.RecordBatch]]:
    """All rows of a kind as one batch."""
    by_record: dict[str, list[pa.RecordBatch]] = {}
    for batch in batches:
        if batch.num_rows:
            by_record.setdefault(record_of(batch).name, []).append(batch)
    for name, own in by_record.items():
        record = RECORDS[name]
        if len(own) == 1:
            yield record, own[0]
        else:
            table = pa.Table.from_batches([batch.replace_schema_metadata(record.schema.metadata) for batch in own])
            yield record, table.unify_dictionaries().combine_chunks().to_batches()[0]


def _sound(record: Record, batch: pa.RecordBatch) -> tuple[pa.RecordBatch, list[Dropped]]:
    """The rows that keep the contract; and the others. All that came through `sinks.records.decode` do."""
    broken = np.zeros(batch.num_rows, dtype=np.bool_)
    because: list[str] = []
    for field in record.fields:
        own = broken_rows(field, batch.column(field.name))
        if own is not None:
            broken |= own
            because.append(field.name)
    if not because:
        return batch, []
    reason = f"a {record.name} breaks the contract in {', '.join(because)}"
    return batch.filter(pa.array(~broken)), [Dropped(rows=batch.filter(pa.array(broken)), reason=reason)]


def to_table(record: Record, rows: pa.RecordBatch) -> pa.Table:
    """The rows under the names of the columns, times as such."""
    time: Any = pa.timestamp("ms", "UTC")
    columns = {
        column_name(field): rows.column(field.name).cast(time) if field.is_time else rows.column(field.name)
        for field in record.fields
    }
    return pa.table(columns)
