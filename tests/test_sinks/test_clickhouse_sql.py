"""The SQL functions and `drift_between` against NumPy on the same counts."""

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from clickhouse_connect.driver.client import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from support.batches import batch_of

from sinks.clickhouse.sink import ClickHouseSink
from sinks.records import RECORDS

HOUR_MS = 3_600_000
Counts = npt.NDArray[np.int64]


def psi(reference: Counts, live: Counts) -> float:
    """Written from the definition, apart from the SQL: a zero proportion counts as 1e-4, empty pairs add nothing."""
    if reference.sum() == 0 or live.sum() == 0:
        return float("nan")
    filled = (reference > 0) | (live > 0)
    r = np.maximum(reference[filled] / reference.sum(), 0.0)
    v = np.maximum(live[filled] / live.sum(), 0.0)
    r[r == 0], v[v == 0] = 1e-4, 1e-4
    return float(np.sum((v - r) * np.log(v / r)))


def js(reference: Counts, live: Counts) -> float:
    if reference.sum() == 0 or live.sum() == 0:
        return float("nan")
    return float(jensenshannon(reference, live, base=2))


count = st.one_of(st.just(0), st.integers(0, 20), st.integers(0, 10**12))
pairs = st.integers(1, 30).flatmap(lambda n: st.tuples(*[st.lists(count, min_size=n, max_size=n)] * 2))


@settings(max_examples=80, deadline=None)
@given(pair=pairs)
def test_psi_and_js_in_sql_equal_numpy(pair: tuple[list[int], list[int]], client: Client) -> None:
    arguments = "{r:Array(UInt64)}, {l:Array(UInt64)}"
    query = f"SELECT driftline_psi({arguments}), driftline_js({arguments})"
    got = client.query(query, {"r": pair[0], "l": pair[1]}).result_rows[0]
    reference, live = np.array(pair[0]), np.array(pair[1])
    assert got[0] == pytest.approx(psi(reference, live), rel=1e-9, abs=1e-9, nan_ok=True)
    # Near zero the square root makes 1e-8 of a rounding of 1e-16: compare the divergence, and the distance elsewhere.
    assert got[1] ** 2 == pytest.approx(js(reference, live) ** 2, abs=1e-12, nan_ok=True)
    if js(reference, live) > 1e-6:
        assert got[1] == pytest.approx(js(reference, live), abs=1e-9)


def test_the_floor_decides_the_value_of_an_empty_cell(client: Client) -> None:
    got = client.command("SELECT driftline_psi([50, 50], [0, 100])")
    assert float(str(got)) == pytest.approx((1e-4 - 0.5) * np.log(1e-4 / 0.5) + 0.5 * np.log(2), abs=1e-12)


def test_cells_that_are_empty_on_both_sides_add_nothing(client: Client) -> None:
    row = client.query(
        "SELECT driftline_psi([5, 0, 3], [2, 0, 6]) = driftline_psi([5, 3], [2, 6]), driftline_js([5, 0], [5, 0])"
    ).result_rows[0]
    assert row == (1, 0.0)


def test_an_empty_side_is_told_as_nan(client: Client) -> None:
    none = "emptyArrayUInt64()"
    calls = ["driftline_psi([0, 0], [1, 2])", "driftline_js([1, 2], [0, 0])", f"driftline_psi({none}, {none})"]
    assert client.query(f"SELECT {', '.join(f'isNaN({call})' for call in calls)}").result_rows == [(1, 1, 1)]


@settings(max_examples=25, deadline=None)
@given(steps=st.lists(st.booleans(), max_size=20), data=st.data())
def test_cells_are_summed_into_their_coarse_cells(steps: list[bool], data: st.DataObject, client: Client) -> None:
    decile = np.concatenate([[0], np.cumsum(steps)]).astype(int)
    counts = data.draw(st.lists(count, min_size=decile.size, max_size=decile.size))
    query = "SELECT driftline_coarse({c:Array(UInt64)}, {d:Array(UInt16)})"
    got = client.query(query, {"c": counts, "d": decile.tolist()}).result_rows[0][0]
    assert got == [sum(c for c, d in zip(counts, decile, strict=True) if d == cell) for cell in range(decile[-1] + 1)]


