"""A batch in pieces that fit into a message or an insert: a function of the rows alone."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Ints = npt.NDArray[np.int64]


def split(batch: pa.RecordBatch, n_bytes: int, n_rows: int | None = None) -> Iterator[pa.RecordBatch]:
    """Pieces in the order of the rows, each of at most so many bytes and rows; a larger row goes alone.

    A piece has only those texts in its dictionaries that its rows point to.
    """
    if batch.num_rows == 0:
        return
    most = batch.num_rows if n_rows is None else n_rows
    sizes = row_bytes(batch)
    ends = np.cumsum(sizes)
    if batch.num_rows == 1 or (batch.num_rows <= most and ends[-1] <= n_bytes):
        yield batch
        return
    start = 0
    while start < batch.num_rows:
        before = int(ends[start - 1]) if start else 0
        end = int(np.searchsorted(ends, before + n_bytes, side="right"))
        end = min(max(end, start + 1), start + most, batch.num_rows)
        # Again, for a text that first appeared in an earlier piece was not counted in this one.
        yield from split(compact(batch.slice(start, end - start)), n_bytes, n_rows)
        start = end


def compact(batch: pa.RecordBatch) -> pa.RecordBatch:
    """The batch without texts in its dictionaries that no row points to."""
    columns = [
        pc.dictionary_encode(pc.cast(column, column.type.value_type)).cast(column.type)
        if isinstance(column.type, pa.DictionaryType)
        else column
        for column in batch.columns
    ]
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def row_bytes(batch: pa.RecordBatch) -> Ints:
    """(rows,) about how many bytes each row takes. A text of a dictionary counts where it first appears."""
    total: Ints = np.zeros(batch.num_rows, dtype=np.int64)
    for column in batch.columns:
        total += _bytes(column)
    return total


def _bytes(column: Any) -> Ints:
    if isinstance(column, pa.DictionaryArray):
        codes = column.indices.to_numpy()
        first = np.full(len(column.dictionary), -1, dtype=np.int64)
        first[codes[::-1]] = np.arange(codes.size)[::-1]  # of a repeated code the last assignment stays
        pointed = np.flatnonzero(first >= 0)
        sizes: Ints = np.full(len(column), 4, dtype=np.int64)
        np.add.at(sizes, first[pointed], _bytes(column.dictionary)[pointed])
        return sizes
    if isinstance(column, pa.ListArray):
        offsets = column.offsets.to_numpy().astype(np.int64) - int(column.offsets[0].as_py())
        ends = np.concatenate([[0], np.cumsum(_bytes(column.flatten()))])
        return np.asarray(4 + ends[offsets[1:]] - ends[offsets[:-1]], dtype=np.int64)
    if isinstance(column, pa.StructArray):
        return np.asarray(sum(_bytes(part) for part in column.flatten()), dtype=np.int64)
    if pa.types.is_string(column.type) or pa.types.is_binary(column.type):
        return np.asarray(4 + pc.binary_length(column).to_numpy().astype(np.int64), dtype=np.int64)
    return np.full(len(column), -(-column.type.bit_width // 8), dtype=np.int64)
