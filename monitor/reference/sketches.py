"""The counting pass of a reference build: rows of the file to sketches of the whole and of each segment.

Rows are decoded by `monitor.events.arrow.table`, like live Arrow, so that reference and windows are counted alike. It
wants timestamps, which a reference does not need: every row gets the same one.
"""

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Bools, Codes, Ints
from detectors.columns import CODE_INVALID, CODE_NULL, Kind
from detectors.derived import Derived
from detectors.layout import Layout
from detectors.reference import WHOLE, Reference
from detectors.sketch import Sketch
from monitor.events.arrow.arrays import present
from monitor.events.arrow.table import TableDecoder
from monitor.events.arrow.times import milliseconds
from monitor.events.batch import Batch
from monitor.events.frame import Frame
from monitor.events.mapping import SEGMENTS
from monitor.events.mapping import Mapping as FieldMapping
from monitor.events.models import LABEL, SCORE, ModelSpec
from monitor.events.outcome import Outcome
from monitor.events.times import TimeRule
from monitor.files.table import Progress, TableFile
from monitor.files.values import as_numbers, as_texts, is_mixed
from monitor.reference.columns import FilePlaces, Leaf, chunks
from monitor.sketching.batch import sketch_batch

Groups = dict[int, dict[str, Sketch]]
"""Sketches by the number of a group, then by segment."""

_BATCH_BYTES: Final = 8 * 1024 * 1024  # decoding holds some five copies
_MOST_ROWS: Final = 131_072


def sketch_rows(
    table: TableFile,
    places: FilePlaces,
    layout: Layout,
    dimensions: Mapping[str, tuple[str, ...]],
    keep: Bools | None,
    derived: Derived | None,
    progress: Progress,
    groupings: Sequence[Ints] = (),
) -> tuple[dict[str, Sketch], list[Groups], Codes]:
    """Read the file once and count its rows, by segment name.

    Parameters
    ----------
    table, places
        The file, and where its columns lie.
    layout
        The columns to count.
    dimensions
        The values that are segments of their own.
    keep
        (n_rows,) the rows to count; None: all.
    derived
        The reference's; None: the layout has no derived columns.
    progress
        Of the pass.
    groupings
        Further ways to group the rows that are kept, (n,) each: a group's number, or -1 of a row in none.

    Returns
    -------
    The sketches of all rows; for each grouping those of each group; and (n_dimensions, n) the segment of each row.
    """
    empty = Sketch.empty(layout)
    totals = {WHOLE: empty}
    # Only the columns and the dimensions of this one are looked at.
    blank = Reference(
        model="",
        version="",
        layout=layout,
        dimensions=dimensions,
        sketches={WHOLE: empty},
        cell_means=np.full(layout.n_cells, np.nan),
        derived=derived,
    )
    groups: list[Groups] = [{} for _ in groupings]
    segments: list[Codes] = []
    done = 0
    for batch in batches_of(table, places, layout.observed, dimensions, keep, progress):
        segments.append(batch.segments)
        for key, sketch in sketch_batch(batch, blank, pane_ms=1):
            _add(totals, key.segment, sketch)
        for found, grouping in zip(groups, groupings, strict=True):
            own = grouping[done : done + batch.n]
            if own.max(initial=-1) < 0:
                continue
            for key, sketch in sketch_batch(dataclasses.replace(batch, timestamps_ms=own + 1), blank, pane_ms=1):
                if key.pane_start_ms:
                    _add(found.setdefault(key.pane_start_ms - 1, {}), key.segment, sketch)
        done += batch.n
    none = np.zeros((len(dimensions), 0), dtype=np.int32)
    return totals, groups, np.concatenate([none, *segments], axis=1)


