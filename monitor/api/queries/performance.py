"""How good a model was: figures by window, and the parts of a change in its loss."""

from typing import Final

import msgspec

from monitor.api.queries.sizes import IN_SPAN, SIZE
from monitor.api.queries.verdicts import Scope
from monitor.api.source import Source
from monitor.api.worse import SURELY_WORSE_BY, WORSE_BY

_OF = "model = {model:String} AND version = {version:String} AND " + SIZE + " = {size_s:Int64} AND " + IN_SPAN
_SERIES: Final = f"""
SELECT segment, metric, estimated, toUnixTimestamp64Milli(window_start) AS start_ms,
    toUnixTimestamp64Milli(window_end) AS end_ms, value, ci_low, ci_high, reference_value, spread_low, spread_high,
    n_labelled, n_total, maturity, provisional
FROM performance_latest WHERE {_OF} AND segment = {{segment:String}}
ORDER BY metric, estimated, window_start LIMIT 50000
"""  # noqa: S608 - our own words
_SEGMENTS: Final = f"""
SELECT segment, metric, estimated, toUnixTimestamp64Milli(window_start) AS start_ms,
    toUnixTimestamp64Milli(window_end) AS end_ms, value, ci_low, ci_high, reference_value, spread_low, spread_high,
    n_labelled, n_total, maturity, provisional
FROM performance_latest
WHERE {_OF} AND metric = {{metric:String}} AND NOT estimated AND isFinite(value)
    AND window_end = fromUnixTimestamp64Milli({{end_ms:Int64}}, 'UTC')
ORDER BY segment != '', isFinite({SURELY_WORSE_BY}) DESC, {SURELY_WORSE_BY} DESC, {WORSE_BY} DESC, segment LIMIT 2000
"""  # noqa: S608
_PARTS: Final = f"""
SELECT part, rank, toUnixTimestamp64Milli(window_start) AS start_ms, toUnixTimestamp64Milli(window_end) AS end_ms,
    column, cell, contribution, ci_low, ci_high, p_value, q_value, failing, loss_before, loss_now, share, n_now,
    provisional
FROM performance_parts_latest WHERE {_OF} AND segment = {{segment:String}} AND column != ''
ORDER BY window_start DESC, part, rank LIMIT 1000
"""  # noqa: S608
# They read the model's errors pane by pane, whatever the length of windows.
_SEQUENTIAL: Final = f"""
SELECT substring(compare, length('sequential ') + 1) AS detector, segment, toUnixTimestamp64Milli(window_end) AS end_ms,
    direction, quantity, before, after
FROM drift_verdicts_latest
WHERE model = {{model:String}} AND version = {{version:String}} AND segment = {{segment:String}} AND {IN_SPAN}
    AND startsWith(compare, 'sequential ') AND drifted
ORDER BY window_end DESC, detector LIMIT 50
"""  # noqa: S608


class Detection(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a sequential detector saw in the errors; it needs no labels in the reference.

    Attributes
    ----------
    end_ms: the end of the pane in which it was seen. before, after: the quantity up to the change, and from it on.
    """

    detector: str
    segment: str
    end_ms: int
    direction: str
    quantity: str
    before: float | None
    after: float | None


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of one window; what is not known is None."""

    segment: str
    metric: str
    estimated: bool
    start_ms: int
    end_ms: int
    value: float | None
    ci_low: float | None
    ci_high: float | None
    reference_value: float | None
    spread_low: float | None
    spread_high: float | None
    n_labelled: int
    n_total: int
    maturity: float | None
    provisional: bool


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a change in loss; the fields are those of the record `performance_part`."""

    part: str
    rank: int
    start_ms: int
    end_ms: int
    column: str
    cell: str
    contribution: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    q_value: float | None
    failing: bool
    loss_before: float | None
    loss_now: float | None
    share: float | None
    n_now: int
    provisional: bool


def figures(source: Source, scope: Scope) -> list[Figure]:
    """All metrics of the scope's segment, each in order of time."""
    return source.rows(_SERIES, Figure, scope.parameters())


def by_segment(source: Source, scope: Scope, metric: str, end_ms: int) -> list[Figure]:
    """One measured metric of the window that ends then: of the whole, then of the segments, at most 1,999, the worst
    first: those whose whole interval is worse than their own reference by most."""
    return source.rows(_SEGMENTS, Figure, scope.parameters(metric=metric, end_ms=end_ms))


def detections(source: Source, scope: Scope) -> list[Detection]:
    """The newest first, at most 50."""
    return source.rows(_SEQUENTIAL, Detection, scope.parameters())


def parts(source: Source, scope: Scope) -> list[Part]:
    """The newest window's first."""
    return source.rows(_PARTS, Part, scope.parameters())
