"""Columns that lie in the names of folders, as Hive and Spark write them: `country=DE/part-0.parquet`.

Most are of time, such as `dt=2026-03-01`, and each day would be a category that nobody has seen. So only those are read
that a configuration or a reference names, and the others are told.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final
from urllib.parse import unquote

import pyarrow as pa

from monitor.events.mapping import MODEL
from monitor.events.models import ModelSpec
from monitor.files.table import ROWS, FileColumn, Progress, TableFile, unwatched
from monitor.wording import listed

_NULL: Final = "__HIVE_DEFAULT_PARTITION__"


def columns_of(root: Path, path: Path) -> dict[str, str]:
    """The names and values in the folders between a root and a file below it."""
    try:
        folders = path.relative_to(root).parts[:-1]
    except ValueError:
        return {}
    pairs = (folder.partition("=") for folder in folders)
    return {unquote(name): unquote(value) for name, mark, value in pairs if mark and name}


def names_of(models: Sequence[ModelSpec]) -> frozenset[str]:
    """The names that models know: features, segments, and what their mapping names."""
    columns = {column.name for model in models for column in model.layout.columns}
    places = {place for model in models for place in (*model.mapping.places.values(), *model.mapping.segments.values())}
    return frozenset({*columns, *places, *(name for model in models for name in model.dimensions), MODEL})


def not_read(found: Sequence[Mapping[str, str]], names: Collection[str]) -> str:
    """Which columns of folders are none of these names, in a sentence; "" for none."""
    others = sorted({name for values in found for name in values} - set(names))
    if not others:
        return ""
    return f"folders are named by {listed(others)}: no column is made of that, unless `columns` or `segments` name it"


def with_columns(table: TableFile, values: Mapping[str, str], names: Collection[str]) -> TableFile:
    """The table with those of the columns, each of one text, that are named; a column that it has itself stays."""
    own = {column.name for column in table.columns}
    missing = {name: value for name, value in values.items() if name in names and name not in own}
    return _WithColumns(table, missing) if missing else table


class _WithColumns:
    """A `TableFile` over another; columns are names, no paths."""

    def __init__(self, table: TableFile, values: Mapping[str, str]) -> None:
        self.path = table.path
        self.n_rows = table.n_rows
        self.report = table.report
        self._table = table
        self._values = {name: None if value == _NULL else value for name, value in values.items()}
        self.columns = (*table.columns, *(FileColumn(name=name, type=pa.string()) for name in values))

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once; see `TableFile`."""
        own = None if columns is None else [name for name in columns if name not in self._values]
        if own == []:
            own = [self._table.columns[0].name]  # for the number of rows
        for batch in self._table.iter_batches(own, rows, progress):
            arrays = {name: batch.column(name) for name in batch.schema.names if columns is None or name in columns}
            for name, value in self._values.items():
                if columns is None or name in columns:
                    arrays[name] = pa.array([value] * batch.num_rows, pa.string())
            yield pa.RecordBatch.from_arrays(list(arrays.values()), names=list(arrays))
