"""What a flat file looks like to its readers: named columns, and batches of rows in bounded memory."""

import contextlib
import zlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Protocol

import msgspec
import pyarrow as pa

from monitor.errors import InputError
from monitor.files.report import FileReport

ROWS: Final = 10_000
"""Rows of a batch, where nobody asks for another number."""

Progress = Callable[[float], None]
"""Takes the fraction done, 0 to 1."""

_BAD_FILE: Final = (OSError, pa.ArrowException, EOFError, zlib.error, UnicodeDecodeError)


def unwatched(fraction: float) -> None:
    """The progress of what nobody watches."""


class FileColumn(msgspec.Struct, frozen=True, kw_only=True):
    """One column of a file, and its Arrow type."""

    name: str
    type: pa.DataType


class TableFile(Protocol):
    """A file of rows. Its columns are known; the rows are read again at each pass.

    Attributes
    ----------
    path
        The file.
    columns
        In the file's order; names are unique.
    n_rows
        All rows of the file that can be some.
    report
        What was left out, and what else is to be said of the file.
    """

    path: Path
    columns: tuple[FileColumn, ...]
    n_rows: int
    report: FileReport

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once.

        Parameters
        ----------
        columns
            What to read: names, or dotted paths into struct columns (the batch then has the struct with these fields
            alone). None is all.
        rows
            Most rows in a batch.
        progress
            Called before each batch, as if it were done.

        Raises
        ------
        InputError
            The file is corrupt, or changed since it was opened.
        """
        ...


@contextlib.contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn what goes wrong while a file is read into an `InputError` that names it."""
    try:
        yield
    except _BAD_FILE as error:
        if isinstance(error, FileNotFoundError):
            raise InputError(f"no such file: {path}", hint="check the path") from error
        if isinstance(error, OSError) and error.strerror:
            raise InputError(f"cannot read {path}: {error.strerror}") from error
        raise InputError(f"{path} is corrupt, or not what its name says: {_first_line(error)}") from error


def require_unique(path: Path, names: Sequence[str]) -> None:
    """Refuse a file in which two columns have one name."""
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise InputError(f"{path} has more than one column {twice[0]!r}", hint="rename one of them")


def require_unique_fields(path: Path, schema: Any) -> None:
    """The same of the columns of a schema, and of the fields of those that are structs, down to the innermost."""
    require_unique(path, schema.names)
    for field in schema:
        if pa.types.is_struct(field.type):
            require_unique_fields(path, pa.schema(list(field.type)))


def _first_line(error: BaseException) -> str:
    lines = str(error).splitlines()
    return lines[0][:300] if lines else type(error).__name__
