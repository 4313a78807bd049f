"""One transition of a request to retrain."""

import pyarrow as pa

from sinks.records.record import COUNT, LONG_TEXT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="retraining",
    table="retraining",
    meaning="One transition of a request to retrain a model: requested, held back and why, or what became of it.",
    month_of="at_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="dedupe_key", type=LONG_TEXT, key=True, meaning="the same for a request and its outcome"),
        Field(
            name="status",
            type=TEXT,
            key=True,
            meaning="`requested`, `held_back`, `succeeded`, `failed`, `cancelled` or `expired`",
        ),
        Field(name="at_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="end of the window that decided"),
        Field(name="version", type=TEXT, meaning="the model's version to be replaced"),
        Field(name="reason", type=LONG_TEXT, meaning="a sentence for people"),
        Field(name="causes", type=pa.list_(pa.string()), meaning="of the alerts that ask; empty: the version is old"),
        Field(name="held_because", type=pa.list_(pa.string()), meaning="codes of what holds it back"),
        Field(name="attempt", type=COUNT, meaning="of the same alert, from 1"),
        Field(name="dry_run", type=pa.bool_(), meaning="nothing is to act on it"),
        Field(name="training_start_ms", type=TIME, unit=TIME_UNIT, meaning="first instant to train on"),
        Field(name="training_end_ms", type=TIME, unit=TIME_UNIT, meaning="end of what to train on, exclusive"),
        Field(name="reference", type=TEXT, meaning="digest of the reference compared with"),
        Field(name="reference_version", type=TEXT, meaning="the reference's label"),
        Field(name="new_version", type=TEXT, meaning="of the model that came of it; empty: none was reported"),
        Field(name="evidence", type=LONG_TEXT, meaning="what it rests on, as JSON; see `docs/schemas`"),
    ),
)
