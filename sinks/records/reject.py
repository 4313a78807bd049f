"""One event that could not be used."""

import pyarrow as pa

from sinks.records.record import LONG_TEXT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="reject",
    table="rejects",
    meaning="One event that could not be used, its bytes whole.",
    month_of="time_ms",  # of the message, so a function of the key
    fields=(
        Field(name="source_topic", type=TEXT, key=True, meaning="where the event's message stands: its topic"),
        Field(name="source_partition", type=pa.int32(), key=True, meaning="its partition"),
        Field(name="source_offset", type=pa.int64(), key=True, meaning="its offset"),
        Field(name="event_index", type=pa.uint32(), key=True, meaning="which event of its message, from 0"),
        Field(name="model", type=TEXT, meaning="empty: the event does not say"),
        Field(
            name="reason",
            type=TEXT,
            meaning="undecodable, schema, unknown_model, bad_timestamp, missing_id or oversize",
        ),
        Field(name="detail", type=LONG_TEXT, meaning="one line for people"),
        Field(
            name="time_ms",
            type=TIME,
            unit=TIME_UNIT,
            meaning="when the message was sent, by Kafka; brought into ClickHouse's range",
        ),
        Field(name="raw", type=pa.binary(), meaning="the bytes of the event"),
    ),
)
