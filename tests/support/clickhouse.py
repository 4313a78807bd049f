"""What ClickHouse holds, in the form that records have."""

from collections.abc import Mapping
from typing import Any

from clickhouse_connect.driver.client import Client

from sinks.clickhouse.ddl import column_name, latest
from sinks.records import RECORDS


def read(
    client: Client, name: str, where: str = "1", parameters: Mapping[str, Any] | None = None
) -> list[dict[str, Any]]:
    """The newest revision of each row of a record, in the order of the key; times as integers, bytes as bytes."""
    record = RECORDS[name]
    names = ", ".join(f"`{column_name(field)}`" for field in record.fields)
    query = f"SELECT {names} FROM {latest(record)} WHERE {where} ORDER BY ALL"
    bytes_of: dict[str, str | dict[str, str]] | None = {"raw": "bytes"} if name == "reject" else None
    result = client.query(query, dict(parameters or {}), query_formats={"DateTime64*": "int"}, column_formats=bytes_of)
    return [dict(zip((field.name for field in record.fields), row, strict=True)) for row in result.result_rows]
