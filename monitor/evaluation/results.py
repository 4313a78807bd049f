"""From scores and profiles to batches of the public output contract (`sinks.records`)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Codes
from detectors.change import DIRECTIONS
from detectors.profile import ProfileColumns
from detectors.score import CALIBRATIONS, REASONS
from monitor.evaluation.compared import ComparedWindow
from monitor.evaluation.panes import Group
from monitor.evaluation.window_columns import WindowColumns
from monitor.eventtime.windows import Window
from sinks.records import RECORDS, Record, Source
from sinks.records.split import split

# Of one message of `drift.results`, before compression. Far below a broker's limit.
BYTES_A_MESSAGE: Final = 1024 * 1024

_SCORE: Final = RECORDS["drift_score"]
_VERDICT: Final = RECORDS["drift_verdict"]
_PROFILE: Final = RECORDS["column_profile"]
_WINDOW: Final = RECORDS["window"]
_LATE: Final = RECORDS["late_dropped"]
_KINDS: Final = ("categorical", "numeric")

__all__ = ["Results", "RowGroup", "Source"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RowGroup:
    """What rows have in common that were made together: one window's scores, or one pane's profiles."""

    model: str
    group: Group
    interval: Window
    revision: int
    compare: str = ""


@dataclass(slots=True)
class Results:
    """What one message of `drift.sketches` gives rise to, until it is put into batches."""

    compared: list[tuple[RowGroup, ComparedWindow]] = field(default_factory=list)
    profiles: list[tuple[RowGroup, ProfileColumns]] = field(default_factory=list)
    windows: list[tuple[RowGroup, WindowColumns]] = field(default_factory=list)
    late: list[Mapping[str, Any]] = field(default_factory=list)
    rows: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)
    """By the name of their record, rows that come one by one: few, beside the others."""

    def add(self, other: "Results") -> None:
        """Take in another model's."""
        self.compared += other.compared
        self.profiles += other.profiles
        self.windows += other.windows
        self.late += other.late
        for name, rows in other.rows.items():
            self.add_rows(name, rows)

    def add_rows(self, record: str, rows: Sequence[Mapping[str, Any]]) -> None:
        """Take in rows of a record, which have all of its fields."""
        if rows:
            self.rows.setdefault(record, []).extend(rows)

    def batches(self, n_bytes: int | None = BYTES_A_MESSAGE) -> list[pa.RecordBatch]:
        """The rows, one kind a batch, in as few batches as the size of a message, `n_bytes`, allows; none when there
        are no rows.

        The split is a function of the rows alone, so a repeated message is repeated to the byte.
        """
        whole = [
            _verdicts(self.compared),
            _scores(self.compared),
            _profiles(self.profiles),
            _windows(self.windows),
            _of_rows(_LATE, self.late),
            *(_of_rows(RECORDS[name], rows) for name, rows in sorted(self.rows.items())),
        ]
        told = [batch for batch in whole if batch is not None]
        return told if n_bytes is None else [part for batch in told for part in split(batch, n_bytes)]


def _verdicts(compared: Sequence[tuple[RowGroup, ComparedWindow]]) -> pa.RecordBatch | None:
    parts = [(part, own.verdicts) for part, own in compared if len(own.verdicts)]
    if not parts:
        return None
    changes = [own.changes for _, own in compared if len(own.verdicts)]
    plain = ("drifted", "p_value", "q_value", "effect", "threshold", "n_reference", "n_current")
    return _batch(
        _VERDICT,
        {
            **_common(parts, "window_start_ms", "window_end_ms"),
            "column": _pointing((own.columns, own.column) for _, own in parts),
            "compare": _of_parts(parts, [part.compare for part, _ in parts]),
            "method": _pointing((own.methods, own.method) for _, own in parts),
            **{name: _joined([getattr(own, name) for _, own in parts]) for name in plain},
            "direction": _pointing((DIRECTIONS, own.direction) for own in changes),
            "quantity": _pointing((own.quantities, own.quantity) for own in changes),
            "before": _joined([own.before for own in changes]),
            "after": _joined([own.after for own in changes]),
        },
    )


def _scores(compared: Sequence[tuple[RowGroup, ComparedWindow]]) -> pa.RecordBatch | None:
    parts = [(part, own.scores) for part, own in compared if len(own.scores)]
    if not parts:
        return None
    plain = ("statistic", "effect", "p_value", "threshold", "n_reference", "n_current", "error_bound")
    return _batch(
        _SCORE,
        {
            **_common(parts, "window_start_ms", "window_end_ms"),
            "column": _pointing((own.columns, own.column) for _, own in parts),
            "method": _pointing((own.methods, own.method) for _, own in parts),
            "compare": _of_parts(parts, [part.compare for part, _ in parts]),
            "calibration": _pointing((CALIBRATIONS, own.calibration) for _, own in parts),
            **{name: _joined([getattr(own, name) for _, own in parts]) for name in plain},
        },
    )


