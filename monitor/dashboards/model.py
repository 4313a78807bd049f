"""Model: what moved, since when, for whom."""

from typing import Final

from grafana_foundation_sdk.models import dashboard

from monitor.api.queries.fleet import METRICS
from monitor.api.queries.season import ONLY_SEASON
from monitor.dashboards.board import address, board
from monitor.dashboards.parts import (
    BLUE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    colored,
    fixed,
    heat,
    lines,
    link,
    rows,
    steps,
    unit,
)  # fmt: skip
from monitor.dashboards.sql import (
    FROM_TO,
    MODEL,
    NOT_SEQUENTIAL,
    OF_LENGTH,
    OF_SEGMENT,
    OF_VERSION,
    OF_VERSION_OR_ALL,
    OF_WINDOW,
    PANES,
    SEGMENT,
)

_TO_COLUMN: Final = link(
    "Show me",
    f"{address('column')}?var-model=${{model:percentencode}}&var-version=${{version:percentencode}}"
    "&var-segment=${segment:percentencode}&var-window=${window:percentencode}"
    "&var-column=${__data.fields.column:percentencode}&${__url_time_range}",
)
_METRICS: Final = ", ".join(f"'{metric}'" for metric in METRICS)
_BANDS: Final = {
    "p05": [fixed(SKY)],
    "p25": [fixed(BLUE)],
    "p50": [fixed(ORANGE)],
    "p75": [fixed(BLUE)],
    "p95": [fixed(SKY)],
}


