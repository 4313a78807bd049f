"""Tables whose rows are envelopes, such as an inference table in Parquet: each row as a line of JSON."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

from monitor.events.models import ModelSpec
from monitor.files.columnar import COLUMNAR
from monitor.files.csv import BadRow, CsvTable
from monitor.files.table import Progress, TableFile

BODIES: Final = frozenset({"request", "response", "captureData"})
"""Columns that hold requests and responses."""

_ROWS: Final = 10_000


class EnvelopedLines:
    """Gives the rows of a table as lines of JSON, some at a time, and has the table's `report`."""

    def __init__(self, table: TableFile) -> None:
        self._table = table
        self.report = table.report

    def __call__(self, progress: Progress) -> Iterator[list[bytes]]:
        """Read the table once."""
        for batch in self._table.iter_batches(None, _ROWS, progress):
            yield [json.dumps(row, default=_plain).encode() for row in batch.to_pylist()]


def enveloped_lines(
    path: Path, kind: str, models: Sequence[ModelSpec], on_bad_row: BadRow | None = None
) -> EnvelopedLines | None:
    """What gives the rows of a Parquet, Arrow or CSV file as lines; None where its columns are those of plain events.

    Data to build a reference from often lie in a plain table, although live events come in envelopes. `on_bad_row` is
    that of `CsvTable`.
    """
    if kind == "jsonl" or all(model.envelope is None for model in models):
        return None
    table: TableFile = COLUMNAR[kind](path) if kind in COLUMNAR else CsvTable(path, on_bad_row=on_bad_row)
    return EnvelopedLines(table) if BODIES & {column.name for column in table.columns} else None


def _plain(value: Any) -> Any:
    """Times as RFC 3339, maps as objects, what has no JSON as its text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return str(value)
