"""Every value the contract allows goes into the engine and comes back, to the bit."""

import math
from collections.abc import Callable
from typing import Any, get_args, get_origin, get_type_hints

import msgspec
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sinks.clickhouse.sink import ClickHouseSink
from sinks.clickhouse.tables import TABLES, read
from sinks.records import Row

FLOATS = st.one_of(st.floats(), st.sampled_from([math.nan, -0.0, math.inf, 5e-324, 1.7976931348623157e308]))
TEXTS = st.one_of(
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["", "é", "Ünïcødé", "\x00", "a'b\\n`\t", "日本", "\U0001f6eb", "{x:String}", "%s", "NULL", "\\N"]),
)


def values(kind: Any) -> st.SearchStrategy[Any]:
    """All values of a field's type, the bounds of its `Meta` included."""
    bounds = [item for item in getattr(kind, "__metadata__", ()) if isinstance(item, msgspec.Meta)]
    if bounds:
        low, high = bounds[0].ge, bounds[0].le
        assert low is not None
        assert high is not None
        return st.one_of(st.integers(low, high), st.sampled_from([low, high]))  # type: ignore[arg-type]
    if get_origin(kind) is list:
        return st.lists(values(get_args(kind)[0]), max_size=6)
    if get_origin(kind) is tuple:
        return st.tuples(*map(values, get_args(kind)))
    return {str: TEXTS, float: FLOATS, bool: st.booleans(), bytes: st.binary(max_size=40)}[kind]


def rows_of(kind: type[Row]) -> st.SearchStrategy[Row]:
    hints = get_type_hints(kind, include_extras=True)
    return st.builds(kind, **{name: values(hints[name]) for name in kind.__struct_fields__})


@pytest.mark.parametrize("kind", list(TABLES))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_row_comes_back_to_the_bit(
    kind: type[Row], data: st.DataObject, sink: ClickHouseSink, client: Client, empty: Callable[[], None]
) -> None:
    rows = data.draw(st.lists(rows_of(kind), max_size=5, unique_by=_key))
    empty()
    assert sink.write(rows) == len(rows)
    # repr tells -0.0 from 0.0 and takes one NaN for another.
    assert sorted(map(repr, read(client, kind))) == sorted(map(repr, rows))


@pytest.mark.parametrize("kind", list(TABLES))
@settings(max_examples=50, deadline=None)
@given(data=st.data())
def test_columns_and_rows_are_two_forms_of_the_same(kind: type[Row], data: st.DataObject) -> None:
    rows = data.draw(st.lists(rows_of(kind), min_size=1, max_size=5))
    table = TABLES[kind]
    assert repr(table.from_columns(table.to_columns(rows))) == repr(rows)


def _key(row: Row) -> tuple[Any, ...]:
    names = {
        "DriftScore": "model version segment column method window_start_ms window_end_ms reference",
        "ColumnProfile": "model version segment column pane_start_ms pane_end_ms reference",
        "LateDropped": "model version pane_start_ms source_topic source_partition source_offset",
        "Reject": "source_topic source_partition source_offset index",
        "ReferenceColumn": "model reference version segment column",
    }[type(row).__name__].split()
    return tuple(getattr(row, name) for name in names)
