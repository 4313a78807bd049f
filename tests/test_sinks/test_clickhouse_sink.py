"""The sink on the real engine: idempotent, in batches, and honest about failures."""

import math
from collections.abc import Callable
from typing import Any

import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DataError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from sinks.clickhouse.client import Address, connect
from sinks.clickhouse.sink import ClickHouseSink, batches
from sinks.clickhouse.tables import TABLES, read
from sinks.errors import BadRecord, SinkRejected
from sinks.records import ColumnProfile, DriftScore, LateDropped, ReferenceColumn, Reject, ResultBatch, Row
from sinks.sink import Sink

HOUR_MS = 3_600_000
SCORE = DriftScore(
    model="m",
    version="1",
    reference="ab",
    segment="",
    column="x",
    method="psi",
    window_start_ms=0,
    window_end_ms=HOUR_MS,
    statistic=0.5,
    p_value=0.01,
    q_value=0.02,
    threshold=0.2,
    drifted=True,
    insufficient=False,
    n_reference=1000,
    n_current=500,
    error_bound=0.0,
    revision=1,
)
PROFILE = ColumnProfile(
    model="m",
    version="1",
    reference="ab",
    segment="",
    column="x",
    kind="numeric",
    pane_start_ms=0,
    pane_end_ms=HOUR_MS,
    n=6,
    nulls=1,
    invalid=0,
    minimum=-1.0,
    maximum=1.0,
    mean=0.0,
    std=1.0,
    quantiles=[-1.0, -0.5, 0.0, 0.5, 1.0],
    counts=[1, 2, 3],
    frequent_unseen=[],
    revision=1,
)
LATE = LateDropped(model="m", version="1", pane_start_ms=0, n=3, source_topic="t", source_partition=0, source_offset=7)
REJECT = Reject(
    model="m",
    reason="schema",
    source_topic="t",
    source_partition=0,
    source_offset=7,
    index=0,
    detail="no timestamp",
    time_ms=HOUR_MS,
    raw=b"\xff\x00{",
)
REFERENCE = ReferenceColumn(
    reference="ab",
    model="m",
    version="1",
    segment="",
    column="x",
    kind="numeric",
    n=6,
    nulls=0,
    edges=[0.0, 1.0],
    categories=[],
    counts=[1, 2, 3],
    decile=[0, 1, 1],
)
EXAMPLES: list[Row] = [SCORE, PROFILE, LATE, REJECT, REFERENCE]


def test_it_is_a_sink() -> None:
    sink: Sink = ClickHouseSink("chdb://memory")
    sink.close()


def test_rows_of_all_kinds_in_one_write(sink: ClickHouseSink, client: Client) -> None:
    assert sink.write(EXAMPLES) == 5
    for row in EXAMPLES:
        kind: Any = type(row)
        assert read(client, kind) == [row]


def test_nothing_is_written_for_an_empty_batch(sink: ClickHouseSink, client: Client) -> None:
    assert sink.write([]) == 0
    assert sink.write(ResultBatch(source_topic="t", source_partition=0, source_offset=0).rows) == 0
    assert all(read(client, kind) == [] for kind in TABLES)


def test_writing_twice_changes_nothing(sink: ClickHouseSink, client: Client) -> None:
    sink.write(EXAMPLES)
    sink.write(iter(EXAMPLES))
    for row in EXAMPLES:
        assert read(client, type(row)) == [row]


@pytest.mark.parametrize(
    ("row", "field", "value"),
    [
        (SCORE, "reference", "cd"), (SCORE, "window_end_ms", 24 * HOUR_MS), (SCORE, "method", "ks"),
        (SCORE, "segment", "a=b"), (SCORE, "column", "y"), (SCORE, "version", "2"), (SCORE, "model", "n"),
        (PROFILE, "reference", "cd"), (PROFILE, "pane_end_ms", 2 * HOUR_MS), (PROFILE, "segment", "a=b"),
        (LATE, "source_offset", 8), (LATE, "pane_start_ms", HOUR_MS), (LATE, "source_partition", 1),
        (REJECT, "index", 1), (REJECT, "source_offset", 8), (REJECT, "source_topic", "u"),
        (REFERENCE, "version", "2"), (REFERENCE, "segment", "a=b"), (REFERENCE, "reference", "cd"),
    ],
)  # fmt: skip
def test_what_is_part_of_the_key_makes_another_row(
    row: Row, field: str, value: Any, sink: ClickHouseSink, client: Client
) -> None:
    sink.write([row])
    sink.write([replace(row, **{field: value})])
    assert len(read(client, type(row))) == 2


# A row's figures are a function of its key and revision, as they are of the input in real life.
revised = st.builds(
    lambda column, revision: (
        replace(SCORE, column=column, revision=revision, statistic=revision / 7, drifted=revision % 2 == 0),
        replace(PROFILE, column=column, revision=revision, n=revision, counts=[revision, 0, 1]),
    ),
    st.sampled_from("abc"),
    st.integers(1, 5),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.lists(st.lists(revised, max_size=6), min_size=1, max_size=5))
def test_revisions_in_any_order_and_any_batches_leave_the_highest(
    writes: list[list[tuple[DriftScore, ColumnProfile]]],
    sink: ClickHouseSink,
    client: Client,
    empty: Callable[[], None],
) -> None:
    empty()
    for write in writes:
        sink.write([row for pair in write for row in pair])
    kinds: tuple[type[Row], type[Row]] = (DriftScore, ColumnProfile)
    for position, kind in enumerate(kinds):
        best: dict[str, Any] = {}
        for row in (pair[position] for write in writes for pair in write):
            if row.column not in best or row.revision > best[row.column].revision:
                best[row.column] = row
        assert read(client, kind) == [best[column] for column in sorted(best)]


