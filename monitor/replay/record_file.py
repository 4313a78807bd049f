"""A Parquet file of one record: what `replay` writes."""

from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from sinks.records import Record

ROWS_A_GROUP: Final = 100_000
"""Rows that are held until they are written together: many small groups take longer to write, and to read."""


class RecordFile:
    """Rows of one record, written as they come; closing the file leaves the last revision of each key.

    The columns are the record's fields.
    """

    def __init__(self, path: Path, record: Record) -> None:
        self._path = path
        self._record = record
        self._repeating = _repeating(record.schema)
        self._writer = pq.ParquetWriter(path, record.schema, compression="zstd", use_dictionary=self._repeating)
        self._revised = False
        self._waiting: list[pa.RecordBatch] = []
        self.n_rows = self._n_waiting = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Append rows."""
        if not batch.num_rows:
            return
        if self._record.revised:
            self._revised = self._revised or pc.max(batch.column("revision")).as_py() > 1
        self._waiting.append(batch.replace_schema_metadata(self._record.schema.metadata))
        self.n_rows += batch.num_rows
        self._n_waiting += batch.num_rows
        if self._n_waiting >= ROWS_A_GROUP:
            self._flush()

    def _flush(self) -> None:
        if self._waiting:
            self._writer.write_table(pa.Table.from_batches(self._waiting))
        self._waiting, self._n_waiting = [], 0

    def abandon(self) -> None:
        """Let go of the file, whose rows do not count: a writer left open would write its end into the next one."""
        self._writer.close()

    def close(self) -> None:
        """Finish the file."""
        self._flush()
        self._writer.close()
        if not self._revised:
            return
        table = pq.read_table(self._path).unify_dictionaries()  # grouping does not do it by itself
        table = table.append_column("_row", pa.array(range(table.num_rows), pa.int64()))
        # Rows were appended in the order of their revisions, so the last of a key is its last revision.
        last: Any = table.group_by(list(self._record.key)).aggregate([("_row", "max")])["_row_max"].sort()
        table = table.take(last).drop_columns(["_row"])
        pq.write_table(table, self._path, compression="zstd", use_dictionary=self._repeating)
        self.n_rows = table.num_rows


def _repeating(schema: pa.Schema) -> Any:  # a list of names, which the stubs do not know to be possible
    """The columns whose values repeat: measured ones hardly do, and a dictionary of them takes time and room."""
    return [
        f"{own.name}.list.element" if pa.types.is_list(own.type) else own.name
        for own in schema
        if pa.float64() not in (own.type, getattr(own.type, "value_type", None))
    ]
