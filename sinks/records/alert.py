"""One transition of an alert."""

import pyarrow as pa

from sinks.records.record import COUNT, FLOAT, LONG_TEXT, TEXT, TIME, TIME_UNIT, Field, Record

MOVED = pa.struct(
    [
        ("column", pa.string()),
        ("segment", pa.string()),
        ("direction", pa.string()),
        ("quantity", pa.string()),
        ("before", FLOAT),
        ("after", FLOAT),
        ("effect", FLOAT),
        ("threshold", FLOAT),
        ("method", pa.string()),
        ("since_ms", TIME),
        ("follows", pa.bool_()),
    ]
)

RECORD = Record(
    name="alert",
    table="alerts",
    meaning="One transition of an alert: raised, updated or resolved, with the evidence that made it.",
    month_of="at_ms",  # a function of the key
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="dedupe_key", type=LONG_TEXT, key=True, meaning="the same for all transitions of one alert"),
        Field(name="sequence", type=COUNT, key=True, meaning="counts the alert's transitions, from 1"),
        Field(name="version", type=TEXT, meaning="the model's version that moved most"),
        Field(name="reference", type=TEXT, meaning="digest of the reference compared with"),
        Field(name="state", type=TEXT, meaning="`raised`, `updated` or `resolved`"),
        Field(
            name="cause",
            type=TEXT,
            meaning="`schema`, `data_quality`, `data_drift`, `prediction_drift`, `subgroup`, `performance`, "
            "`concept_drift`, `label_delay`, `silence` or `rejects`",
        ),
        Field(name="severity", type=TEXT, meaning="`warning` or `critical`"),
        Field(name="at_ms", type=TIME, unit=TIME_UNIT, meaning="end of the window that decided"),
        Field(name="onset_ms", type=TIME, unit=TIME_UNIT, meaning="where the change is placed"),
        Field(
            name="columns",
            type=pa.list_(MOVED),
            meaning="what moved, the largest effect times importance first; `follows`: because others did",
        ),
        Field(name="summary", type=LONG_TEXT, meaning="the sentence for people"),
        Field(name="recommendation", type=LONG_TEXT, meaning="what to do"),
        Field(name="evidence", type=LONG_TEXT, meaning="what it rests on, as JSON; see `docs/schemas`"),
        Field(name="acknowledged_by", type=TEXT, meaning="who has it in hand; empty: nobody"),
    ),
)
