"""Flat files of predictions: Parquet, Arrow, CSV and JSON lines, read a bounded number of rows at a time.

`open_table` reads any of them as a table, for `driftline reference build`. `iter_decoded` reads them as events, for
`driftline replay`: a JSON line is decoded as if it were a Kafka message, a row of a table as a row of Arrow.
"""

import itertools
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, Literal

import msgspec
import pyarrow as pa

from detectors.layout import Layout
from monitor.config.nearest import nearest
from monitor.errors import InputError
from monitor.events.arrow.table import TableDecoder, check_schema
from monitor.events.batch import Decoded, Rejected
from monitor.events.frame import Frame
from monitor.events.json.decoder import JsonDecoder
from monitor.events.json.forgiving import Refused
from monitor.events.models import Limits, ModelSpec, Role
from monitor.events.outcome import Outcome
from monitor.files.cells import CellMeanings
from monitor.files.columnar import COLUMNAR
from monitor.files.csv import CsvTable, NumericNames, bad_row, no_names, retype
from monitor.files.enveloped import enveloped_lines
from monitor.files.jsonl import JsonlTable
from monitor.files.lines import Lines, read_lines
from monitor.files.partitioned import columns_of, names_of, not_read, with_columns
from monitor.files.report import FileReport, once
from monitor.files.several import SeveralTables, expand, passed_over, single_endings
from monitor.files.source import columnar_format, compression_of, sniff
from monitor.files.table import ROWS, Progress, TableFile, unwatched
from monitor.files.unread import FIRST_LINES, columns_unread, keys_unread

FileFormat = Literal["parquet", "arrow", "csv", "jsonl"]

FORMATS: Final[Mapping[str, FileFormat]] = {
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".arrows": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
    ".csv": "csv",
    ".csv.gz": "csv",
    ".tsv": "csv",
    ".tsv.gz": "csv",
    ".tsv.zst": "csv",
    ".jsonl": "jsonl",
    ".json": "jsonl",
    ".json.gz": "jsonl",
    ".json.zst": "jsonl",
    ".ndjson": "jsonl",
    ".jsonl.gz": "jsonl",
    ".ndjson.gz": "jsonl",
    ".csv.zst": "csv",
    ".jsonl.zst": "jsonl",
    ".ndjson.zst": "jsonl",
}
"""By the end of the file's name, in small letters. Parquet and Arrow are also known by what the file begins with."""


class FilePart(msgspec.Struct, frozen=True, kw_only=True):
    """Some rows of a file, decoded, and how much of the file has been read by then, 0 to 1.

    `unread` are columns and keys of the file that are no feature of any model; `notes` sentences for people.
    """

    decoded: Decoded
    fraction: float
    unread: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def format_of(path: Path) -> FileFormat:
    """The format of a file, by its first bytes where these tell, else by its name.

    Raises
    ------
    InputError
        There is no such file, its name ends in none of `FORMATS`, or it is of a format that is not read.
    """
    if path.is_symlink() and not path.exists():
        raise InputError(f"{path} is a link to what is not there: {path.readlink()}", hint="check the path")
    if not path.exists():
        close = nearest(path.name, (other.name for other in path.parent.glob("*"))) if path.parent.is_dir() else ""
        raise InputError(f"no such file: {path}", hint=f"did you mean {close!r}?" if close else "check the path")
    if not path.is_file():
        raise InputError(f"{path} is not a file", hint="name one Parquet, Arrow, CSV or JSONL file")
    name = path.name.lower()
    if (known := columnar_format(path)) is not None:
        return known
    for ending, kind in FORMATS.items():
        if name.endswith(ending):
            if kind in COLUMNAR and (compression := compression_of(path)):
                raise InputError(f"{path} is compressed with {compression} as a whole", hint="unpack it")
            return kind
    sniff(path)  # an archive says what it is
    hint = "name it by what is in it: such as .csv for a table of text, .jsonl for an event a line"
    raise InputError(f"{path}: a file must be named {single_endings(FORMATS)}, and .gz or .zst behind text", hint=hint)


