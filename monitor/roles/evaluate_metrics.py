"""What the score role tells Prometheus: of the partitions that are here, and as of now.

A gauge that is set when a message is done stands still when none comes, and one of a partition that has gone to another
worker contradicts that worker's.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc
import structlog
from prometheus_client import Counter

from detectors.reference import WHOLE
from monitor import telemetry
from monitor.decisions.alert import Alert
from monitor.evaluation.compare import Compare
from monitor.evaluation.evaluator import Step
from monitor.evaluation.feature_skew_rows import RECOMPUTED
from monitor.kafka.topics import partition_of_model
from monitor.roles.losses_said import LEVELS, LossesSaid
from monitor.sketching.own_topics import SKETCHES
from sinks.records import Source, record_of

log = structlog.get_logger()

_PINNED: Final = Compare().name
SAY_AGAIN_S = 60.0
"""How often the log says the same of a model, in seconds."""


class EvaluateMetrics:
    """The gauges and counters of one score worker. `n_partitions` are those of `drift.sketches`."""

    def __init__(self, n_partitions: int) -> None:
        self._n_partitions = n_partitions
        self._watermarks_ms: dict[str, int] = {}
        self._drift: dict[str, set[tuple[str, str]]] = defaultdict(set)
        self._drifted: set[tuple[str, str]] = set()
        self._pinned: set[str] = set()
        self._lags: set[tuple[str, str, str]] = set()
        self._waiting: dict[str, str] = {}
        self._said_s: dict[str, float] = {}
        self._open: set[str] = set()
        self._losses = LossesSaid()

    def done(self, steps: Iterable[Step], partition: int, took_s: float) -> None:
        """What some messages of a partition led to is committed, together."""
        telemetry.COMMIT_SECONDS.labels("evaluate").observe(took_s)
        steps = list(steps)
        if steps:
            self._waits(steps[-1].waiting, partition)
        for step in steps:
            # Clocks go to every partition, and a model lives on one.
            self._watermarks_ms |= {
                model: at_ms for model, at_ms in step.watermarks_ms.items() if self._partition(model) == partition
            }
            _count(telemetry.WINDOWS_SCORED, step.n_windows)
            _count(telemetry.UNKNOWN_MODEL, step.n_unknown_model)
            for model, n in step.n_unknown_model.items():
                text = "events are of a model that is not configured, and not scored"
                self._losses.add(text, n, f"model {model!r}", level="error", model=model)
            _count(telemetry.REST_VERSIONS, step.n_rest)
            _count(telemetry.PERFORMANCE_MEASURED, step.n_measured)
            for (model, outcome), n in step.n_labels.items():
                if n > 0:
                    telemetry.LABELS.labels(model, outcome).inc(n)
            telemetry.REPEATED_BLOCKS.labels(SKETCHES).inc(int(step.repeated_block))
            for model in step.n_rest:
                self._say(
                    f"versions of {model}",
                    log.warning,
                    "a model has more versions than max_versions; those beyond it share the version (rest). Is the "
                    "field that mapping.version names an id?",
                    model=model,
                )
            for batch in step.results:
                record = record_of(batch).name
                if record == "late_dropped":
                    self._late(batch)
                elif record == "drift_verdict":
                    self._show(batch)
        self.turned()

    def decided(self, alerts: Iterable[Alert], n_open: Mapping[str, int], partition: int) -> None:
        """What was decided with them: alerts that were told, and by model how many are open now."""
        for alert in alerts:
            telemetry.ALERTS.labels(alert.model, alert.cause, alert.state).inc()
            if alert.state != "updated":
                log.info(
                    f"an alert is {alert.state}", model=alert.model, cause=alert.cause, key=alert.dedupe_key,
                    summary=alert.summary,
                )  # fmt: skip
        for model, n in n_open.items():
            if self._partition(model) == partition:  # time goes on everywhere, and a model lives on one
                self._open.add(model)
                telemetry.OPEN_ALERTS.labels(model).set(n)

    def turned(self) -> None:
        """Refresh the gauges that depend on time, and say what was left out."""
        self.say_losses()
        now_s = time.time()
        for model, watermark_ms in self._watermarks_ms.items():
            telemetry.WATERMARK_DELAY.labels(model).set(now_s - watermark_ms / 1000)
        for model, reference in self._waiting.items():
            self._say(
                f"reference of {model}",
                log.error,
                "a model waits for a reference whose file is not beside the configured one; its counts are kept",
                model=model,
                reference=reference,
            )

    def lags(self, topic: str, by_partition: Mapping[int, int]) -> None:
        """How many messages of each partition are not scored yet; of other partitions nothing is said any more."""
        lags = {("evaluate", topic, str(partition)): lag for partition, lag in by_partition.items()}
        for labels in self._lags - lags.keys():
            telemetry.CONSUMER_LAG.remove(*labels)
        self._lags = set(lags)
        for labels, lag in lags.items():
            telemetry.CONSUMER_LAG.labels(*labels).set(lag)

    def holds(self, partitions: Collection[int]) -> None:
        """These partitions are here now. What is known of models on others is theirs to say who have them."""
        for model in [model for model in self._watermarks_ms if self._partition(model) not in partitions]:
            del self._watermarks_ms[model]
            telemetry.WATERMARK_DELAY.remove(model)
        for model in [model for model in self._drift if self._partition(model) not in partitions]:
            for labels in self._drift.pop(model):
                self._drifted.discard(labels)
                telemetry.DRIFT_EFFECT.remove(*labels)
                telemetry.DRIFTED.remove(*labels)

        for model in [model for model in self._open if self._partition(model) not in partitions]:
            self._open.discard(model)
            telemetry.OPEN_ALERTS.remove(model)
        for model in [model for model in self._waiting if self._partition(model) not in partitions]:
            del self._waiting[model]
            telemetry.WAITING_FOR_REFERENCE.remove(model)

    def corrupt(self, source: Source, because: str) -> None:
        """A message of our own cannot be read."""
        telemetry.BAD_MESSAGES.labels(source.topic).inc()
        example = f"partition {source.partition}, offset {source.offset}: {because}"
        self._losses.add(
            "messages of our own cannot be read and are left out", 1, example, level="error", topic=source.topic
        )

    def _late(self, batch: pa.RecordBatch) -> None:
        names = ("model", "n", "pane_start_ms", "source_topic", "source_partition", "source_offset")
        for model, n, start_ms, topic, partition, offset in zip(*_values(batch, *names), strict=True):
            telemetry.LATE_DROPPED.labels(model).inc(n)
            example = f"of the pane from {_utc(start_ms)}, by {topic}, partition {partition}, offset {offset}"
            self._losses.add("events came later than the retention: not scored", n, example, level="error", model=model)

    def say_losses(self, *, last: bool = False) -> None:
        """Log what was left out, at most once a minute; `last`: all of it."""
        for line in self._losses.due(time.monotonic(), last=last):
            log.log(LEVELS[line.level], line.text, **line.fields)

    def _say(self, about: str, at_level: Callable[..., object], text: str, **what: str) -> None:
        """Log, at most once a minute."""
        now_s = time.time()
        if now_s - self._said_s.get(about, 0.0) >= SAY_AGAIN_S:
            self._said_s[about] = now_s
            at_level(text, **what)

    def _waits(self, waiting: Mapping[str, str], partition: int) -> None:
        """These models of a partition wait for a reference of this digest, and no others."""
        own = [model for model in self._waiting if self._partition(model) == partition and model not in waiting]
        self._waits_no_more(own)
        for model, reference in waiting.items():
            self._waiting[model] = reference
            telemetry.WAITING_FOR_REFERENCE.labels(model).set(1)

    def _waits_no_more(self, models: Iterable[str]) -> None:
        for model in models:
            del self._waiting[model]
            telemetry.WAITING_FOR_REFERENCE.labels(model).set(0)

    def _show(self, verdicts: pa.RecordBatch) -> None:
        """Count verdicts, and show each column's last one of the whole, beside the pinned reference if there is one."""
        told = pa.Table.from_batches([verdicts.select(["model", "drifted"])]).group_by(["model", "drifted"])
        for row in told.aggregate([([], "count_all")]).to_pylist():
            telemetry.VERDICTS.labels(row["model"], str(row["drifted"]).lower()).inc(row["count_all"])
        whole = verdicts.filter(pc.equal(verdicts.column("segment").cast(pa.string()), pa.scalar(WHOLE)))
        keys = zip(*_values(whole, "model", "column"), strict=True)
        figures = zip(*_values(whole, "compare", "drifted", "effect", "threshold"), strict=True)
        words = zip(*_values(whole, "direction", "quantity", "before", "after", "window_end_ms"), strict=True)
        for labels, (compare, drifted, effect, threshold), what in zip(keys, figures, words, strict=True):
            if compare == RECOMPUTED:  # the same column has a verdict on its drift
                continue
            if compare == _PINNED:
                self._pinned.add(labels[0])
            elif labels[0] in self._pinned:
                continue
            self._drift[labels[0]].add(labels)
            self._say_drifted(labels, *what, drifted=drifted)
            telemetry.DRIFTED.labels(*labels).set(drifted)
            telemetry.DRIFT_EFFECT.labels(*labels).set(effect / threshold if threshold > 0.0 else 1.0)

    def _say_drifted(
        self,
        labels: tuple[str, str],
        direction: str,
        quantity: str,
        before: float,
        after: float,
        end_ms: int,
        *,
        drifted: bool,
    ) -> None:
        """One line for a column that had not drifted before, and one when it no longer has."""
        if drifted is (labels in self._drifted):
            return
        model, column = labels
        at = _utc(end_ms)
        if drifted:
            self._drifted.add(labels)
            log.info(
                "a column has drifted",
                model=model,
                column=column,
                direction=direction,
                quantity=quantity,
                before=float(f"{before:.3g}"),
                after=float(f"{after:.3g}"),
                window_end=at,
            )
        else:
            self._drifted.discard(labels)
            log.info("a column has not drifted any more", model=model, column=column, window_end=at)

    def _partition(self, model: str) -> int:
        return partition_of_model(model, self._n_partitions)


def _utc(time_ms: int) -> str:
    return f"{datetime.fromtimestamp(time_ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"


def _values(batch: pa.RecordBatch, *names: str) -> list[list[Any]]:
    return [batch.column(name).to_pylist() for name in names]


def _count(counter: Counter, counts: Mapping[str, int]) -> None:
    for model, n in counts.items():
        counter.labels(model).inc(n)
