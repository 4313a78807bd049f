"""How good the demo's model was by month, read back out of ClickHouse."""

from collections.abc import Sequence

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from clickhouse_connect.driver.client import Client

from monitor.replay.performance import READ, READ_PARTS, Period, periods
from sinks.clickhouse.ddl import column_name, latest
from sinks.records import RECORDS

_DAY_MS = 86_400_000


class MonthPerformance(msgspec.Struct, frozen=True, kw_only=True):
    """Means over the 7-day windows that end in a month; NaN where nothing was measured.

    Attributes
    ----------
    inputs, relation: of the change in log loss since the reference, what moved inputs explain, and what the relation of
        score and truth.
    """

    start_ms: int
    log_loss: float
    roc_auc: float
    inputs: float
    relation: float


class Performance(msgspec.Struct, frozen=True, kw_only=True):
    """Of all flights; the reference's values beside."""

    months: list[MonthPerformance]
    reference_log_loss: float
    reference_roc_auc: float


def read_performance(client: Client) -> Performance:
    """Query what the demo's deliver role has written."""
    table, parts = (
        _of_weeks(read_table(client, name, wanted))
        for name, wanted in (("performance", READ), ("performance_part", READ_PARTS))
    )
    _, found = periods(table, parts)
    return Performance(
        months=[_month(one) for one in found],
        reference_log_loss=_reference(table, "log_loss"),
        reference_roc_auc=_reference(table, "roc_auc"),
    )


def read_table(client: Client, name: str, wanted: Sequence[str]) -> pa.Table:
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


def _of_weeks(table: pa.Table) -> pa.Table:
    length_ms = pc.subtract(table["window_end_ms"].cast(pa.int64()), table["window_start_ms"].cast(pa.int64()))
    return table.filter(pc.greater(length_ms, pa.scalar(_DAY_MS)))


def _month(one: Period) -> MonthPerformance:
    measured = one.measured
    return MonthPerformance(
        start_ms=one.start_ms,
        log_loss=measured.get("log_loss", float("nan")),
        roc_auc=measured.get("roc_auc", float("nan")),
        inputs=one.inputs,
        relation=one.relation,
    )


def _reference(table: pa.Table, metric: str) -> float:
    own = table.filter(
        pc.and_(
            pc.equal(table["metric"].cast(pa.string()), pa.scalar(metric)), pc.equal(table["segment"], pa.scalar(""))
        )
    )
    values = own["reference_value"].to_numpy()
    return float(values[0]) if values.size else float("nan")
