"""A table that can only be read row by row, copied so that it can be read column by column."""

from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from monitor.errors import InputError
from monitor.files.parquet import ParquetTable
from monitor.files.table import Progress, TableFile

# What lies in memory before it is written: small enough for wide files, large enough to read columns in few pieces.
_ROW_GROUP_BYTES: Final = 64 * 1024 * 1024
_ROWS: Final = 65_536


def staged(table: TableFile, path: Path, progress: Progress) -> ParquetTable:
    """Copy a table into a Parquet file at `path`.

    Raises
    ------
    InputError
        The table cannot be read, or there is no room for the copy.
    """
    schema = pa.schema([(column.name, column.type) for column in table.columns])
    waiting: list[pa.RecordBatch] = []
    size = 0
    try:
        with pq.ParquetWriter(path, schema, compression="lz4") as writer:
            for batch in table.iter_batches(None, _ROWS, progress):
                waiting.append(batch)
                size += batch.nbytes
                if size >= _ROW_GROUP_BYTES:
                    writer.write_table(pa.Table.from_batches(waiting, schema))
                    waiting, size = [], 0
            writer.write_table(pa.Table.from_batches(waiting, schema))
    except pa.ArrowException as error:
        raise InputError(
            f"{table.path} has a column of a type, or a value, that is not read: {' '.join(str(error).split())[:200]}",
            hint="leave that column out, or write it as another type",
        ) from error
    except OSError as error:
        raise InputError(
            f"cannot write the temporary file {path}: {error.strerror or error}",
            hint="make room there, or set TMPDIR to a folder that has it",
        ) from error
    return ParquetTable(path)
