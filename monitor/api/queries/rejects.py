"""Events that could not be used."""

from typing import Final

import msgspec

from monitor.api.source import Source
from sinks.records.record import FIRST_MS

EXAMPLE_BYTES: Final = 600
_FIELDS: Final = """
SELECT model, reason, detail, toUnixTimestamp64Milli(time) AS time_ms, source_topic, source_partition, source_offset,
    event_index, length(raw) AS n_bytes, toValidUTF8(substring(raw, 1, {most:UInt32})) AS example
FROM rejects_latest
"""
_LAST: Final = f"""{_FIELDS}
WHERE (model = {{model:String}} OR {{model:String}} = '') AND (reason = {{reason:String}} OR {{reason:String}} = '')
ORDER BY time DESC, source_topic, source_partition, source_offset DESC, event_index DESC
LIMIT {{limit:UInt32}} OFFSET {{offset:UInt32}}
"""
# What names another model that has windows is left to that model's report.
_OWN: Final = "model NOT IN (SELECT model FROM windows WHERE model != {model:String})"
_OWN_LAST: Final = f"""{_FIELDS}
WHERE {_OWN} ORDER BY time DESC, source_topic, source_partition, source_offset DESC, event_index DESC LIMIT 1 BY reason
"""
_OWN_COUNTS: Final = f"""
SELECT {{model:String}} AS model, reason, count() AS n, toUnixTimestamp64Milli(max(time)) AS last_ms
FROM rejects_latest WHERE rejects_latest.{_OWN} GROUP BY reason ORDER BY n DESC, reason
"""  # noqa: S608
_COUNTS: Final = """
SELECT model, reason, count() AS n, toUnixTimestamp64Milli(max(time)) AS last_ms
FROM rejects_latest WHERE (model = {model:String} OR {model:String} = '')
GROUP BY model, reason ORDER BY n DESC, model, reason LIMIT 500
"""


class Rejected(msgspec.Struct, frozen=True, kw_only=True):
    """One event, its first bytes as text; `time_ms`: when its message was sent."""

    model: str
    reason: str
    detail: str
    time_ms: int
    source_topic: str
    source_partition: int
    source_offset: int
    event_index: int
    n_bytes: int
    example: str

    @property
    def from_a_replay(self) -> bool:
        """Whether its place is a line of a file, and when it was sent is not known."""
        return self.time_ms == FIRST_MS


class RejectCount(msgspec.Struct, frozen=True, kw_only=True):
    """How many events of a model were rejected for a reason, and when the last one was."""

    model: str
    reason: str
    n: int
    last_ms: int


def last_rejects(source: Source, limit: int, *, model: str = "", reason: str = "", offset: int = 0) -> list[Rejected]:
    """The last ones, newest first; of one model and reason, or of all."""
    parameters = {"limit": limit, "offset": offset, "model": model, "reason": reason, "most": EXAMPLE_BYTES}
    return source.rows(_LAST, Rejected, parameters)


def reject_counts(source: Source, model: str = "") -> list[RejectCount]:
    """The most frequent first."""
    return source.rows(_COUNTS, RejectCount, {"model": model})


def rejects_of_report(source: Source, model: str) -> tuple[list[RejectCount], list[Rejected]]:
    """How many of this model, or of none that is known, by reason, the most frequent first; and an example of each."""
    counts = source.rows(_OWN_COUNTS, RejectCount, {"model": model})
    examples = {one.reason: one for one in source.rows(_OWN_LAST, Rejected, {"model": model, "most": EXAMPLE_BYTES})}
    return counts, [examples[one.reason] for one in counts]
