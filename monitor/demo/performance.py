"""How good the demo's model was, read back out of ClickHouse."""

from collections.abc import Sequence

import pyarrow as pa
from clickhouse_connect.driver.client import Client

from monitor.replay.performance import READ, READ_PARTS, performance_lines
from sinks.clickhouse.ddl import column_name, latest
from sinks.records import RECORDS


def read_performance_lines(client: Client) -> list[str]:
    """The table that `driftline replay --labels` ends with, of the database's rows."""
    return performance_lines(_read(client, "performance", READ), _read(client, "performance_part", READ_PARTS))


def _read(client: Client, name: str, wanted: Sequence[str]) -> pa.Table:
    """The last revisions, as Arrow, under the names and types that the record's fields have."""
    record = RECORDS[name]
    fields = [field for field in record.fields if field.name in wanted]
    names = ", ".join(f"`{column_name(field)}`" for field in fields)
    query = f"SELECT {names} FROM {latest(record)}"  # noqa: S608 - names of records, which are our own
    result = client.query(query, query_formats={"DateTime64*": "int"})
    columns = list(result.result_columns) or [()] * len(fields)
    arrays = [
        pa.array(column, pa.string() if isinstance(field.type, pa.DictionaryType) else field.type)
        for field, column in zip(fields, columns, strict=True)
    ]
    return pa.table(arrays, names=[field.name for field in fields])
