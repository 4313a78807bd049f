"""What one column of one segment held in one pane."""

import pyarrow as pa

from sinks.records.record import COUNT, FLOAT, TEXT, TIME, TIME_UNIT, Field, Record

UNSEEN = pa.struct([("value", pa.string()), ("count", COUNT), ("error", COUNT)])

RECORD = Record(
    name="column_profile",
    table="column_profiles",
    file="quality.parquet",
    meaning="What one column of one segment held in one pane. Panes add up: `counts` of several, added cell by cell, "
    "are those of any time range.",
    month_of="pane_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its events say"),
        Field(name="segment", type=TEXT, key=True, meaning="`dimension=value`; empty: the whole"),
        Field(name="column", type=TEXT, key=True, meaning="a feature, or `@score` or `@label` of the prediction"),
        Field(name="pane_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of the pane"),
        Field(name="pane_end_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the pane, exclusive"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference that fixed the cells"),
        Field(name="kind", type=TEXT, meaning="`numeric` or `categorical`"),
        Field(name="n", type=COUNT, unit="values", meaning="valid ones; nulls and invalid come on top"),
        Field(name="nulls", type=COUNT, unit="values", meaning="null ones"),
        Field(name="invalid", type=COUNT, unit="values", meaning="of the wrong kind, NaN or infinite"),
        Field(name="minimum", type=FLOAT, meaning="of a numeric column's valid values, else NaN"),
        Field(name="maximum", type=FLOAT, meaning="of a numeric column's valid values, else NaN"),
        Field(name="mean", type=FLOAT, meaning="of a numeric column's valid values, else NaN"),
        Field(name="std", type=FLOAT, meaning="the population's, of a numeric column's valid values, else NaN"),
        Field(
            name="quantiles",
            type=pa.list_(FLOAT),
            meaning="at 0.05, 0.25, 0.5, 0.75 and 0.95; empty for a categorical column",
        ),
        Field(
            name="counts",
            type=pa.list_(COUNT),
            unit="values",
            meaning="a count a cell of the reference's grid; categorical: its categories, `other`, `unseen`",
        ),
        Field(
            name="frequent_unseen",
            type=pa.list_(UNSEEN),
            meaning="values that the reference lacks; the true count lies in [count, count + error], for people",
        ),
        Field(name="revision", type=COUNT, meaning="1, and one more with each correction"),
    ),
)