Row = tuple[str, dict[str, Any]]


def profile(column: str, kind: str, pane: int, counts: list[int], nulls: int, revision: int = 1) -> Row:
    return "column_profile", {
        "model": "m", "version": "1", "segment": "a=b", "column": column, "pane_start_ms": pane * HOUR_MS,
        "pane_end_ms": (pane + 1) * HOUR_MS, "reference": "ab", "kind": kind, "n": sum(counts), "nulls": nulls,
        "invalid": 1, "minimum": 0.0, "maximum": 1.0, "mean": 0.5, "std": 0.1, "quantiles": [], "counts": counts,
        "frequent_unseen": [], "revision": revision,
    }  # fmt: skip


def reference(column: str, kind: str, counts: list[int], nulls: int, decile: list[int], version: str = "1") -> Row:
    return "reference_column", {
        "model": "m", "reference": "ab", "version": version, "segment": "a=b", "column": column, "kind": kind,
        "n": sum(counts), "nulls": nulls, "edges": [], "categories": [], "counts": counts, "decile": decile,
    }  # fmt: skip


def write(sink: ClickHouseSink, rows: Sequence[Row]) -> None:
    sink.write([batch_of(RECORDS[name], [row]) for name, row in rows])


BETWEEN = """
SELECT column, n_panes, n, nulls, n_reference, psi, js
FROM drift_between(
    model = {m:String}, segment = {s:String}, from_time = {f:DateTime64(3, 'UTC')}, to_time = {t:DateTime64(3, 'UTC')})
ORDER BY column
"""


def between(client: Client, first: int, last: int, *, model: str = "m", segment: str = "a=b") -> list[tuple[Any, ...]]:
    def clock(hour: int) -> str:
        return f"1970-01-{1 + hour // 24:02d} {hour % 24:02d}:00:00"

    parameters = {"m": model, "s": segment, "f": clock(first), "t": clock(last)}
    return [tuple(row) for row in client.query(BETWEEN, parameters).result_rows]


DECILE = [0, 0, 1, 1, 2, 3, 3]
LARGEST = [0, 1, 2, 2]  # the tail is all that is smaller, `other` and `unseen`
small = st.integers(0, 50)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    panes=st.lists(
        st.tuples(st.lists(small, min_size=7, max_size=7), st.lists(small, min_size=4, max_size=4), small),
        min_size=1,
        max_size=30,
    ),
    pinned=st.tuples(st.lists(small, min_size=7, max_size=7), st.lists(small, min_size=4, max_size=4), small),
    data=st.data(),
)
def test_any_range_of_panes_equals_numpy_on_their_sum(
    panes: list[tuple[list[int], list[int], int]],
    pinned: tuple[list[int], list[int], int],
    data: st.DataObject,
    sink: ClickHouseSink,
    client: Client,
    empty: Callable[[], None],
) -> None:
    empty()
    numbers, words, nulls = pinned
    old = profile("number", "numeric", 0, [9] * 7, 9, revision=0)  # counts for nothing
    words_reference = reference("word", "categorical", words, nulls, LARGEST)
    write(sink, [words_reference])
    write(
        sink,
        [
            *(profile("number", "numeric", i, pane[0], pane[2]) for i, pane in enumerate(panes)),
            *(profile("word", "categorical", i, pane[1], pane[2]) for i, pane in enumerate(panes)),
            reference("number", "numeric", numbers, nulls, DECILE),
            words_reference,
        ],
    )
    write(sink, [old])
    first = data.draw(st.integers(0, len(panes) - 1))
    last = data.draw(st.integers(first + 1, len(panes)))
    inside = panes[first:last]

    got = between(client, first, last)

    cells = np.array(DECILE)
    live_number = np.bincount(cells, weights=np.sum([pane[0] for pane in inside], axis=0)).astype(np.int64)
    largest = np.array(LARGEST)
    live_word = np.bincount(largest, weights=np.sum([pane[1] for pane in inside], axis=0)).astype(np.int64)
    live_word = np.append(live_word, sum(pane[2] for pane in inside))
    pinned_word = np.append(np.bincount(largest, weights=words).astype(np.int64), nulls)
    expected = [
        ("number", np.bincount(cells, weights=numbers).astype(np.int64), live_number, sum(numbers)),
        ("word", pinned_word, live_word, sum(words)),
    ]
    for row, (column, pinned_cells, live_cells, n_reference) in zip(got, expected, strict=True):
        assert row[0] == column
        assert row[1] == len(inside)
        assert row[3] == sum(pane[2] for pane in inside)
        assert row[4] == n_reference
        assert row[5] == pytest.approx(psi(pinned_cells, live_cells), abs=1e-9, nan_ok=True)
        assert row[6] ** 2 == pytest.approx(js(pinned_cells, live_cells) ** 2, abs=1e-12, nan_ok=True)


