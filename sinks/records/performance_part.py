"""Where a change in loss comes from: other inputs, another relation, other labels, and which parts of which columns."""

import pyarrow as pa

from sinks.records.record import COUNT, FLOAT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="performance_part",
    table="performance_parts",
    file="performance_parts.parquet",
    meaning="A part of the change in loss from the reference to one segment and window. Of each kind at most 20 are "
    "kept, those that matter most; `performance` says how many subgroups were looked at.",
    month_of="window_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its events say"),
        Field(name="segment", type=TEXT, key=True, meaning="`dimension=value`; empty: the whole"),
        Field(
            name="part",
            type=TEXT,
            key=True,
            meaning="`inputs` and `relation`: what moved inputs and a changed relation explain, over the score's cells "
            "(they add up to the change). Of the whole alone: `label prior`: what other shares of the labels "
            "explain (NaN of a regression); `inputs by column`, `relation by column`: over the cells of one column or "
            "segment dimension; `subgroup`: one cell of a monitored column, failing ones first; `confusion`: a class "
            "that is taken for another",
        ),
        Field(
            name="rank",
            type=COUNT,
            key=True,
            meaning="from 1: the one that matters most; ranks beyond the last have no column",
        ),
        Field(name="window_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of the window"),
        Field(name="window_end_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the window, exclusive"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference compared with"),
        Field(
            name="column",
            type=TEXT,
            meaning="over whose cells: `@score`, `@scores` of several classes, `@truth`, `@segments dimension`, or a "
            "monitored column; of `confusion` the true class",
        ),
        Field(
            name="cell",
            type=TEXT,
            meaning="of a subgroup: which values; of `confusion`: the class that was said; of `label prior`: the share "
            "of the positive class, or of the one that moved most, or the mean label, in the reference and now",
        ),
        Field(
            name="contribution",
            type=FLOAT,
            unit="the loss",
            meaning="to the change in mean loss: log loss, the share of errors, or absolute error",
        ),
        Field(name="ci_low", type=FLOAT, unit="the loss", meaning="of its 95 % interval; NaN for subgroups"),
        Field(name="ci_high", type=FLOAT, unit="the loss", meaning="of its 95 % interval; NaN for subgroups"),
        Field(name="p_value", type=FLOAT, meaning="in [0, 1]: of no change; of `label prior`, of equal labels"),
        Field(name="q_value", type=FLOAT, meaning="of a subgroup: corrected over all looked at; else the p-value"),
        Field(name="failing", type=pa.bool_(), meaning="a subgroup whose loss went up beyond chance"),
        Field(name="loss_before", type=FLOAT, unit="the loss", meaning="the mean in the reference"),
        Field(name="loss_now", type=FLOAT, unit="the loss", meaning="the mean in the window"),
        Field(
            name="share",
            type=FLOAT,
            meaning="of the window's rows, the subgroup's; of `confusion`, of the true class's; else 1",
        ),
        Field(name="n_before", type=COUNT, unit="predictions", meaning="of the reference, with a loss"),
        Field(name="n_now", type=COUNT, unit="predictions", meaning="of the window, with a loss"),
        Field(name="provisional", type=pa.bool_(), meaning="as in `performance`"),
        Field(name="revision", type=COUNT, meaning="1, and one more with each correction, new labels among them"),
    ),
)
