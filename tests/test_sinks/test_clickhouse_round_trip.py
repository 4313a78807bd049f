"""Every value the contract allows goes into the engine and comes back, to the bit."""

from collections.abc import Callable

import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.batches import batch_of, rows_of
from support.clickhouse import read

from sinks.clickhouse.sink import ClickHouseSink
from sinks.destination import Written
from sinks.records import RECORDS


@pytest.mark.parametrize("name", list(RECORDS))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_row_comes_back_to_the_bit(
    name: str, data: st.DataObject, sink: ClickHouseSink, client: Client, empty: Callable[[], None]
) -> None:
    record = RECORDS[name]
    rows = data.draw(
        st.lists(rows_of(record), max_size=5, unique_by=lambda row: tuple(row[field] for field in record.key))
    )
    empty()
    assert sink.write([batch_of(record, rows)]) == Written()
    # repr tells -0.0 from 0.0 and takes one NaN for another.
    assert sorted(map(repr, read(client, name))) == sorted(map(repr, rows))
