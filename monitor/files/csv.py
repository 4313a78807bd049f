"""CSV files. Cells are read as text; a column's type follows from all of its cells, never from its first ones.

A first pass looks at every cell. A column is of the narrowest type that all of its cells are:

| cells | type |
|---|---|
| all empty | null |
| `true`, `True`, `TRUE`, `false`, ... | bool |
| integers of 64 bits; without leading zeros: `007` is a code, not a number | int64 |
| numbers, also `1e5`, `nan`, `inf`; `1,234.5`, `$5` and `12%` are 1234.5, 5 and 12 | float64 |
| anything else | string |

Empty cells are nulls, quoted or not. Among numbers and booleans so are the usual spellings of a missing one, `MISSING`;
among text these are text. Spaces around a number do not count.
"""

from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from monitor.errors import InputError
from monitor.events.batch import Rejected
from monitor.events.reasons import Reason
from monitor.files.dialect import Dialect, dialect_of, with_points
from monitor.files.report import FileReport
from monitor.files.source import Recoded, open_binary
from monitor.files.table import ROWS, FileColumn, Progress, reading, require_unique, unwatched
from monitor.files.utf8 import Utf8
from monitor.wording import counted

BadRow = Callable[[int, int, str], None]
"""Takes the number of cells expected, the number found, and the row's text."""

TRUE: Final = ("true", "True", "TRUE")
FALSE: Final = ("false", "False", "FALSE")
"""How CSV files spell booleans."""

MISSING: Final = (
    "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "-nan", "NAN", "NULL", "null", "Null", "None", "none", "NaT",
    "nil", "-", "--", "?", ".", "\\N", "missing",
)  # fmt: skip
"""How files spell a missing number or boolean: R, pandas, databases, UCI's data sets, spreadsheets."""

_BLOCK_BYTES: Final = 4 * 1024 * 1024  # a row may not be longer
_MISSING: Final = pa.array(MISSING)
_BOOLEANS: Final = pa.array(TRUE + FALSE)
_NUMBER: Final = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_TRIED: Final = 64
# Thousands apart, a currency before or behind, a percent sign: as spreadsheets write numbers for people.
_DECORATED: Final = r"^[+-]?[$€£¥]? ?[+-]?([1-9]\d{0,2}(,\d{3})+|\d+)(\.\d+)? ?[%$€£¥]?$"
_DECORATION: Final = "[$€£¥%, ]"

# Narrowest first: a column that is of one type in some blocks and of another in others is of the later one of the two,
# but for booleans, which are no numbers.
_RANKS: Final[tuple[pa.DataType, ...]] = (pa.null(), pa.bool_(), pa.int64(), pa.float64(), pa.string())
_BOOLEAN, _INTEGER, _FLOAT, _TEXT = range(1, 5)


NumericNames = Callable[[Sequence[str]], Collection[str]]
"""Which of a file's columns are numbers whatever they hold."""


def no_names(_names: Sequence[str]) -> Collection[str]:
    """None of them."""
    return ()


