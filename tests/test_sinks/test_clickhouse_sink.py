"""The destination on the real engine: idempotent, in bounded inserts, and honest about failures."""

import math
from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
import pytest
from clickhouse_connect.driver.client import Client
from clickhouse_connect.driver.exceptions import DataError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.batches import batch_of
from support.clickhouse import read

from sinks.clickhouse.address import ClickHouseAddress
from sinks.clickhouse.client import connect
from sinks.clickhouse.sink import ClickHouseSink
from sinks.destination import Destination, Written
from sinks.errors import SinkRejected, SinkUnavailable
from sinks.records import FIRST_MS, RECORDS
from sinks.records.split import row_bytes, split

HOUR_MS = 3_600_000
SCORE = {
    "model": "m", "version": "1", "segment": "", "column": "x", "method": "psi", "window_start_ms": 0,
    "window_end_ms": HOUR_MS, "reference": "ab", "compare": "pinned", "statistic": 0.5, "effect": 0.4,
    "p_value": 0.01, "calibration": "theory", "threshold": 0.2, "n_reference": 1000, "n_current": 500,
    "error_bound": 0.0, "revision": 1,
}  # fmt: skip
PROFILE = {
    "model": "m", "version": "1", "segment": "", "column": "x", "pane_start_ms": 0, "pane_end_ms": HOUR_MS,
    "reference": "ab", "kind": "numeric", "n": 6, "nulls": 1, "invalid": 0, "minimum": -1.0, "maximum": 1.0,
    "mean": 0.0, "std": 1.0, "quantiles": [-1.0, -0.5, 0.0, 0.5, 1.0], "counts": [1, 2, 3], "frequent_unseen": [],
    "revision": 1,
}  # fmt: skip
LATE = {
    "model": "m", "version": "1", "pane_start_ms": 0, "source_topic": "t", "source_partition": 0, "source_offset": 7,
    "n": 3,
}  # fmt: skip
REJECT = {
    "source_topic": "t", "source_partition": 0, "source_offset": 7, "event_index": 0, "model": "m", "reason": "schema",
    "detail": "no timestamp", "time_ms": HOUR_MS, "raw": b"\xff\x00{",
}  # fmt: skip
REFERENCE = {
    "model": "m", "reference": "ab", "version": "1", "segment": "", "column": "x", "kind": "numeric", "n": 6,
    "nulls": 0, "edges": [0.0, 1.0], "categories": [], "counts": [1, 2, 3], "decile": [0, 1, 1],
}  # fmt: skip
EXAMPLES: dict[str, dict[str, Any]] = {
    "drift_score": SCORE, "column_profile": PROFILE, "late_dropped": LATE, "reject": REJECT,
    "reference_column": REFERENCE,
}  # fmt: skip


def of(name: str, *rows: Mapping[str, Any]) -> pa.RecordBatch:
    return batch_of(RECORDS[name], rows)


ALL = [of(name, row) for name, row in EXAMPLES.items()]


def test_it_is_a_destination_that_takes_every_record() -> None:
    sink: Destination = ClickHouseSink("chdb://memory")
    assert sink.takes == set(RECORDS)
    sink.close()


def test_rows_of_all_kinds_in_one_write(sink: ClickHouseSink, client: Client) -> None:
    assert sink.write(ALL) == Written()
    for name, row in EXAMPLES.items():
        assert read(client, name) == [row]


def test_nothing_is_written_for_an_empty_batch(sink: ClickHouseSink, client: Client) -> None:
    assert sink.write([]) == Written()
    assert sink.write([of(name) for name in RECORDS]) == Written()
    assert all(read(client, name) == [] for name in RECORDS)


def test_writing_twice_changes_nothing(sink: ClickHouseSink, client: Client) -> None:
    sink.write(ALL)
    sink.write([*ALL, *ALL])
    for name, row in EXAMPLES.items():
        assert read(client, name) == [row]


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("drift_score", "reference", "cd"), ("drift_score", "window_end_ms", 24 * HOUR_MS),
        ("drift_score", "method", "ks"), ("drift_score", "segment", "a=b"), ("drift_score", "column", "y"),
        ("drift_score", "version", "2"), ("drift_score", "model", "n"), ("column_profile", "reference", "cd"),
        ("column_profile", "pane_end_ms", 2 * HOUR_MS), ("column_profile", "segment", "a=b"),
        ("late_dropped", "source_offset", 8), ("late_dropped", "pane_start_ms", HOUR_MS),
        ("late_dropped", "source_partition", 1), ("reject", "event_index", 1), ("reject", "source_offset", 8),
        ("reject", "source_topic", "u"), ("reference_column", "version", "2"), ("reference_column", "segment", "a=b"),
        ("reference_column", "reference", "cd"),
    ],
)  # fmt: skip
def test_what_is_part_of_the_key_makes_another_row(
    name: str, field: str, value: Any, sink: ClickHouseSink, client: Client
) -> None:
    row = EXAMPLES[name]
    sink.write([of(name, row)])
    sink.write([of(name, {**row, field: value})])
    assert len(read(client, name)) == 2


