"""Service: whether Driftline itself reads, scores and delivers."""

from grafana_foundation_sdk.models import dashboard

from monitor.dashboards.board import board
from monitor.dashboards.parts import lines, rates, rows, unit


def build() -> dashboard.Dashboard:
    """The dashboard."""
    panels = [
        rates(
            "Lag",
            "Messages not yet read, by role and topic. Near 0 is good; a saw-tooth is a batch. What grows for 15 "
            "minutes wants one more worker (alert DriftlineLagGrows).",
            {"{{role}} {{topic}}": "driftline:consumer_lag:sum"}, unit="short",
        ),
        rates(
            "Throughput",
            "Events counted into committed sketches, by model. The usual daily shape is good; 0 is a producer that "
            "stopped, or events that are all rejected.",
            {"{{model}}": "driftline:events:rate5m"}, unit="cps",
        ),
        rates(
            "Rejects by reason",
            "Events that cannot be used, by model and reason; they are kept whole. Near 0 is good; from 1 % of all on "
            "the alert DriftlineRejects fires.",
            {"{{model}} {{reason}}": "driftline:rejects:rate5m"}, unit="cps",
        ),
        rates(
            "Watermark delay",
            "How far event time is behind the wall clock, by model. The allowed lateness and a little is good. A line "
            "that rises at 45 degrees stands still: no window closes.",
            {"{{model}}": "driftline_watermark_delay_seconds"}, unit="s",
        ),
        rates(
            "Sink errors",
            "Failed writes by destination and kind. 0 is good. Unavailable: it is tried again, and nothing is lost. "
            "Rejected or bad_record: a person is needed.",
            {"{{sink}} {{kind}}": "sum by (sink, kind) (rate(driftline_sink_errors_total[5m]))"}, unit="cps",
        ),
        rates(
            "Rows written",
            "By destination and kind of record. It follows the windows that close; a destination that falls to 0 while "
            "others write is down.",
            {"{{sink}} {{record}}": "sum by (sink, record) (rate(driftline_sink_rows_total[5m]))"}, unit="cps",
        ),
        rates(
            "Commits",
            "Seconds that 99 % of commits stay below, by role. Below 1 is good; more is a slow broker.",
            {"{{role}}": "driftline:commit_seconds:p99_5m"}, unit="s",
        ),
        rates(
            "Restarts and failed commits",
            "By role. 0 is good. What could not be committed is read again: nothing is counted twice.",
            {
                "{{role}} restarts": "sum by (role) (increase(driftline_role_restarts_total[15m]))",
                "{{role}} commits": "sum by (role) (increase(driftline_commit_failures_total[15m]))",
            },
            unit="short",
        ),
        rates(
            "Undelivered",
            "Alerts and requests that a destination did not take, and that are given up. 0 is good: each is somebody "
            "who was not told.",
            {"{{destination}}": "sum by (destination) (increase(driftline_undelivered_total[15m]))"}, unit="short",
        ),
        rates(
            "Windows scored and late events",
            "Windows scored, and events later than the retention, by model. Steady windows and no late events are "
            "good.",
            {
                "{{model}} windows": "sum by (model) (increase(driftline_windows_scored_total[15m]))",
                "{{model}} late": "sum by (model) (increase(driftline_late_dropped_total[15m]))",
            },
            unit="short",
        ),
        rows(
            "Last rejects",
            "What could not be used, with its reason and its first bytes. Good: none. The detail says which field to "
            "mend.",
            """
            SELECT time, model, reason, detail, source_topic AS topic, toValidUTF8(substring(raw, 1, 400)) AS example
            FROM rejects_latest WHERE $__timeFilter_ms(time) ORDER BY time DESC LIMIT 50
            """,
        ),
        rows(
            "Deliveries by destination",
            "Attempts to tell people and pipelines, by outcome. Accepted and known are good; retried may be; refused "
            "and given_up want a look at the detail of the last. Empty where no destination of alerts is configured, "
            "or nothing was told.",
            """
            SELECT destination, outcome, count() AS attempts, max(at) AS last, argMax(d.detail, d.at) AS detail,
                quantileExact(0.95)(took_ms) AS took_p95
            FROM deliveries_latest AS d WHERE $__timeFilter_ms(at) GROUP BY destination, outcome
            ORDER BY destination, attempts DESC
            """,
            overrides={"took_p95": [unit("ms")]}, span=12,
        ),
        lines(
            "Late events by pane",
            "Events that came after the retention of their pane and count in no window. None is good; a longer "
            "retention would take them in.",
            """
            SELECT pane_start AS time, model, sum(n) AS events FROM late_dropped_latest
            WHERE $__timeFilter_ms(pane_start) GROUP BY time, model ORDER BY time, model
            """,
            unit="short", bars=True,
        ),
    ]  # fmt: skip
    return board(
        "service",
        "Driftline: service",
        "Is Driftline itself reading, scoring and delivering?",
        [],
        panels,
        prometheus=True,
    )