def _profiles(parts: Sequence[tuple[RowGroup, ProfileColumns]]) -> pa.RecordBatch | None:
    parts = [(part, own) for part, own in parts if len(own)]
    if not parts:
        return None
    plain = ("n", "nulls", "invalid", "minimum", "maximum", "mean", "std")
    unseen: Any = _PROFILE.schema.field("frequent_unseen").type.value_type
    frequent = pa.StructArray.from_arrays(
        [
            _texts([value for _, own in parts for value in own.unseen]),
            pa.array([count for _, own in parts for count in own.unseen_counts], pa.uint64()),
            pa.array([error for _, own in parts for error in own.unseen_errors], pa.uint64()),
        ],
        fields=list(unseen),
    )
    return _batch(
        _PROFILE,
        {
            **_common(parts, "pane_start_ms", "pane_end_ms"),
            "column": _pointing((own.columns, own.column) for _, own in parts),
            "kind": _pointing((_KINDS, own.numeric) for _, own in parts),
            **{name: _joined([getattr(own, name) for _, own in parts]) for name in plain},
            "quantiles": _lists([own.quantile_offsets for _, own in parts], _joined([o.quantiles for _, o in parts])),
            "counts": _lists([own.count_offsets for _, own in parts], _joined([own.counts for _, own in parts])),
            "frequent_unseen": _lists([own.unseen_offsets for _, own in parts], frequent),
        },
    )


def _windows(parts: Sequence[tuple[RowGroup, WindowColumns]]) -> pa.RecordBatch | None:
    if not parts:
        return None
    counts = ("events", "with_features", "with_prediction", "both", "columns_scored", "columns_not_scored", "partial")
    return _batch(
        _WINDOW,
        {
            **_common(parts, "window_start_ms", "window_end_ms"),
            **{name: _joined([getattr(own, name) for _, own in parts]) for name in counts},
            "reason": _pointing((REASONS, own.reason) for _, own in parts),
        },
    )


def _of_rows(record: Record, rows: Sequence[Mapping[str, Any]]) -> pa.RecordBatch | None:
    if not rows:
        return None
    return _batch(record, {field.name: [row[field.name] for row in rows] for field in record.fields})


def _common(parts: Sequence[tuple[RowGroup, Any]], start: str, end: str) -> dict[str, Any]:
    """The columns that a part has one value of, and the segment."""
    sizes = [len(own) for _, own in parts]
    return {
        "model": _of_parts(parts, [part.model for part, _ in parts]),
        "version": _of_parts(parts, [part.group[0] for part, _ in parts]),
        "reference": _of_parts(parts, [part.group[1] for part, _ in parts]),
        start: np.repeat([part.interval.start_ms for part, _ in parts], sizes),
        end: np.repeat([part.interval.end_ms for part, _ in parts], sizes),
        "segment": _pointing((own.segments, own.segment) for _, own in parts),
        "revision": np.repeat([part.revision for part, _ in parts], sizes),
    }


def _of_parts(parts: Sequence[tuple[RowGroup, Any]], values: Sequence[str]) -> Any:
    """One text a part, for each of its rows."""
    names = tuple(dict.fromkeys(values))
    return _dictionary(names, np.repeat([names.index(value) for value in values], [len(own) for _, own in parts]))


def _batch(record: Record, columns: Mapping[str, Any]) -> pa.RecordBatch:
    arrays = []
    for own in record.fields:
        column = columns[own.name]
        if isinstance(column, list):
            texts = isinstance(own.type, pa.DictionaryType)
            column = _texts(column).dictionary_encode() if texts else pa.array(column, own.type)
        elif isinstance(column, np.ndarray):
            # A view: counts are never negative.
            column = pa.array(column.view(np.uint64) if own.type == pa.uint64() else column, own.type)
        arrays.append(column)
    return pa.RecordBatch.from_arrays(arrays, schema=record.schema)


def _pointing(parts: Iterable[tuple[Sequence[str], Codes]]) -> Any:
    """Names and codes of each part as one dictionary array; only names that are pointed to, in order of appearance."""
    place: dict[str, int] = {}
    codes = []
    for names, own in parts:
        used = np.zeros(len(names), dtype=np.int32)
        for code in _appearing(own, len(names)):
            used[code] = place.setdefault(names[code], len(place))
        codes.append(used[own])
    return _dictionary(tuple(place), np.concatenate(codes))


def _appearing(codes: Codes, n: int) -> list[int]:
    """The codes from 0 to `n - 1` that are there, ascending."""
    return np.flatnonzero(np.bincount(codes, minlength=n)).tolist()


def _dictionary(names: Sequence[str], codes: Any) -> Any:
    indices: Any = pa.array(np.asarray(codes, dtype=np.int32))
    return pa.DictionaryArray.from_arrays(indices, _texts(names))


def _joined(arrays: Sequence[Any]) -> Any:
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)


def _lists(offsets: Sequence[Codes], values: Any) -> Any:
    """Lists from each part's offsets into its own values and all parts' values."""
    ends, shift = [np.zeros(1, dtype=np.int32)], 0
    for own in offsets:
        ends.append(own[1:] + np.int32(shift))
        shift += int(own[-1])
    if isinstance(values, np.ndarray):
        values = pa.array(values.view(np.uint64) if values.dtype == np.int64 else values)
    joined: Any = pa.array(np.concatenate(ends).astype(np.int32))
    return pa.ListArray.from_arrays(joined, values)


def _texts(values: Sequence[str]) -> Any:
    """A lone surrogate, which has no UTF-8 form, becomes U+FFFD: a strange category must not stop its window."""
    try:
        return pa.array(values, pa.string())
    except UnicodeEncodeError:
        return pa.array(
            [value.encode("utf-16", "surrogatepass").decode("utf-16", "replace") for value in values], pa.string()
        )
