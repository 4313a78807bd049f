"""Fleet, every model on one screen: is anything wrong."""

from typing import Final

from grafana_foundation_sdk.models import dashboard

from monitor.api.queries.fleet import METRICS
from monitor.api.queries.season import drifted_columns
from monitor.api.queries.sizes import SIZE
from monitor.dashboards.board import address, board
from monitor.dashboards.parts import ORANGE, VERMILION, colored, heat, lines, link, number, rows, steps, unit
from monitor.dashboards.sql import SHORTEST

# ClickHouse takes a name for the result column of that name first: columns of tables are told apart by the table's.
_OPEN: Final = """
SELECT a.model AS model, argMax(a.version, a.sequence) AS version, argMax(a.state, a.sequence) AS state,
    argMax(a.severity, a.sequence) AS severity, argMax(a.cause, a.sequence) AS cause, max(a.at) AS at,
    min(a.onset) AS onset, argMax(a.summary, a.sequence) AS summary,
    argMax(a.recommendation, a.sequence) AS recommendation
FROM alerts_latest AS a WHERE a.at <= $__toTime_ms GROUP BY a.model, a.dedupe_key HAVING state != 'resolved'
"""
_NEWEST: Final = """
SELECT model, version, max(window_end) AS newest, argMax(events, (window_end, window_start)) AS events,
    argMax(columns_scored, (window_end, window_start)) AS columns_scored
FROM windows_latest WHERE segment = '' AND $__timeFilter_ms(window_end) GROUP BY model, version
"""
# Of each length the newest, unless the one after it ought to have ended: windows of that length come no more.
_LAST: Final = f"""
SELECT model, version, last.1 AS window_end, last.2 AS window_start FROM (
    SELECT model, version, {SIZE} AS size_s, max((window_end, window_start)) AS last FROM windows
    WHERE segment = '' AND $__timeFilter_ms(window_end) GROUP BY model, version, size_s
) AS w
INNER JOIN newest USING (model, version)
WHERE toUnixTimestamp64Milli(last.1) + 2000 * size_s > toUnixTimestamp64Milli(newest.newest)
"""
_OF_NEWEST: Final = (
    f"(model, version, window_end, window_start) IN (SELECT model, version, window_end, window_start FROM ({_LAST}))"
)
# Of a column that changed in one of the windows that end then, and is only the season in another, it has changed.
_WORST: Final = f"""
SELECT v.model AS model, v.version AS version, argMaxIf(v.column, v.strength, NOT v.only_season) AS worst_column,
    maxIf(v.strength, NOT v.only_season) AS strength, uniqExactIf(v.column, NOT v.only_season) AS n_changed,
    uniqExact(v.column) - n_changed AS n_season
FROM ({drifted_columns(_OF_NEWEST)}) AS v GROUP BY v.model, v.version
"""
_METRICS: Final = ", ".join(f"'{metric}'" for metric in METRICS)
_PERFORMANCE: Final = f"""
SELECT model, version, p.1 AS metric, p.2 AS value, p.3 AS reference_value, p.4 AS maturity, p.5 AS until FROM (
    SELECT model, version,
        argMin(
            (metric, value, reference_value, maturity, window_end),
            (indexOf([{_METRICS}], metric), provisional, -toUnixTimestamp64Milli(window_end),
                -toUnixTimestamp64Milli(window_start))
        ) AS p
    FROM performance_latest
    WHERE segment = '' AND NOT estimated AND metric IN ({_METRICS}) AND isFinite(value) AND $__timeFilter_ms(window_end)
    GROUP BY model, version
)
"""
_SAME: Final = (
    "var-model=${__data.fields.model:percentencode}&var-version=${__data.fields.version:percentencode}"
    "&${__url_time_range}"
)
_WORST_COLUMN: Final = "var-column=${__data.fields.worst_column:percentencode}"
_TO_MODEL: Final = link("What moved", f"{address('model')}?{_SAME}")


