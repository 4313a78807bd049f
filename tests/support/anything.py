"""Rows of the model of `support.events` with anything wrong, for Hypothesis, and how formats hold them."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
from hypothesis import strategies as st
from support.events import START_MS

HOUR_MS: Final = 3_600_000

TEXTS: Final = st.text(st.characters(exclude_categories=["Cc", "Cs", "Zl", "Zp"]), max_size=6)
ANYTHING: Final = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    TEXTS,
    st.sampled_from(["NA", "1,5", "$3", "12%", "'", '"', ";", "0x1f", "٣", "1e400", "﻿", "=1+1", "{}", "[", "null"]),
)
TIMES: Final = st.one_of(
    st.integers(START_MS, START_MS + 6 * HOUR_MS),
    st.integers(START_MS - 60 * 24 * HOUR_MS, START_MS),
    st.integers(START_MS, START_MS + 6 * HOUR_MS).map(
        lambda at_ms: datetime.fromtimestamp(at_ms / 1000, UTC).isoformat()
    ),
    st.sampled_from(
        ["", "yesterday", "2024-13-01", "2024-02-30", None, -1, 0, 1_709_287_200, 4e18, "2300-01-01", True, "now", 1e-9]
    ),
)
ROWS: Final = st.lists(
    st.fixed_dictionaries(
        {"model": st.sampled_from(["m", "m", "m", "m", "other", "", None, 7]), "timestamp": TIMES},
        optional=dict.fromkeys(
            ("amount", "age", "color", "site", "score", "label", "version", "prediction_id"), ANYTHING
        ),
    ),
    min_size=1,
    max_size=25,
)


def nested(row: dict[str, Any]) -> dict[str, Any]:
    """As events in JSON are."""
    names = ("amount", "age", "color", "site")
    features = {name: row[name] for name in names if name in row}
    return {name: value for name, value in row.items() if name not in names} | (
        {"features": features} if features else {}
    )


def columns(rows: Sequence[dict[str, Any]]) -> pa.Table:
    """Of text, where values of one column are of several types."""
    names = sorted({name for row in rows for name in row})
    found: dict[str, pa.Array] = {}
    for name in names:
        values = [row.get(name) for row in rows]
        try:
            found[name] = pa.array(values)
        except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError):
            found[name] = pa.array([None if value is None else str(value) for value in values], pa.string())
    return pa.table(found)
