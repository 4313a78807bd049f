"""The verdict on one column of one segment in one window."""

import pyarrow as pa

from sinks.records.record import COUNT, FLOAT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="drift_verdict",
    table="drift_verdicts",
    file="verdicts.parquet",
    meaning="The verdict on one column of one segment in one window: what all methods say together, corrected over all "
    "columns and segments of the window. `drift_scores` has the evidence.",
    month_of="window_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its events say"),
        Field(name="segment", type=TEXT, key=True, meaning="`dimension=value`; empty: the whole"),
        Field(
            name="column",
            type=TEXT,
            key=True,
            meaning="a feature, `@score` or `@label` of the prediction, `@coverage`, or `@joint` of all features; from "
            "labels: `@loss`, `@relation` of inputs to labels, `@subgroup` (the worst part of any column), `@delay` of "
            "labels, `@labels_missing`, `@labels_selective`",
        ),
        Field(name="window_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of the window"),
        Field(name="window_end_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the window, exclusive"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference whose cells were compared"),
        Field(
            name="compare",
            type=TEXT,
            key=True,
            meaning="what the window was compared with: `pinned`, `trailing 28d`, `season hour_of_week`, `version 3`; "
            "`sequential adwin`: a sequential detector, whose windows are panes of label time; `recomputed`: the same "
            "features computed again, see `feature_skew`",
        ),
        Field(name="drifted", type=pa.bool_(), meaning="the effect reaches its threshold, and significantly so"),
        Field(name="p_value", type=FLOAT, meaning="in [0, 1]: Simes over the column's methods"),
        Field(
            name="q_value",
            type=FLOAT,
            meaning="in [0, 1]: Benjamini-Hochberg over the window's columns and segments; what rests on labels is a "
            "family of its own, so are features computed again; NaN, as the p-value, of a sequential detector",
        ),
        Field(name="method", type=TEXT, meaning="the method that says most"),
        Field(name="effect", type=FLOAT, unit="the method's own unit", meaning="its debiased effect, at least 0"),
        Field(name="threshold", type=FLOAT, unit="the method's own unit", meaning="the smallest effect that counts"),
        Field(
            name="direction",
            type=TEXT,
            meaning="`up`, `down`, `wider`, `narrower`, `reshaped`, `new category`, `category gone`, `category up`, "
            "`category down`, `more missing`, `fewer missing`, `more invalid`, `fewer invalid`, `above range`, "
            "`below range`, `fewer features`, `fewer predictions`; of losses `worse`, `better`, `changed relation`, "
            "`worse in part`, `masked` (in part, while the whole stands still); of labels `later`, `sooner`, `labels "
            "missing`, `labels selective`; of features computed again `skewed`; `none` where nothing drifted",
        ),
        Field(
            name="quantity", type=TEXT, meaning="what changed most: `mean`, `share of UA`; empty where nothing drifted"
        ),
        Field(
            name="before", type=FLOAT, unit="the quantity's", meaning="its value in what was compared with; else NaN"
        ),
        Field(name="after", type=FLOAT, unit="the quantity's", meaning="its value in the window; else NaN"),
        Field(name="n_reference", type=COUNT, unit="values", meaning="the method's, of what was compared with"),
        Field(name="n_current", type=COUNT, unit="values", meaning="the method's, of the window"),
        Field(name="revision", type=COUNT, meaning="1, and one more with each correction"),
    ),
)
