"""One attempt to deliver an alert or a request to a destination."""

from sinks.records.record import COUNT, LONG_TEXT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="delivery",
    table="deliveries",
    meaning="One attempt to deliver an alert, or a request to retrain, to one destination.",
    month_of="at_ms",
    fields=(
        Field(name="destination", type=TEXT, key=True, meaning="its name in the configuration"),
        Field(name="event_id", type=LONG_TEXT, key=True, meaning="the CloudEvent's id"),
        Field(name="attempt", type=COUNT, key=True, meaning="from 1"),
        Field(name="at_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="when it was sent, by the wall clock"),
        Field(name="model", type=TEXT, meaning="the model's name"),
        Field(name="kind", type=TEXT, meaning="`alert` or `retraining`"),
        Field(name="dedupe_key", type=LONG_TEXT, meaning="of the alert or the request"),
        Field(
            name="outcome",
            type=TEXT,
            meaning="`accepted`, `known` (the destination had it already), `retried`, `refused` or `given_up`",
        ),
        Field(name="status", type=COUNT, meaning="of HTTP; 0: there was no answer"),
        Field(name="detail", type=LONG_TEXT, meaning="one line for people, without secrets"),
        Field(name="took_ms", type=COUNT, unit="ms", meaning="until the answer"),
    ),
)
