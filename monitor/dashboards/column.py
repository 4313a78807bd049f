"""Column: show me. Live beside reference, over whatever time range is chosen."""

from typing import Final

from grafana_foundation_sdk.models import dashboard

from monitor.dashboards.board import board
from monitor.dashboards.parts import (
    BLUE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    bars,
    colored,
    dashed,
    fixed,
    lines,
    number,
    rows,
    steps,
    unit,
)  # fmt: skip
from monitor.dashboards.sql import (
    COLUMN,
    END,
    FROM_TO,
    METHOD,
    MODEL,
    NOT_SEQUENTIAL,
    OF_COLUMN,
    OF_LENGTH,
    PANES,
    SEGMENT,
    START,
    VERSION,
)  # fmt: skip

_SCOPE: Final = f"model = {MODEL}, segment = {SEGMENT}, {FROM_TO}"
_THIS: Final = f"version = {VERSION} AND column = {COLUMN}"
_LIVE: Final = f"""
SELECT live.reference AS reference, live.kind AS kind, live.counts AS counts, live.nulls AS nulls, live.n AS n,
    pinned.counts AS reference_counts, pinned.nulls AS reference_nulls, pinned.edges AS edges,
    pinned.categories AS categories, pinned.decile AS decile
FROM counts_between(model = {MODEL}, segment = {SEGMENT}, column = {COLUMN}, {FROM_TO}) AS live
INNER JOIN cells_of_references(model = {MODEL}, segment = {SEGMENT}, column = {COLUMN}) AS pinned
    ON live.reference = pinned.reference AND live.column = pinned.column
WHERE live.version = {VERSION} ORDER BY live.n DESC LIMIT 1
"""
_BEFORE: Final = (
    "fromUnixTimestamp64Milli(2 * toUnixTimestamp64Milli($__fromTime_ms) - toUnixTimestamp64Milli($__toTime_ms), 'UTC')"
)
_EXACT: Final = "computed in SQL for exactly the panes in the time range"


def _six_digits(value: str) -> str:
    """A number in words: edges lie a hair beside the values that they part."""
    return f"toString(round({value}, if({value} = 0, 0, 5 - toInt32(floor(log10(abs({value})))))))"


