"""All models at once: how much changed of late, and how good they are."""

from typing import Final

import msgspec

from monitor.api.queries.sizes import IN_SPAN, SIZE
from monitor.api.source import Source

METRICS: Final = ("roc_auc", "macro_f1", "accuracy", "mae", "rmse", "log_loss")
"""What a model's performance is told by, the first that there is."""
_CHANGES: Final = f"""
SELECT model, version, size_s, window_end_ms, count() AS n_columns, countIf(drifted) AS n_drifted,
    arrayMap(x -> x.2, arraySlice(arraySort(x -> (-x.1, x.2), groupArrayIf((strength, column), drifted)), 1, 3)) AS worst
FROM
(
    SELECT model, version, column, {SIZE} AS size_s, toUnixTimestamp64Milli(window_end) AS window_end_ms,
        argMax(drifted, revision) AS drifted, argMax(effect / threshold, revision) AS strength
    FROM drift_verdicts
    WHERE segment = '' AND NOT startsWith(compare, 'sequential') AND {IN_SPAN}
        AND (dateDiff('second', window_start, window_end) > 21600
             OR window_start >= fromUnixTimestamp64Milli({{short_from_ms:Int64}}, 'UTC'))
    GROUP BY model, version, column, window_start, window_end, compare, reference
)
GROUP BY model, version, size_s, window_end_ms ORDER BY model, version, size_s, window_end_ms
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


def changes(source: Source, from_ms: int, to_ms: int, short_from_ms: int) -> list[Changes]:
    """Windows that end in the span, those of six hours and less only from `short_from_ms` on; in order of time."""
    span = {"from_ms": from_ms, "to_ms": to_ms, "short_from_ms": short_from_ms}
    return source.rows(_CHANGES, Changes, span)


def headlines(source: Source, from_ms: int, to_ms: int) -> list[Headline]:
    """The newest of each metric."""
    return source.rows(_PERFORMANCE, Headline, {"from_ms": from_ms, "to_ms": to_ms, "metrics": list(METRICS)})
