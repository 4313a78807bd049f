"""Rows to columns and back: which table each kind of row lives in, and under which names.

Most fields keep their name. Times lose `_ms` and become `DateTime64(3, 'UTC')`, which on the wire is the same integer.
Types are those the client sends; the server turns `String` into `LowCardinality(String)` where the table has it.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import ClickHouseError

from sinks.clickhouse.classify import classify
from sinks.errors import BadRecord
from sinks.records import ColumnProfile, DriftScore, LateDropped, ReferenceColumn, Reject, Row

_TEXT: Final = "String"
_TIME: Final = "DateTime64(3, 'UTC')"
_COUNT: Final = "UInt64"
_FLOAT: Final = "Float64"
_COUNTS: Final = "Array(UInt64)"


class Table(msgspec.Struct, frozen=True, kw_only=True):
    """One table.

    Attributes
    ----------
    name
        The table's.
    row
        The kind of row it holds.
    latest
        The view with one row a key, the newest revision.
    columns
        Field -> (column, type), in the order of the struct's fields.
    n_bytes
        Roughly what a row takes in memory and on the way.
    """

    name: str
    row: type[Row]
    latest: str
    columns: Mapping[str, tuple[str, str]]
    n_bytes: Callable[[Any], int]

    @property
    def column_names(self) -> list[str]:
        """In the order of `to_columns`."""
        return [name for name, _ in self.columns.values()]

    @property
    def column_types(self) -> list[str]:
        """In the order of `to_columns`."""
        return [kind for _, kind in self.columns.values()]

    def to_columns(self, rows: Sequence[Row]) -> list[Sequence[Any]]:
        """(n_columns, n_rows). A lone surrogate, which has no UTF-8 form, becomes U+FFFD."""
        columns: list[Sequence[Any]] = list(zip(*map(msgspec.structs.astuple, rows), strict=True))
        return [
            _well_formed(column) if kind in _WITH_TEXT else column
            for column, kind in zip(columns, self.column_types, strict=True)
        ]

    def from_columns(self, columns: Sequence[Sequence[Any]]) -> list[Row]:
        """The rows in (n_columns, n_rows), as `to_columns` made them or a query gave them.

        Raises
        ------
        BadRecord
            A value that the contract does not allow.
        """
        fields = list(self.columns)
        rows = (dict(zip(fields, values, strict=True)) for values in zip(*columns, strict=True))
        tag = self.row.__struct_config__.tag
        try:
            return [msgspec.convert({"type": tag, **row}, self.row) for row in rows]
        except msgspec.ValidationError as error:
            raise BadRecord(f"no {self.name} row: {error}") from error


def _of(row: type[Row], **kinds: str) -> dict[str, tuple[str, str]]:
    renamed = {"index": "event_index"}  # INDEX begins an index declaration in CREATE TABLE
    return {
        field: (renamed.get(field, field.removesuffix("_ms")), kinds.get(field, _TEXT))
        for field in row.__struct_fields__
    }


_SCORES: Final = Table(
    name="drift_scores",
    row=DriftScore,
    latest="drift_scores_latest",
    columns=_of(
        DriftScore,
        window_start_ms=_TIME,
        window_end_ms=_TIME,
        statistic=_FLOAT,
        p_value=_FLOAT,
        q_value=_FLOAT,
        threshold=_FLOAT,
        drifted="Bool",
        insufficient="Bool",
        n_reference=_COUNT,
        n_current=_COUNT,
        error_bound=_FLOAT,
        revision=_COUNT,
    ),
    n_bytes=lambda _: 400,
)
_PROFILES: Final = Table(
    name="column_profiles",
    row=ColumnProfile,
    latest="column_profiles_latest",
    columns=_of(
        ColumnProfile,
        pane_start_ms=_TIME,
        pane_end_ms=_TIME,
        n=_COUNT,
        nulls=_COUNT,
        invalid=_COUNT,
        minimum=_FLOAT,
        maximum=_FLOAT,
        mean=_FLOAT,
        std=_FLOAT,
        quantiles="Array(Float64)",
        counts=_COUNTS,
        frequent_unseen="Array(Tuple(value String, count UInt64, error UInt64))",
        revision=_COUNT,
    ),
    n_bytes=lambda row: 400 + 8 * len(row.counts) + sum(20 + 4 * len(value) for value, _, _ in row.frequent_unseen),
)
_LATE: Final = Table(
    name="late_dropped",
    row=LateDropped,
    latest="late_dropped_latest",
    columns=_of(LateDropped, pane_start_ms=_TIME, n=_COUNT, source_partition="Int32", source_offset="Int64"),
    n_bytes=lambda _: 200,
)
_REJECTS: Final = Table(
    name="rejects",
    row=Reject,
    latest="rejects_latest",
    columns=_of(Reject, source_partition="Int32", source_offset="Int64", index="UInt32", time_ms=_TIME),
    n_bytes=lambda row: 300 + len(row.raw) + 4 * len(row.detail),
)
_REFERENCES: Final = Table(
    name="references",
    row=ReferenceColumn,
    latest="references_latest",
    columns=_of(
        ReferenceColumn,
        n=_COUNT,
        nulls=_COUNT,
        edges="Array(Float64)",
        categories="Array(String)",
        counts=_COUNTS,
        decile="Array(UInt16)",
    ),
    n_bytes=lambda row: 400 + 18 * len(row.counts) + sum(20 + 4 * len(name) for name in row.categories),
)

TABLES: Final[Mapping[type[Row], Table]] = {
    table.row: table for table in (_SCORES, _PROFILES, _LATE, _REJECTS, _REFERENCES)
}


def read(client: Client, row: type[Row], where: str = "1", parameters: Mapping[str, Any] | None = None) -> list[Row]:
    """The newest revision of each row, in the order of the key.

    Parameters
    ----------
    client
        Bound to the database.
    row
        The kind of row, which tells the table.
    where
        An SQL condition, written by the program.
    parameters
        What users gave, for `{name:Type}` in the condition.

    Raises
    ------
    SinkError
        As `classify` says.
    """
    table = TABLES[row]
    names = ", ".join(f"`{name}`" for name in table.column_names)
    query = f"SELECT {names} FROM {table.latest} WHERE {where} ORDER BY ALL"  # noqa: S608  # names are constants above
    bytes_of: dict[str, str | dict[str, str]] | None = {"raw": "bytes"} if "raw" in table.columns else None
    ticks = {"DateTime64*": "int"}
    try:
        result = client.query(query, dict(parameters or {}), query_formats=ticks, column_formats=bytes_of)
    except ClickHouseError as error:
        raise classify(error) from error
    columns = list(zip(*result.result_rows, strict=True))
    return table.from_columns([_plain(column) for column in columns]) if columns else []


_WITH_TEXT: Final = frozenset({_TEXT, "Array(String)", "Array(Tuple(value String, count UInt64, error UInt64))"})


def _well_formed(column: Sequence[Any]) -> Sequence[Any]:
    """The column itself unless some text in it has no UTF-8 form."""
    try:
        msgspec.msgpack.encode(column)
    except UnicodeEncodeError:
        return [_replace_surrogates(value) for value in column]
    return column


def _replace_surrogates(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    if isinstance(value, list | tuple):
        return type(value)(_replace_surrogates(item) for item in value)
    return value


def _plain(column: Sequence[Any]) -> Sequence[Any]:
    """Named tuples come as dicts: back to tuples."""
    if not any(isinstance(value, list) and value and isinstance(value[0], dict) for value in column):
        return column
    return [[tuple(item.values()) for item in value] for value in column]
