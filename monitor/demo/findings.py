"""What the demo found, read back out of ClickHouse."""

import contextlib
from datetime import UTC, datetime

import msgspec
from clickhouse_connect.driver.client import Client

from monitor.cli.decided import ToldAlert, ToldRequest
from monitor.demo.decided import read_alerts, read_requests
from monitor.demo.lessons import DriftedWindow, Lesson, Lessons, lessons, spells
from monitor.demo.performance import Performance, read_performance
from sinks.clickhouse.client import connect

OF_PERFORMANCE = ("@loss", "@relation")
_WEEKS = "window_end - window_start > 86400 AND compare = 'pinned'"


class MonthFinding(msgspec.Struct, frozen=True, kw_only=True):
    """One month against January, by the 7-day windows of the whole that end in it.

    Attributes
    ----------
    n: flights.
    columns_drifted: how many features drifted in at least half of them.
    score_psi: PSI of the score over the whole month, from SQL alone (`drift_between`).
    """

    month: int
    n: int
    columns_drifted: int
    score_psi: float


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The demo's results. What lies at or after `over_ms` is in panes that were not over when the stream ended.

    Attributes
    ----------
    learned: what became of the features and the score, by 7-day windows beside January.
    failures: when the log loss of all flights was worse, and the relation of score and truth another, by column of
        `OF_PERFORMANCE`.
    n_reference: flights of January.
    """

    n_events: int
    n_rejects: int
    n_late: int
    over_ms: int
    n_windows: int
    n_verdicts: int
    n_drifted: int
    n_columns_unscored: int
    n_reference: int
    months: list[MonthFinding]
    learned: Lessons
    failures: dict[str, list[Lesson]]
    performance: Performance
    alerts: list[ToldAlert]
    requests: list[ToldRequest]


def read_findings(dsn: str, n_months: int) -> Findings:
    """Query the database that the demo's deliver role has just filled."""
    with contextlib.closing(connect(dsn)) as client:

        def one(query: str) -> int:
            return int(client.query(query).result_rows[0][0] or 0)

        whole = "SELECT sum(n + nulls + invalid) FROM column_profiles_latest WHERE segment = '' AND column = '@score'"
        ends_ms = client.query(
            "SELECT DISTINCT toUnixTimestamp64Milli(window_end) FROM drift_verdicts_latest "  # noqa: S608 - our own
            f"WHERE segment = '' AND {_WEEKS}"
        ).result_rows
        return Findings(
            n_events=one(whole),
            n_rejects=one("SELECT count() FROM rejects FINAL"),
            n_late=one("SELECT sum(n) FROM late_dropped FINAL"),
            over_ms=one("SELECT toUnixTimestamp64Milli(max(pane_end)) FROM column_profiles_latest"),
            n_windows=one("SELECT uniqExact(window_start, window_end) FROM windows_latest"),
            n_verdicts=one("SELECT count() FROM drift_verdicts_latest"),
            n_drifted=one("SELECT countIf(drifted) FROM drift_verdicts_latest"),
            n_columns_unscored=one("SELECT sum(columns_not_scored) FROM windows_latest"),
            n_reference=one("SELECT max(n_reference) FROM drift_verdicts_latest WHERE segment = ''"),
            months=[_read_month(client, month) for month in range(2, 2 + n_months)],
            learned=lessons(
                _read_drifted(client, "(NOT startsWith(column, '@') OR column IN ('@score', '@label'))"),
                [end_ms for (end_ms,) in ends_ms],
            ),
            failures={
                column: spells(_read_drifted(client, f"segment = '' AND column = '{column}'"))
                for column in OF_PERFORMANCE
            },
            performance=read_performance(client),
            alerts=read_alerts(client),
            requests=read_requests(client),
        )


def _read_drifted(client: Client, condition: str) -> list[DriftedWindow]:
    """The 7-day windows in which columns drifted."""
    names = ("segment", "column", "direction", "quantity", "before", "after", "q_value")
    rows = client.query(
        f"SELECT {', '.join(names)}, toUnixTimestamp64Milli(window_start), toUnixTimestamp64Milli(window_end), "  # noqa: S608
        f"effect / threshold FROM drift_verdicts_latest WHERE drifted AND {_WEEKS} AND {condition}"
    ).result_rows
    return [DriftedWindow(**dict(zip((*names, "start_ms", "end_ms", "strength"), row, strict=True))) for row in rows]


def _read_month(client: Client, month: int) -> MonthFinding:
    between = {"from_time": _month(month), "to_time": _month(month + 1)}
    rows = client.query(
        "SELECT column, psi, n + nulls FROM drift_between(model = 'flight-delay', segment = '', "
        "from_time = {from_time:String}, to_time = {to_time:String})",
        between,
    ).result_rows
    drifted = client.query(
        "SELECT countIf(2 * n >= windows) FROM (SELECT countIf(drifted) AS n, count() AS windows "  # noqa: S608 - our own
        f"FROM drift_verdicts_latest WHERE segment = '' AND NOT startsWith(column, '@') AND {_WEEKS} "
        "AND window_end > {from_time:DateTime64(3, 'UTC')} AND window_end <= {to_time:DateTime64(3, 'UTC')} "
        "GROUP BY column)",
        between,
    ).result_rows
    return MonthFinding(
        month=month,
        n=max((int(n) for _column, _psi, n in rows), default=0),
        columns_drifted=int(drifted[0][0]),
        score_psi=next((float(psi) for column, psi, _n in rows if column == "@score"), 0.0),
    )


def _month(month: int) -> str:
    """The first instant of a month of 2013 (13: January 2014) in UTC, as ClickHouse reads it."""
    first = datetime(2013 + (month - 1) // 12, (month - 1) % 12 + 1, 1, tzinfo=UTC)
    return first.strftime("%Y-%m-%d %H:%M:%S")
