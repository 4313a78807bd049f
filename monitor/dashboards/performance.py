"""Performance: how good the model is, how sure that is, and what explains a change."""

from grafana_foundation_sdk.models import dashboard

from monitor.api.queries.confusion import of_two_classes
from monitor.api.worse import SURELY_WORSE_BY, WORSE_BY
from monitor.dashboards.board import board
from monitor.dashboards.parts import (
    BLUE,
    GREY,
    ORANGE,
    SKY,
    VERMILION,
    dashed,
    fixed,
    lines,
    rows,
    unit,
)  # fmt: skip
from monitor.dashboards.sql import METRIC, MODEL, OF_SEGMENT, OF_WINDOW


def _newest(part: str) -> str:
    """A condition: the newest window that has parts of this kind, of those that have their labels if there is any."""
    return (
        f"part = '{part}' AND column != '' AND window_end = (SELECT argMax(window_end, (NOT provisional, window_end)) "
        f"FROM performance_parts WHERE {OF_SEGMENT} AND part = '{part}')"
    )


def build() -> dashboard.Dashboard:
    """The dashboard."""
    panels = [
        lines(
            "Measured and estimated",
            "The chosen metric, in its own unit: measured on labels with its 95 % interval, estimated from scores "
            "alone (dashed), and the reference's (grey). Good: the reference within the interval. The estimate knows "
            "nothing of a changed relation of inputs to labels: where both part, that is what changed.",
            f"""
            SELECT window_end AS time, maxOrNullIf(p.value, NOT p.estimated) AS measured,
                maxOrNullIf(p.ci_low, NOT p.estimated) AS low,
                maxOrNullIf(p.ci_high, NOT p.estimated) AS high, maxOrNullIf(p.value, p.estimated) AS estimate,
                max(p.reference_value) AS reference
            FROM performance_latest AS p WHERE {OF_SEGMENT} AND metric = {METRIC} AND isFinite(p.value)
            GROUP BY time ORDER BY time
            """,
            unit="none", span=24,
            overrides={
                "measured": [fixed(BLUE)], "low": [fixed(SKY)], "high": [fixed(SKY)], "estimate": dashed(ORANGE),
                "reference": dashed(GREY),
            },
        ),
        lines(
            "Label maturity",
            "Share of predictions that have their label by now. Newest windows are low and rise; what is measured on "
            "them may still move. An old window that stays low has lost labels.",
            f"""
            SELECT window_end AS time, max(p.maturity) AS maturity FROM performance_latest AS p
            WHERE {OF_SEGMENT} AND NOT estimated AND isFinite(p.maturity) GROUP BY time ORDER BY time
            """,
            unit="percentunit", minimum=0, maximum=1, overrides={"maturity": [fixed(BLUE)]},
        ),
        lines(
            "Error of the estimate",
            "Measured less estimated, in the metric's unit, once labels are mature, unless they came for some alone. "
            "Around 0 is good: then the estimate can be trusted before labels come.",
            f"""
            SELECT window_end AS time, estimate_error AS error FROM performance_latest
            WHERE {OF_SEGMENT} AND metric = {METRIC} AND estimated AND isFinite(estimate_error) ORDER BY time
            """,
            unit="none", overrides={"error": [fixed(VERMILION)]},
        ),
        lines(
            "The split",
            "What the change in mean loss comes from, in the loss's unit: inputs that moved, and a changed relation of "
            "inputs to labels. Around 0 is good. Inputs: look at their columns. Relation: retrain on newer data.",
            f"""
            SELECT window_end AS time, sumIf(contribution, part = 'inputs') AS inputs,
                sumIf(contribution, part = 'relation') AS relation
            FROM performance_parts_latest WHERE {OF_SEGMENT} AND part IN ('inputs', 'relation') AND rank = 1
            GROUP BY time ORDER BY time
            """,
            unit="none", bars=True, overrides={"inputs": [fixed(BLUE)], "relation": [fixed(VERMILION)]},
        ),
        lines(
            "Calibration",
            "Expected calibration error, and Brier score, with the reference's (dashed). As low as the reference's is "
            "good. ECE of 0.05: a score of 0.7 comes true 65 or 75 % of the time.",
            f"""
            SELECT window_end AS time, maxOrNullIf(p.value, metric = 'ece') AS ece,
                maxOrNullIf(p.reference_value, metric = 'ece') AS ece_reference,
                maxOrNullIf(p.value, metric = 'brier') AS brier,
                maxOrNullIf(p.reference_value, metric = 'brier') AS brier_reference
            FROM performance_latest AS p
            WHERE {OF_SEGMENT} AND NOT estimated AND metric IN ('ece', 'brier') AND isFinite(p.value)
            GROUP BY time ORDER BY time
            """,
            unit="none", minimum=0,
            overrides={
                "ece": [fixed(BLUE)], "ece_reference": dashed(BLUE), "brier": [fixed(ORANGE)],
                "brier_reference": dashed(ORANGE),
            },
        ),
        rows(
            "Confusion",
            "Classes that are taken for another in the newest window that has its labels, the most frequent first. "
            "Share: of the rows of "
            "the true class; of_all: of all labelled rows. Steady is good. Of two classes, the one that the model "
            "looks for is called positive. Empty for numbers, and where no class is predicted.",
            f"""
            SELECT column AS truth, cell AS said, share, contribution AS of_all, n_now AS n
            FROM performance_parts_latest WHERE {OF_SEGMENT} AND {_newest('confusion')}
            UNION ALL
            {of_two_classes(OF_SEGMENT)}
            ORDER BY n DESC, truth, said
            """,
            overrides={"share": [unit("percentunit")], "of_all": [unit("percentunit")]}, span=12,
        ),
        rows(
            "Worst segments",
            "The chosen metric of every segment in its newest window that has its labels: first where the whole "
            "interval is worse than the "
            "segment's own reference by most. Below 0 is better. Good: no interval wholly on the worse side; of many "
            "segments some are by chance.",
            f"""
            SELECT if(segment = '', '(all rows)', segment) AS name, value, ci_low AS low, ci_high AS high,
                reference_value AS reference, {WORSE_BY} AS worse_by, n_labelled AS labelled, maturity,
                window_end AS until
            FROM (
                SELECT * FROM performance_latest
                WHERE {OF_WINDOW} AND metric = {METRIC} AND NOT estimated AND isFinite(value)
                ORDER BY provisional, window_end DESC LIMIT 1 BY segment
            )
            ORDER BY isFinite({SURELY_WORSE_BY}) DESC, {SURELY_WORSE_BY} DESC, worse_by DESC, name
            """,
            overrides={"maturity": [unit("percentunit")]}, span=12,
        ),
        rows(
            "Worst cells of features",
            "Parts of the rows, which values of which column, by what they add to the loss in the newest window that "
            "has such, failing ones first; below 0 they lessen it. Good: none failing; q is corrected over all that "
            "were looked at.",
            f"""
            SELECT column, cell, failing, loss_before, loss_now, contribution, share, q_value, n_now AS n
            FROM performance_parts_latest WHERE {OF_SEGMENT} AND {_newest('subgroup')}
            ORDER BY rank
            """,
            overrides={"share": [unit("percentunit")]},  # a loss is in the target's unit: no bound of it holds for all
            span=12,
        ),
        lines(
            "Delay of labels",
            "How long labels take, by quantile. Steady is good. Longer delays make newest windows less sure; labels "
            "that come only for some are worse: see the share missing.",
            f"""
            SELECT window_end AS time, replaceOne(metric, 'label_delay_ms:', 'quantile ') AS name, value
            FROM performance_latest
            WHERE {OF_WINDOW} AND segment = '' AND startsWith(metric, 'label_delay_ms:') AND isFinite(value)
            ORDER BY time, name
            """,
            unit="ms", minimum=0,
        ),
        lines(
            "Labels missing",
            "Share of the labels due by now, by the reference's delays, that are not there. Near 0 is good; more, and "
            "what is measured speaks of those that came alone.",
            f"""
            SELECT window_end AS time, value AS missing FROM performance_latest
            WHERE {OF_WINDOW} AND segment = '' AND metric = 'labels_missing' AND isFinite(value) ORDER BY time
            """,
            unit="percentunit", overrides={"missing": [fixed(VERMILION)]},
        ),
        rows(
            "What became of labels",
            "Since the beginning. Matched is good; orphans are labels whose prediction was never seen, most often a "
            "wrong `prediction_id`; expired are predictions that no label came for.",
            f"SELECT outcome, sum(n) AS n FROM label_outcomes_latest WHERE model = {MODEL} GROUP BY outcome ORDER BY n "
            "DESC",
            span=12,
        ),
    ]  # fmt: skip
    return board(
        "performance", "Driftline: performance", "How good is the model, how sure is that, and what explains a change?",
        ["model", "version", "window", "segment", "metric"], panels, annotated=True,
    )  # fmt: skip