def build() -> dashboard.Dashboard:
    """The dashboard."""
    panels = [
        number(
            "PSI",
            f"Population stability index of live against reference, {_EXACT}. Below 0.1 is usually called stable, "
            "above 0.25 a large shift; short ranges of few rows are above 0 by chance alone.",
            f"SELECT psi FROM drift_between({_SCOPE}) WHERE {_THIS} ORDER BY n DESC LIMIT 1",
            unit="none", thresholds=steps((0.1, ORANGE), (0.25, VERMILION)),
        ).decimals(4),
        number(
            "KS",
            f"Kolmogorov-Smirnov distance, {_EXACT}: so large a share of rows moved past some value. Below 0.08 is "
            "quiet. Empty for categories, which have no order.",
            f"SELECT ks FROM drift_between({_SCOPE}) WHERE {_THIS} ORDER BY n DESC LIMIT 1",
            unit="none", thresholds=steps((0.08, ORANGE), (0.2, VERMILION)),
        ).decimals(4),
        number(
            "JS",
            f"Jensen-Shannon distance, base 2, from 0 to 1, {_EXACT}. Below 0.1 is quiet; 1 means that live and "
            "reference share no cell.",
            f"SELECT js FROM drift_between({_SCOPE}) WHERE {_THIS} ORDER BY n DESC LIMIT 1",
            unit="none", thresholds=steps((0.1, ORANGE), (0.3, VERMILION)),
        ).decimals(4),
        number(
            "Rows",
            "Valid values in the time range. Below a few thousand, scores of a short range are mostly noise.",
            f"SELECT sum(n) AS n FROM column_profiles_latest WHERE {PANES} AND column = {COLUMN}",
            unit="short", thresholds=steps(),
        ),
        bars(
            "Live against reference",
            "Share of rows by cell of the reference: deciles of a number, the categories themselves. Pairs of equal "
            "height are good. Cells at the ends are beyond the reference's range; `unseen` it never had.",
            f"""
            SELECT one.1 AS cell, one.2 / greatest(n_reference, 1) AS reference, one.3 / greatest(n_live, 1) AS live
            FROM (
                SELECT driftline_coarse(reference_counts, decile) AS r, driftline_coarse(counts, decile) AS l,
                    arraySum(reference_counts) AS n_reference, arraySum(counts) AS n_live,
                    arrayMap(
                        k -> if(kind = 'categorical',
                            if(countEqual(decile, k) > 1, 'all others',
                               arrayConcat(categories, ['other', 'unseen'])[indexOf(decile, k)]),
                            if(indexOf(decile, k) + countEqual(decile, k) - 1 > length(edges),
                                concat('> ', {_six_digits('edges[-1]')}),
                                concat('<= ', {_six_digits('edges[indexOf(decile, k) + countEqual(decile, k) - 1]')}))),
                        arrayDistinct(decile)) AS names
                FROM ({_LIVE})
            )
            ARRAY JOIN arrayZip(names, r, l) AS one
            """,
            unit="percentunit", overrides={"reference": [fixed(GREY)], "live": [fixed(BLUE)]},
        ),
        lines(
            "Quantiles",
            "Where 5, 25, 50, 75 and 95 % of the values lie, by pane, in the column's own unit. Steady bands are good; "
            "all that move together are a shift, bands that part are more spread. Empty for categories.",
            f"""
            SELECT pane_end AS time, quantiles[1] AS p05, quantiles[2] AS p25, quantiles[3] AS p50, quantiles[4] AS p75,
                quantiles[5] AS p95
            FROM column_profiles_latest WHERE {PANES} AND column = {COLUMN} AND notEmpty(quantiles) ORDER BY time
            """,
            unit="none",
            overrides={
                "p05": [fixed(SKY)], "p25": [fixed(BLUE)], "p50": [fixed(ORANGE)], "p75": [fixed(BLUE)],
                "p95": [fixed(SKY)],
            },
        ),
        lines(
            "Nulls, unseen, out of range",
            "Share of rows, by pane. As in the reference is good, and usually near 0. Nulls: no value. Invalid: of the "
            "wrong kind. Unseen: a category that the reference lacks. Out of range: beyond the reference's ends.",
            f"""
            SELECT pane_end AS time, nulls / greatest(n + nulls + invalid, 1) AS nulls_share,
                invalid / greatest(n + nulls + invalid, 1) AS invalid_share,
                if(kind = 'categorical', counts[-1] / greatest(n, 1), 0) AS unseen_share,
                if(kind = 'numeric', (counts[1] + counts[-1]) / greatest(n, 1), 0) AS outside_share
            FROM column_profiles_latest WHERE {PANES} AND column = {COLUMN} ORDER BY time
            """,
            unit="percentunit", minimum=0,
            overrides={
                "nulls_share": [fixed(GREY)], "invalid_share": [fixed(VERMILION)], "unseen_share": [fixed(ORANGE)],
                "outside_share": [fixed(BLUE)],
            },
        ),
        lines(
            "Score of the chosen method",
            "The effect by window against the whole reference, beside the smallest that counts, in the method's own "
            "unit. Below the dashed line is "
            "good; above it for one window may be chance, for several it is a change.",
            f"""
            SELECT window_end AS time, max(s.effect) AS score, max(s.threshold) AS smallest_that_counts
            FROM drift_scores_latest AS s
            WHERE {OF_COLUMN} AND method = {METHOD} AND compare = 'pinned' AND isFinite(s.effect)
            GROUP BY time ORDER BY time
            """,
            unit="none", overrides={"score": [fixed(BLUE)], "smallest_that_counts": dashed(ORANGE)},
        ),
        lines(
            "Verdicts by segment",
            "The effect over the smallest that counts, by segment and window. Below 1 is good. One segment above the "
            "others: the change is there alone.",
            f"""
            SELECT window_end AS time, if(v.segment = '', '(all rows)', v.segment) AS name,
                max(v.effect / v.threshold) AS strength
            FROM drift_verdicts_latest AS v
            WHERE v.model = {MODEL} AND v.version = {VERSION} AND v.column = {COLUMN} AND {NOT_SEQUENTIAL}
                AND {OF_LENGTH} AND isFinite(v.effect) AND v.threshold > 0
            GROUP BY time, name ORDER BY time, name
            """,
            unit="none", minimum=0,
        ),
        rows(
            "By segment",
            f"PSI, JS and KS of each segment against its own reference, {_EXACT}. PSI below 0.1 is usually called "
            "stable; small segments are above 0 by chance alone.",
            f"""
            SELECT if(d.segment = '', '(all rows)', d.segment) AS name, n, nulls, psi, js, ks
            FROM drift_between(model = {MODEL}, segment = '*', {FROM_TO}) AS d WHERE {_THIS} ORDER BY psi DESC LIMIT 200
            """,
            overrides={
                "psi": colored((0.1, ORANGE), (0.25, VERMILION)),
                "js": colored((0.1, ORANGE), (0.3, VERMILION)),
            },
            span=12,
        ),
        rows(
            "Against the range before",
            "The chosen time range against the equally long one before it: week against week where a week is chosen. "
            "PSI below 0.1 is usually called stable. Empty where nothing was counted before.",
            f"""
            SELECT column, n_before, n_after, mean_before, mean_after, psi, js, ks
            FROM drift_between_spans(model = {MODEL}, segment = {SEGMENT},
                before_version = {VERSION}, before_from = {_BEFORE}, before_to = {START},
                after_version = {VERSION}, after_from = {START}, after_to = {END})
            WHERE column = {COLUMN}
            """,
            overrides={"psi": colored((0.1, ORANGE), (0.25, VERMILION))}, span=12,
        ),
        rows(
            "Quantiles of the range",
            "By version, over all rows of the time range, interpolated in the reference's cells, in the column's own "
            "unit. Versions that see the same traffic agree. Empty for categories.",
            f"""
            SELECT version, n, minimum, quantiles[1] AS p05, quantiles[2] AS p25, quantiles[3] AS p50,
                quantiles[4] AS p75, quantiles[5] AS p95, maximum, mean
            FROM quantiles_between(model = {MODEL}, segment = {SEGMENT}, column = {COLUMN}, {FROM_TO}) ORDER BY version
            """,
            overrides={"version": [unit("string")]}, span=12,
        ),
        rows(
            "New categories",
            "The most frequent values that the reference lacks. Good: none. A known value in another spelling is a "
            "source that changed; a new one that lasts wants a new reference. The true count lies in [rows, rows + "
            "error].",
            f"""
            SELECT unseen.1 AS value, sum(unseen.2) AS rows, sum(unseen.3) AS error, max(pane_end) AS last_seen
            FROM column_profiles_latest ARRAY JOIN frequent_unseen AS unseen
            WHERE {PANES} AND column = {COLUMN} GROUP BY value ORDER BY rows DESC LIMIT 50
            """,
            span=12,
        ),
    ]  # fmt: skip
    return board(
        "column", "Driftline: column", "Show me: live beside reference, over any time range.",
        ["model", "version", "window", "segment", "column", "method"], panels, annotated=True,
    )  # fmt: skip