def build() -> dashboard.Dashboard:
    """The dashboard."""
    panels = [
        heat(
            "Verdicts by column",
            "The effect over the smallest that counts, of the largest comparison. Grey, below 1: quiet, or only the "
            "season. From 1 on it is drift where it is also significant; a column that stays coloured has a lasting "
            "change. No cell: not scored.",
            f"""
            SELECT window_end AS time, column,
                least(
                    max(if(drifted, greatest(effect / threshold, 1), least(effect / threshold, 0.99))),
                    if({ONLY_SEASON}, 0.99, inf)
                ) AS strength
            FROM drift_verdicts_latest
            WHERE {OF_SEGMENT} AND {NOT_SEQUENTIAL} AND isFinite(effect) AND threshold > 0
            GROUP BY time, column ORDER BY time, column
            """,
            thresholds=steps((1, ORANGE), (3, VERMILION)), height=12,
        ),
        rows(
            "What moved",
            "Each column's newest verdict, those that changed first. A strength below 1 is good; above 1 it may be "
            "chance, and changed says whether it is not; only_season: it differs from the whole "
            "reference, and not from the same season or the weeks before. Before and after are of the quantity that "
            "moved most; q is the share of false ones among verdicts as sure as that.",
            f"""
            SELECT column, CAST(drifted AND NOT only_season AS Bool) AS changed, only_season,
                effect / threshold AS strength, direction, quantity, before, after, method, q_value, compare,
                n_current AS n, window_end AS newest
            FROM (
                SELECT *, CAST(compare = 'pinned' AND s.only_season AS Bool) AS only_season FROM (
                    SELECT * FROM drift_verdicts_latest WHERE {OF_SEGMENT} AND {NOT_SEQUENTIAL}
                    ORDER BY window_end DESC LIMIT 1 BY column, compare
                ) AS v
                LEFT JOIN (
                    SELECT column, window_start, window_end, {ONLY_SEASON} AS only_season FROM drift_verdicts_latest
                    WHERE {OF_SEGMENT} AND {NOT_SEQUENTIAL} GROUP BY column, window_start, window_end
                ) AS s USING (column, window_start, window_end)
            )
            ORDER BY changed DESC, strength DESC
            """,
            overrides={"column": [_TO_COLUMN], "changed": colored((1, ORANGE))},
        ),
        lines(
            "Predictions: quantiles of the score",
            "Where 5, 25, 50, 75 and 95 % of the scores lie, by pane, in the score's own unit. Steady bands are good. "
            "A band that moves with no change of inputs points to the model or its serving.",
            f"""
            SELECT pane_end AS time, quantiles[1] AS p05, quantiles[2] AS p25, quantiles[3] AS p50, quantiles[4] AS p75,
                quantiles[5] AS p95
            FROM column_profiles_latest WHERE {PANES} AND column = '@score' AND notEmpty(quantiles) ORDER BY time
            """,
            unit="none", overrides=_BANDS,
        ),
        lines(
            "Predictions: share of classes",
            "Of the predicted classes that the reference knows, by pane; empty for models that predict numbers. Steady "
            "shares are good; one that goes to 0 or 1 is a model that says always the same.",
            f"""
            SELECT p.pane_end AS time, class.1 AS name, class.2 / nullIf(arraySum(p.counts), 0) AS share
            FROM (SELECT * FROM column_profiles_latest WHERE {PANES} AND column = '@label') AS p
            INNER JOIN cells_of_references(model = {MODEL}, segment = {SEGMENT}, column = '@label') AS r
                ON p.reference = r.reference
            ARRAY JOIN arrayZip(arrayConcat(r.categories, ['other', 'unseen']), p.counts) AS class
            ORDER BY time, name
            """,
            unit="percentunit", minimum=0, maximum=1,
        ),
        lines(
            "Volume",
            "Events a window. Its usual daily and weekly shape is good; a fall is events that are lost, rejected or "
            "late.",
            f"SELECT window_end AS time, events FROM windows_latest WHERE {OF_SEGMENT} ORDER BY time",
            unit="short", minimum=0, bars=True, overrides={"events": [fixed(GREY)]},
        ),
        lines(
            "Quality: nulls and invalid values",
            "Share of values that are null, or of the wrong kind, NaN or infinite, by column; the twenty worst. What "
            "the reference had is good, and usually near 0. A step is a source that changed.",
            f"""
            SELECT pane_end AS time, column, (nulls + invalid) / nullIf(n + nulls + invalid, 0) AS share
            FROM column_profiles_latest
            WHERE {PANES} AND column IN (
                SELECT column FROM column_profiles_latest WHERE {PANES} GROUP BY column
                ORDER BY sum(nulls + invalid) / greatest(sum(n + nulls + invalid), 1) DESC LIMIT 20)
            ORDER BY time, column
            """,
            unit="percentunit", minimum=0,
        ),
        rows(
            "Versions side by side",
            "Every version of the time range: how many rows, and how far its columns are from the reference. A "
            "challenger should look like its champion in the inputs; where it does not, they see different traffic. "
            "PSI below 0.1 is usually called stable, above 0.25 a large shift.",
            f"""
            SELECT version, column, n, psi, js, ks FROM drift_between(model = {MODEL}, segment = {SEGMENT}, {FROM_TO})
            ORDER BY column, version
            """,
            overrides={"column": [_TO_COLUMN], "psi": colored((0.1, ORANGE), (0.25, VERMILION))},
        ),
        lines(
            "Versions: events",
            "Events a window by version: which one serves, and since when. A version that ends while no other takes "
            "over is an outage.",
            f"""
            SELECT window_end AS time, version, sum(events) AS events FROM windows_latest
            WHERE model = {MODEL} AND {OF_LENGTH} AND segment = ''
            GROUP BY time, version ORDER BY time, version
            """,
            unit="short", minimum=0,
        ),
        lines(
            "Versions: measured performance",
            "Each version's measured metrics on the windows of the time range, in the metric's unit. Compare lines of "
            "one metric: the challenger is worth it where it stays better beyond the interval on the Performance "
            "dashboard.",
            f"""
            SELECT window_end AS time, concat(version, ' ', metric) AS name, value FROM performance_latest
            WHERE model = {MODEL} AND {OF_LENGTH} AND segment = '' AND NOT estimated AND isFinite(value)
                AND metric IN ({_METRICS})
            ORDER BY time, name
            """,
            unit="none",
        ),
        lines(
            "Share of columns changed",
            "Columns that changed over all scored, by window, the season apart. Around 0 is good; a step that all "
            "columns take together has one source.",
            f"""
            SELECT time, countIf(is_changed) / count() AS changed FROM (
                SELECT window_end AS time, column, max(drifted) AND NOT {ONLY_SEASON} AS is_changed
                FROM drift_verdicts_latest WHERE {OF_SEGMENT} AND {NOT_SEQUENTIAL} GROUP BY time, column
            ) GROUP BY time ORDER BY time
            """,
            unit="percentunit", minimum=0, maximum=1, overrides={"changed": [fixed(ORANGE)]},
        ),
        rows(
            "Segments that changed",
            "Verdicts of the newest window by segment, the most changed first, the season apart; strength is that of "
            "the worst column that changed. A change in one segment alone is usually one source of that "
            "segment; the whole may look quiet.",
            f"""
            SELECT if(v.segment = '', '(all rows)', v.segment) AS name, countIf(v.is_changed) AS n_changed,
                count() AS columns, argMaxIf(v.column, v.effect_over, v.is_changed) AS worst_column,
                maxIf(v.effect_over, v.is_changed) AS strength
            FROM (
                SELECT segment, column, max(drifted) AND NOT {ONLY_SEASON} AS is_changed,
                    maxIf(effect / threshold, drifted) AS effect_over
                FROM drift_verdicts_latest
                WHERE {OF_WINDOW} AND {NOT_SEQUENTIAL} AND window_end = (
                    SELECT max(window_end) FROM windows WHERE {OF_WINDOW})
                GROUP BY segment, column
            ) AS v
            GROUP BY v.segment ORDER BY n_changed DESC, strength DESC
            """,
            overrides={"strength": colored((1, ORANGE), (3, VERMILION))}, span=12,
        ),
        rows(
            "Alerts",
            "Every transition in the time range, newest first, of this version and of the model as a whole, as silence "
            "and rejects are. Good: none, or only resolved ones.",
            f"""
            SELECT at, state, severity, cause, onset, summary, recommendation, acknowledged_by
            FROM alerts_latest WHERE {OF_VERSION_OR_ALL} AND $__timeFilter_ms(at)
            ORDER BY at DESC, sequence DESC LIMIT 500
            """,
            span=12,
        ),
        rows(
            "Retraining",
            "Requests to retrain, and what became of them. Held back is not wrong: the codes say what it waits for. "
            "Empty where `retraining` is off, or nothing has asked for a new model.",
            f"""
            SELECT at, status, reason, arrayStringConcat(held_because, ', ') AS held_because, new_version,
                training_start, training_end
            FROM retraining_latest WHERE {OF_VERSION} AND $__timeFilter_ms(at) ORDER BY at DESC LIMIT 500
            """,
            overrides={"new_version": [unit("string")]}, span=12,
        ),
    ]  # fmt: skip
    return board(
        "model", "Driftline: model", "What moved, since when, for whom?", ["model", "version", "window", "segment"],
        panels, annotated=True,
    )  # fmt: skip
