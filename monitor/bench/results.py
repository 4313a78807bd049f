"""From a window's verdicts to rows in ClickHouse, by the path that they take in production but for the broker.

Beside it: the same rows inserted as one Arrow table that was made before.
"""

from collections.abc import Callable
from typing import Final

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from detectors.reference import WHOLE
from detectors.score import score
from monitor.bench.columns import make_reference, make_window
from monitor.bench.scoring import SETTINGS
from monitor.bench.size import Material
from monitor.evaluation.results import Results, RowGroup
from monitor.eventtime.windows import Window
from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink, to_table
from sinks.records import Source, decode, encode, record_of

ADDRESS: Final = "chdb://memory"
WINDOWS: Final = 12
HOUR_MS: Final = 3_600_000
_SOURCE: Final = Source(topic="drift.sketches", partition=0, offset=0)


def _results(material: Material) -> Results:
    """The verdicts of some windows of many columns."""
    reference = make_reference(material.size.columns, material.size.pane_events)
    scores = score(reference, {WHOLE: make_window(reference, material.size.pane_events)}, SETTINGS)
    group = (reference.version, reference.digest)
    windows = [Window(start_ms=i * HOUR_MS, end_ms=(i + 1) * HOUR_MS) for i in range(WINDOWS)]
    return Results(
        scores=[(RowGroup(model="bench", group=group, interval=window, revision=1), scores) for window in windows]
    )


def to_clickhouse(material: Material) -> Callable[[], int]:
    """Verdicts to batches, to messages, and from those to rows that are written."""
    results = _results(material)
    sink, client = _database()

    def work() -> int:
        client.command("TRUNCATE TABLE drift_scores")
        messages = [encode(batch, _SOURCE) for batch in results.batches()]
        batches = [decode(message) for message in messages]
        written = sink.write(batches)
        assert not written.left
        return sum(batch.num_rows for batch in batches)

    return work


def insert_alone(material: Material) -> Callable[[], int]:
    """The same rows, made before, in one `insert_arrow`."""
    table = pa.Table.from_batches(_results(material).batches()).unify_dictionaries().combine_chunks()
    (batch,) = table.to_batches()
    record = record_of(batch)
    rows = to_table(record, batch)
    _, client = _database()

    def work() -> int:
        client.command(f"TRUNCATE TABLE {record.table}")
        client.insert_arrow(record.table, rows)
        return rows.num_rows

    return work


def _database() -> tuple[ClickHouseSink, Client]:
    """A migrated database in memory, and a client of it."""
    client = connect(ADDRESS)  # keeps the memory's one engine open
    sink = ClickHouseSink(ADDRESS)
    sink.migrate()
    sink.setup()
    return sink, client
