"""Training-serving skew of one feature in one window: values that were served against the same computed again."""

from sinks.records.record import COUNT, FLOAT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="feature_skew",
    table="feature_skew",
    file="feature_skew.parquet",
    meaning="How one feature of the predictions of one window differs from what it is when computed again, pair by "
    "pair, joined by `prediction_id`. Only models with `feature_skew`, and windows with such pairs.",
    month_of="window_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its predictions say"),
        Field(name="column", type=TEXT, key=True, meaning="the feature"),
        Field(name="window_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of the window"),
        Field(name="window_end_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the window, exclusive"),
        Field(name="reference", type=TEXT, key=True, meaning="digest of the reference that predictions were read by"),
        Field(name="n_compared", type=COUNT, unit="pairs", meaning="with a value on either side"),
        Field(
            name="n_mismatched",
            type=COUNT,
            unit="pairs",
            meaning="whose values differ beyond the tolerance, or of which one side has none",
        ),
        Field(name="share", type=FLOAT, meaning="n_mismatched / n_compared, in [0, 1]; NaN without pairs"),
        Field(name="ci_low", type=FLOAT, meaning="of the share's 95 % interval (Wilson); NaN without pairs"),
        Field(name="ci_high", type=FLOAT, meaning="of the share's 95 % interval (Wilson); NaN without pairs"),
        Field(
            name="n_one_sided",
            type=COUNT,
            unit="pairs",
            meaning="with a value on one side, and null or invalid on the other",
        ),
        Field(
            name="n_served_only",
            type=COUNT,
            unit="pairs",
            meaning="of them, those whose value was served; where that is n_compared, the feature was not computed "
            "again and has no verdict",
        ),
        Field(
            name="mean_difference",
            type=FLOAT,
            unit="the feature's",
            meaning="served less recomputed, where both are numbers; NaN of categories and without pairs",
        ),
        Field(
            name="std_difference",
            type=FLOAT,
            unit="the feature's",
            meaning="the standard deviation of these differences; NaN below two",
        ),
        Field(
            name="tolerance", type=FLOAT, meaning="by which share of the larger equal numbers may differ, as configured"
        ),
        Field(name="revision", type=COUNT, meaning="1, and one more with each correction, new pairs among them"),
    ),
)
