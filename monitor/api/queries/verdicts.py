"""What moved: verdicts of one model, by window and as unbroken runs, and the evidence of each method."""

from collections.abc import Sequence
from typing import Final

import msgspec

from monitor.api.queries.season import LIKE_SEASONS, ONLY_SEASON
from monitor.api.queries.sizes import IN_SPAN, SIZE, reach_ms
from monitor.api.source import Source

_OF = (
    "model = {model:String} AND version = {version:String} AND " + SIZE + " = {size_s:Int64} AND " + IN_SPAN
)  # fmt: skip
_CELLS: Final = f"""
SELECT column, compare, toUnixTimestamp64Milli(window_start) AS start_ms, toUnixTimestamp64Milli(window_end) AS end_ms,
    drifted, effect / threshold AS strength, method, direction, quantity, before, after, q_value
FROM drift_verdicts_latest
WHERE {_OF} AND segment = {{segment:String}} AND NOT startsWith(compare, 'sequential')
    AND (column = {{column:String}} OR {{column:String}} = '')
    AND (compare = {{compare:String}} OR {{compare:String}} = '')
ORDER BY column, window_start LIMIT 200000
"""  # noqa: S608 - our own words
_RUNS: Final = f"""
SELECT column, segment, compare, reference, run[1].1 AS first_ms, run[-1].2 AS end_ms, w[-1].2 AS newest_ms,
    length(run) AS n_windows, length(w) AS n_all, last = length(w) AS lasts,
    top.1 AS top_start_ms, top.2 AS top_end_ms, top.4 AS strength, top.5 AS direction, top.6 AS quantity,
    top.7 AS before, top.8 AS after, top.9 AS method, top.10 AS effect, top.11 AS threshold, top.12 AS q_value,
    top.13 AS n
FROM
(
    SELECT column, segment, compare, reference, w, last, run, arraySort(x -> -x.4, run)[1] AS top
    FROM
    (
        SELECT column, segment, compare, reference, w, last,
            arraySlice(w, quiet + 1, toInt64(last) - toInt64(quiet)) AS run
        FROM
        (
            SELECT column, segment, compare, reference, w, arrayLastIndex(x -> x.3, w) AS last,
                arrayLastIndex((x, i) -> NOT x.3 AND i < last, w, arrayEnumerate(w)) AS quiet
            FROM
            (
                SELECT column, segment, compare, reference,
                    arraySort(x -> x.1, groupArray((
                        toUnixTimestamp64Milli(window_start), toUnixTimestamp64Milli(window_end), drifted,
                        effect / threshold, direction, quantity, before, after, method, effect, threshold, q_value,
                        n_current))) AS w
                FROM drift_verdicts_latest
                WHERE {_OF} AND NOT startsWith(compare, 'sequential')
                    AND (column = {{column:String}} OR {{column:String}} = '')
                    AND (compare = {{compare:String}} OR {{compare:String}} = '')
                GROUP BY column, segment, compare, reference
            )
        )
        WHERE last > 0
    )
)
ORDER BY lasts DESC, strength DESC, column, segment, compare LIMIT 2000
"""  # noqa: S608
# The subquery is asked first: without seasons nothing else is read.
_SEASONAL: Final = f"""
SELECT column, segment, groupArray((start_ms, end_ms, beside)) AS windows
FROM
(
    SELECT column, segment, toUnixTimestamp64Milli(window_start) AS start_ms,
        toUnixTimestamp64Milli(window_end) AS end_ms,
        arrayStringConcat(arraySort(groupUniqArrayIf(toString(compare), {LIKE_SEASONS})), ', ') AS beside
    FROM drift_verdicts_latest
    WHERE {_OF} AND NOT startsWith(compare, 'sequential')
        AND (column = {{column:String}} OR {{column:String}} = '')
        AND {{compare:String}} = '' AND (SELECT count() FROM season_windows WHERE {_OF}) > 0
    GROUP BY column, segment, window_start, window_end HAVING {ONLY_SEASON}
)
GROUP BY column, segment
"""  # noqa: S608
_SCORES: Final = f"""
SELECT method, compare, statistic, effect, threshold, p_value, calibration, n_reference, n_current, error_bound,
    revision
FROM drift_scores_latest
WHERE model = {{model:String}} AND version = {{version:String}} AND column = {{column:String}}
    AND segment = {{segment:String}} AND {SIZE} = {{size_s:Int64}}
    AND window_end = fromUnixTimestamp64Milli({{end_ms:Int64}}, 'UTC')
ORDER BY compare, effect / threshold DESC, method
"""  # noqa: S608
_VOLUME: Final = f"""
SELECT toUnixTimestamp64Milli(window_start) AS start_ms, toUnixTimestamp64Milli(window_end) AS end_ms, events,
    columns_scored, columns_not_scored, reason, reference
FROM windows_latest WHERE {_OF} AND segment = {{segment:String}}
ORDER BY window_start LIMIT 20000
"""  # noqa: S608


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """One verdict. `strength`: its effect over the smallest that counts."""

    column: str
    compare: str
    start_ms: int
    end_ms: int
    drifted: bool
    strength: float | None
    method: str
    direction: str
    quantity: str
    before: float | None
    after: float | None
    q_value: float | None


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """The last unbroken run of drifted windows of one column in one segment.

    Attributes
    ----------
    first_ms, end_ms: start of its first window, end of its last. newest_ms: end of the newest that was scored.
    n_windows, n_all: of the run, and of the span.
    lasts: whether the newest window is one of it.
    top_start_ms, top_end_ms and what follows: the window of the run with the largest `strength`.
    season: what the last window of the run does not differ beside, where that is the season or the weeks before: it
        differs only as the season does; else "".
    n_season: windows of the run in which that is so.
    """

    column: str
    segment: str
    compare: str
    reference: str
    first_ms: int
    end_ms: int
    newest_ms: int
    n_windows: int
    n_all: int
    lasts: bool
    top_start_ms: int
    top_end_ms: int
    strength: float | None
    direction: str
    quantity: str
    before: float | None
    after: float | None
    method: str
    effect: float | None
    threshold: float | None
    q_value: float | None
    n: int
    season: str = ""
    n_season: int = 0