def open_table(
    path: Path,
    spec: ModelSpec | None = None,
    *,
    numeric: NumericNames = no_names,
    of_folders: Collection[str] = (),
    progress: Progress = unwatched,
) -> TableFile:
    """Open a file as a table. CSV and JSON lines are read once, to know their types.

    Parameters
    ----------
    path
        Its name says the format: see `FORMATS`. Or a folder of such files, or a pattern; tables of several formats are
        read, each by its own reader.
    spec
        Where things lie in JSON events; None: the defaults. Its layout does not matter.
    numeric
        Given the names of a CSV file's columns, which are numbers whatever they hold.
    of_folders
        Columns that may lie in the names of folders, as `country=DE`.
    progress
        Of this first reading.

    Raises
    ------
    InputError
        The file cannot be read as what its name says.
    """
    paths = expand(path, tuple(FORMATS))
    if len(paths) > 1:
        kinds = {format_of(one) for one in paths}
        opened = [_open_file(one, spec, numeric, progress) for one in paths]
        if len({isinstance(one, JsonlTable) for one in opened}) > 1:
            raise _events_beside_tables(path, kinds)
        retype([one for one in opened if isinstance(one, CsvTable)])
        table: TableFile = SeveralTables(path, _placed(path, paths, opened, of_folders))
    else:
        (table,) = _placed(path, paths, [_open_file(paths[0], spec, numeric, progress)], of_folders)
    if note := passed_over(path, tuple(FORMATS)):
        table.report.notes.append(note)
    return table


def holds_events(table: TableFile) -> bool:
    """Whether a table has been made of events, and has its columns in the default places."""
    parts = table.tables if isinstance(table, SeveralTables) else [table]
    return all(isinstance(one, JsonlTable) for one in parts)


def _events_beside_tables(path: Path, kinds: Collection[str]) -> InputError:
    """Events have their columns where the mapping says, whatever these are called; those of tables keep their names."""
    return InputError(
        f"{path} holds events in JSON beside tables, of which no one table can be made: {', '.join(sorted(kinds))}",
        hint="name the files of one kind: a pattern in quotes, such as 'january/*.parquet'",
    )


def _placed(
    root: Path, paths: Sequence[Path], tables: Sequence[TableFile], names: Collection[str]
) -> Sequence[TableFile]:
    """The tables with those columns that lie in the names of their folders; the others are noted, as all of events."""
    names = () if isinstance(tables[0], JsonlTable) else names
    found = [columns_of(root, path) for path in paths]
    tables = [with_columns(table, own, names) for table, own in zip(tables, found, strict=True)]
    if note := not_read(found, names):
        tables[0].report.notes.append(note)
    return tables


def _open_file(path: Path, spec: ModelSpec | None, numeric: NumericNames, progress: Progress) -> TableFile:
    kind = format_of(path)
    if spec is not None and (lines := enveloped_lines(path, kind, [spec])) is not None:
        events = JsonlTable(path, spec, progress=progress, lines=lines)
        events.report = FileReport([lines.report, events.report])
        return events
    if kind in COLUMNAR:
        return COLUMNAR[kind](path)
    if kind == "csv":
        return CsvTable(path, numeric=numeric, progress=progress)
    return JsonlTable(path, spec or ModelSpec(name="", layout=Layout([])), progress=progress)


def iter_decoded(
    path: Path,
    models: Sequence[ModelSpec],
    now_ms: int,
    *,
    role: Role = "predictions",
    limits: Limits | None = None,
    rows: int = ROWS,
) -> Iterator[FilePart]:
    """Decode a file as events, in the file's order.

    In a CSV file a numeric column's cells that are no numbers are invalid values; a row of too few or too many cells is
    a reject; timestamps may be integers or RFC 3339; bytes that are no UTF-8 become U+FFFD.

    Parameters
    ----------
    path
        Its name says the format: see `FORMATS`. Or a folder of such files, or a pattern.
    models
        Every configured model.
    now_ms
        The present; bounds the timestamps.
    role
        What the rows are.
    limits
        Bounds of one JSON line.
    rows
        Most rows in a part.

    Raises
    ------
    InputError
        The file is missing, corrupt, empty, or has no timestamps.
    """
    paths = expand(path, tuple(FORMATS))
    decode = partial(_decoded_file, path, models=models, now_ms=now_ms, role=role, limits=limits, rows=rows)
    parts = decode(paths[0]) if len(paths) == 1 else _decoded_all(paths, decode)
    notes = [
        passed_over(path, tuple(FORMATS)),
        not_read([columns_of(path, one) for one in paths], () if format_of(paths[0]) == "jsonl" else names_of(models)),
    ]
    return itertools.chain(parts, map(_note, filter(None, notes)))


