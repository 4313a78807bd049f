"""One column of one segment of a reference."""

import pyarrow as pa

from sinks.records.record import COUNT, FLOAT, TEXT, Field, Record

RECORD = Record(
    name="reference_column",
    table="references",
    meaning="One column of one segment of a reference: what SQL needs to compare the counts of profiles with it. Kept "
    "for good: old scores and counts mean nothing without the reference they belong to.",
    expires=False,
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference"),
        Field(name="version", type=TEXT, key=True, meaning="a label; the digest does not depend on it"),
        Field(name="segment", type=TEXT, key=True, meaning="`dimension=value`; empty: the whole"),
        Field(name="column", type=TEXT, key=True, meaning="a feature, or `@score` or `@label` of the prediction"),
        Field(name="kind", type=TEXT, meaning="`numeric` or `categorical`"),
        Field(name="n", type=COUNT, unit="values", meaning="valid ones"),
        Field(name="nulls", type=COUNT, unit="values", meaning="null ones"),
        Field(name="edges", type=pa.list_(FLOAT), meaning="the cells' edges, one fewer than cells; categorical: empty"),
        Field(
            name="categories",
            type=pa.list_(pa.string()),
            meaning="the cells' categories, then come `other` and `unseen`; numeric: empty",
        ),
        Field(name="counts", type=pa.list_(COUNT), unit="values", meaning="a count a cell, nulls apart"),
        Field(
            name="decile",
            type=pa.list_(pa.uint16()),
            meaning="the coarse cell of each cell, from 0, the same in every segment: deciles; categorical: the "
            "largest categories, and one tail of all others",
        ),
    ),
)
