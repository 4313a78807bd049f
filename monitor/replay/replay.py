"""Replay: the pure core over a file, with no broker. A user's tool, and the oracle of the Kafka path.

Decoded batches become the same messages that ingest would have sent from a single source partition, and the evaluator
advances over them with a dictionary for its state. There is no second implementation of anything.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from detectors.reference import Reference
from monitor.errors import InputError
from monitor.evaluation.evaluator import Evaluator
from monitor.evaluation.results import Source
from monitor.evaluation.watched import Watched
from monitor.events.batch import Batch, Decoded, Rejected
from monitor.eventtime.watermark import Clock
from monitor.sketching.deltas import deltas_of
from monitor.sketching.messages import Delta, SketchMessage
from sinks.records import ColumnProfile, DriftScore, ResultBatch

_TOPIC = "replay"


class Replay:
    """Feeds decoded batches through sketches, windows and scores.

    Parameters
    ----------
    models
        What to score, by `monitor.models.watched`.
    references
        By model: what to sketch on.
    """

    def __init__(self, models: Sequence[Watched], references: Mapping[str, Reference]) -> None:
        self._models = {model.name: model for model in models}
        self._references = references
        self._evaluator = Evaluator(models)
        self._state: dict[bytes, bytes] = {}
        self._offset = 0
        self._latest_ms: int | None = None
        self.watermarks_ms: Mapping[str, int] = {}

    def feed(self, batches: Iterable[Batch]) -> list[ResultBatch]:
        """Count one group of batches; returns what its events led to."""
        deltas: list[Delta] = []
        for batch in batches:
            deltas += deltas_of(batch, self._references[batch.model], self._models[batch.model].pane_ms)
            latest_ms = int(batch.timestamps_ms.max())
            self._latest_ms = latest_ms if self._latest_ms is None else max(latest_ms, self._latest_ms)
        return self._advance(deltas)

    def close(self) -> list[ResultBatch]:
        """Let event time pass the end of every window that holds an event."""
        if self._latest_ms is not None:
            longest_ms = max(shape.size_ms for model in self._models.values() for shape in model.shapes)
            self._latest_ms += longest_ms + max(model.lateness_ms for model in self._models.values())
        return self._advance([])

    def _advance(self, deltas: list[Delta]) -> list[ResultBatch]:
        message = SketchMessage(
            deltas=deltas,
            clocks=[Clock(topic=_TOPIC, partition=0, max_event_ms=self._latest_ms)],
            n_partitions={_TOPIC: 1},
        )
        step = self._evaluator.advance(self._state, message, Source(topic=_TOPIC, partition=0, offset=self._offset))
        self._offset += 1
        for key, value in [*step.writes, step.seal]:
            if value is None:
                self._state.pop(key, None)
            else:
                self._state[key] = value
        self.watermarks_ms = step.watermarks_ms
        return step.results


class RowFile:
    """A Parquet file of rows of one kind, written as they come; closing it leaves the last revision of each."""

    def __init__(self, path: Path, kind: type[DriftScore] | type[ColumnProfile], key: Sequence[str]) -> None:
        self._path = path
        self._key = list(key)
        self._fields = msgspec.structs.fields(kind)
        self._schema = pa.schema([(field.name, _ARROW[field.name]) for field in self._fields])
        self._writer = pq.ParquetWriter(path, self._schema, compression="zstd")
        self._revised = False
        self.n_rows = 0

    def write(self, rows: Sequence[msgspec.Struct]) -> None:
        """Append rows."""
        if not rows:
            return
        columns: dict[str, list[Any]] = {f.name: [getattr(row, f.name) for row in rows] for f in self._fields}
        self._revised = self._revised or max(columns["revision"]) > 1
        self._writer.write_table(pa.table(columns, schema=self._schema))
        self.n_rows += len(rows)

    def close(self) -> None:
        """Finish the file."""
        self._writer.close()
        if not self._revised:
            return
        table = pq.read_table(self._path).unify_dictionaries()  # grouping does not do it by itself
        table = table.append_column("_row", pa.array(range(table.num_rows), pa.int64()))
        # Rows were appended in the order of their revisions, so the last of a key is its last revision.
        last = table.group_by(self._key).aggregate([("_row", "max")])["_row_max"].sort()
        table = table.take(last).drop_columns(["_row"])
        pq.write_table(table, self._path, compression="zstd")
        self.n_rows = table.num_rows


SCORE_KEY = (
    "model", "version", "reference", "segment", "column", "method", "window_start_ms", "window_end_ms",
)  # fmt: skip
PROFILE_KEY = ("model", "version", "reference", "segment", "column", "pane_start_ms", "pane_end_ms")

_TEXT = pa.dictionary(pa.int32(), pa.string())
_ARROW: dict[str, pa.DataType] = {
    **dict.fromkeys(("model", "version", "reference", "segment", "column", "method", "kind"), _TEXT),
    **dict.fromkeys(("window_start_ms", "window_end_ms", "pane_start_ms", "pane_end_ms"), pa.int64()),
    **dict.fromkeys(("statistic", "p_value", "q_value", "threshold", "error_bound"), pa.float64()),
    **dict.fromkeys(("minimum", "maximum", "mean", "std"), pa.float64()),
    **dict.fromkeys(("drifted", "insufficient"), pa.bool_()),
    **dict.fromkeys(("n", "nulls", "invalid", "n_reference", "n_current", "revision"), pa.int64()),
    "quantiles": pa.list_(pa.float64()),
    "counts": pa.list_(pa.int64()),
    "frequent_unseen": pa.list_(pa.struct([("value", pa.string()), ("count", pa.int64()), ("error", pa.int64())])),
}


class ReplayReport(msgspec.Struct, kw_only=True):
    """What a replay read and wrote. An event that is neither rejected nor late is counted in a sketch."""

    n_events: int = 0
    n_rejected: int = 0
    n_late_dropped: int = 0
    n_scores: int = 0
    n_drifted: int = 0
    n_profiles: int = 0
    windows: int = 0


def run_replay(decoded: Iterable[Decoded], replay: Replay, out: Path, *, close: bool) -> ReplayReport:
    """Replay into `out`: `drift.parquet`, `quality.parquet` and `rejects.jsonl`. Existing ones are overwritten.

    Raises `InputError` when `out` cannot be written.
    """
    try:
        return _run(decoded, replay, out, close=close)
    except OSError as error:  # what goes wrong while reading is an `InputError` already
        raise InputError(
            f"cannot write to {out}: {error.strerror or error}", hint="name a folder with room that can be written to"
        ) from error


def _run(decoded: Iterable[Decoded], replay: Replay, out: Path, *, close: bool) -> ReplayReport:
    out.mkdir(parents=True, exist_ok=True)
    report = ReplayReport()
    windows: set[tuple[str, str, int, int]] = set()
    scores = RowFile(out / "drift.parquet", DriftScore, SCORE_KEY)
    profiles = RowFile(out / "quality.parquet", ColumnProfile, PROFILE_KEY)

    def take(results: Iterable[ResultBatch]) -> None:
        for result in results:
            scores.write(result.scores)
            profiles.write(result.profiles)
            windows.update((s.model, s.version, s.window_start_ms, s.window_end_ms) for s in result.scores)
            report.n_late_dropped += sum(row.n for row in result.late)

    with (out / "rejects.jsonl").open("wb") as rejects:
        for part in decoded:
            report.n_events += part.n_events
            report.n_rejected += len(part.rejects)
            rejects.writelines(_reject_lines(part.rejects))
            take(replay.feed(part.batches))
        if close:
            take(replay.close())
    scores.close()
    profiles.close()
    report.n_scores, report.n_profiles, report.windows = scores.n_rows, profiles.n_rows, len(windows)
    # Of the last revisions alone: a window that was opened again is one window.
    drifted = pq.read_table(out / "drift.parquet", columns=["drifted"])["drifted"]
    report.n_drifted = drifted.to_pylist().count(True)
    return report


def _reject_lines(rejects: Iterable[Rejected]) -> Iterator[bytes]:
    for reject in rejects:
        record = {
            "reason": str(reject.reason),
            "detail": reject.detail,
            "model": reject.model,
            "raw": reject.raw.decode("utf-8", "backslashreplace"),
        }
        yield msgspec.json.encode(record) + b"\n"
