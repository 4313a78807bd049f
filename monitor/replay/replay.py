"""Replay: the pure core over a file, with no broker. A user's tool, and the oracle of the Kafka path.

Decoded batches become the same messages that ingest would have sent from a single source partition, and the evaluator
advances over them with a dictionary for its state. There is no second implementation of anything.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from detectors.reference import Reference
from monitor.decisions.alert import Alert
from monitor.decisions.controls import Control
from monitor.decisions.request import RetrainingRequest
from monitor.decisions.stage import DecisionStage
from monitor.decisions.wire import encode_alert, encode_retraining
from monitor.errors import InputError
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.watched import Watched
from monitor.events.batch import Batch, Decoded, Rejected
from monitor.events.label_batch import DecodedLabels, LabelBatch
from monitor.eventtime.watermark import Clock
from monitor.eventtime.windows import longest_ms
from monitor.join.feature_blocks import FeatureBlocks, live_batches
from monitor.join.outcome_rows import outcome_rows
from monitor.join.outgoing import PredictionBlocks
from monitor.join.performance_messages import PerformanceMessages
from monitor.join.step import JoinModel, JoinStep
from monitor.replay.in_time import InTime
from monitor.replay.joining import JoinReplay
from monitor.replay.live_events import LiveEvents
from monitor.replay.record_file import RecordFile
from monitor.sketching.deltas import sketched
from monitor.sketching.messages import Delta, SketchMessage, UnreadCounts
from monitor.sketching.unread import unread_counts
from sinks.records import RECORDS, record_of

_TOPIC = "replay"
LabelJoin = tuple[Sequence[JoinModel], Mapping[str, PredictionBlocks]]
"""The models that have labels, and what makes blocks of their predictions."""
ALERTS, RETRAINING, REJECTS = "alerts.jsonl", "retraining.jsonl", "rejects.jsonl"


class Replay:
    """Feeds decoded batches through sketches, windows and scores.

    Parameters
    ----------
    models
        What to score, by `monitor.models.watched`.
    references
        By model: what to sketch on.
    labels
        What joins labels, by `monitor.models`: its models and their blocks. None where labels are not asked for.
    features
        What makes blocks of features, of models that have them compared; they are among the models of `labels`.
    """

    def __init__(
        self,
        models: Sequence[Watched],
        references: Mapping[str, Reference],
        labels: "LabelJoin | None" = None,
        features: Mapping[str, FeatureBlocks] | None = None,
    ) -> None:
        self._models = {model.name: model for model in models}
        self._references = references
        self._evaluator = Evaluator(models, message_bytes=None)
        self._state: dict[bytes, bytes] = {}
        self._offset = 0
        self._features = features or {}
        self.latest_ms: int | None = None
        self._clock_ms: int | None = None
        self.live = LiveEvents(models)
        self.watermarks_ms: Mapping[str, int] = {}
        self.join: JoinReplay | None = None
        if labels is not None:
            self.join = JoinReplay(*labels, on_step=self._joined, features=features)
            own = [model for model in models if model.joined]
            self._messages = PerformanceMessages(own, 1, 1)
        self._results: list[pa.RecordBatch] = []

    def feed(self, batches: Iterable[Batch], complete_ms: int | None = None) -> list[pa.RecordBatch]:
        """Count one group of batches; returns what its events led to.

        Event time is then complete to `complete_ms`, where rows are known to come in no other order; else the latest
        row says how far it is.
        """
        batches = list(batches)
        for batch in batches:
            latest_ms = int(batch.timestamps_ms.max())
            self.latest_ms = latest_ms if self.latest_ms is None else max(latest_ms, self.latest_ms)
        live = live_batches(batches, self._features)
        self.live.add(live)
        results = self._advance(sketched(live, self._references, self._models), complete_ms)
        if self.join is not None:
            self.join.feed(batches, [])
        return results + self._taken()

    def unread(self, decoded: Decoded) -> list[UnreadCounts]:
        """What of decoded rows is in no sketch; rejects that have a time of their own."""
        return unread_counts(decoded, self._models, lambda reject: reject.time_ms)

    @property
    def models(self) -> Sequence[Watched]:
        """What is scored."""
        return tuple(self._models.values())

    @property
    def clock_ms(self) -> int | None:
        """How far event time has been said to be complete; None before any."""
        return self._clock_ms

    def pass_to(self, at_ms: int) -> list[pa.RecordBatch]:
        """Say that event time is complete to this, and no row came since; returns what that led to."""
        return self._advance([], at_ms)

    def take_labels(self, labels: Sequence[LabelBatch], until_ms: int) -> list[pa.RecordBatch]:
        """Join some labels; label time is complete to `until_ms` with them. Returns what they led to."""
        assert self.join is not None
        self.join.feed([], labels)
        self.join.pass_to(until_ms)
        return self._taken()

    def end_labels(self) -> list[pa.RecordBatch]:
        """No label is left: label time is complete as far as anything came; returns what that led to."""
        assert self.join is not None
        self.join.end_labels()
        return self._taken()

    def expire(self) -> list[pa.RecordBatch]:
        """Nothing is left: count predictions and labels whose horizon has passed and that stayed alone; returns what
        that led to."""
        if self.join is not None:
            self.join.close()
        return self._taken()

    def close(self) -> list[pa.RecordBatch]:
        """Let event time pass the end of every window that holds an event, and label time the end of every pane that
        holds a label. No horizon is taken for passed that is not."""
        if self.latest_ms is not None:
            models = self._models.values()
            self.latest_ms += max(longest_ms(model.shapes) for model in models)
            self.latest_ms += max(model.lateness_ms for model in models)
        results = self._advance([])
        if self.join is not None:
            models = self._models.values()
            self.join.close_label_time(max(model.lateness_ms + model.pane_ms for model in models))
        return results + self._taken()

    def _joined(self, step: JoinStep) -> None:
        for _, message in self._messages.of(step, 0):
            self._results += self._absorb(message)
        rows = outcome_rows(step, 0)
        if rows is not None:
            self._results.append(rows)

    def _taken(self) -> list[pa.RecordBatch]:
        results, self._results = self._results, []
        return results

    def finish(self) -> list[pa.RecordBatch]:
        """Say that no row is left: event time is complete to the latest."""
        return self._advance([])

    def _advance(self, deltas: list[Delta], complete_ms: int | None = None) -> list[pa.RecordBatch]:
        latest_ms = self.latest_ms if complete_ms is None else complete_ms
        clock = Clock(topic=_TOPIC, partition=0, max_event_ms=latest_ms)
        self._clock_ms = latest_ms if self._clock_ms is None else max(latest_ms or 0, self._clock_ms)
        return self._absorb(SketchMessage(deltas=deltas, clocks=[clock], n_partitions={_TOPIC: 1}))

    def _absorb(self, message: SketchMessage) -> list[pa.RecordBatch]:
        step = self._evaluator.advance(self._state, message, Source(topic=_TOPIC, partition=0, offset=self._offset))
        self._offset += 1
        for key, value in [*step.writes, step.seal]:
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        self.watermarks_ms = step.watermarks_ms
        return step.results


class ReplayReport(msgspec.Struct, kw_only=True):
    """What a replay read and wrote.

    Every event is rejected, late, recomputed, open or counted in a window: `n_counted` are the last.

    Attributes
    ----------
    n_recomputed: features that were computed again, which are compared with those served and are no live data.
    n_open: in windows that were not over at the end.
    label_rejects, label_examples: labels that could not be read, by reason: how many, and the first.
    """

    n_events: int = 0
    n_counted: int = 0
    n_recomputed: int = 0
    n_open: int = 0
    n_rejected: int = 0
    n_late_dropped: int = 0
    label_rejects: Counter[str] = msgspec.field(default_factory=Counter)
    label_examples: dict[str, Rejected] = msgspec.field(default_factory=dict)
    n_scores: int = 0
    n_verdicts: int = 0
    n_drifted: int = 0
    n_profiles: int = 0
    windows: int = 0
    alerts: list[Alert] = []
    requests: list[RetrainingRequest] = []


def run_replay(
    decoded: Iterable[Decoded],
    replay: Replay,
    out: Path,
    *,
    close: bool,
    labels: Iterable[DecodedLabels] | None = None,
    decisions: DecisionStage | None = None,
    controls: Sequence[Control] = (),
) -> ReplayReport:
    """Replay predictions, and labels as event time comes to them, into `out`, over what is there: a Parquet file for
    each record that has one, and `rejects.jsonl`.

    With `decisions`, also `alerts.jsonl` and `retraining.jsonl`: what would have been told, a CloudEvent a line, with
    `controls` taken in when they say that they were said.

    Raises `InputError` when `out` cannot be written.
    """
    try:
        return _run(decoded, replay, out, close=close, labels=labels, decisions=decisions, controls=controls)
    except OSError as error:  # what goes wrong while reading is an `InputError` already
        raise InputError(
            f"cannot write to {out}: {error.strerror or error}", hint="name a folder with room that can be written to"
        ) from error


def _run(
    decoded: Iterable[Decoded],
    replay: Replay,
    out: Path,
    *,
    close: bool,
    labels: Iterable[DecodedLabels] | None,
    decisions: DecisionStage | None,
    controls: Sequence[Control],
) -> ReplayReport:
    out.mkdir(parents=True, exist_ok=True)
    report = ReplayReport()
    windows: set[tuple[object, ...]] = set()
    files = {record.name: RecordFile(out / record.file, record) for record in RECORDS.values() if record.file}

    decided: dict[bytes, bytes] = {}
    offset = -1

    def decide(
        results: Sequence[pa.RecordBatch],
        now_ms: Mapping[str, int] | None,
        unread: Sequence[UnreadCounts] = (),
        said: Sequence[Control] = (),
    ) -> None:
        nonlocal offset
        offset += 1
        if decisions is None:
            return
        ahead = controls if offset == 0 else ()
        step = decisions.advance(
            decided, results, offset=offset, now_ms=now_ms, ahead=ahead, unread=unread, controls=said
        )
        for key, value in step.writes:
            if value is None:
                decided.pop(key, None)
            else:
                decided[key] = value
        report.alerts += step.alerts
        report.requests += step.requests

    def take(
        results: Sequence[pa.RecordBatch], *, to_the_end: bool = False, unread: Sequence[UnreadCounts] = ()
    ) -> None:
        # What `--close` lets pass after the last event is no time in which events were missing.
        decide(results, None if to_the_end else replay.watermarks_ms, unread)
        for batch in results:
            record = record_of(batch)
            if record.name in files:
                files[record.name].write(batch)
            if record.name == "window":
                windows.update(_distinct(batch, "model", "version", "window_start_ms", "window_end_ms"))
            elif record.name == "late_dropped":
                report.n_late_dropped += pc.sum(batch.column("n")).as_py() or 0

    try:
        with (out / REJECTS).open("wb") as rejects:
            in_time = None
            if labels is not None:
                batches: list[LabelBatch] = []
                for of_labels in labels:
                    batches += of_labels.batches
                    report.label_rejects.update(reject.reason for reject in of_labels.rejects)
                    for reject in of_labels.rejects:
                        report.label_examples.setdefault(reject.reason, reject)
                    rejects.writelines(_reject_lines(of_labels.rejects))
                in_time = InTime(replay, batches)
            for part in decoded:
                report.n_events += part.n_events
                report.n_rejected += len(part.rejects)
                report.n_recomputed += sum(batch.n for batch in part.batches)
                rejects.writelines(_reject_lines(part.rejects))
                if in_time is None:
                    take(replay.feed(part.batches, part.complete_ms), unread=replay.unread(part))
                    continue
                for number, results in enumerate(in_time.feed(part.batches, part.complete_ms)):
                    take(results, unread=() if number else replay.unread(part))
            if in_time is not None:
                for results in in_time.finish(close=close):
                    take(results)
            else:
                if not close:
                    take(replay.finish())
                if replay.join is not None:
                    take(replay.end_labels())
            latest_ms = replay.latest_ms
            if close:
                take(replay.close(), to_the_end=True)
            take(replay.expire(), to_the_end=True)
            # What was said while the last events came; of what was taken in already nothing comes again.
            decide([], None, said=[one for one in controls if latest_ms is not None and one.at_ms <= latest_ms])
    except BaseException:
        for file in files.values():
            file.abandon()
        raise
    if decisions is not None:
        (out / ALERTS).write_bytes(b"".join(encode_alert(one) + b"\n" for one in report.alerts))
        (out / RETRAINING).write_bytes(b"".join(encode_retraining(one) + b"\n" for one in report.requests))
    for file in files.values():
        file.close()
    report.n_recomputed -= replay.live.n
    report.n_open = replay.live.n_open(replay.watermarks_ms)
    report.n_counted = replay.live.n - report.n_late_dropped - report.n_open
    report.n_scores, report.n_profiles = files["drift_score"].n_rows, files["column_profile"].n_rows
    report.n_verdicts = files["drift_verdict"].n_rows
    report.windows = len(windows)
    # Of the last revisions alone: a window that was opened again is one window.
    drifted = pq.read_table(out / RECORDS["drift_verdict"].file, columns=["drifted"])["drifted"]
    report.n_drifted = pc.sum(drifted).as_py() or 0
    return report


def _distinct(batch: pa.RecordBatch, *names: str) -> set[tuple[object, ...]]:
    rows = pa.Table.from_batches([batch]).group_by(list(names)).aggregate([])
    return set(zip(*(rows[name].to_pylist() for name in names), strict=True))


def _reject_lines(rejects: Iterable[Rejected]) -> Iterator[bytes]:
    for reject in rejects:
        record = {
            "reason": str(reject.reason),
            "detail": reject.detail,
            "model": reject.model,
            "raw": reject.raw.decode("utf-8", "backslashreplace"),
        }
        yield msgspec.json.encode(record) + b"\n"
