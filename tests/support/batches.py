"""Rows of a record as a batch, and random ones of everything that a record allows."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from detectors.profile import ProfileColumns
from detectors.score import CALIBRATIONS, ScoreColumns
from detectors.verdict import VerdictColumns
from sinks.records import FIRST_MS, LAST_MS, Field, Record, record_of

TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["", "é", "Ünïcødé", "\x00", "a'b\\n`\t", "日本", "\U0001f6eb", "{x:String}", "%s", "NULL", "\\N"]),
)
FLOATS = st.one_of(st.floats(), st.sampled_from([math.nan, -0.0, math.inf, -math.inf, 5e-324, 1.7976931348623157e308]))


def batch_of(record: Record, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch:
    """The rows, by field name, in the record's own schema; a field that came later may be left out."""
    columns = [
        _column(
            field.type,
            [row[field.name] if field.default is None else row.get(field.name, field.default) for row in rows],
        )
        for field in record.fields
    ]
    return pa.RecordBatch.from_arrays(columns, schema=record.schema)


def _column(kind: pa.DataType, values: list[Any]) -> pa.Array:
    if pa.types.is_dictionary(kind):
        return pa.array(values, kind.value_type).dictionary_encode().cast(kind)
    return pa.array(values, kind)


def rows_of(record: Record) -> st.SearchStrategy[dict[str, Any]]:
    """Rows with any values that the record allows, its bounds included."""
    return _in_order({field.name: _values(field) for field in record.fields})


def _in_order(parts: Mapping[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[dict[str, Any]]:
    """A dictionary with its keys in this order, which `fixed_dictionaries` does not keep."""
    return st.fixed_dictionaries(dict(parts)).map(lambda drawn: {name: drawn[name] for name in parts})


def batches_of(record: Record, *, max_size: int = 4) -> st.SearchStrategy[pa.RecordBatch]:
    """Batches of such rows; of no row, too."""
    return st.lists(rows_of(record), max_size=max_size).map(lambda rows: batch_of(record, rows))


def _values(field: Field) -> st.SearchStrategy[Any]:
    if field.is_time:
        return st.one_of(st.integers(FIRST_MS, LAST_MS), st.sampled_from([FIRST_MS, LAST_MS]))
    return _of_type(field.type)


def _of_type(kind: pa.DataType) -> st.SearchStrategy[Any]:
    if pa.types.is_dictionary(kind) or pa.types.is_string(kind):
        return TEXTS
    if pa.types.is_floating(kind):
        return FLOATS
    if pa.types.is_boolean(kind):
        return st.booleans()
    if pa.types.is_binary(kind):
        return st.binary(max_size=40)
    if pa.types.is_list(kind):
        return st.lists(_of_type(kind.value_type), max_size=5)
    if pa.types.is_struct(kind):
        return _in_order({part.name: _of_type(part.type) for part in kind})
    low, high = (0, 2**kind.bit_width - 1)
    if pa.types.is_signed_integer(kind):
        low, high = -(2 ** (kind.bit_width - 1)), 2 ** (kind.bit_width - 1) - 1
    return st.one_of(st.integers(low, high), st.sampled_from([low, high]))


def objects(batch: pa.RecordBatch) -> list[SimpleNamespace]:
    """The rows as objects, for assertions."""
    return [SimpleNamespace(**row) for row in batch.to_pylist()]


def objects_of(batches: Iterable[pa.RecordBatch], name: str) -> list[SimpleNamespace]:
    """The rows of one record in several batches."""
    return [row for batch in batches if record_of(batch).name == name for row in objects(batch)]


def score_objects(scores: ScoreColumns) -> list[SimpleNamespace]:
    """A window's evidence as objects, for assertions."""
    names = ("statistic", "effect", "p_value", "threshold", "n_reference", "n_current", "error_bound")
    columns = {name: getattr(scores, name).tolist() for name in names}
    columns["calibration"] = [CALIBRATIONS[code] for code in scores.calibration]
    return _objects(scores, columns)


def verdict_objects(verdicts: VerdictColumns) -> list[SimpleNamespace]:
    """A window's verdicts as objects, for assertions."""
    names = ("drifted", "p_value", "q_value", "effect", "threshold", "n_reference", "n_current")
    return _objects(verdicts, {name: getattr(verdicts, name).tolist() for name in names})


def _objects(own: ScoreColumns | VerdictColumns, columns: dict[str, list[Any]]) -> list[SimpleNamespace]:
    columns["segment"] = [own.segments[code] for code in own.segment]
    columns["column"] = [own.columns[code] for code in own.column]
    columns["method"] = [own.methods[code] for code in own.method]
    return [SimpleNamespace(**dict(zip(columns, row, strict=True))) for row in zip(*columns.values(), strict=True)]


def profile_objects(profiles: ProfileColumns) -> list[SimpleNamespace]:
    """Profiles as objects, for assertions; the unseen values as (value, count, error)."""
    names = ("n", "nulls", "invalid", "minimum", "maximum", "mean", "std")
    columns = {name: getattr(profiles, name).tolist() for name in names}
    unseen = list(zip(profiles.unseen, profiles.unseen_counts, profiles.unseen_errors, strict=True))
    rows = []
    for row in range(len(profiles)):
        quantiles, counts, found = (
            values[offsets[row] : offsets[row + 1]]
            for values, offsets in (
                (profiles.quantiles.tolist(), profiles.quantile_offsets),
                (profiles.counts.tolist(), profiles.count_offsets),
                (unseen, profiles.unseen_offsets),
            )
        )
        rows.append(
            SimpleNamespace(
                segment=profiles.segments[profiles.segment[row]],
                column=profiles.columns[profiles.column[row]],
                kind="numeric" if profiles.numeric[row] else "categorical",
                quantiles=tuple(quantiles),
                counts=counts,
                frequent=found,
                **{name: values[row] for name, values in columns.items()},
            )
        )
    return rows
