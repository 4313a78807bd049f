"""Events that came too late to be counted."""

import pyarrow as pa

from sinks.records.record import COUNT, TEXT, TIME, TIME_UNIT, Field, Record

RECORD = Record(
    name="late_dropped",
    table="late_dropped",
    meaning="Events that came after the retention of their pane, by the message of `drift.sketches` that brought them.",
    month_of="pane_start_ms",
    fields=(
        Field(name="model", type=TEXT, key=True, meaning="the model's name"),
        Field(name="version", type=TEXT, key=True, meaning="the model's version, as its events say"),
        Field(name="pane_start_ms", type=TIME, unit=TIME_UNIT, key=True, meaning="first instant of their pane"),
        Field(name="source_topic", type=TEXT, key=True, meaning="where the message stands: its topic"),
        Field(name="source_partition", type=pa.int32(), key=True, meaning="its partition"),
        Field(name="source_offset", type=pa.int64(), key=True, meaning="its offset"),
        Field(name="n", type=COUNT, unit="events", meaning="not counted"),
    ),
)
