"""How much is measured: enough for figures that hold, or just enough to see that everything runs."""

import os
from pathlib import Path
from typing import Final

import msgspec

VARIABLE: Final = "DRIFTLINE_BENCH_SIZE"
"""`tiny` measures hardly anything. For tests; not for people, so no option of the command."""


class Size(msgspec.Struct, frozen=True, kw_only=True):
    """Amounts.

    Attributes
    ----------
    events
        distinct events for decoding and sketching; fewer than a micro-batch has at most (`kafka.batch_events`).
    reference_rows
        rows that the reference is built from.
    arrow_rows
        rows of one Arrow message: below Kafka's default of 1 MB a message.
    kafka_events
        events in the topic that a round reads from its beginning to its end.
    columns
        numeric columns that are scored.
    pane_events
        events in the pane whose memory is measured, and the window that is scored.
    windows
        windows of a round of which the delay to ClickHouse is measured.
    idle_events
        events that `driftline up` has worked through when its memory is measured.
    flight_days
        days of the demo's flights, from February on.
    pending
        predictions that wait for their labels at once.
    round_s
        processor seconds that a round lasts at least; the work is repeated until then.
    """

    events: int
    reference_rows: int
    arrow_rows: int
    kafka_events: int
    columns: int
    pane_events: int
    windows: int
    flight_days: int
    idle_events: int
    pending: int
    round_s: float


FULL: Final = Size(
    events=40_000,
    reference_rows=100_000,
    arrow_rows=4_000,
    kafka_events=200_000,
    columns=1_000,
    pane_events=10_000,
    windows=30,
    flight_days=28,
    idle_events=60_000,
    pending=10_000_000,
    round_s=0.4,
)
TINY: Final = Size(
    events=400,
    reference_rows=2_000,
    arrow_rows=200,
    kafka_events=400,
    columns=8,
    pane_events=300,
    windows=2,
    flight_days=2,
    idle_events=300,
    pending=20_000,
    round_s=0.0,
)


class Material(msgspec.Struct, frozen=True, kw_only=True):
    """What a piece of work is made from: the folder with configuration, reference and messages, and the amounts."""

    folder: Path
    size: Size


def chosen_size() -> Size:
    """`FULL`, unless the environment asks for `tiny`."""
    return TINY if os.environ.get(VARIABLE) == "tiny" else FULL
