"""A record as a ClickHouse table: names, types, codecs, sorting key, and the statements that make them.

Most fields keep their name. Times lose `_ms` and become `DateTime64(3, 'UTC')`, which is the same integer.
"""

import math
from typing import Any, Final

import pyarrow as pa

from sinks.records import Field, Record

DEFAULT_RETENTION_DAYS: Final = 400
_TIME: Final = "DateTime64(3, 'UTC')"
_PLAIN: Final = {
    pa.string(): "String",
    pa.binary(): "String",
    pa.float64(): "Float64",
    pa.bool_(): "Bool",
    pa.uint16(): "UInt16",
    pa.uint32(): "UInt32",
    pa.uint64(): "UInt64",
    pa.int32(): "Int32",
    pa.int64(): "Int64",
}
_INSERTED_AT: Final = f"`inserted_at` {_TIME} DEFAULT now64(3) CODEC(DoubleDelta, ZSTD(1))"


def latest(record: Record) -> str:
    """The view with one row a key, of the highest revision."""
    return f"{record.table}_latest"


def column_name(field: Field) -> str:
    """The column of a field."""
    return field.name.removesuffix("_ms") if field.is_time else field.name


def column_type(field: Field) -> str:
    """The type of its column."""
    return _TIME if field.is_time else _type(field.type)


def _type(kind: Any) -> str:
    if isinstance(kind, pa.DictionaryType):
        return f"LowCardinality({_type(kind.value_type)})"
    if pa.types.is_list(kind):
        return f"Array({_type(kind.value_type)})"
    if pa.types.is_struct(kind):
        return f"Tuple({', '.join(f'{part.name} {_type(part.type)}' for part in kind)})"
    return _PLAIN[kind]


def codec(field: Field) -> str:
    """How its column is compressed; empty for ClickHouse's own choice."""
    kind: Any = field.type
    inner = kind.value_type if pa.types.is_list(kind) else kind
    if field.is_time or kind == pa.int64():
        return "DoubleDelta, ZSTD(1)"
    if pa.types.is_unsigned_integer(inner):
        return "T64, ZSTD(1)"
    if pa.types.is_floating(inner) or kind == pa.string():
        return "ZSTD(1)"
    if pa.types.is_list(kind) or pa.types.is_binary(kind):
        return "ZSTD(3)"
    return ""


def column_comment(field: Field) -> str:
    """The meaning, and the unit of a number."""
    return field.meaning if field.is_time or not field.unit else f"{field.meaning} ({field.unit})"


def column_sql(field: Field) -> str:
    """A column's declaration."""
    parts = [f"`{column_name(field)}`", column_type(field)]
    if field.default is not None:
        parts.append(f"DEFAULT {_literal(field.default)}")
    parts.append(f"COMMENT {_literal(column_comment(field))}")
    if codec(field):
        parts.append(f"CODEC({codec(field)})")
    return " ".join(parts)


def create_table(record: Record) -> str:
    """The table. Its sorting key is the rows' key: a repeated row replaces itself, a higher revision a lower one."""
    columns = ",\n".join(f"    {column}" for column in [*map(column_sql, record.fields), _INSERTED_AT])
    key = ", ".join(column_name(field) for field in record.fields if field.key)
    lines = [
        f"CREATE TABLE IF NOT EXISTS {record.table}\n(\n{columns}\n)",
        f"ENGINE = ReplacingMergeTree{'(revision)' if record.revised else ''}",
        *([f"PARTITION BY toYYYYMM({record.month_of.removesuffix('_ms')})"] if record.month_of else []),
        f"ORDER BY ({key})",
        *([f"TTL toDateTime(inserted_at) + toIntervalDay({DEFAULT_RETENTION_DAYS})"] if record.expires else []),
        f"COMMENT {_literal(record.meaning)};",
    ]
    return "\n".join(lines)


def create_latest(record: Record) -> str:
    """The view. `inserted_at` is left out: it says how a row came about and is no part of the result."""
    return (
        f"CREATE OR REPLACE VIEW {latest(record)} AS\n"
        f"SELECT * EXCEPT (inserted_at) FROM {record.table} FINAL;"  # names of ours
    )


def add_column(record: Record, field: Field, after: Field) -> str:
    """One field more; rows that are there have its default."""
    return f"ALTER TABLE {record.table} ADD COLUMN IF NOT EXISTS {column_sql(field)} AFTER `{column_name(after)}`;"


def comment_column(record: Record, field: Field) -> str:
    """Another comment."""
    return (
        f"ALTER TABLE {record.table} COMMENT COLUMN IF EXISTS `{column_name(field)}` {_literal(column_comment(field))};"
    )


def _literal(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float):
        return "nan" if math.isnan(value) else repr(value)
    if isinstance(value, list):
        return f"[{', '.join(map(_literal, value))}]"
    if isinstance(value, int):
        return str(value)
    text = str(value).replace("\\", "\\\\").replace("'", "\\'")
    return f"'{text}'"