def test_background_merges_keep_the_highest_revision(sink: ClickHouseSink, client: Client) -> None:
    for revision in (2, 3, 1):
        sink.write([replace(SCORE, revision=revision)])
    client.command("OPTIMIZE TABLE drift_scores FINAL")
    assert client.query("SELECT revision FROM drift_scores").result_rows == [(3,)]


def test_a_write_larger_than_a_batch_goes_in_several_inserts(dsn: str, sink: ClickHouseSink, client: Client) -> None:
    small = ClickHouseSink(dsn, batch_rows=100)
    small.setup()
    try:
        assert small.write(replace(SCORE, column=f"c{i}") for i in range(1_050)) == 1_050
    finally:
        small.close()
    assert len(read(client, DriftScore)) == 1_050


@given(
    st.lists(st.integers(0, 300), max_size=40),
    st.integers(1, 10),
    st.integers(1, 2_000),
)
def test_batches_keep_order_and_bounds(sizes: list[int], batch_rows: int, batch_bytes: int) -> None:
    table = TABLES[Reject]
    rows: list[Row] = [replace(REJECT, source_offset=i, raw=bytes(size)) for i, size in enumerate(sizes)]
    cut = list(batches(table, rows, batch_rows, batch_bytes))
    assert [row for batch in cut for row in batch] == rows
    assert all(1 <= len(batch) <= batch_rows for batch in cut)
    assert all(len(batch) == 1 or sum(map(table.n_bytes, batch)) <= batch_bytes for batch in cut)


def test_an_event_of_ten_megabytes_is_kept_whole(sink: ClickHouseSink, client: Client) -> None:
    big = replace(REJECT, raw=bytes(range(256)) * 40_000)
    assert sink.write([REJECT, big]) == 2
    assert read(client, Reject) == [big]


def test_times_of_two_hundred_months_go_in_one_write(sink: ClickHouseSink, client: Client) -> None:
    month_ms = 31 * 24 * HOUR_MS
    rows = [replace(SCORE, window_start_ms=i * month_ms, window_end_ms=(i + 1) * month_ms) for i in range(200)]
    assert sink.write(rows) == 200
    assert len(read(client, DriftScore)) == 200


def test_old_events_do_not_expire_because_they_are_old(sink: ClickHouseSink, client: Client) -> None:
    sink.write([SCORE, PROFILE, LATE, REJECT])  # of 1970
    for table in ("drift_scores", "column_profiles", "late_dropped", "rejects"):
        client.command(f"OPTIMIZE TABLE {table} FINAL")
        assert client.command(f"SELECT count() FROM {table}") == 1


def test_rows_are_read_by_condition(sink: ClickHouseSink, client: Client) -> None:
    tricky = "'; DROP TABLE drift_scores; --"
    sink.write([SCORE, replace(SCORE, column=tricky)])
    assert read(client, DriftScore, "column = {name:String}", {"name": tricky}) == [replace(SCORE, column=tricky)]


@pytest.mark.parametrize(
    "bad",
    [
        replace(SCORE, n_current=-1),
        replace(SCORE, n_current=2**70),
        replace(SCORE, window_start_ms=2**70),
        replace(SCORE, statistic="high"),
        replace(SCORE, column=None),
    ],
)
def test_a_row_that_breaks_the_contract_is_dropped_alone_and_counted(
    bad: DriftScore, dsn: str, sink: ClickHouseSink, client: Client
) -> None:
    dropped: list[tuple[Row, BadRecord]] = []
    careful = ClickHouseSink(dsn, on_drop=lambda row, reason: dropped.append((row, reason)))
    careful.setup()
    try:
        assert careful.write([SCORE, bad, replace(SCORE, column="z")]) == 2
    finally:
        careful.close()
    assert [row for row, _ in dropped] == [bad]
    assert "DriftScore" in str(dropped[0][1])
    assert len(read(client, DriftScore)) == 2


def test_rows_that_keep_the_contract_are_never_dropped_when_refused(dsn: str, client: Client) -> None:
    def refusing(address: Address) -> Client:
        made = connect(address)

        def insert(*_: Any, **__: Any) -> None:
            raise DataError("as the test asked for")

        made.insert = insert  # type: ignore[assignment,method-assign]  # a fake
        return made

    dropped: list[Row] = []
    sink = ClickHouseSink(dsn, connect=refusing, on_drop=lambda row, _: dropped.append(row))
    sink.setup()
    with pytest.raises(SinkRejected, match="keep the contract"):
        sink.write([SCORE])
    assert dropped == []
    sink.close()


def test_write_before_setup_and_after_close_is_refused(dsn: str, client: Client) -> None:
    sink = ClickHouseSink(dsn)
    with pytest.raises(SinkRejected, match="setup"):
        sink.write([SCORE])
    sink.setup()
    sink.close()
    sink.close()
    with pytest.raises(SinkRejected, match="setup"):
        sink.write([SCORE])


def test_a_nan_is_a_nan_in_sql(sink: ClickHouseSink, client: Client) -> None:
    sink.write([replace(SCORE, q_value=math.nan)])
    assert client.command("SELECT isNaN(q_value) FROM drift_scores_latest") == 1


def test_the_sink_hides_its_password() -> None:
    assert "secret" not in repr(ClickHouseSink("clickhouse://me:secret@h/db"))


def test_a_second_folder_in_one_process_is_refused_with_the_reason(client: Client, tmp_path: Any) -> None:
    with pytest.raises(SinkRejected, match="one at a time"):
        connect(f"chdb://{tmp_path}")