def _note(text: str) -> FilePart:
    return FilePart(decoded=Decoded(batches=[], rejects=[], n_events=0), fraction=1.0, notes=(text,))


def _decoded_file(
    root: Path, path: Path, *, models: Sequence[ModelSpec], now_ms: int, role: Role, limits: Limits | None, rows: int
) -> Iterator[FilePart]:
    """One of the files below a root."""
    kind, beside, names = format_of(path), columns_of(root, path), names_of(models)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", hint="name a file with predictions")
    if kind == "jsonl":
        return _decoded_lines(partial(read_lines, path), JsonDecoder(models, limits), role, now_ms, rows, models)
    bad_rows: list[Rejected] = []

    def reject(expected: int, found: int, text: str) -> None:
        bad_rows.append(bad_row(expected, found, text))

    if (enveloped := enveloped_lines(path, kind, models, reject)) is not None:
        lines = _decoded_lines(enveloped, JsonDecoder(models, limits), role, now_ms, rows, models)
        return itertools.chain(lines, _rest(bad_rows, enveloped.report))
    frames = {model.name: Frame(model, role) for model in models}
    if kind in COLUMNAR:
        return _decoded_rows(with_columns(COLUMNAR[kind](path), beside, names), frames, bad_rows, now_ms, rows)
    table = with_columns(CsvTable(path, infer=False, on_bad_row=reject), beside, names)
    return _decoded_rows(table, frames, bad_rows, now_ms, rows, CellMeanings(models))


def _decoded_all(paths: Sequence[Path], decode: Callable[[Path], Iterator[FilePart]]) -> Iterator[FilePart]:
    notes: list[tuple[Path, str]] = []
    for number, path in enumerate(paths):
        for part in decode(path):
            notes += ((path, note) for note in part.notes)
            yield msgspec.structs.replace(part, fraction=(number + part.fraction) / len(paths), notes=())
    yield from map(_note, once(notes))


def _decoded_lines(
    read: Lines, decoder: JsonDecoder, role: Role, now_ms: int, rows: int, models: Sequence[ModelSpec]
) -> Iterator[FilePart]:
    unread: tuple[str, ...] | None = None
    fraction = [0.0]
    for lines in read(lambda done: fraction.__setitem__(0, done)):
        for start in range(0, len(lines), rows):
            if unread is None:
                unread = keys_unread(lines[:FIRST_LINES], models)
            decoded = decoder.decode(lines[start : start + rows], role, now_ms)
            yield FilePart(decoded=decoded, fraction=fraction[0], unread=unread)


def _decoded_rows(
    table: TableFile,
    frames: Mapping[str, Frame],
    bad_rows: list[Rejected],
    now_ms: int,
    rows: int,
    meaning: Callable[[pa.RecordBatch], Iterable[pa.RecordBatch]] = lambda batch: (batch,),
) -> Iterator[FilePart]:
    try:
        check_schema(frames, pa.schema([(column.name, column.type) for column in table.columns]))
    except Refused as refused:
        hint = "name its column under `mapping: {timestamp: ...}`"
        raise InputError(f"{table.path}: {refused.detail}", hint=hint) from refused
    decoder = TableDecoder(frames)
    unread = columns_unread(table.columns, [frame.spec for frame in frames.values()])
    fraction = [0.0]
    done = 0
    # All columns, also those that no model has: a reject carries its whole row.
    for batch in table.iter_batches(None, rows, lambda share: fraction.__setitem__(0, share)):
        outcome = Outcome()
        for read in meaning(batch):
            decoder.add_batch(read, done, now_ms, outcome)
        done += batch.num_rows
        decoded = outcome.decoded(frames)
        if bad_rows:
            extra, bad_rows[:] = bad_rows[:], []
            decoded = Decoded(
                batches=decoded.batches,
                rejects=[*decoded.rejects, *extra],
                n_events=decoded.n_events + len(extra),
                looked=decoded.looked,
            )
        yield FilePart(decoded=decoded, fraction=fraction[0], unread=unread)
    yield from _rest(bad_rows, table.report)


def _rest(bad_rows: list[Rejected], report: FileReport) -> Iterator[FilePart]:
    """What is known when all rows have been read."""
    if bad_rows or report.notes:
        decoded = Decoded(batches=[], rejects=list(bad_rows), n_events=len(bad_rows))
        yield FilePart(decoded=decoded, fraction=1.0, notes=tuple(report.notes))
