"""All models at once: how much changed of late, and how good they are."""

from typing import Final

import msgspec

from monitor.api.queries.sizes import IN_SPAN, SIZE, reach_ms
from monitor.api.source import Source

METRICS: Final = ("roc_auc", "macro_f1", "accuracy", "mae", "rmse", "log_loss")
"""What a model's performance is told by, the first that there is."""
_CHANGES: Final = f"""
SELECT model, version, {SIZE} AS size_s, toUnixTimestamp64Milli(window_end) AS window_end_ms,
    uniqExact(column) AS n_columns,
    groupArrayIf((column, compare, revision, drifted, effect / threshold), drifted OR revision > 1) AS seen
FROM drift_verdicts
WHERE segment = '' AND NOT startsWith(compare, 'sequential') AND {IN_SPAN}
    AND (window_start >= fromUnixTimestamp64Milli({{short_from_ms:Int64}}, 'UTC')
         OR dateDiff('second', window_start, window_end) > 21600)
GROUP BY model, version, window_start, window_end ORDER BY model, version, size_s, window_end
"""  # noqa: S608 - our own words
_PERFORMANCE: Final = f"""
SELECT model, version, metric, estimated, toUnixTimestamp64Milli(window_end) AS window_end_ms, value, ci_low, ci_high,
    reference_value, spread_low, spread_high, maturity, provisional
FROM performance_latest
WHERE segment = '' AND metric IN {{metrics:Array(String)}} AND isFinite(value) AND {IN_SPAN}
ORDER BY window_end DESC, window_start LIMIT 1 BY model, version, metric, estimated
"""  # noqa: S608


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Of one window of the whole: how many columns were looked at, how many changed, and the three that did most."""

    model: str
    version: str
    size_s: int
    window_end_ms: int
    n_columns: int
    n_drifted: int
    worst: list[str]


class _Window(msgspec.Struct):
    model: str
    version: str
    size_s: int
    window_end_ms: int
    n_columns: int
    seen: list[tuple[str, str, int, bool, float | None]]


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The newest value of a metric, measured or estimated. What is not known is None."""

    model: str
    version: str
    metric: str
    estimated: bool
    window_end_ms: int
    value: float
    ci_low: float | None
    ci_high: float | None
    reference_value: float | None
    spread_low: float | None
    spread_high: float | None
    maturity: float | None
    provisional: bool


def changes(source: Source, from_ms: int, to_ms: int, short_from_ms: int, longest_s: int) -> list[Changes]:
    """Windows that end in the span, those of six hours and less only from `short_from_ms` on; in order of time.

    Rows of a revision that has been corrected may still be there. To have ClickHouse sort them out costs it a second
    over a large fleet; so it hands over those that drifted or were corrected, which are few, and they are sorted
    out here.
    """
    span = {"from_ms": from_ms, "to_ms": to_ms, "short_from_ms": short_from_ms, "reach_ms": reach_ms(longest_s)}
    return [_counted(one) for one in source.rows(_CHANGES, _Window, span)]


def _counted(window: "_Window") -> Changes:
    last: dict[tuple[str, str], tuple[int, bool, float]] = {}
    for column, compare, revision, drifted, strength in window.seen:
        if revision >= last.get((column, compare), (0, False, 0.0))[0]:
            last[column, compare] = (revision, drifted, strength or 0.0)
    strongest: dict[str, float] = {}
    for (column, _), (_, drifted, strength) in last.items():
        if drifted:
            strongest[column] = max(strength, strongest.get(column, 0.0))
    worst = sorted(strongest, key=lambda column: (-strongest[column], column))
    return Changes(
        model=window.model,
        version=window.version,
        size_s=window.size_s,
        window_end_ms=window.window_end_ms,
        n_columns=window.n_columns,
        n_drifted=len(strongest),
        worst=worst[:3],
    )


def headlines(source: Source, from_ms: int, to_ms: int, longest_s: int) -> list[Headline]:
    """The newest of each metric, of windows that end in the span and are no longer than that."""
    span = {"from_ms": from_ms, "to_ms": to_ms, "reach_ms": reach_ms(longest_s)}
    return source.rows(_PERFORMANCE, Headline, {**span, "metrics": list(METRICS)})
