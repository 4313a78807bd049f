"""What came out: the rows in ClickHouse, those that `replay` wrote, and whether they are the same."""

import contextlib
import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from support.clickhouse import read
from support.installation import Installation

from sinks.clickhouse.client import connect
from sinks.records import RECORDS, Record

Row = dict[str, Any]
Results = dict[str, list[Row]]
"""By record."""

COMPARED = ("drift_verdict", "drift_score", "window", "performance", "performance_part", "feature_skew")
# What is made of means, which are sums of floats: the rest comes from counts, and is the same to the bit.
FROM_MEANS = frozenset({"mean", "variance", "wasserstein"})
_TOLERANCE = 1e-12
# A p-value's relative error is that of its statistic times the statistic squared.
_P_TOLERANCE = 1e-9


def parquet_rows(path: Path) -> list[Row]:
    """The rows that `replay` wrote into one file, in the order of their keys; without their revisions."""
    (record,) = (record for record in RECORDS.values() if record.file == path.name)
    return _comparable(record, pq.read_table(path).to_pylist())


def score_rows(installation: Installation) -> list[Row]:
    """The last revision of every score that ClickHouse holds, in the same order and form."""
    return delivered(installation)["drift_score"]


def delivered(installation: Installation) -> Results:
    """All that ClickHouse holds; deliver must have been stopped, for one process alone can open chDB's folder."""
    with contextlib.closing(connect(installation.config.destinations["clickhouse"].dsn.reveal())) as client:
        return {name: _comparable(RECORDS[name], read(client, name)) for name in COMPARED}


def replayed(folder: Path) -> Results:
    """All that `replay` wrote into a folder."""
    return {name: parquet_rows(folder / RECORDS[name].file) for name in COMPARED}


def _comparable(record: Record, rows: Iterable[Mapping[str, Any]]) -> list[Row]:
    """NaN equals nothing, itself included; here it stands for "no figure", and that is the same everywhere."""
    plain = [
        {
            name: "no figure" if isinstance(value, float) and math.isnan(value) else value
            for name, value in row.items()
            if name != "revision"
        }
        for row in rows
    ]
    return sorted(plain, key=lambda row: _key(record, row))


def _key(record: Record, row: Row) -> tuple[Any, ...]:
    return tuple(value.encode() if isinstance(value, str) else value for value in map(row.__getitem__, record.key))


def assert_same(ours: Results, theirs: Results) -> None:
    """The same rows: to the bit, but for what is made of means, which agrees to 1e-12."""
    assert ours.keys() == theirs.keys()
    for name, rows in ours.items():
        record = RECORDS[name]
        others = theirs[name]
        assert [_key(record, row) for row in rows] == [_key(record, row) for row in others], name
        for row, other in zip(rows, others, strict=True):
            assert row == other or all(_same(field, row, other) for field in row), (name, row, other)


def _same(field: str, row: Row, other: Row) -> bool:
    one, two = row[field], other[field]
    if one == two:
        return True
    if not (isinstance(one, float) and isinstance(two, float)):
        return False
    is_verdict = "quantity" in row
    if is_verdict and field in ("before", "after"):
        return math.isclose(one, two, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE)
    if field in ("p_value", "q_value"):  # a verdict's joins those of all methods
        return (is_verdict or row.get("method") in FROM_MEANS) and math.isclose(one, two, rel_tol=_P_TOLERANCE)
    return row.get("method") in FROM_MEANS and math.isclose(one, two, rel_tol=_TOLERANCE)