class CsvTable:
    """A CSV file as a `TableFile`; may be compressed with gzip, zstd or bzip2.

    Parameters
    ----------
    path
        The file; UTF-8, UTF-16 or Windows-1252 (`monitor.files.utf8`); names in the first row. How else it is written
        `monitor.files.dialect` says. What was guessed is noted.
    numeric
        Given the names of the columns, those that are float64 whatever they hold: a cell that is no number is
        infinity, which is counted as invalid.
    infer
        With False there is no first pass: all other columns are string, and `n_rows` is 0.
    on_bad_row
        What to do with a row of too few or too many cells; None: the first pass reports it, and it is left out.
    progress
        Of the first pass.

    Raises
    ------
    InputError
        No such file, empty, corrupt.
    """

    def __init__(
        self,
        path: Path,
        *,
        numeric: NumericNames = no_names,
        infer: bool = True,
        on_bad_row: BadRow | None = None,
        progress: Progress = unwatched,
    ) -> None:
        self.path = path
        self.n_rows = 0
        self.report = FileReport()
        self._dialect = Dialect()
        self._noted = False
        self._handler = _skip if on_bad_row is None else _handler(on_bad_row)
        names = self._names()
        require_unique(path, names)
        self._numeric = frozenset(numeric(names))
        ranks = [0 if infer else _TEXT] * len(names)
        if infer:
            handler = _skip if on_bad_row is not None else _handler(lambda *row: self.report.reject(bad_row(*row)))
            for batch in self._texts(names, handler, progress):
                self.n_rows += batch.num_rows
                ranks = [_rank(batch.column(position), rank) for position, rank in enumerate(ranks)]
        self.columns = tuple(
            FileColumn(name=name, type=pa.float64() if name in self._numeric else _RANKS[rank])
            for name, rank in zip(names, ranks, strict=True)
        )

    def iter_batches(
        self, columns: Sequence[str] | None = None, rows: int = ROWS, progress: Progress = unwatched
    ) -> Iterator[pa.RecordBatch]:
        """Read the file once; see `TableFile`."""
        wanted = [column for column in self.columns if columns is None or column.name in columns]
        names = [column.name for column in wanted]
        for batch in self._texts(names, self._handler, progress):
            with reading(self.path):  # a cell that is not of its type any more: the file has changed
                arrays = [self._typed(batch.column(position), column) for position, column in enumerate(wanted)]
            typed = pa.RecordBatch.from_arrays(arrays, names=names)
            for start in range(0, typed.num_rows, rows):
                yield typed.slice(start, rows)

    def _typed(self, cells: Any, column: FileColumn) -> Any:
        if column.name in self._numeric:
            return cell_numbers(cells)
        if column.type == pa.string():
            return cells
        if column.type in (pa.null(), pa.bool_()):
            cells = without_missing(cells)
        if column.type == pa.bool_():
            truth: Any = pc.is_in(cells, value_set=pa.array(TRUE))
            return pc.if_else(pc.is_valid(cells), truth, pa.scalar(None, pa.bool_()))
        if column.type == pa.null():
            if cells.null_count < len(cells):
                raise pa.ArrowInvalid(f"column {column.name!r} was empty when the file was first read")
            return pa.nulls(len(cells))
        found = _cast(cells, column.type)
        if found is None:
            found = pc.cast(undecorated(pc.utf8_trim_whitespace(without_missing(cells))), column.type)
        return _without_nan(found)

    def _note(self, n: int) -> None:
        """Say, once, that a pass met bytes that are no UTF-8."""
        if not self._noted:
            self._noted = True
            self.report.notes.append(
                f"{self.path.name} is no UTF-8 in {counted(n, 'place')}, read there as Windows-1252: "
                "if it is something else, save it as UTF-8"
            )

    def _names(self) -> list[str]:
        with reading(self.path):
            if self.path.stat().st_size == 0:  # pyarrow's threads may outlive its own error, and end the process
                raise InputError(f"{self.path} is empty", hint="the first row must name the columns")
            self._dialect = dialect_of(self.path, MISSING)
            self.report.notes += self._dialect.notes
            try:
                reader, _ = self._open(None, _skip)
            except pa.ArrowInvalid as error:
                if "Empty CSV" in str(error) or "Could not skip" in str(error):
                    hint = "the first row must name the columns, and others follow"
                    raise InputError(f"{self.path} has no rows", hint=hint) from error
                raise
            names: list[str] = reader.schema.names
            reader.close()
        return names

    def _texts(self, names: Sequence[str], handler: Any, progress: Progress) -> Iterator[pa.RecordBatch]:
        with reading(self.path):
            total = max(self.path.stat().st_size, 1)
            reader, raw = self._open(names, handler)
            with reader:
                for batch in reader:
                    progress(min(raw.tell() / total, 1.0))
                    yield self._pointed(batch)

    def _pointed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The batch with decimal points."""
        if not self._dialect.decimal_commas:
            return batch
        names = batch.schema.names
        arrays = [
            with_points(cells) if name in self._dialect.decimal_commas else cells
            for name, cells in zip(names, batch.columns, strict=True)
        ]
        return pa.RecordBatch.from_arrays(arrays, names=names)

    def _open(self, names: Sequence[str] | None, handler: Any) -> tuple[Any, Any]:
        stream, raw = open_binary(self.path)
        # pyarrow decodes a bad row before it hands it over, and does not survive that it cannot.
        recoded = stream if isinstance(stream, Recoded) else Utf8(stream, self._note)
        source: Any = pa.PythonFile(recoded, mode="r")  # type: ignore[arg-type]  # it needs no more than `read`
        reader = pa_csv.open_csv(
            source,
            read_options=pa_csv.ReadOptions(block_size=_BLOCK_BYTES, skip_rows=self._dialect.skip_rows),
            parse_options=pa_csv.ParseOptions(
                delimiter=self._dialect.mark, newlines_in_values=True, invalid_row_handler=handler
            ),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(names or (), pa.string()),
                include_columns=list(names) if names is not None else None,
                null_values=[""],
                strings_can_be_null=True,
            ),
        )
        return reader, raw


def retype(tables: Sequence[Any]) -> None:
    """Give the columns of several `CsvTable` the types that all cells of all files have."""
    ranks: dict[str, int] = {}
    for table in tables:
        for column in table.columns:
            one, other = _RANKS.index(column.type), ranks.get(column.name, 0)
            apart = _BOOLEAN in (one, other) and one != other and 0 not in (one, other)
            ranks[column.name] = _TEXT if apart else max(one, other)
    for table in tables:
        table.columns = tuple(FileColumn(name=one.name, type=_RANKS[ranks[one.name]]) for one in table.columns)


def cell_numbers(cells: Any, *, booleans: bool = True) -> Any:
    """(n,) text as Arrow float64: null for null and `MISSING`, infinity for what is no number.

    Where `booleans` are numbers, they are 1 and 0.
    """
    trimmed: Any = pc.utf8_trim_whitespace(cells)
    found = _cast(trimmed, pa.float64())
    if found is not None:
        return _without_nan(found)
    trimmed = without_missing(trimmed)
    if booleans and pc.any(pc.is_in(trimmed, value_set=_BOOLEANS)).as_py():
        trimmed = pc.if_else(pc.is_in(trimmed, value_set=pa.array(TRUE)), pa.scalar("1"), trimmed)
        trimmed = pc.if_else(pc.is_in(trimmed, value_set=pa.array(FALSE)), pa.scalar("0"), trimmed)
    trimmed = undecorated(trimmed)
    numeric = pc.match_substring_regex(trimmed, _NUMBER)
    found = pc.cast(pc.if_else(numeric, trimmed, pa.scalar(None, pa.string())), pa.float64())
    return pc.if_else(pc.and_(pc.is_valid(trimmed), pc.is_null(found)), pa.scalar(np.inf), found)


def without_missing(cells: Any) -> Any:
    """(n,) text with nulls for `MISSING`."""
    missing = pc.is_in(pc.utf8_trim_whitespace(cells), value_set=_MISSING)
    return pc.if_else(missing, pa.scalar(None, pa.string()), cells) if pc.any(missing).as_py() else cells


def undecorated(cells: Any) -> Any:
    """(n,) text, with `1,234.5`, `$5` and `12%` as the numbers in them: 1234.5, 5 and 12."""
    found: Any = pc.match_substring_regex(cells, _DECORATED)
    if not pc.any(found).as_py():
        return cells
    return pc.if_else(found, pc.replace_substring_regex(cells, _DECORATION, ""), cells)


def bad_row(expected: int, found: int, text: str) -> Rejected:
    """A row of too few or too many cells."""
    detail = f"{found} cells where the header has {expected}"
    raw = text.encode("utf-8", "surrogatepass")
    return Rejected(message=0, index=0, reason=Reason.UNDECODABLE, detail=detail, model="", raw=raw)


def _skip(row: Any) -> str:  # noqa: ARG001 - what pyarrow calls
    return "skip"


def _handler(on_bad_row: BadRow) -> Callable[[Any], str]:
    def handle(row: Any) -> str:
        on_bad_row(row.expected_columns, row.actual_columns, row.text)
        return "skip"

    return handle


def _rank(cells: Any, rank: int) -> int:
    """The rank of a column's type when these cells are looked at too."""
    cells = cells.drop_null()
    if rank == _TEXT or not len(cells):
        return rank
    # Floats come first: the cast to integers takes 0x1F. Spaces are rare, and taking them off is not free.
    floats = cell_casts(cells, pa.float64())
    if not floats:
        cells = without_missing(cells).drop_null()
        if not len(cells):
            return rank
    if rank <= _BOOLEAN and not floats and pc.all(pc.is_in(cells, value_set=_BOOLEANS)).as_py():
        return _BOOLEAN
    if rank == _BOOLEAN:
        return _TEXT
    if not floats:
        cells = undecorated(pc.utf8_trim_whitespace(cells))
        if not cell_casts(cells, pa.float64()):
            return _TEXT
    zeros = cells.filter(pc.starts_with(cells, "0"))
    if len(zeros) and pc.any(pc.match_substring_regex(zeros, r"^0\d")).as_py():
        return _TEXT
    return rank if rank == _FLOAT else _INTEGER if cell_casts(cells, pa.int64()) else _FLOAT


def cell_casts(cells: Any, type_: pa.DataType) -> bool:
    """Whether every cell is of this type."""
    return _cast(cells, type_) is not None


def _cast(cells: Any, type_: pa.DataType) -> Any:
    """The cells as another type; None if one of them is none."""
    try:
        pc.cast(cells.slice(0, _TRIED), type_)  # a cast that fails words an error for each cell, which takes its time
        return pc.cast(cells, type_)
    except pa.ArrowInvalid:
        return None


def _without_nan(numbers: Any) -> Any:
    """With nulls for NaN, which is how data frames write what is missing."""
    if not pa.types.is_floating(numbers.type):
        return numbers
    missing: Any = pc.is_nan(numbers)
    return pc.if_else(missing, pa.scalar(None, numbers.type), numbers) if pc.any(missing).as_py() else numbers
