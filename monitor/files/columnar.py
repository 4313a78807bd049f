"""Files that have types and columns of their own, by their format."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from monitor.files.arrow import ArrowTable
from monitor.files.parquet import ParquetTable
from monitor.files.table import TableFile

COLUMNAR: Final[Mapping[str, Callable[[Path], TableFile]]] = {"parquet": ParquetTable, "arrow": ArrowTable}
"""By the name of the format: what opens a file as a table. Raises `InputError` where it is none."""