def build() -> dashboard.Dashboard:
    """The dashboard."""
    panels = [
        number(
            "Models",
            "Models with a window in the time range. Fewer than you run: one is silent, or its events are rejected.",
            "SELECT uniqExact(model) AS models FROM windows WHERE $__timeFilter_ms(window_end)",
            unit="none", thresholds=steps(),
        ),
        number(
            "Open alerts",
            "Alerts that are raised and not resolved at the end of the time range. Good: 0. Each wants a person.",
            f"SELECT count() AS alerts FROM ({_OPEN})",
            unit="none", thresholds=steps((1, ORANGE), (5, VERMILION)),
        ),
        number(
            "Columns changed",
            "Columns of each version that drifted in its newest windows, without those that differ only as the season "
            "does. A few of a hundred, for a while, is weather; many at once is usually one source upstream.",
            f"WITH newest AS ({_NEWEST}) SELECT sum(n_changed) AS columns FROM ({_WORST})",
            unit="none", thresholds=steps((1, ORANGE)),
        ),
        number(
            "Oldest newest window",
            "How long ago the newest window of the model that lags most ended. Good: little more than a window's "
            "length and the allowed lateness. More: its events stopped, or its watermark stands still.",
            f"""
            SELECT max(of_model) AS age FROM (
                SELECT dateDiff('second', max(newest), $__toTime_ms) AS of_model FROM ({_NEWEST}) GROUP BY model
            )
            """,
            unit="s", thresholds=steps(),
        ),
        rows(
            "Models",
            "One line a version of a model, those that need you first; alerts are the model's. Strength: the worst "
            "column's effect over the smallest that "
            "counts: below 1 is quiet. n_season columns differ from the whole reference, and not from the same season "
            "of it or the weeks before: nothing to do. Value beside reference: worse by more than its usual spread "
            "wants a look; it is of the newest window, until then, that has its labels. Maturity: the share of "
            "predictions of that window that have a label; a value of few labels may still move.",
            f"""
            WITH newest AS ({_NEWEST})
            SELECT newest.model AS model, newest.version AS version,
                multiIf(alerts > 0, 'alert', n_changed > 0, 'changed', newest.columns_scored = 0, 'not scored', 'quiet')
                    AS state, alerts, worst_column,
                worst.strength AS strength, n_changed, n_season, newest.columns_scored AS columns,
                performance.metric AS metric, performance.value AS value,
                performance.reference_value AS reference_value,
                performance.maturity AS maturity, performance.until AS until,
                newest.events AS events, newest.newest AS newest,
                dateDiff('second', newest.newest, $__toTime_ms) AS age
            FROM newest
            LEFT JOIN ({_WORST}) AS worst USING (model, version)
            LEFT JOIN ({_PERFORMANCE}) AS performance USING (model, version)
            LEFT JOIN (SELECT model, count() AS alerts FROM ({_OPEN}) GROUP BY model) AS open
                ON open.model = newest.model
            ORDER BY alerts DESC, strength DESC, model, version
            """,
            overrides={
                "model": [_TO_MODEL],
                "worst_column": [link("Show me", f"{address('column')}?{_SAME}&{_WORST_COLUMN}")],
                "value": [link("Performance", f"{address('performance')}?{_SAME}")],
                "strength": colored((1, ORANGE), (3, VERMILION)),
                "alerts": colored((1, ORANGE), (5, VERMILION)),
                "maturity": [unit("percentunit")],
                "age": [unit("s")],
            },
            height=10,
        ),
        heat(
            "Share of columns changed",
            "By model and window, the season apart. Grey: at most one of a hundred columns. A model that stays "
            "coloured has a lasting change; all models at once have a common source.",
            f"""
            SELECT window_end AS time, concat(w.model, ' ', w.version) AS name,
                max(n_changed / greatest(columns_scored, 1)) AS share
            FROM windows_latest AS w
            LEFT JOIN (
                SELECT model, version, window_start, window_end, countIf(NOT only_season) AS n_changed
                FROM ({drifted_columns("$__timeFilter_ms(window_end)")})
                GROUP BY model, version, window_start, window_end
            ) AS v USING (model, version, window_start, window_end)
            WHERE segment = '' AND {SHORTEST} AND $__timeFilter_ms(window_end)
            GROUP BY time, name ORDER BY time, name
            """,
            thresholds=steps((0.01, ORANGE), (0.25, VERMILION)), unit="percentunit", height=8,
        ),
        lines(
            "Performance against reference",
            "The measured value less the reference's, of each model's headline metric, in that metric's unit. Around 0 "
            "is good. Down is worse for AUC, F1 and accuracy; up is worse for errors and losses. "
            "The newest windows rest on few labels and swing.",
            f"""
            SELECT window_end AS time, concat(model, ' ', version, ' ', metric) AS name,
                value - reference_value AS difference
            FROM performance_latest
            WHERE segment = '' AND NOT estimated AND metric IN ({_METRICS}) AND isFinite(value)
                AND isFinite(reference_value) AND {SHORTEST} AND $__timeFilter_ms(window_end)
            ORDER BY time, name
            """,
            unit="none",
        ),
        lines(
            "Label maturity",
            "Share of predictions that have their label, by window. It rises as labels come; newest windows are low. "
            "An old window that stays low has lost labels.",
            """
            SELECT window_end AS time, concat(model, ' ', version) AS name, max(p.maturity) AS maturity
            FROM performance_latest AS p
            WHERE segment = '' AND NOT estimated AND isFinite(p.maturity) AND $__timeFilter_ms(window_end)
            GROUP BY time, name ORDER BY time, name
            """,
            unit="percentunit", minimum=0, maximum=1,
        ),
        rows(
            "Open alerts",
            "Raised and not resolved, newest first: what moved, since when, and what to do. Good: none.",
            f"""
            SELECT at, severity, model, version, cause, onset, summary, recommendation FROM ({_OPEN}) ORDER BY at DESC
            """,
            overrides={"model": [_TO_MODEL]},
        ),
    ]  # fmt: skip
    return board("fleet", "Driftline: fleet", "Every model on one screen. Is anything wrong?", [], panels)
