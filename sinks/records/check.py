"""Which rows a record does not allow: those with a null at any depth, or a time that ClickHouse cannot hold."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from sinks.records.record import FIRST_MS, LAST_MS, Field

Bools = npt.NDArray[np.bool_]


def broken_rows(field: Field, column: Any) -> Bools | None:
    """(rows,) True where the value is not allowed; None where all are. The column has the field's type."""
    broken = None
    if _has_nulls(column):
        broken = np.array([_holds_none(value) for value in column.to_pylist()], dtype=np.bool_)
    if field.is_time and len(column):
        extremes: Any = pc.min_max(column).as_py()
        if extremes["min"] is not None and (extremes["min"] < FIRST_MS or extremes["max"] > LAST_MS):
            times_ms = column.fill_null(0).to_numpy()
            outside = (times_ms < FIRST_MS) | (times_ms > LAST_MS)
            broken = outside if broken is None else broken | outside
    return broken


def _has_nulls(column: Any) -> bool:
    if column.null_count:
        return True
    if isinstance(column, pa.DictionaryArray):
        return bool(column.dictionary.null_count)
    if isinstance(column, pa.ListArray):
        return _has_nulls(column.flatten())
    if isinstance(column, pa.StructArray):
        return any(_has_nulls(part) for part in column.flatten())
    return False


def _holds_none(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_holds_none, value))
    if isinstance(value, dict):
        return any(map(_holds_none, value.values()))
    return value is None
