"""Every metric Driftline exports, in one table. Labels are bounded: models, columns, methods, topics; never ids.

| metric | type | labels | meaning |
|---|---|---|---|
| driftline_events_total | counter | model | events counted into committed sketches |
| driftline_rejects_total | counter | model, reason | events sent to `drift.rejects` |
| driftline_late_dropped_total | counter | model | events older than the retention, counted and not scored |
| driftline_rest_versions_total | counter | model | events of versions beyond `max_versions`, counted as `(rest)` |
| driftline_unknown_model_total | counter | model | sketched events of a model that the configuration no longer has |
| driftline_labels_total | counter | model, outcome | what became of labels and features: see `monitor.join.outcomes` |
| driftline_repeated_blocks_total | counter | topic | blocks of matches that came again and were not counted twice |
| driftline_performance_measured_total | counter | model | windows whose performance was measured, each time |
| driftline_bad_messages_total | counter | topic | messages of our own topics that could not be read |
| driftline_commit_seconds | histogram | role | from the first message of a commit to its acknowledgement |
| driftline_commit_failures_total | counter | role | commits rolled back and read again; nothing was lost |
| driftline_consumer_lag | gauge | role, topic, partition | messages not yet read |
| driftline_watermark_delay_seconds | gauge | model | wall clock minus watermark |
| driftline_waiting_for_reference | gauge | model | 1 while a model waits for the file of a reference |
| driftline_windows_scored_total | counter | model | windows scored, re-opened ones each time |
| driftline_verdicts_total | counter | model, drifted | verdicts, those of re-opened windows each time |
| driftline_drifted | gauge | model, column | 1 if the column has drifted in the last window scored, else 0 |
| driftline_drift_effect | gauge | model, column | that verdict's effect over its threshold: from 1 on it matters |
| driftline_alerts_total | counter | model, cause, state | transitions of alerts: raised, updated, resolved |
| driftline_alerts_open | gauge | model | alerts that are open |
| driftline_sink_rows_total | counter | sink, record | rows written, by kind of record |
| driftline_sink_errors_total | counter | sink, kind | failed writes: unavailable (retried), rejected, bad_record |
| driftline_undelivered_total | counter | destination | rows that went to `drift.undelivered` |
| driftline_role_restarts_total | counter | role | times the supervisor started a role again |

`driftline_drifted` and `driftline_drift_effect` are of the whole, not of segments, compared with the pinned reference;
of a model that is not compared with it, with what it is compared with; never of features computed again. An effect may
matter and yet be chance, so alert on `driftline_drifted`: it is 1 only where the change is significant, too. Where the
threshold is 0, the effect is told as 1.

Outcomes of labels beside `COUNTS`: `unmeasured`, matches of a reference that has no performance space; `late_label`, of
predictions that have left the state; `late_error`, not given to detectors, for their pane of label time was closed;
`late_features`, pairs of features whose prediction has left the state.

A counter is of this process since it started: a crash between counting and committing may repeat a few. Exact numbers
are in ClickHouse.
"""

from collections.abc import Iterable

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

disable_created_metrics()  # type: ignore[no-untyped-call]  # a `_created` series beside each counter, which nothing here reads

EVENTS = Counter("driftline_events", "Events counted into committed sketches", ["model"])
REJECTS = Counter("driftline_rejects", "Events sent to drift.rejects", ["model", "reason"])
LATE_DROPPED = Counter("driftline_late_dropped", "Events older than the retention", ["model"])
REST_VERSIONS = Counter("driftline_rest_versions", "Events of versions beyond max_versions", ["model"])
UNKNOWN_MODEL = Counter("driftline_unknown_model", "Sketched events of a model no longer configured", ["model"])
LABELS = Counter("driftline_labels", "What became of labels and predictions", ["model", "outcome"])
REPEATED_BLOCKS = Counter("driftline_repeated_blocks", "Blocks of matches that came again", ["topic"])
PERFORMANCE_MEASURED = Counter("driftline_performance_measured", "Windows whose performance was measured", ["model"])
BAD_MESSAGES = Counter("driftline_bad_messages", "Messages of our own topics that could not be read", ["topic"])
COMMIT_SECONDS = Histogram(
    "driftline_commit_seconds",
    "From the first message of a commit to its acknowledgement",
    ["role"],
    buckets=(0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
COMMIT_FAILURES = Counter("driftline_commit_failures", "Commits rolled back and read again", ["role"])
CONSUMER_LAG = Gauge("driftline_consumer_lag", "Messages not yet read", ["role", "topic", "partition"])
WATERMARK_DELAY = Gauge("driftline_watermark_delay_seconds", "Wall clock minus watermark", ["model"])
WAITING_FOR_REFERENCE = Gauge(
    "driftline_waiting_for_reference", "1 while a model waits for the file of a reference", ["model"]
)
WINDOWS_SCORED = Counter("driftline_windows_scored", "Windows scored, re-opened ones each time", ["model"])
VERDICTS = Counter("driftline_verdicts", "Verdicts on columns and segments", ["model", "drifted"])
DRIFTED = Gauge("driftline_drifted", "1 if the column has drifted in the last window scored", ["model", "column"])
DRIFT_EFFECT = Gauge(
    "driftline_drift_effect",
    "Effect over threshold in the last window scored: from 1 on it matters",
    ["model", "column"],
)
ALERTS = Counter("driftline_alerts", "Transitions of alerts", ["model", "cause", "state"])
OPEN_ALERTS = Gauge("driftline_alerts_open", "Alerts that are open", ["model"])
SINK_ROWS = Counter("driftline_sink_rows", "Rows written, by kind of record", ["sink", "record"])
SINK_ERRORS = Counter("driftline_sink_errors", "Failed writes", ["sink", "kind"])
UNDELIVERED = Counter(
    "driftline_undelivered", "Rows that went to drift.undelivered: refused, or tried in vain", ["destination"]
)
ROLE_RESTARTS = Counter("driftline_role_restarts", "Times the supervisor started a role again", ["role"])


def begin_at_zero(role: str, models: Iterable[str]) -> None:
    """Say 0 of what a role will count of the configured models.

    Prometheus takes what a series has when it first sees it for its beginning: the first events after a start would be
    in no rate.
    """
    counter = {"ingest": EVENTS, "evaluate": WINDOWS_SCORED}.get(role)
    if counter is not None:
        for model in models:
            counter.labels(model)
