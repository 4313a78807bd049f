"""A data set of several files, as Spark, DuckDB and pandas write them: a folder of parts, or a pattern: `*.csv`."""

import os
from collections.abc import Collection, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import pyarrow as pa

from monitor.errors import InputError
from monitor.files.report import FileReport, once
from monitor.files.table import ROWS, FileColumn, Progress, TableFile, unwatched
from monitor.wording import counted, listed

_PATTERN: Final = "*?["


def expand(path: Path, endings: Sequence[str]) -> list[Path]:
    """The files that a path means: itself, those below a folder, those of a pattern; in the order of their names.

    Files whose name begins with `_` or `.` are marks of whoever wrote the folder.

    Raises
    ------
    InputError
        There is none that ends in one of the endings, or a folder or a name cannot be read.
    """
    try:
        if path.is_dir():
            found = [one for one in _below(path) if one.is_file()]
        elif not path.exists() and any(mark in path.name for mark in _PATTERN):
            found = sorted(one for one in path.parent.glob(path.name) if one.is_file())
        else:
            return [_named(path)]
    except OSError as error:
        raise InputError(f"cannot read {error.filename or path}: {error.strerror or error}") from error
    own = [_named(one) for one in found if one.name.lower().endswith(tuple(endings))]
    if not own:
        there = f"; it has {listed([one.name for one in found])}" if found else ""
        raise InputError(
            f"{path} holds no file that ends in {single_endings(endings)}{there}",
            hint="files are told by the ends of their names: `part-00000.csv`",
        )
    return own


def passed_over(path: Path, endings: Sequence[str]) -> str:
    """What `expand` leaves out for its name, or for being no file, in a sentence; "" for nothing."""
    if not path.is_dir():
        return ""
    found = _below(path)
    odd = [one.name for one in found if not one.is_file()]
    others = [one.name for one in found if one.is_file() and not one.name.lower().endswith(tuple(endings))]
    told: list[str] = []
    if others:
        told.append(f"{counted(len(others), 'file')} in {path} left out, by their names no data: {listed(others)}")
    if odd:
        told.append(f"left out of {path}, for they are no files but links, pipes or the like: {listed(odd)}")
    return "; ".join(told)


def _below(path: Path) -> list[Path]:
    """All that is no folder below one, by name. Raises `OSError` where a folder cannot be read."""

    def fail(error: OSError) -> None:
        raise error

    found = [Path(folder, name) for folder, _, names in os.walk(path, onerror=fail) for name in names]
    # Links to folders are not followed: they may lead in circles.
    found += [link for folder, inner, _ in os.walk(path) for name in inner if (link := Path(folder, name)).is_symlink()]
    return sorted(one for one in found if one.name[0] not in "._")


def _named(path: Path) -> Path:
    """The path. Raises `InputError` where it is no text: Arrow opens no file of such a name."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(path).decode(errors="backslashreplace")
        raise InputError(f"the name of {shown} is no UTF-8", hint="rename it") from None
    return path


def single_endings(endings: Iterable[str]) -> str:
    """The endings that say the format alone, not how it is compressed."""
    return ", ".join(ending for ending in endings if ending.count(".") == 1)


def plain(type_: pa.DataType) -> pa.DataType:
    """The type that dictionaries and large and small texts of several files have in common."""
    kind: Any = type_.value_type if pa.types.is_dictionary(type_) else type_
    return pa.large_string() if pa.types.is_string(kind) else kind


class SeveralTables:
    """Tables one after another as a `TableFile`; what one lacks is null in its rows.

    Parameters
    ----------
    path
        What the user named.
    tables
        At least one. Their types are unified, and batches cast: times that are text in some are text in all.

    Raises
    ------
    InputError
        A column is of types that do not go together.
    """

    def __init__(self, path: Path, tables: Sequence[TableFile]) -> None:
        self.path = path
        self.n_rows = sum(table.n_rows for table in tables)
        self.report = FileReport(table.report for table in tables)
        self.report.notes = once((table.path, note) for table in tables for note in table.report.notes)
        self.tables = tables
        schemas = [pa.schema([(column.name, column.type) for column in table.columns]) for table in tables]
        try:
            if any(schema != schemas[0] for schema in schemas):
                schemas = [pa.schema([field.with_type(plain(field.type)) for field in schema]) for schema in schemas]
                texts = {field.name for schema in schemas for field in schema if pa.types.is_large_string(field.type)}
                schemas = [_with_texts(schema, texts) for schema in schemas]
            self._schema = pa.unify_schemas(schemas, promote_options="permissive")
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            raise InputError(
                f"the files of {path} do not go together: {' '.join(str(error).split())[:200]}",
                hint="a column must have one type in all of them",
            ) from error
        self.columns = tuple(FileColumn(name=field.name, type=field.type) for field in self._schema)

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read all files once; see `TableFile`. Columns are names, no paths."""
        fields = [field for field in self._schema if columns is None or field.name in columns]
        for number, table in enumerate(self.tables):
            own = {column.name for column in table.columns}
            names = [field.name for field in fields if field.name in own]

            def share(fraction: float, number: int = number) -> None:
                progress((number + fraction) / len(self.tables))

            for batch in table.iter_batches(names, rows, share):
                arrays = [
                    _cast(batch.column(field.name), field.type)
                    if field.name in own
                    else pa.nulls(batch.num_rows, field.type)
                    for field in fields
                ]
                yield pa.RecordBatch.from_arrays(arrays, schema=pa.schema(fields))


def _with_texts(schema: Any, names: Collection[str]) -> Any:
    """The schema with text for times of these names: CSV spells what other formats have a type for."""
    fields = [
        field.with_type(pa.large_string()) if field.name in names and pa.types.is_temporal(field.type) else field
        for field in schema
    ]
    return pa.schema(fields)


def _cast(array: Any, type_: pa.DataType) -> Any:
    if array.type == type_:
        return array
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_timestamp(array.type) and array.type.tz is not None:
        array = array.cast(pa.timestamp(array.type.unit, "UTC"))  # whose texts end in Z
    return array.cast(type_)
