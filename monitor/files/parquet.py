"""Parquet files."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.files.report import FileReport
from monitor.files.table import ROWS, FileColumn, Progress, reading, require_unique_fields, unwatched

# Pages are read through a buffer of this size a column: without it a column's whole row group lies in memory, and a
# file may be one row group.
_BUFFER_BYTES: Final = 256 * 1024


class ParquetTable:
    """A Parquet file as a `TableFile`. Raises `InputError` when it is none."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.report = FileReport()
        with reading(path):
            self._file: Any = pq.ParquetFile(
                path,
                buffer_size=_BUFFER_BYTES,
                pre_buffer=False,
                page_checksum_verification=True,  # where the writer left checksums
            )
        schema = self._file.schema_arrow
        require_unique_fields(path, schema)
        self.columns = tuple(FileColumn(name=field.name, type=field.type) for field in schema)
        self.n_rows: int = self._file.metadata.num_rows

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once; see `TableFile`."""
        done = 0
        with reading(self.path):
            for batch in self._file.iter_batches(rows, columns=None if columns is None else list(columns)):
                done += batch.num_rows
                progress(done / self.n_rows)
                yield batch