class _Seasonal(msgspec.Struct):
    column: str
    segment: str
    windows: list[tuple[int, int, str]]


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """One method's score of a window."""

    method: str
    compare: str
    statistic: float | None
    effect: float | None
    threshold: float | None
    p_value: float | None
    calibration: str
    n_reference: int
    n_current: int
    error_bound: float | None
    revision: int


class Volume(msgspec.Struct, frozen=True, kw_only=True):
    """A window's events, and what could not be scored of it and why."""

    start_ms: int
    end_ms: int
    events: int
    columns_scored: int
    columns_not_scored: int
    reason: str
    reference: str = ""


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """What a screen looks at: one version's windows of one length that end in [from_ms, to_ms], in one segment."""

    model: str
    version: str
    size_s: int
    from_ms: int
    to_ms: int
    segment: str = ""
    compare: str = ""

    def parameters(self, **more: object) -> dict[str, object]:
        """As statements name them."""
        return {**msgspec.structs.asdict(self), "reach_ms": reach_ms(self.size_s), **more}


def cells(source: Source, scope: Scope, column: str = "") -> list[Cell]:
    """Verdicts by column and time, at most 200,000; of one column, or of all."""
    return source.rows(_CELLS, Cell, scope.parameters(column=column))


def runs(source: Source, scope: Scope, column: str = "") -> list[Run]:
    """Of all segments, those that last first, then by strength; of one column, or of all."""
    found = source.rows(_RUNS, Run, scope.parameters(column=column))
    if not any(run.compare == "pinned" for run in found):
        return found
    seasonal = {
        (one.column, one.segment): one.windows
        for one in source.rows(_SEASONAL, _Seasonal, scope.parameters(column=column))
    }
    return [_marked(run, seasonal.get((run.column, run.segment), [])) for run in found] if seasonal else found


def _marked(run: Run, windows: Sequence[tuple[int, int, str]]) -> Run:
    if run.compare != "pinned":
        return run
    inside = [
        (end_ms, beside) for start_ms, end_ms, beside in windows if run.first_ms <= start_ms and end_ms <= run.end_ms
    ]
    last = next((beside for end_ms, beside in inside if end_ms == run.end_ms), "")
    return msgspec.structs.replace(run, season=last, n_season=len(inside))


def evidence(source: Source, scope: Scope, column: str, end_ms: int) -> list[Evidence]:
    """By method, the strongest first, of the window that ends then."""
    return source.rows(_SCORES, Evidence, scope.parameters(column=column, end_ms=end_ms))


def volume(source: Source, scope: Scope) -> list[Volume]:
    """Windows in order of time."""
    return source.rows(_VOLUME, Volume, scope.parameters())
