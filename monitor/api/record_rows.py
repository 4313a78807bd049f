"""Rows of any record, as the JSON API gives them: the fields of `sinks.records`, times in milliseconds."""

import functools
from typing import Any, Final

import msgspec
import pyarrow as pa

from monitor.api.source import Source
from sinks.clickhouse.ddl import column_name, latest
from sinks.records import Field, Record

FILTERS: Final = ("model", "version", "segment", "column", "method", "metric", "compare", "reason", "part", "state")
"""Text fields that rows are chosen by, where the record has them."""
FLAGS: Final = ("drifted", "estimated", "provisional", "failing")
MOST_ROWS: Final = 1_000
_TIMES: Final = ("window_end_ms", "pane_end_ms", "at_ms", "time_ms")


@functools.cache
def row_type(record: Record) -> type[msgspec.Struct]:
    """A row of the record; floats that cannot be told are None."""
    name = _camel(record.name)
    fields = [(field.name, _type(field.type, f"{name}{_camel(field.name)}")) for field in record.fields]
    return msgspec.defstruct(f"{name}Row", fields, frozen=True)


def _camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def _type(kind: Any, name: str) -> Any:
    if isinstance(kind, pa.DictionaryType):
        return _type(kind.value_type, name)
    if pa.types.is_list(kind):
        return list[_type(kind.value_type, name)]  # type: ignore[misc]  # made at run time, as msgspec reads it
    if pa.types.is_struct(kind):
        return msgspec.defstruct(
            name, [(part.name, _type(part.type, name + _camel(part.name))) for part in kind], frozen=True
        )
    if pa.types.is_floating(kind):
        return float | None
    if pa.types.is_boolean(kind):
        return bool
    return int if pa.types.is_integer(kind) else str


def time_field(record: Record) -> Field | None:
    """By which rows are chosen and sorted; None where the record has no time."""
    by_name = {field.name: field for field in record.fields}
    return next((by_name[name] for name in _TIMES if name in by_name), None)


def filters(record: Record) -> tuple[str, ...]:
    """Its fields out of `FILTERS`."""
    names = {field.name for field in record.fields}
    return tuple(name for name in FILTERS if name in names)


def flags(record: Record) -> tuple[str, ...]:
    """Its fields out of `FLAGS`."""
    names = {field.name for field in record.fields}
    return tuple(name for name in FLAGS if name in names)


def rows(
    source: Source,
    record: Record,
    *,
    equal: dict[str, str | bool],
    from_ms: int | None,
    to_ms: int | None,
    limit: int,
    offset: int,
) -> list[Any]:
    """Rows of the last revisions, the newest first.

    Parameters
    ----------
    equal: values that fields of `filters` and `flags` have.
    from_ms, to_ms: the record's time lies in [from_ms, to_ms); None: whenever.
    limit, offset: how many rows, and how many before them.
    """
    known = {*filters(record), *flags(record)}
    parameters: dict[str, object] = {"limit": limit, "offset": offset}
    conditions = ["1"]
    for name, value in equal.items():
        if name not in known:
            raise ValueError(f"rows of {record.name} are not chosen by {name}")
        conditions.append(f"`{name}` = {{{name}:{'Bool' if isinstance(value, bool) else 'String'}}}")
        parameters[name] = value
    time = time_field(record)
    if time is not None:
        for name, sign, bound in (("from_ms", ">=", from_ms), ("to_ms", "<", to_ms)):
            if bound is not None:
                conditions.append(f"`{column_name(time)}` {sign} fromUnixTimestamp64Milli({{{name}:Int64}}, 'UTC')")
                parameters[name] = bound
    order = [f"`{column_name(time)}` DESC"] if time is not None else []
    order += [f"`{column_name(field)}`" for field in record.fields if field.key]
    statement = (
        f"SELECT {', '.join(map(_selected, record.fields))} FROM "  # noqa: S608 - names of records, which are our own
        f"(SELECT * FROM {latest(record)} WHERE {' AND '.join(conditions)} "
        f"ORDER BY {', '.join(order)} LIMIT {{limit:UInt32}} OFFSET {{offset:UInt32}})"
    )
    return list(source.rows(statement, row_type(record), parameters))


def _selected(field: Field) -> str:
    name = column_name(field)
    if field.is_time:
        return f"toUnixTimestamp64Milli(`{name}`) AS `{field.name}`"
    return f"base64Encode(`{name}`) AS `{name}`" if pa.types.is_binary(field.type) else f"`{name}`"
