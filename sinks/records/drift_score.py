"""One method's evidence on one column of one segment in one window."""

from sinks.records.record import COUNT, FLOAT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="drift_score",
    table="drift_scores",
    file="drift.parquet",
    meaning="One method's evidence on one column of one segment in one window. Columns that cannot be scored have no "
    "row, nor has a method of whose matter neither side holds anything; see `windows`.",
    version=2,
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
            name="compare",
            type=TEXT,
            key=True,
            default="pinned",
            meaning="what the window was compared with: `pinned`, `trailing 28d`, `season hour_of_week`, `version 3`",
        ),
        Field(
            name="statistic",
            type=FLOAT,
            unit="the method's own unit",
            meaning="how far the two sides are apart; of methods with a sign, positive where the window has more",
        ),
        Field(
            name="effect",
            type=FLOAT,
            unit="the method's own unit",
            meaning="the statistic's size without what unchanged data of these sizes make of it, at least 0",
            default=0.0,
        ),
        Field(name="p_value", type=FLOAT, meaning="in [0, 1]: the larger of theory's and of the reference's panes'"),
        Field(
            name="calibration",
            type=TEXT,
            default="theory",
            meaning="which of the two it is: `theory`, `panes`, or `extrapolated` from panes shorter than the window",
        ),
        Field(
            name="threshold",
            type=FLOAT,
            unit="the method's own unit",
            meaning="the smallest effect that counts as drift",
        ),
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
