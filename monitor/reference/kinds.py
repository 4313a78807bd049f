"""What each column of a reference file is: numeric, categorical, or nothing to watch; and why, for people to check.

| values | kind |
|---|---|
| numbers | numeric, whatever they count: small integer codes are categorical only when the configuration says so |
| booleans | boolean: categorical with the categories "false" and "true" |
| text, also together with numbers or booleans | categorical |
| none at all | numeric, with no values: what comes later is then seen as above or below nothing, and counted |
| dates and times, also as text; lists, maps, bytes, objects below `inner.MAX_DEPTH` | left out |
| text with more than 1,000,000 different values | left out |
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, Final, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Floats
from detectors.axes import Spread
from detectors.columns import Column
from detectors.reference import MAX_CATEGORIES, categorical_column, numeric_column
from monitor.config.schema import ColumnKind
from monitor.files.values import MIXED, count_texts, is_mixed, is_number, is_text, numbers, value_type

Kind = Literal["numeric", "categorical", "boolean", "left out"]

MAX_DISTINCT: Final = 1_000_000
"""Categories that are counted; a text column with more is an identifier, or prose."""

FEW: Final = 10
"""A numeric column of so few different whole numbers may be one of codes."""

CONFIGURED: Final = "configured"

_ID_ROWS: Final = 100  # fewer rows say nothing about identifiers
_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?\s?(Z|z|[+-]\d\d:?\d\d)?)?")


class InferredColumn(msgspec.Struct, frozen=True, kw_only=True):
    """What was inferred about one column.

    Attributes
    ----------
    name
        The feature's, or `@score` and `@label`.
    kind
        As it is counted; "left out" is not counted at all.
    why
        What the kind follows from.
    n, nulls, invalid
        Values that are counted, empty ones, and those that the kind has no place for. All 0 when left out unread.
    distinct
        Different values; None when they were not counted.
    note
        What a person should look at; "" for nothing.
    identifier
        Whether the column looks like one.
    """

    name: str
    kind: Kind
    why: str
    n: int = 0
    nulls: int = 0
    invalid: int = 0
    distinct: int | None = None
    note: str = ""
    identifier: bool = False


class Examined(msgspec.Struct, frozen=True, kw_only=True):
    """A column, as the layout has it, and the means of its cells; None for a column that is left out.

    `spread` is that of a numeric column's values; None where there are none.
    """

    inferred: InferredColumn
    column: Column | None = None
    means: Floats | None = None
    spread: Spread | None = None


class TooMany(Exception):  # noqa: N818 - a finding, not a fault
    """More than `MAX_DISTINCT` different values."""


Chunks = Callable[[], Iterator[Any]]
"""Reads a column from the start, piece by piece."""


def examine(
    name: str,
    type_: pa.DataType,
    configured: ColumnKind | None,
    chunks: Chunks,
    n_rows: int,
    why: str = CONFIGURED,
) -> Examined:
    """Decide on a column's kind, read it, and draw its grid or rank its categories.

    Parameters
    ----------
    name
        Of the column.
    type_
        As the file has it.
    configured
        The kind that the configuration gives it, which is then taken; None: infer it.
    chunks
        The values.
    n_rows
        Their number, nulls included.
    why
        Who gives it that kind.

    Raises
    ------
    TooMany
        The column is configured as categorical and has too many categories.
    """
    plain = value_type(type_)
    if configured == "numeric":
        return _numeric(name, plain, why, chunks, n_rows, wanted=True)
    if configured is not None:
        return _categorical(name, configured, why, chunks, wanted=True)
    if plain == pa.null():
        return _nothing(name, n_rows)
    if is_number(plain):
        return _numeric(name, plain, "integers" if pa.types.is_integer(plain) else "numbers", chunks, n_rows)
    if pa.types.is_boolean(plain):
        return _inferred_categorical(name, "boolean", "booleans", chunks)
    if is_text(plain):
        return _inferred_categorical(name, "categorical", "text", chunks)
    if is_mixed(plain):
        return _mixed(name, chunks, n_rows)
    if pa.types.is_temporal(plain):
        return left_out(name, "dates or times")
    return left_out(name, "lists or objects" if pa.types.is_nested(plain) else f"values of type {plain}")


def left_out(name: str, why: str, note: str = "", **more: Any) -> Examined:
    """A column that is not counted."""
    return Examined(inferred=InferredColumn(name=name, kind="left out", why=why, note=note, **more))


def _nothing(name: str, n_rows: int) -> Examined:
    column, means = numeric_column(name, np.empty(0))
    note = "empty throughout; set `categorical` if categories are to come"
    inferred = InferredColumn(name=name, kind="numeric", why="no values", nulls=n_rows, distinct=0, note=note)
    return Examined(inferred=inferred, column=column, means=means)


def _mixed(name: str, chunks: Chunks, n_rows: int) -> Examined:
    """Values of several types in one column of JSON."""
    counts = Counter[str]()
    for values in chunks():
        counts.update({field.name: len(values) - pc.struct_field(values, field.name).null_count for field in MIXED})
    words = {"number": "numbers", "boolean": "booleans", "text": "text", "other": "arrays or objects"}
    why = " and ".join(f"{words[kind]} ({counts[kind]:,})" for kind in words if counts[kind])
    if counts["text"] or (counts["boolean"] and counts["number"]):
        return _inferred_categorical(name, "categorical", why, chunks)
    if counts["boolean"]:
        return _inferred_categorical(name, "boolean", why, chunks)
    if counts["number"]:
        return _numeric(name, pa.float64(), why, chunks, n_rows)
    return left_out(name, why) if counts["other"] else _nothing(name, n_rows)


def _numeric(name: str, type_: pa.DataType, why: str, chunks: Chunks, n_rows: int, *, wanted: bool = False) -> Examined:
    values = np.empty(n_rows)
    end = 0
    for chunk in chunks():
        values[end : end + len(chunk)] = numbers(chunk)
        end += len(chunk)
    values.sort()  # in place, NaN last and +inf before it
    n = int(np.searchsorted(values, np.inf))
    nulls = int(np.isnan(values).sum())
    invalid = n_rows - n - nulls
    if not (n or invalid or wanted):
        return _nothing(name, n_rows)
    finite = values[:n]
    column, means = numeric_column(name, finite)
    distinct = int(np.count_nonzero(finite[1:] != finite[:-1])) + 1 if n else 0
    notes = [f"{invalid:,} values are no finite numbers"] if invalid else []
    identifier = pa.types.is_integer(type_) and distinct == n and n >= _ID_ROWS
    if not n:
        notes.append("no value is a number")
    elif distinct == 1:
        notes.append("always the same value")
    elif distinct <= FEW and not wanted and np.all(np.unique(finite) % 1 == 0):
        notes.append(f"{distinct} different values; set `categorical` if these are codes")
    elif identifier:
        notes.append("every value is different: an identifier?")
    inferred = InferredColumn(
        name=name,
        kind="numeric",
        why=why,
        n=n,
        nulls=nulls,
        invalid=invalid,
        distinct=distinct,
        note="; ".join(notes),
        identifier=identifier,
    )
    return Examined(inferred=inferred, column=column, means=means, spread=Spread.of(finite) if n else None)


def _inferred_categorical(name: str, kind: Literal["categorical", "boolean"], why: str, chunks: Chunks) -> Examined:
    try:
        examined = _categorical(name, kind, why, chunks)
    except TooMany:
        note = f"more than {MAX_DISTINCT:,} different values: an identifier, or prose"
        return left_out(name, why, note, identifier=True)
    column, inferred = examined.column, examined.inferred
    assert column is not None
    if not (inferred.n or inferred.invalid):
        return _nothing(name, inferred.nulls)
    if column.categories and all(_TIME.fullmatch(text) for text in (*column.categories, *column.others)):
        note = "set `categorical` under `columns` to keep it"
        return left_out(name, "dates or times as text", note, distinct=inferred.distinct)
    return examined


def _categorical(
    name: str, kind: Literal["categorical", "boolean"], why: str, chunks: Chunks, *, wanted: bool = False
) -> Examined:
    counts = Counter[str]()
    nulls = invalid = 0
    for chunk in chunks():
        pairs, n_nulls, n_invalid = count_texts(chunk)
        nulls, invalid = nulls + n_nulls, invalid + n_invalid
        for text, count in pairs:
            counts[text] += count
        if len(counts) > MAX_DISTINCT:
            raise TooMany
    column = categorical_column(name, counts)
    n, distinct = counts.total(), len(counts)
    identifier = distinct * 2 > n >= _ID_ROWS
    numeric = sum(count for text, count in counts.items() if _is_numeric(text)) if not wanted else 0
    notes = [f"{invalid:,} values are no categories"] if invalid else []
    if kind == "boolean" and not counts.keys() <= {"false", "true"}:
        notes.append(f"also holds {', '.join(sorted(counts.keys() - {'false', 'true'})[:3])}")
    if identifier:
        notes.append(f"{distinct:,} different values in {n:,}: looks like an identifier; leave it out of the file")
    if distinct > MAX_CATEGORIES:
        notes.append(f"{distinct:,} categories; the {MAX_CATEGORIES:,} largest have cells, the rest share `other`")
    if n and numeric * 100 >= n * 99:
        notes.append(f"{numeric / n:.2%} of the values are numbers; set `numeric` if all should be")
    if distinct == 1:
        notes.append("always the same value")
    inferred = InferredColumn(
        name=name,
        kind=kind,
        why=why,
        n=n,
        nulls=nulls,
        invalid=invalid,
        distinct=distinct,
        note="; ".join(notes),
        identifier=identifier,
    )
    return Examined(inferred=inferred, column=column)


def _is_numeric(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
