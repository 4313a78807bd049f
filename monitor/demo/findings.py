"""What the demo found, read back out of ClickHouse."""

import contextlib
from datetime import UTC, datetime

import msgspec

from monitor.demo.performance import read_performance_lines
from sinks.clickhouse.client import connect

_TOP = 2


class MonthFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One month against January, by the 7-day windows of the whole that end in it.

    Attributes
    ----------
    n: flights.
    windows: how many there are.
    top: the columns that drifted in most of them: name, direction, and in how many.
    columns_drifted: how many columns drifted in at least half of them.
    score_drifted: in how many the score did.
    score_psi: PSI of the score over the whole month, from SQL alone (`drift_between`).
    """

    month: int
    n: int
    windows: int
    top: list[tuple[str, str, int]]
    columns_drifted: int
    score_drifted: int
    score_psi: float


class SegmentFinding(msgspec.Struct, frozen=True, kw_only=True):
    """The largest drift of the score in one segment: from what to what in which week."""

    segment: str
    week_end: str
    direction: str
    quantity: str
    before: float
    after: float


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's results. What lies at or after `over_ms` is in panes that were not over when the stream ended.

    `n_unscored` are windows of segments in which columns were not scored, `n_columns_unscored` those columns.
    """

    n_events: int
    n_rejects: int
    n_late: int
    over_ms: int
    n_windows: int
    n_verdicts: int
    n_drifted: int
    n_scores: int
    n_unscored: int
    n_columns_unscored: int
    months: list[MonthFinding]
    segments: list[SegmentFinding]
    performance: list[str] = []
    """Lines about how good the model was; see `monitor.replay.performance`."""


def read_findings(dsn: str, n_months: int) -> Findings:
    """Query the database that the demo's deliver role has just filled."""
    with contextlib.closing(connect(dsn)) as client:

        def one(query: str, **parameters: object) -> int:
            return int(client.query(query, parameters).result_rows[0][0] or 0)

        months = []
        for month in range(2, 2 + n_months):
            first, after = _month(month), _month(month + 1)
            between = {"from_time": first, "to_time": after}
            rows = client.query(
                "SELECT column, psi, n + nulls FROM drift_between(model = 'flight-delay', segment = '', "
                "from_time = {from_time:String}, to_time = {to_time:String})",
                between,
            ).result_rows
            drifted = client.query(
                "SELECT column, argMaxIf(direction, effect / threshold, drifted), countIf(drifted) AS n, count() "
                "FROM drift_verdicts_latest WHERE segment = '' AND window_end - window_start > 86400 "
                "AND window_end >= {from_time:DateTime64(3, 'UTC')} AND window_end < {to_time:DateTime64(3, 'UTC')} "
                "GROUP BY column ORDER BY n DESC, maxIf(effect / threshold, drifted) DESC, column",
                between,
            ).result_rows
            windows = max((int(of) for *_, of in drifted), default=0)
            found = [(str(column), str(direction), int(n)) for column, direction, n, _ in drifted]
            months.append(
                MonthFinding(
                    month=month,
                    n=max((int(n) for _column, _psi, n in rows), default=0),
                    windows=windows,
                    top=[one for one in found if one[2] and not one[0].startswith("@")][:_TOP],
                    columns_drifted=sum(2 * n >= windows > 0 for *_, n in found),
                    score_drifted=next((n for column, _, n in found if column == "@score"), 0),
                    score_psi=next((float(psi) for column, psi, _n in rows if column == "@score"), 0.0),
                )
            )
        whole = "SELECT sum(n + nulls + invalid) FROM column_profiles_latest WHERE segment = '' AND column = '@score'"
        segments = client.query(
            "SELECT segment, toString(toDate(argMax(window_end, effect))), argMax(direction, effect), "
            "argMax(quantity, effect), argMax(before, effect), argMax(after, effect) FROM drift_verdicts_latest "
            "WHERE drifted AND segment != '' AND column = '@score' AND window_end - window_start > 86400 "
            "GROUP BY segment ORDER BY max(effect / threshold) DESC, segment LIMIT 3"
        ).result_rows
        return Findings(
            n_events=one(whole),
            n_rejects=one("SELECT count() FROM rejects FINAL"),
            n_late=one("SELECT sum(n) FROM late_dropped FINAL"),
            over_ms=one("SELECT toUnixTimestamp64Milli(max(pane_end)) FROM column_profiles_latest"),
            n_windows=one("SELECT uniqExact(window_start, window_end) FROM windows_latest"),
            n_verdicts=one("SELECT count() FROM drift_verdicts_latest"),
            n_drifted=one("SELECT countIf(drifted) FROM drift_verdicts_latest"),
            n_scores=one("SELECT count() FROM drift_scores_latest"),
            n_unscored=one("SELECT countIf(columns_not_scored > 0) FROM windows_latest"),
            n_columns_unscored=one("SELECT sum(columns_not_scored) FROM windows_latest"),
            months=months,
            segments=[
                SegmentFinding(segment=s, week_end=end, direction=d, quantity=q, before=b, after=a)
                for s, end, d, q, b, a in segments
            ],
            performance=read_performance_lines(client),
        )


def _month(month: int) -> str:
    """The first instant of a month of 2013 (13: January 2014) in UTC, as ClickHouse reads it."""
    first = datetime(2013 + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
    return first.strftime("%Y-%m-%d %H:%M:%S")