# A row's figures are a function of its key and revision, as they are of the input in real life.
revised = st.builds(
    lambda column, revision: (
        {**SCORE, "column": column, "revision": revision, "statistic": revision / 7},
        {**PROFILE, "column": column, "revision": revision, "n": revision, "counts": [revision, 0, 1]},
    ),
    st.sampled_from("abc"),
    st.integers(1, 5),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(writes=st.lists(st.lists(revised, max_size=6), min_size=1, max_size=5))
def test_revisions_in_any_order_and_any_batches_leave_the_highest(
    writes: list[list[tuple[dict[str, Any], dict[str, Any]]]],
    sink: ClickHouseSink,
    client: Client,
    empty: Callable[[], None],
) -> None:
    empty()
    for write in writes:
        sink.write(
            [batch for score, profile in write for batch in (of("drift_score", score), of("column_profile", profile))]
        )
    for position, name in enumerate(("drift_score", "column_profile")):
        best: dict[str, Any] = {}
        for row in (pair[position] for write in writes for pair in write):
            if row["column"] not in best or row["revision"] > best[row["column"]]["revision"]:
                best[row["column"]] = row
        assert read(client, name) == [best[column] for column in sorted(best)]


def test_background_merges_keep_the_highest_revision(sink: ClickHouseSink, client: Client) -> None:
    for revision in (2, 3, 1):
        sink.write([of("drift_score", {**SCORE, "revision": revision})])
    client.command("OPTIMIZE TABLE drift_scores FINAL")
    assert client.query("SELECT revision FROM drift_scores").result_rows == [(3,)]


def failing_inserts(
    monkeypatch: pytest.MonkeyPatch, dsn: str, failures: Mapping[int, Exception]
) -> tuple[ClickHouseSink, list[int]]:
    """A sink of 100 rows an insert whose n-th insert raises; and the rows of each insert that did not."""
    inserted: list[int] = []
    tries: list[int] = []

    def connecting(address: ClickHouseAddress) -> Client:
        made = connect(address)
        insert = made.insert_arrow

        def failing(table: str, rows: pa.Table, **options: Any) -> Any:
            tries.append(rows.num_rows)
            if len(tries) in failures:
                raise failures[len(tries)]
            inserted.append(rows.num_rows)
            return insert(table, rows, **options)

        monkeypatch.setattr(made, "insert_arrow", failing)
        return made

    sink = ClickHouseSink(dsn, batch_rows=100, connect=connecting)
    sink.setup()
    return sink, inserted


def test_a_write_larger_than_a_batch_goes_in_several_inserts(
    dsn: str, sink: ClickHouseSink, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, inserted = failing_inserts(monkeypatch, dsn, {})
    rows = [{**SCORE, "column": f"c{i}"} for i in range(1_050)]
    try:
        assert small.write([of("drift_score", *rows[:7]), of("drift_score", *rows[7:])]) == Written()
    finally:
        small.close()
    assert inserted == [100] * 10 + [50]
    assert len(read(client, "drift_score")) == 1_050


def test_what_was_accepted_before_a_failure_is_not_left(
    dsn: str, sink: ClickHouseSink, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    small, _ = failing_inserts(monkeypatch, dsn, {3: ConnectionResetError("gone")})
    rows = [{**SCORE, "column": f"c{i}"} for i in range(250)]
    try:
        written = small.write([of("drift_score", *rows), of("reject", REJECT)])
        assert isinstance(written.because, SinkUnavailable)
        assert [batch.num_rows for batch in written.left] == [50, 1]
        assert len(read(client, "drift_score")) == 200
        assert small.write(written.left) == Written()
    finally:
        small.close()
    assert len(read(client, "drift_score")) == 250
    assert read(client, "reject") == [REJECT]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 300), max_size=40),
    st.integers(1, 10),
    st.integers(1, 2_000),
)
def test_pieces_keep_order_and_bounds(sizes: list[int], n_rows: int, n_bytes: int) -> None:
    rows = [{**REJECT, "source_offset": i, "raw": bytes(size)} for i, size in enumerate(sizes)]
    pieces = list(split(of("reject", *rows), n_bytes, n_rows))
    assert [row for piece in pieces for row in piece.to_pylist()] == rows
    assert all(1 <= piece.num_rows <= n_rows for piece in pieces)
    assert all(piece.num_rows == 1 or row_bytes(piece).sum() <= n_bytes for piece in pieces)


