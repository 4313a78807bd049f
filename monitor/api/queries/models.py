"""Which models, versions and windows there are."""

from typing import Final

import msgspec

from monitor.api.queries.sizes import size_of
from monitor.api.source import Source

# A bitmap of minutes is dense, one of seconds is not: that was half of the time over many models.
_VERSIONS: Final = """
SELECT model, version, dateDiff('second', window_start, window_end) AS size_s,
    toUnixTimestamp64Milli(min(window_start)) AS first_ms,
    toUnixTimestamp64Milli(max(window_end)) AS last_ms,
    toUnixTimestamp64Milli(max(inserted_at)) AS written_ms,
    groupBitmap(intDiv(toUInt32(toUnixTimestamp(window_start)), if(size_s < 60, 1, 60))) AS windows,
    argMax(events, toUnixTimestamp64Milli(window_end) * 1000 + least(revision, 999)) AS last_events
FROM windows WHERE segment = ''
GROUP BY model, version, size_s
"""
_SEGMENTS: Final = """
SELECT segment, sum(events) AS events FROM windows_latest
WHERE model = {model:String} AND version = {version:String} AND segment != ''
GROUP BY segment ORDER BY events DESC, segment LIMIT 1000
"""
_TABLES: Final = "SELECT name FROM system.tables WHERE database = currentDatabase()"


class Sized(msgspec.Struct, frozen=True, kw_only=True):
    """The windows of one length of one version of a model.

    Attributes
    ----------
    size_s: their length, seconds.
    first_ms, last_ms: start of the first, end of the last.
    written_ms: when the newest row came.
    windows: how many, that start in different minutes; of those shorter than a minute, in different seconds.
    last_events: events of the last one.
    """

    model: str
    version: str
    size_s: int
    first_ms: int
    last_ms: int
    written_ms: int
    windows: int
    last_events: int


class _Name(msgspec.Struct):
    name: str


class SegmentSize(msgspec.Struct, frozen=True, kw_only=True):
    """A segment and its events over all windows; events count once a window that holds them."""

    segment: str
    events: int


def sized_windows(source: Source) -> list[Sized]:
    """Of all models, by model, version and length."""
    found: dict[tuple[str, str, int], Sized] = {}
    for one in source.rows(_VERSIONS, Sized):  # days and months of a calendar come in several lengths
        place = (one.model, one.version, size_of(one.size_s))
        other = found.get(place)
        found[place] = msgspec.structs.replace(one, size_s=place[2]) if other is None else _together(other, one)
    return [found[place] for place in sorted(found)]


def _together(a: Sized, b: Sized) -> Sized:
    newest = max(a, b, key=lambda one: one.last_ms)
    return msgspec.structs.replace(
        a,
        first_ms=min(a.first_ms, b.first_ms),
        last_ms=newest.last_ms,
        written_ms=max(a.written_ms, b.written_ms),
        windows=a.windows + b.windows,
        last_events=newest.last_events,
    )


def segments(source: Source, model: str, version: str) -> list[SegmentSize]:
    """The largest first, at most 1,000."""
    return source.rows(_SEGMENTS, SegmentSize, {"model": model, "version": version})


def tables(source: Source) -> frozenset[str]:
    """The names of the tables and views that are there."""
    return frozenset(row.name for row in source.rows(_TABLES, _Name))
