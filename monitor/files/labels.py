"""Flat files of labels: Parquet, Arrow, CSV and JSON lines, read a bounded number of rows at a time."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monitor.errors import InputError
from monitor.events.batch import Rejected
from monitor.events.label_batch import DecodedLabels
from monitor.events.labels import LabelDecoder, LabelSpec
from monitor.files.columnar import COLUMNAR
from monitor.files.csv import CsvTable, bad_row
from monitor.files.lines import read_lines
from monitor.files.read import FORMATS, format_of
from monitor.files.report import once
from monitor.files.several import expand
from monitor.files.table import ROWS, TableFile


def iter_labels(
    path: Path, specs: list[LabelSpec], decoder: LabelDecoder, now_ms: int, notes: list[str] | None = None
) -> Iterator[DecodedLabels]:
    """Decode a file as labels, in the file's order; `notes` takes sentences for people.

    In a CSV file what looks like a number is one where the task wants numbers, and in the value and the timestamp.

    Raises
    ------
    InputError
        The file is missing, corrupt or empty.
    """
    paths = expand(path, tuple(FORMATS))
    if len(paths) > 1:
        found: list[tuple[Path, str]] = []
        for one in paths:
            own: list[str] = []
            yield from iter_labels(one, specs, decoder, now_ms, own)
            found += ((one, note) for note in own)
        if notes is not None:
            notes += once(found)
        return
    (path,) = paths
    kind = format_of(path)
    if path.stat().st_size == 0:
        raise InputError(f"{path} is empty", hint="name a file with labels")
    if kind == "jsonl":
        for lines in read_lines(path):
            for start in range(0, len(lines), ROWS):
                yield decoder.decode(
                    lines[start : start + ROWS], ["application/json"] * min(ROWS, len(lines) - start), now_ms
                )
        return
    bad_rows: list[Rejected] = []
    table: TableFile = (
        COLUMNAR[kind](path)
        if kind in COLUMNAR
        else CsvTable(path, infer=False, on_bad_row=lambda *row: bad_rows.append(bad_row(*row)))
    )
    numeric = set()
    if kind == "csv":
        for spec in specs:
            numeric |= {spec.mapping.timestamp, spec.mapping.value}
            numeric |= {spec.mapping.label} if spec.task in ("regression", "none") else set()
    for batch in table.iter_batches():
        yield decoder.decode_table(_read(batch, numeric), now_ms)
        if bad_rows:
            yield _refused(bad_rows)
            bad_rows.clear()
    if bad_rows:
        yield _refused(bad_rows)
    if notes is not None:
        notes += table.report.notes


def _refused(rows: list[Rejected]) -> DecodedLabels:
    return DecodedLabels(batches=[], rejects=list(rows), n_events=len(rows))


def _read(batch: Any, numeric: set[str]) -> Any:
    """With the columns of these names as numbers, if all of their cells are some; an empty cell is null."""
    for position, name in enumerate(batch.schema.names):
        texts = batch.column(position)
        if not pa.types.is_string(texts.type):
            continue
        filled = pc.if_else(pc.equal(texts, pa.scalar("")), pa.scalar(None, pa.string()), texts)
        if name in numeric:
            for kind in (pa.int64(), pa.float64()):
                try:
                    filled = pc.cast(filled, kind)
                    break
                except pa.ArrowInvalid:
                    continue
        batch = batch.set_column(position, name, filled)
    return batch
