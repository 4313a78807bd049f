"""References as a batch of the record `reference_column`: what SQL compares profiles with."""

from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from detectors.columns import Kind
from detectors.grid import coarse_cells
from detectors.reference import Reference
from sinks.records import RECORDS


def reference_batch(references: Iterable[Reference]) -> pa.RecordBatch:
    """A row each column and segment."""
    record = RECORDS["reference_column"]
    rows = [row for reference in references for row in _rows_of(reference)]
    columns = []
    for field in record.fields:
        values = [row[field.name] for row in rows]
        texts = isinstance(field.type, pa.DictionaryType)
        columns.append(pa.array(values, pa.string()).dictionary_encode() if texts else pa.array(values, field.type))
    return pa.RecordBatch.from_arrays(columns, schema=record.schema)


def _rows_of(reference: Reference) -> Iterator[dict[str, Any]]:
    layout = reference.layout
    whole = reference.sketches[""]
    for index, column in enumerate(layout.columns):
        numeric = column.kind is Kind.NUMERIC
        cells = layout.cells(index)
        edges = layout.column_edges(layout.numeric.index(index)) if numeric else None
        decile = range(column.n_cells) if edges is None else coarse_cells(edges, whole.counts[cells], 10).tolist()
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
                "decile": list(decile),
            }
