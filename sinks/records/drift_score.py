"""One method's verdict on one column of one segment in one window."""

import pyarrow as pa

from sinks.records.record import COUNT, FLOAT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="drift_score",
    table="drift_scores",
    file="drift.parquet",
    meaning="One method's verdict on one column of one segment in one window.",
    month_of="window_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its events say"),
        Field(name="segment", type=TEXT, key=True, meaning="`dimension=value`; empty: the whole"),
        Field(name="column", type=TEXT, key=True, meaning="a feature, or `@score` or `@label` of the prediction"),
        Field(name="method", type=TEXT, key=True, meaning="the method's name"),
        Field(name="window_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of the window"),
        Field(name="window_end_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the window, exclusive"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference compared with"),
        Field(
            name="statistic",
            type=FLOAT,
            unit="the method's own unit",
            meaning="the effect, at least 0; NaN without values",
        ),
        Field(name="p_value", type=FLOAT, meaning="in [0, 1]; NaN when insufficient"),
        Field(name="q_value", type=FLOAT, meaning="corrected over the window's columns; NaN when insufficient"),
        Field(
            name="threshold",
            type=FLOAT,
            unit="the method's own unit",
            meaning="the smallest effect that counts as drift",
        ),
        Field(name="drifted", type=pa.bool_(), meaning="the threshold is reached, and significantly so"),
        Field(name="insufficient", type=pa.bool_(), meaning="too few values for a verdict; `drifted` is then false"),
        Field(name="n_reference", type=COUNT, unit="values", meaning="the reference's, that were compared"),
        Field(name="n_current", type=COUNT, unit="values", meaning="the window's, that were compared"),
        Field(
            name="error_bound",
            type=FLOAT,
            unit="the method's own unit",
            meaning="how far off the raw values' statistic may be",
        ),
        Field(name="revision", type=COUNT, meaning="1, and one more with each correction"),
    ),
)
