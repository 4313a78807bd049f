"""References of made-up data by `reference build` itself, and windows counted in their cells.

Works on the first release too (`monitor.verdicts.first_release`): it imports nothing that came later.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.accumulate import accumulate
from detectors.columns import CODE_NULL
from detectors.reference import WHOLE, Reference, segment_name
from detectors.sketch import Sketch
from monitor.config.schema import ColumnKind, Drift, Model, WindowSettings
from monitor.reference.build import build_reference
from monitor.verdicts.worlds import CATEGORICAL, COLUMNS, N_NUMERIC, N_SEGMENTS, Codes, Rows

DIMENSION = "region"
SEGMENTS = tuple(segment_name(DIMENSION, f"r{number}") for number in range(N_SEGMENTS))
N_NEW = 8
"""Names of categories that no world has, a column."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """A reference; `codes[row]` gives the code of each category of a categorical column by its rank."""

    reference: Reference
    codes: tuple[Codes, ...]


def build(rows: Rows, lengths_ms: Sequence[int], methods: Sequence[str], **settings: Any) -> Built:
    """The reference that `driftline reference build` makes of these rows, for windows of these lengths.

    `settings` are more of the model's, which the first release may not have. Rows may have the world's columns several
    times over, each time drawn anew.
    """
    numeric, categorical = column_names(rows)
    with tempfile.TemporaryDirectory(prefix="driftline-verdicts-") as folder:
        path = Path(folder) / "reference.parquet"
        pq.write_table(_table(rows), path)
        kinds: dict[str, ColumnKind] = {
            **dict.fromkeys(numeric, "numeric"),
            **dict.fromkeys(categorical, "categorical"),
        }
        model = Model(
            name="model",
            reference=Path(folder) / "model.reference",
            columns=kinds,
            segments=(DIMENSION,),
            windows=tuple(_window(length_ms) for length_ms in lengths_ms),
            drift=tuple(Drift(method=name) for name in methods),
            **settings,
        )
        reference = build_reference(model, path).reference
    layout = reference.layout
    assert [column.name for column in layout.columns] == [*numeric, *categorical]
    codes = []
    for row, index in enumerate(layout.categorical):
        column = layout.columns[index]
        known = column.codes()
        codes.append(np.array([known.get(name, column.unseen) for name in names(row)], dtype=np.int32))
    return Built(reference=reference, codes=tuple(codes))


def count(built: Built, windows: Sequence[Rows]) -> list[dict[str, Sketch]]:
    """Each window as the sketches that ingest would make of it, by segment."""
    layout = built.reference.layout
    numeric = np.concatenate([rows.numeric for rows in windows], axis=1)
    ranks = np.concatenate([rows.categories for rows in windows], axis=1)
    codes = np.empty(ranks.shape, dtype=np.int32)
    unseen: dict[int, list[tuple[int, str]]] = {}
    for row, table in enumerate(built.codes):
        codes[row] = np.where(ranks[row] < 0, CODE_NULL, table[np.maximum(ranks[row], 0)])
        new = np.flatnonzero(codes[row] == layout.columns[layout.categorical[row]].unseen)
        if new.size:
            of = names(row)
            unseen[row] = [(int(at), of[ranks[row, at]]) for at in new]
    number = np.repeat(np.arange(len(windows)), [rows.n for rows in windows]) * (N_SEGMENTS + 1)
    slots = number + 1 + np.concatenate([rows.segment for rows in windows])
    totals = np.repeat(np.arange(len(windows)) * (N_SEGMENTS + 1), N_SEGMENTS + 1)
    totals[:: N_SEGMENTS + 1] = -1
    sketches = accumulate(
        layout,
        numeric=numeric + 0.0,
        codes=codes,
        slots=slots[None].astype(np.int32),
        n_slots=totals.size,
        unseen=unseen,
        totals=totals.astype(np.int32),
    )
    parts = [sketches[start : start + N_SEGMENTS + 1] for start in range(0, len(sketches), N_SEGMENTS + 1)]
    return [dict(zip((WHOLE, *SEGMENTS), part, strict=True)) for part in parts]


def column_names(rows: Rows) -> tuple[list[str], list[str]]:
    """Of the numeric and of the categorical columns; those of a second draw end in ", 2"."""

    def repeated(own: Sequence[str], n: int) -> list[str]:
        return [name if not copy else f"{name}, {copy + 1}" for copy in range(n // len(own)) for name in own]

    return repeated(COLUMNS[:N_NUMERIC], rows.numeric.shape[0]), repeated(COLUMNS[N_NUMERIC:], rows.categories.shape[0])


def names(row: int) -> list[str]:
    """The names of the categories of one column by their rank, and of those that are new."""
    n = CATEGORICAL[row % len(CATEGORICAL)][1]
    return [*(f"c{rank:04d}" for rank in range(n)), *(f"new{number}" for number in range(N_NEW))]


def _table(rows: Rows) -> pa.Table:
    numeric, categorical = column_names(rows)
    arrays: dict[str, Any] = {name: _nullable(rows.numeric[row]) for row, name in enumerate(numeric)}
    for row, name in enumerate(categorical):
        indices: Any = pa.array(rows.categories[row], mask=rows.categories[row] < 0)
        arrays[name] = pa.DictionaryArray.from_arrays(indices, pa.array(names(row))).cast(pa.string())
    regions: Any = pa.array([f"r{number}" for number in range(N_SEGMENTS)])
    region = regions.take(pa.array(rows.segment))
    arrays["segments"] = pa.StructArray.from_arrays([region], names=[DIMENSION])
    arrays["timestamp"] = pa.array(rows.times_ms)
    return pa.table(arrays)


def _window(length_ms: int) -> WindowSettings:
    of: Any = WindowSettings
    try:
        from monitor.config.spans import Span
    except ImportError:  # the first release, whose windows have milliseconds and no calendar
        return of(size_ms=length_ms)  # type: ignore[no-any-return]
    return WindowSettings(size=Span(n=length_ms))


def _nullable(values: Any) -> Any:
    return pa.array(values, mask=np.isnan(values))
