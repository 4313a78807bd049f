"""References as a batch of the record `reference_column`: what SQL compares profiles with."""

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from detectors.arrays import Ints
from detectors.columns import Kind
from detectors.plan import plan_bins
from detectors.reference import Reference
from sinks.records import RECORDS, rows_batch


def reference_batch(references: Iterable[Reference]) -> pa.RecordBatch:
    """A row each column and segment."""
    return rows_batch(RECORDS["reference_column"], [row for reference in references for row in _rows_of(reference)])


def _rows_of(reference: Reference) -> Iterator[dict[str, Any]]:
    layout = reference.layout
    coarse = _coarse_cells(reference)
    for index, column in enumerate(layout.columns):
        cells = layout.cells(index)
        decile = coarse[index].tolist()
        for segment, sketch in reference.sketches.items():
            counts = sketch.counts[cells].tolist()
            yield {
                "model": reference.model,
                "reference": reference.digest,
                "version": reference.version,
                "segment": segment,
                "column": column.name,
                "kind": column.kind.value,
                "n": sum(counts),
                "nulls": int(sketch.nulls[index]),
                "edges": column.edges,
                "categories": column.categories,
                "counts": counts,
                "decile": decile,
            }


def _coarse_cells(reference: Reference) -> list[Ints]:
    """By column, (n_cells,) the cell that each lies in where methods compare "bins"; from 0, without gaps."""
    layout = reference.layout
    plans = {
        Kind.NUMERIC: plan_bins(reference, Kind.NUMERIC, layout.numeric_indices, 10),
        Kind.CATEGORICAL: plan_bins(reference, Kind.CATEGORICAL, layout.categorical_indices, 10),
    }
    coarse = []
    for index, column in enumerate(layout.columns):
        cells = layout.cells(index)
        group = np.searchsorted(plans[column.kind].starts, np.arange(cells.start, cells.stop), side="right")
        coarse.append(group - group[0])
    return coarse
