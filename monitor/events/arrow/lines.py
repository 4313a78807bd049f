"""Rows of Arrow whose objects are text of JSON, as JSON: then they mean what an event in JSON means."""

import json
import sys
from collections.abc import Iterator
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc

from monitor.events.arrow.piece import as_json, sizes
from monitor.events.json.forgiving import Refused
from monitor.events.json.texts import BEGINNINGS, Path
from monitor.events.mapping import MODEL
from monitor.events.reasons import Reason

_NO_VALUE: Final = (ValueError, ArithmeticError, TypeError, LookupError, pa.ArrowException)
"""What Arrow raises for a value that Python does not have, and of a struct with two fields of one name."""
_MOST_SHOWN_BYTES: Final = 1024 * 1024


def holds_objects_as_text(batch: Any, places: frozenset[Path]) -> bool:
    """Whether a text in the place of an object begins as JSON of an object or a list does, in any row."""
    schema = batch.schema  # whose names may be no text
    found = [schema.get_field_index(place[0]) for place in places if len(place) == 1]
    return any(at >= 0 and _is_text(schema.field(at).type) and holds_json(batch.column(at)) for at in found)


def holds_json(array: Any) -> bool:
    """Whether a text of an array begins as JSON of an object or a list does."""
    values = array.dictionary if pa.types.is_dictionary(array.type) else array
    if pa.types.is_string_view(values.type):
        values = values.cast(pa.large_string())
    return any(pc.any(pc.starts_with(values, mark)).as_py() for mark in BEGINNINGS)


def lines(batch: Any, most_bytes: int) -> Iterator[bytes]:
    """Each row as JSON of an object; model and version of the schema's metadata where there are no such columns.

    Raises
    ------
    Refused
        All rows together have more than so many bytes: a text may lie in the message once for all of them.
    """
    names = batch.schema.names
    told = {key.decode(errors="replace"): value for key, value in (batch.schema.metadata or {}).items()}
    beside = b"".join(
        b",%s:%s" % (json.dumps(key).encode(), json.dumps(told[key].decode(errors="replace")).encode())
        for key in (MODEL, "version")
        if key in told and key not in names
    )
    keys = [json.dumps(name).encode() for name in names]
    total = 0
    for row in range(batch.num_rows):
        values = [batch.column(place)[row] for place in range(batch.num_columns)]
        for size in (size for value in values for size in sizes(value)):
            total += size
            if total > most_bytes:
                raise Refused(Reason.OVERSIZE, f"more than {most_bytes} bytes once its rows are written as JSON")
        pairs = (b"%s:%s" % (key, as_json(one)) for key, one in zip(keys, values, strict=True))
        yield b"{%s%s}" % (b",".join(pairs), beside)


def row_as_json(batch: Any, row: int) -> bytes:
    """One row, for people to see; "" where it is too much to show."""
    try:
        return next(lines(batch.slice(row, 1), _MOST_SHOWN_BYTES))
    except Refused:
        return b""


def python_values(array: Any) -> list[Any]:
    """(n,) what Python has for each value; an empty list, which is none of anything, where it has nothing."""
    try:
        values: list[Any] = array.to_pylist()
    except _NO_VALUE:
        values = [_value(one) for one in array]
    return values


def _value(scalar: Any) -> Any:
    try:
        return scalar.as_py()
    except _NO_VALUE:
        return []


def python_rows(batch: Any) -> list[dict[str, Any]]:
    """Each row as Python has it; a value that it does not have, such as a time after 9999, is a number or null."""
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
    except _NO_VALUE:
        rows = [json.loads(line) for line in lines(batch, sys.maxsize)]
    return rows


def _is_text(kind: pa.DataType) -> bool:
    own: Any = kind.value_type if pa.types.is_dictionary(kind) else kind
    return pa.types.is_string(own) or pa.types.is_large_string(own) or pa.types.is_string_view(own)