def test_an_event_of_ten_megabytes_is_kept_whole(sink: ClickHouseSink, client: Client) -> None:
    big = {**REJECT, "raw": bytes(range(256)) * 40_000}
    assert sink.write([of("reject", REJECT, big)]) == Written()
    assert read(client, "reject") == [big]


def test_times_of_two_hundred_months_go_in_one_write(sink: ClickHouseSink, client: Client) -> None:
    month_ms = 31 * 24 * HOUR_MS
    rows = [{**SCORE, "window_start_ms": i * month_ms, "window_end_ms": (i + 1) * month_ms} for i in range(200)]
    assert sink.write([of("drift_score", *rows)]) == Written()
    assert len(read(client, "drift_score")) == 200


def test_old_events_do_not_expire_because_they_are_old(sink: ClickHouseSink, client: Client) -> None:
    sink.write(ALL)  # of 1970
    for table in ("drift_scores", "column_profiles", "late_dropped", "rejects"):
        client.command(f"OPTIMIZE TABLE {table} FINAL")
        assert client.command(f"SELECT count() FROM {table}") == 1


def test_rows_are_read_by_condition(sink: ClickHouseSink, client: Client) -> None:
    tricky = "'; DROP TABLE drift_scores; --"
    sink.write([of("drift_score", SCORE, {**SCORE, "column": tricky})])
    assert read(client, "drift_score", "column = {name:String}", {"name": tricky}) == [{**SCORE, "column": tricky}]


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("window_start_ms", [0, FIRST_MS - 1, 0]),
        ("window_end_ms", [0, 2**62, 0]),
        ("n_current", [1, None, 1]),
        ("column", ["x", None, "z"]),
    ],
)
def test_a_row_that_breaks_the_contract_is_dropped_alone_and_told(
    name: str, values: list[Any], sink: ClickHouseSink, client: Client
) -> None:
    good = of("drift_score", *({**SCORE, "method": method} for method in ("a", "b", "c")))
    position = good.schema.get_field_index(name)
    column = (
        pa.array(values, pa.string()).dictionary_encode()
        if name == "column"
        else pa.array(values, good.schema.field(name).type)
    )
    written = sink.write([good.set_column(position, good.schema.field(name), column)])
    (dropped,) = written.dropped
    assert dropped.rows.column("method").to_pylist() == ["b"]
    assert dropped.reason == f"a drift_score breaks the contract in {name}"
    assert (written.left, written.because) == ((), None)
    assert [row["method"] for row in read(client, "drift_score")] == ["a", "c"]


def test_rows_that_keep_the_contract_are_never_dropped_when_refused(
    dsn: str, sink: ClickHouseSink, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    refusing, _ = failing_inserts(monkeypatch, dsn, {1: DataError("as the test asked for")})
    with pytest.raises(SinkRejected, match="keep the contract"):
        refusing.write([of("drift_score", SCORE)])
    refusing.close()


def test_write_before_setup_and_after_close_is_refused(dsn: str, client: Client) -> None:
    sink = ClickHouseSink(dsn)
    with pytest.raises(SinkRejected, match="setup"):
        sink.write([of("drift_score", SCORE)])
    sink.setup()
    sink.close()
    sink.close()
    with pytest.raises(SinkRejected, match="setup"):
        sink.write([of("drift_score", SCORE)])


def test_a_nan_is_a_nan_in_sql(sink: ClickHouseSink, client: Client) -> None:
    sink.write([of("drift_score", {**SCORE, "p_value": math.nan})])
    assert client.command("SELECT isNaN(p_value) FROM drift_scores_latest") == 1


def test_the_sink_hides_its_password() -> None:
    assert "secret" not in repr(ClickHouseSink("clickhouse://me:secret@h/db"))


def test_a_second_folder_in_one_process_is_refused_with_the_reason(client: Client, tmp_path: Any) -> None:
    with pytest.raises(SinkRejected, match="one at a time"):
        connect(f"chdb://{tmp_path}")
