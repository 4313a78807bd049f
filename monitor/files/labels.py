"""Flat files of labels: Parquet, Arrow, CSV and JSON lines, read a bounded number of rows at a time."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from monitor.errors import InputError
from monitor.events.arrow.lines import row_as_json
from monitor.events.batch import Rejected
from monitor.events.label_batch import DecodedLabels
from monitor.events.labels import LabelDecoder, LabelSpec
from monitor.files.cells import time_cells
from monitor.files.columnar import COLUMNAR
from monitor.files.csv import CsvTable, bad_row, cell_casts, cell_numbers
from monitor.files.lines import read_lines
from monitor.files.read import FORMATS, format_of
from monitor.files.report import once
from monitor.files.several import expand
from monitor.files.table import ROWS, TableFile


def iter_labels(
    path: Path, specs: list[LabelSpec], decoder: LabelDecoder, now_ms: int, notes: list[str] | None = None
) -> Iterator[DecodedLabels]:
    """Decode a file as labels, in the file's order; `notes` takes sentences for people.

    Each cell of a CSV file is read by itself: as a number where the task wants one, in the value and in the timestamp.

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
    meaning = partial(_cells, specs=specs) if kind == "csv" else _no_empty_text
    for batch in table.iter_batches():
        decoded = decoder.decode_table(meaning(batch), now_ms)
        # Who looks for a rejected row looks for what the file says, and not for what was made of it.
        rejects = [replace(one, raw=row_as_json(batch, one.index)) for one in decoded.rejects]
        yield replace(decoded, rejects=rejects)
        if bad_rows:
            yield _refused(bad_rows)
            bad_rows.clear()
    if bad_rows:
        yield _refused(bad_rows)
    if notes is not None:
        notes += table.report.notes


def _refused(rows: list[Rejected]) -> DecodedLabels:
    return DecodedLabels(batches=[], rejects=list(rows), n_events=len(rows))


def _cells(batch: Any, specs: Sequence[LabelSpec]) -> Any:
    """What the cells of a CSV file mean, each by itself: a number that is none is infinity, which is rejected."""
    times = {spec.mapping.timestamp for spec in specs}
    numeric = {spec.mapping.value for spec in specs}
    numeric |= {spec.mapping.label for spec in specs if spec.task == "regression"}
    either = {spec.mapping.label for spec in specs if spec.task == "none"} - numeric
    for position, name in enumerate(batch.schema.names):
        cells = batch.column(position)
        if name in times:
            batch = batch.set_column(position, name, time_cells(cells))
        elif name in numeric or (name in either and cell_casts(cells, pa.float64())):
            batch = batch.set_column(position, name, cell_numbers(cells))
    return batch


def _no_empty_text(batch: Any) -> Any:
    """With nulls for empty texts."""
    for position, name in enumerate(batch.schema.names):
        texts = batch.column(position)
        if pa.types.is_string(texts.type):
            filled = pc.if_else(pc.equal(texts, pa.scalar("")), pa.scalar(None, pa.string()), texts)
            batch = batch.set_column(position, name, filled)
    return batch
