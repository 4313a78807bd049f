"""From a window's verdicts to rows in ClickHouse, by the path that they take in production but for the broker.

Beside it: the same rows inserted as one Arrow table that was made before.
"""

from collections.abc import Callable
from typing import Final

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from detectors.reference import WHOLE
from detectors.score import MIN_SAMPLES
from detectors.stack import stacked
from monitor.bench.columns import make_reference, make_window
from monitor.bench.scoring import SETTINGS
from monitor.bench.size import Material
from monitor.evaluation.compared import ComparedWindow
from monitor.evaluation.results import Results, RowGroup
from monitor.eventtime.windows import Window
from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink, to_table
from sinks.records import Source, decode, encode, record_of

ADDRESS: Final = "chdb://memory"
WINDOWS: Final = 12
_TABLES: Final = ("drift_verdicts", "drift_scores")
HOUR_MS: Final = 3_600_000
_SOURCE: Final = Source(topic="drift.sketches", partition=0, offset=0)


def _results(material: Material) -> Results:
    """The verdicts of some windows of many columns."""
    reference = make_reference(material.size.columns, material.size.pane_events)
    window = stacked(reference.layout, {WHOLE: make_window(reference, material.size.pane_events)})
    compared = ComparedWindow.of(reference, window, SETTINGS, min_samples=MIN_SAMPLES, alpha=0.05, study=None)
    group = (reference.version, reference.digest)
    windows = [Window(start_ms=i * HOUR_MS, end_ms=(i + 1) * HOUR_MS) for i in range(WINDOWS)]
    return Results(
        compared=[
            (RowGroup(model="bench", group=group, interval=interval, revision=1, compare="pinned"), compared)
            for interval in windows
        ]
    )


def to_clickhouse(material: Material) -> Callable[[], int]:
    """Verdicts and scores to batches, to messages, and from those to rows that are written."""
    results = _results(material)
    sink, client = _database()

    def work() -> int:
        for table in _TABLES:
            client.command(f"TRUNCATE TABLE {table}")
        messages = [encode(batch, _SOURCE) for batch in results.batches()]
        batches = [decode(message) for message in messages]
        written = sink.write(batches)
        assert not written.left
        return sum(batch.num_rows for batch in batches)

    return work


def insert_alone(material: Material) -> Callable[[], int]:
    """The same rows, made before, in one `insert_arrow` a table."""
    kinds: dict[str, list[pa.RecordBatch]] = {}
    for part in _results(material).batches():
        kinds.setdefault(record_of(part).name, []).append(part)
    tables = {}
    for parts in kinds.values():
        (batch,) = pa.Table.from_batches(parts).unify_dictionaries().combine_chunks().to_batches()
        record = record_of(batch)
        tables[record.table] = to_table(record, batch)
    _, client = _database()

    def work() -> int:
        for table, rows in tables.items():
            client.command(f"TRUNCATE TABLE {table}")
            client.insert_arrow(table, rows)
        return sum(rows.num_rows for rows in tables.values())

    return work


def _database() -> tuple[ClickHouseSink, Client]:
    """A migrated database in memory, and a client of it."""
    client = connect(ADDRESS)  # keeps the memory's one engine open
    sink = ClickHouseSink(ADDRESS)
    sink.migrate()
    sink.setup()
    return sink, client
