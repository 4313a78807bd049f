"""Where rows go that a destination did not take within its retry window, or never will: the topic `drift.undelivered`.

A message has the form of one of `drift.results`, so that it can be sent there again, and two headers that say which
destination it was for and why it is here.
"""

from typing import Final

import pyarrow as pa

from monitor.roles.outbox import Outgoing
from sinks.errors import BadRecord
from sinks.records import Source, encode, source_of
from sinks.records.split import compact

DESTINATION_HEADER: Final = "driftline-destination"
BECAUSE_HEADER: Final = "driftline-because"
_MOST_BECAUSE: Final = 1000


def undelivered(topic: str, destination: str, rows: pa.RecordBatch, because: str) -> Outgoing:
    """The message."""
    headers = (
        (DESTINATION_HEADER, destination.encode()),
        (BECAUSE_HEADER, because[:_MOST_BECAUSE].encode("utf-8", "replace")),
    )
    return Outgoing(topic=topic, body=encode(compact(rows), _source(rows)), headers=headers)


def _source(rows: pa.RecordBatch) -> Source:
    try:
        return source_of(rows)
    except BadRecord:  # rows of the reference, which came from no message
        return Source(topic="", partition=0, offset=0)