def batches_of(
    table: TableFile,
    places: FilePlaces,
    layout: Layout,
    dimensions: Mapping[str, tuple[str, ...]],
    keep: Bools | None,
    progress: Progress,
) -> Iterator[Batch]:
    """Read the file once, as batches of a layout of columns that it has; the parameters are those of `sketch_rows`."""
    rows = _Rows(places, layout, dimensions)
    at_once = min(max(_BATCH_BYTES // (8 * len(layout.columns)), 1_000), _MOST_ROWS)
    start = 0
    for raw in table.iter_batches(rows.selectors, at_once, progress):
        kept = raw if keep is None else raw.filter(pa.array(keep[start : start + raw.num_rows]))
        start += raw.num_rows
        if kept.num_rows:
            yield rows.batch(kept)


def _add(sketches: dict[str, Sketch], segment: str, sketch: Sketch) -> None:
    sketches[segment] = sketches[segment].merge(sketch) if segment in sketches else sketch


def row_times(
    table: TableFile, leaf: Leaf | None, rule: TimeRule, keep: Bools | None, n_rows: int, progress: Progress
) -> Ints:
    """(n_rows,) milliseconds since 1970 UTC of the rows to keep, -1 of a row whose time cannot be read."""
    times = np.full(n_rows, -1, dtype=np.int64)
    if leaf is None:
        return times
    end = 0
    for values in chunks(table, leaf, keep, progress):
        plain = as_numbers(values) if is_mixed(values.type) else values
        times[end : end + len(values)] = milliseconds(plain, rule)
        end += len(values)
    return times


class _Rows:
    """Makes batches of a layout from the rows of a file."""

    def __init__(self, places: FilePlaces, layout: Layout, dimensions: Mapping[str, tuple[str, ...]]) -> None:
        columns = {column.name: column for column in layout.columns}
        wanted = {name: leaf for name, leaf in places.features.items() if name in columns or name in dimensions}
        self._numeric = {column.name for column in layout.columns if column.kind is Kind.NUMERIC}
        self._features = {name: leaf for name, leaf in wanted.items() if name not in (SCORE, LABEL)}
        self._prediction = {
            name: leaf
            for name, own, leaf in (("score", SCORE, places.score), ("label", LABEL, places.label))
            if own in columns and leaf is not None
        }
        first = {name: leaves[0] for name, leaves in places.dimensions.items()}
        self._spoken_features, self._spoken_prediction = places.spoken_features, places.spoken_prediction
        self._segments = {name: leaf for name, leaf in first.items() if leaf.path[0] == SEGMENTS}
        self._codes = {layout.columns[index].name: row for row, index in enumerate(layout.categorical)}
        spec = ModelSpec(name="", layout=layout, dimensions=dimensions, mapping=FieldMapping(min_time_ms=0))
        self._frame = Frame(spec, "predictions")
        self._decoder = TableDecoder({"": self._frame})
        leaves = (*self._features.values(), *self._prediction.values(), *self._segments.values())
        self.selectors = list(dict.fromkeys(leaf.selector for leaf in leaves))

    def batch(self, raw: pa.RecordBatch) -> Batch:
        """The rows as a batch."""
        invalid: dict[int, Bools] = {}
        features = [self._plain(name, leaf.of(raw), invalid) for name, leaf in self._features.items()]
        fields: dict[str, Any] = {"timestamp": pa.array(np.zeros(raw.num_rows, dtype=np.int64))}
        if features:
            mask = _silent(self._spoken_features, raw)
            fields["features"] = pa.StructArray.from_arrays(features, names=list(self._features), mask=mask)
        prediction = {
            name: self._plain(SCORE if name == "score" else LABEL, leaf.of(raw), invalid)
            for name, leaf in self._prediction.items()
        }
        if prediction:
            mask = _silent(self._spoken_prediction, raw)
            fields["prediction"] = pa.StructArray.from_arrays(
                list(prediction.values()), names=list(prediction), mask=mask
            )
        if self._segments:
            segments = [self._plain("", leaf.of(raw), {}) for leaf in self._segments.values()]
            fields[SEGMENTS] = pa.StructArray.from_arrays(segments, names=list(self._segments))
        outcome = Outcome()
        self._decoder.add_batch(pa.RecordBatch.from_pydict(fields), 0, 0, outcome)
        batch = outcome.decoded([""]).batches[0]
        assert batch.n == raw.num_rows
        for row, bad in invalid.items():
            codes = batch.codes[row]
            codes[bad & (codes == CODE_NULL)] = CODE_INVALID
        # -0.0 and 0.0 lie in one cell; which of them is the minimum would depend on the order of the rows.
        np.add(batch.numeric, 0.0, out=batch.numeric)
        return batch

    def _plain(self, name: str, values: Any, invalid: dict[int, Bools]) -> Any:
        """Values that the table decoder knows; those of several types become numbers or texts, as the column wants."""
        if not is_mixed(values.type):
            return values
        if name in self._numeric:
            return as_numbers(values)
        texts, bad = as_texts(values)
        if name in self._codes and bad.any():
            invalid[self._codes[name]] = bad
        return texts


def _silent(spoken: tuple[Leaf, ...] | None, raw: pa.RecordBatch) -> Any:
    """(n,) the rows in which none of these is there; None: no row."""
    if spoken is None:
        return None
    there = np.zeros(raw.num_rows, dtype=np.bool_)
    for leaf in spoken:
        there |= present(leaf.of(raw))
    return pa.array(~there)
