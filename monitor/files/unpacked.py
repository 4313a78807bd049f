"""A table whose features lie in one column as a list or a map, read as if they were a struct."""

from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from monitor.events.arrow.unpacked import fields_of, packed_columns, struct_of
from monitor.events.mapping import Mapping
from monitor.files.table import ROWS, FileColumn, Progress, TableFile, unwatched


def unpacked_table(table: TableFile, mapping: Mapping, progress: Progress = unwatched) -> TableFile:
    """The table with named features; itself where they are not packed. A first pass finds their names."""
    schema = pa.schema([(column.name, column.type) for column in table.columns])
    places = packed_columns(schema, [mapping])
    return _Unpacked(table, next(iter(places)), mapping, progress) if places else table


class _Unpacked:
    """A `TableFile` over another; columns are names, no paths."""

    def __init__(self, table: TableFile, place: int, mapping: Mapping, progress: Progress) -> None:
        self.path = table.path
        self.n_rows = table.n_rows
        self.report = table.report
        self._table = table
        self._mapping = mapping
        self._packed = table.columns[place]
        names: dict[str, None] = {}
        for batch in table.iter_batches([self._packed.name], ROWS, progress):
            names.update(dict.fromkeys(fields_of(batch.column(0), mapping)))
        kind: Any = self._packed.type
        value = kind.item_type if pa.types.is_map(kind) else kind.value_type
        self._names = list(names)
        self._type = pa.struct([(name, value) for name in self._names])
        self.columns = tuple(
            FileColumn(name=one.name, type=self._type) if one is self._packed else one for one in table.columns
        )

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once; see `TableFile`."""
        for batch in self._table.iter_batches(columns, rows, progress):
            place = batch.schema.get_field_index(self._packed.name)
            if place >= 0:
                array = struct_of(batch.column(place), self._mapping, self._names)
                batch = batch.set_column(place, pa.field(self._packed.name, self._type), array.cast(self._type))
            yield batch
