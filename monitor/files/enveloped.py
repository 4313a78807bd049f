"""Tables whose rows hold JSON as text, such as an inference table in Parquet: each row as a line of JSON."""

import json
from collections.abc import Iterator, Sequence
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from monitor.events.arrow.lines import holds_objects_as_text, python_rows
from monitor.events.json.texts import object_places
from monitor.events.models import ModelSpec
from monitor.files.columnar import COLUMNAR
from monitor.files.csv import BadRow, CsvTable
from monitor.files.table import Progress, TableFile
from monitor.files.values import is_text, value_type

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
            yield json_lines(batch)


def json_lines(batch: Any) -> list[bytes]:
    """Each row of a record batch as JSON of an object."""
    return [json.dumps(row, default=_plain).encode() for row in python_rows(batch)]


def enveloped_lines(
    path: Path, kind: str, models: Sequence[ModelSpec], on_bad_row: BadRow | None = None
) -> EnvelopedLines | None:
    """What gives the rows of a Parquet, Arrow or CSV file as lines; None where its columns are those of plain events.

    Rows are lines where requests and responses are taken apart, and where an object, such as that of the features, is
    text of JSON in the first rows. Data to build a reference from often lie in a plain table, although live events come
    in envelopes. `on_bad_row` is that of `CsvTable`.
    """
    if kind == "jsonl":
        return None
    table: TableFile = COLUMNAR[kind](path) if kind in COLUMNAR else CsvTable(path, infer=False)
    names = {column.name for column in table.columns}
    is_enveloped = any(model.envelope is not None for model in models) and not BODIES.isdisjoint(names)
    if not is_enveloped and not _has_objects_as_text(table, models):
        return None
    if kind not in COLUMNAR:
        scores = {name for model in models for name in model.mapping.score_columns}
        table = CsvTable(path, numeric=scores.intersection, on_bad_row=on_bad_row)
    return EnvelopedLines(table)


def _has_objects_as_text(table: TableFile, models: Sequence[ModelSpec]) -> bool:
    """Whether texts in the place of an object, in a table's first rows, begin as JSON does."""
    places = frozenset(place for model in models for place in object_places(model.mapping))
    names = [one.name for one in table.columns if (one.name,) in places and is_text(value_type(one.type))]
    if not names:
        return False
    batch = next(iter(table.iter_batches(names, _ROWS)), None)
    return batch is not None and holds_objects_as_text(batch, places)


def _plain(value: Any) -> Any:
    """Times as RFC 3339, decimals as numbers, what has no JSON as its text."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    return float(value) if isinstance(value, Decimal) else str(value)
