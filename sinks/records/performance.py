"""One figure of a model's performance in one segment and window: measured on labels, or estimated before they come."""

import pyarrow as pa

from sinks.records.record import COUNT, FLOAT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="performance",
    table="performance",
    file="performance.parquet",
    meaning="One figure of a model's performance in one segment and window of predictions: measured on the labels that "
    "have come, or estimated from the scores alone; both stay, side by side. Segments with fewer matches than "
    "`min_samples` are not measured: see the metric `segments_not_measured` of the whole.",
    month_of="window_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its events say"),
        Field(name="segment", type=TEXT, key=True, meaning="`dimension=value`; empty: the whole"),
        Field(
            name="metric",
            type=TEXT,
            key=True,
            meaning="`roc_auc`, `pr_auc`, `log_loss`, `brier`, `ece`, `accuracy`, `precision`, `recall`, `f1`, "
            "`macro_f1`, `recall:<class>`, `mae`, `rmse`, `bias` (mean of prediction less truth), `r2`, "
            "`residual:<quantile>` (of truth less prediction, the other sign; the end of the reference's range where "
            "it lies beyond); `value`: mean of the number that came with labels. Of the whole alone: `labels_unknown`: "
            "labels of a class that the reference does not know, which are in no metric (of several classes: wrong, "
            "and without log loss); `labels_due` by now, by the reference's delays; "
            "`labels_missing`, the share of them that is not there; `label_delay_psi` against the reference's; "
            "`label_delay_ms:<quantile>`; `labelled_unlike:@score`, or `:<dimension>`: Cramér's V of having "
            "a label with the score, the segment; `segments_measured`, `segments_not_measured` for want of matches; "
            "`subgroups_looked_at`, `subgroups_failing`, `subgroups_masked`: failing while the aggregate stands still",
        ),
        Field(name="estimated", type=pa.bool_(), key=True, meaning="without labels, from the scores alone"),
        Field(name="window_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of the window"),
        Field(name="window_end_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the window, exclusive"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference in whose cells it was counted"),
        Field(name="value", type=FLOAT, unit="the metric's own unit", meaning="NaN where it is undefined"),
        Field(name="ci_low", type=FLOAT, unit="the metric's own unit", meaning="of the 95 % interval; NaN if unknown"),
        Field(name="ci_high", type=FLOAT, unit="the metric's own unit", meaning="of the 95 % interval; NaN if unknown"),
        Field(
            name="reference_value",
            type=FLOAT,
            unit="the metric's own unit",
            meaning="the same of the reference's own segment; NaN without a labelled reference",
        ),
        Field(
            name="spread_low",
            type=FLOAT,
            unit="the metric's own unit",
            meaning="2.5 % quantile over windows of the whole reference; NaN if unknown, and for segments",
        ),
        Field(
            name="spread_high",
            type=FLOAT,
            unit="the metric's own unit",
            meaning="97.5 % quantile over windows of the whole reference; NaN if unknown, and for segments",
        ),
        Field(
            name="estimate_error",
            type=FLOAT,
            unit="the metric's own unit",
            meaning="of an estimate: measured less estimated, once no longer provisional; else NaN, and where labels "
            "came for some predictions rather than for others (`@labels_selective`)",
        ),
        Field(name="n", type=COUNT, unit="predictions", meaning="the figure rests on"),
        Field(name="n_labelled", type=COUNT, unit="predictions", meaning="of the segment that have a label by now"),
        Field(name="n_total", type=COUNT, unit="predictions", meaning="of the segment, with or without"),
        Field(name="maturity", type=FLOAT, meaning="n_labelled / n_total, in [0, 1]; NaN without predictions"),
        Field(
            name="provisional",
            type=pa.bool_(),
            meaning="the whole's maturity is below `mature_at`, and the window's `label_horizon` is not over",
        ),
        Field(
            name="error_bound",
            type=FLOAT,
            unit="the metric's own unit",
            meaning="how far counting in cells may have moved the value",
        ),
        Field(name="label_ms", type=TIME, unit=TIME_UNIT, meaning="how far the time of labels was complete"),
        Field(name="revision", type=COUNT, meaning="1, and one more with each correction, new labels among them"),
    ),
)
