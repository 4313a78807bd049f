"""What the events of one segment in one window spoke of."""

import pyarrow as pa

from sinks.records.record import COUNT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="window",
    table="windows",
    file="windows.parquet",
    meaning="The events of one segment in one window, and what they spoke of. `both` over `with_prediction` is the "
    "share of predictions that came with features in the same event; as events of their own they balance: see the "
    "method `coverage`.",
    month_of="window_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its events say"),
        Field(name="segment", type=TEXT, key=True, meaning="`dimension=value`; empty: the whole"),
        Field(name="window_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of the window"),
        Field(name="window_end_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the window, exclusive"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference compared with"),
        Field(name="events", type=COUNT, unit="events", meaning="all of them"),
        Field(name="with_features", type=COUNT, unit="events", meaning="that speak of their features"),
        Field(name="with_prediction", type=COUNT, unit="events", meaning="that speak of their prediction"),
        Field(name="both", type=COUNT, unit="events", meaning="that speak of both"),
        Field(name="columns_scored", type=COUNT, unit="columns", default=0, meaning="that have a verdict"),
        Field(
            name="columns_not_scored",
            type=COUNT,
            unit="columns",
            default=0,
            meaning="that the reference could score, and this window cannot",
        ),
        Field(
            name="reason",
            type=TEXT,
            default="",
            meaning="why there are such: `few events` of the segment, `absent`: events that do not speak of them, or "
            "`nothing to compare with`",
        ),
        Field(
            name="partial",
            type=pa.bool_(),
            default=False,
            meaning="scored on a part of its events: others are in panes that reach beyond it, cut before `windows` "
            "were changed",
        ),
        Field(name="revision", type=COUNT, meaning="1, and one more with each correction"),
    ),
)
