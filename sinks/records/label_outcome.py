"""What became of predictions and labels in the join."""

import pyarrow as pa

from sinks.records.record import COUNT, TEXT, Field, Record

RECORD = Record(
    name="label_outcome",
    table="label_outcomes",
    file="label_outcomes.parquet",
    meaning="What became of the predictions and labels of a model since its labels are joined, one row a partition of "
    "`drift.joins`: the last revision counts, and partitions add up.",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(
            name="outcome",
            type=TEXT,
            key=True,
            meaning="`matched` now; `repeated`, `corrected`, `superseded` labels; `duplicate_prediction`; labels that "
            "came before their prediction (`label_before_prediction`), later than its horizon (`label_overdue`), or "
            "when it had passed (`too_late`); `expired`: predictions that no label came for; `orphan`: labels of no "
            "prediction; `unknown_model`. Of features computed again: `features_compared` pairs now; "
            "`duplicate_features`; pairs further apart than the horizon (`features_overdue`), or when it had passed "
            "(`features_too_late`); `features_not_recomputed`; `features_orphan`: of no prediction",
        ),
        Field(name="join_partition", type=pa.int32(), key=True, meaning="of `drift.joins`"),
        Field(name="n", type=COUNT, unit="predictions or labels", meaning="since the beginning"),
        Field(name="revision", type=COUNT, meaning="the offset in that partition up to which is counted, and one"),
    ),
    expires=False,
)