def test_a_reference_known_under_two_versions_is_joined_once(sink: ClickHouseSink, client: Client) -> None:
    pinned = reference("x", "numeric", [1, 2, 3], 0, [0, 1, 2])
    other = reference("x", "numeric", [1, 2, 3], 0, [0, 1, 2], version="2")
    write(sink, [pinned, other, profile("x", "numeric", 0, [3, 2, 1], 0)])
    assert [(row[0], row[2]) for row in between(client, 0, 1)] == [("x", 6)]


def test_panes_that_only_overlap_the_range_other_segments_and_models_are_left_out(
    sink: ClickHouseSink, client: Client
) -> None:
    write(sink, [reference("x", "numeric", [1, 2], 0, [0, 1]), profile("x", "numeric", 1, [3, 2], 0)])
    assert len(between(client, 1, 2)) == 1
    assert between(client, 0, 1) == []
    assert between(client, 2, 3) == []
    assert between(client, 0, 5, segment="") == []
    assert between(client, 0, 5, model="n") == []


def test_categories_of_two_thousand_cells_are_compared(sink: ClickHouseSink, client: Client) -> None:
    rng = np.random.default_rng(7)
    pinned, live = rng.poisson(20, 2_000), rng.poisson(20, 2_000)
    write(sink, [reference("x", "categorical", pinned.tolist(), 5, list(range(2_000)))])
    write(sink, [profile("x", "categorical", 0, live.tolist(), 9)])
    ((_, _, _, _, _, got_psi, got_js),) = between(client, 0, 1)
    assert got_psi == pytest.approx(psi(np.append(pinned, 5), np.append(live, 9)), abs=1e-9)
    assert got_js == pytest.approx(js(np.append(pinned, 5), np.append(live, 9)), abs=1e-9)


def test_a_reference_that_is_written_again_is_compared_in_its_newer_coarse_cells(
    sink: ClickHouseSink, client: Client
) -> None:
    """The release before wrote each category as its own; rows of both lie side by side until ClickHouse merges them."""
    client.command("SYSTEM STOP MERGES references")
    write(sink, [reference("x", "categorical", [50, 30, 9, 1, 0], 0, [0, 1, 2, 3, 4])])
    write(sink, [reference("x", "categorical", [50, 30, 9, 1, 0], 0, [0, 1, 2, 2, 2])])
    write(sink, [profile("x", "categorical", 0, [50, 30, 0, 0, 10], 0)])
    try:
        ((_, _, _, _, _, got_psi, _),) = between(client, 0, 1)
    finally:
        client.command("SYSTEM START MERGES references")
    assert got_psi == pytest.approx(0.0, abs=1e-12), "the tail has ten rows on both sides"


def test_every_example_of_the_documentation_runs(client: Client) -> None:
    text = (Path(__file__).parents[2] / "docs" / "sql.md").read_text()
    examples = re.findall(r"^```sql\n(.*?);\n```", text, re.DOTALL | re.MULTILINE)
    assert len(examples) >= 5
    for example in examples:
        client.query(example)
