"""All models at once: how much changed of late, and how good they are."""

from collections.abc import Sequence
from typing import Final

import msgspec

from monitor.api.queries.season import drifted_windows
from monitor.api.queries.sizes import IN_SPAN, SIZE, reach_ms, size_of
from monitor.api.source import Source

METRICS: Final = ("roc_auc", "macro_f1", "accuracy", "mae", "rmse", "log_loss")
"""What a model's performance is told by, the first that there is."""
# A row a model and not a window: thousands of lines of JSON take the page as long as what is asked takes the database.
_CHANGES: Final = f"""
SELECT model, version, groupArray((start_ms, end_ms, n_changed, n_season, worst)) AS windows
FROM
(
    SELECT model, version, toUnixTimestamp64Milli(window_start) AS start_ms,
        toUnixTimestamp64Milli(window_end) AS end_ms,
        arrayFilter(one -> NOT one.3, seen) AS changed, length(changed) AS n_changed,
        length(seen) - length(changed) AS n_season,
        arrayMap(one -> one.1, arraySlice(arraySort(one -> (-one.2, one.1), changed), 1, 3)) AS worst
    FROM ({drifted_windows(IN_SPAN)})
)
GROUP BY model, version
"""  # noqa: S608 - our own words
_WINDOWS: Final = f"""
SELECT model, version, arraySort(one -> (one.2, one.1), groupArray((start_ms, end_ms, n_columns, why))) AS windows
FROM
(
    SELECT model, version, toUnixTimestamp64Milli(window_start) AS start_ms,
        toUnixTimestamp64Milli(window_end) AS end_ms,
        argMax(columns_scored, revision) AS n_columns, argMax(reason, revision) AS why
    FROM windows WHERE segment = '' AND {IN_SPAN}
    GROUP BY model, version, window_start, window_end
)
GROUP BY model, version ORDER BY model, version
"""  # noqa: S608
_PERFORMANCE: Final = f"""
SELECT model, version, metric, estimated, toUnixTimestamp64Milli(window_end) AS window_end_ms, value, ci_low, ci_high,
    reference_value, spread_low, spread_high, maturity, provisional
FROM performance_latest
WHERE segment = '' AND metric IN {{metrics:Array(String)}} AND isFinite(value) AND {IN_SPAN}
    AND (model IN {{models:Array(String)}} OR empty({{models:Array(String)}})) AND estimated <= {{estimates:UInt8}}
ORDER BY provisional AND NOT estimated, window_end DESC, window_start LIMIT 1 BY model, version, metric, estimated
"""  # noqa: S608

# The hour of the week as `monitor.decisions.usual.hour_of_week` counts it.
_EARLIER: Final = f"""
SELECT model, version, size_s, hour_of_week, groupArray((start_ms, n)) AS seen
FROM
(
    SELECT model, version, toUnixTimestamp64Milli(window_start) AS start_ms, {SIZE} AS size_s,
        if(size_s >= 604800, -1, toInt32((intDiv(start_ms, 3600000) + 72) % 168)) AS hour_of_week,
        argMax(events, revision) AS n
    FROM windows
    WHERE segment = '' AND hour_of_week IN {{hours:Array(Int32)}}
        AND window_start >= fromUnixTimestamp64Milli({{from_ms:Int64}}, 'UTC')
        AND window_start < fromUnixTimestamp64Milli({{to_ms:Int64}}, 'UTC')
    GROUP BY model, version, window_start, window_end
)
GROUP BY model, version, size_s, hour_of_week
"""  # noqa: S608
_WEEKS: Final = 8
_WEEK_MS: Final = 604_800_000
_LABELS_MS: Final = 7_776_000_000


class Changes(msgspec.Struct, frozen=True, kw_only=True):
    """Of one window of the whole: how many columns were looked at, and how many changed.

    Attributes
    ----------
    n_drifted: columns that changed, the season apart. n_season: those that differ only as the season does.
    worst: the three that changed most. reason: why columns were not scored, as the record `window` has it.
    """

    model: str
    version: str
    size_s: int
    window_end_ms: int
    n_columns: int
    n_drifted: int
    n_season: int
    worst: list[str]
    reason: str = ""


class _Windows(msgspec.Struct):
    """Start and end in ms, columns that were looked at, and why others were not, in order of time."""

    model: str
    version: str
    windows: list[tuple[int, int, int, str]]


class _Drifted(msgspec.Struct):
    """Of windows in which anything drifted: start and end in ms, columns that changed, those that are only the season,
    and the three that changed most."""

    model: str
    version: str
    windows: list[tuple[int, int, int, int, list[str]]]


class Earlier(msgspec.Struct, frozen=True, kw_only=True):
    """Windows of one length of a version in one hour of the week: (start in ms, events) of each, in no order."""

    model: str
    version: str
    size_s: int
    hour_of_week: int
    seen: list[tuple[int, int]]


class Headline(msgspec.Struct, frozen=True, kw_only=True):
    """The newest value of a metric, measured or estimated: one that is not provisional, where there is any. What is
    not known is None."""

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


def changes(source: Source, from_ms: int, to_ms: int, longest_s: int) -> list[Changes]:
    """Windows that end in the span and are no longer than that, in order of time."""
    span = {"from_ms": from_ms, "to_ms": to_ms, "reach_ms": reach_ms(longest_s)}
    drifted = {
        (one.model, one.version, start_ms, end_ms): (n_changed, n_season, worst)
        for one in source.rows(_CHANGES, _Drifted, span)
        for start_ms, end_ms, n_changed, n_season, worst in one.windows
    }
    quiet: tuple[int, int, list[str]] = (0, 0, [])
    found = []
    for one in source.rows(_WINDOWS, _Windows, span):
        for start_ms, end_ms, n_columns, reason in one.windows:
            n_changed, n_season, worst = drifted.get((one.model, one.version, start_ms, end_ms), quiet)
            found.append(
                Changes(
                    model=one.model,
                    version=one.version,
                    size_s=size_of((end_ms - start_ms) // 1_000),
                    window_end_ms=end_ms,
                    n_columns=max(n_columns, n_changed + n_season),
                    n_drifted=n_changed,
                    n_season=n_season,
                    worst=worst,
                    reason=reason,
                )
            )
    return found


def earlier(source: Source, hours: Sequence[int], to_ms: int) -> list[Earlier]:
    """Windows of these hours of the week that start in the eight weeks before `to_ms`, of all rows."""
    span = {"from_ms": to_ms - _WEEKS * _WEEK_MS, "to_ms": to_ms}
    return source.rows(_EARLIER, Earlier, {**span, "hours": sorted(set(hours))})


def headlines(source: Source, from_ms: int, to_ms: int, longest_s: int) -> list[Headline]:
    """The newest of each metric, of windows that end in the span and are no longer than that."""
    span = {"from_ms": from_ms, "to_ms": to_ms, "reach_ms": reach_ms(longest_s)}
    return source.rows(_PERFORMANCE, Headline, {**span, "metrics": list(METRICS), "models": [], "estimates": 1})


def last_measured(source: Source, models: Sequence[str], to_ms: int, longest_s: int) -> list[Headline]:
    """The newest measured ones of some models in the 90 days before: of those whose labels take longer than a fleet's
    newest windows reach."""
    span = {"from_ms": to_ms - _LABELS_MS, "to_ms": to_ms, "reach_ms": reach_ms(longest_s)}
    parameters = {**span, "metrics": list(METRICS), "models": sorted(set(models)), "estimates": 0}
    return source.rows(_PERFORMANCE, Headline, parameters)
