"""What the demo found, read back out of ClickHouse."""

import contextlib
from datetime import UTC, datetime

import msgspec

from sinks.clickhouse.client import connect

_TOP = 2


class MonthFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One month against January.

    `windows` and `drifted` are the 7-day windows of the whole that end in it, and those of them with drift.
    """

    month: int
    n: int
    windows: int
    drifted: int
    top: list[tuple[str, float]]
    score_psi: float


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's results. What lies at or after `over_ms` is in panes that were not over when the stream ended."""

    n_events: int
    n_rejects: int
    n_late: int
    over_ms: int
    n_windows: int
    n_scores: int
    n_insufficient: int
    months: list[MonthFinding]
    segments: list[tuple[str, str, float]]


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
                "from_time = {from_time:String}, to_time = {to_time:String}) "
                "WHERE isFinite(psi) ORDER BY psi DESC, column",
                between,
            ).result_rows
            windows = client.query(
                "SELECT count(), countIf(hit) FROM (SELECT window_start, max(drifted) AS hit FROM drift_scores_latest "
                "WHERE segment = '' AND window_end - window_start > 86400 "
                "AND window_end >= {from_time:DateTime64(3, 'UTC')} AND window_end < {to_time:DateTime64(3, 'UTC')} "
                "GROUP BY window_start)",
                between,
            ).result_rows[0]
            top = [(str(column), float(psi)) for column, psi, _n in rows if not str(column).startswith("@")]
            months.append(
                MonthFinding(
                    month=month,
                    n=max((int(n) for _column, _psi, n in rows), default=0),
                    windows=int(windows[0]),
                    drifted=int(windows[1]),
                    top=top[:_TOP],
                    score_psi=next((float(psi) for column, psi, _n in rows if column == "@score"), 0.0),
                )
            )
        whole = "SELECT sum(n + nulls + invalid) FROM column_profiles_latest WHERE segment = '' AND column = '@score'"
        segments = client.query(
            "SELECT segment, column, max(statistic) FROM drift_scores_latest WHERE drifted AND segment != '' "
            "AND method = 'psi' AND column = '@score' AND window_end - window_start > 86400 "
            "GROUP BY segment, column ORDER BY max(statistic) DESC, segment LIMIT 3"
        ).result_rows
        return Findings(
            n_events=one(whole),
            n_rejects=one("SELECT count() FROM rejects FINAL"),
            n_late=one("SELECT sum(n) FROM late_dropped FINAL"),
            over_ms=one("SELECT toUnixTimestamp64Milli(max(pane_end)) FROM column_profiles_latest"),
            n_windows=one("SELECT uniqExact(window_start, window_end) FROM drift_scores_latest"),
            n_scores=one("SELECT count() FROM drift_scores_latest"),
            n_insufficient=one("SELECT countIf(insufficient) FROM drift_scores_latest"),
            months=months,
            segments=[(str(s), str(c), float(v)) for s, c, v in segments],
        )


def _month(month: int) -> str:
    """The first instant of a month of 2013 (13: January 2014) in UTC, as ClickHouse reads it."""
    first = datetime(2013 + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
    return first.strftime("%Y-%m-%d %H:%M:%S")
