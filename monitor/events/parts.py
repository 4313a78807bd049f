"""From decoded structs to columns, and from the columns of many chunks to one batch a model."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
import numpy as np

from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.columns import CODE_INVALID, CODE_NULL
from monitor.events import unpack
from monitor.events.batch import Batch
from monitor.events.frame import Frame
from monitor.events.lookup import ASK, MISSING
from monitor.events.shapes import Plan
from monitor.events.values import Category, category, most_probable

_ENCODER: Final = msgspec.msgpack.Encoder()


@dataclass(kw_only=True)
class Part:
    """Some rows of one model's batch. Arrays as in `Batch`; `positions` (n,) orders rows over all parts."""

    positions: Ints
    timestamps_ms: Ints
    numeric: Floats
    codes: Codes
    segments: Codes
    versions: tuple[str, ...]
    version_codes: Codes
    unseen: dict[int, list[tuple[int, str]]] = field(default_factory=dict)

    def take(self, rows: Ints) -> "Part":
        """These rows in this order, each at most once."""
        place = dict(zip(rows.tolist(), range(rows.size), strict=True)) if self.unseen else {}
        unseen = {
            column: sorted((place[row], value) for row, value in pairs if row in place)
            for column, pairs in self.unseen.items()
        }
        return Part(
            positions=self.positions[rows],
            timestamps_ms=self.timestamps_ms[rows],
            numeric=self.numeric[:, rows],
            codes=self.codes[:, rows],
            segments=self.segments[:, rows],
            versions=self.versions,
            version_codes=self.version_codes[rows],
            unseen={column: pairs for column, pairs in unseen.items() if pairs},
        )


def read(plan: Plan, events: Sequence[Any], positions: Ints) -> Part:
    """The columns of instances of the plan's struct.

    Raises
    ------
    OverflowError
        an event holds a time that cannot be written (the year 1 east of Greenwich).
    """
    frame, n = plan.frame, len(events)
    data = np.frombuffer(_ENCODER.encode(events), dtype=np.uint8)
    numeric, codes = frame.blank(n)
    times = np.empty(n, dtype=np.int64)
    versions = np.zeros(n, dtype=np.int32)
    version_rows = np.zeros(unpack.MAX_VERSIONS, dtype=np.int64)
    flags = np.zeros(n, dtype=np.bool_)
    tables = frame.tables
    end, n_versions = unpack.unpack(
        data, 1 if n < 16 else 3 if n < 65_536 else 5, plan.program, plan.tail,
        tables.info, tables.slots, tables.entries, tables.blob,
        numeric, codes, times, versions, version_rows, flags,
    )  # fmt: skip
    if end != data.size:
        raise AssertionError("the program does not fit the struct it was made from")
    part = Part(
        positions=positions,
        timestamps_ms=times,
        numeric=numeric[: frame.n_numeric],
        codes=codes[: frame.n_categorical],
        segments=np.empty((len(frame.dimensions), n), dtype=np.int32),
        versions=tuple(version_text(plan.version(events[row])) for row in version_rows[:n_versions].tolist()),
        version_codes=versions,
    )
    _ask(plan, events, part)
    if frame.score is not None:
        row = part.numeric[frame.score]
        np.copyto(row, numeric[frame.flat_score], where=np.isnan(row))
    if frame.label is not None:
        _flat_label(plan, events, part, codes[frame.flat_label])
    if plan.probabilities is not None and flags.any():
        _probabilities(plan, events, part, flags)
    _segments(frame, part, codes)
    if n_versions == unpack.MAX_VERSIONS and (versions == ASK).any():
        texts = [version_text(plan.version(event)) for event in events]
        part.versions = tuple(dict.fromkeys(texts))
        index = {text: code for code, text in enumerate(part.versions)}
        part.version_codes = np.fromiter(map(index.__getitem__, texts), dtype=np.int32, count=n)
    return part


def writable(event: object) -> bool:
    """Whether an event can be written as MessagePack: all but times outside the years 1 to 9999 in UTC."""
    try:
        _ENCODER.encode(event)
    except OverflowError:
        return False
    return True


def version_text(value: int | str | None) -> str:
    """A version as text; none is ""."""
    return "" if value is None else str(value)


def code_of(frame: Frame, column: int, value: Category) -> int:
    """The code of a canonical value in a categorical column."""
    if value is None:
        return CODE_NULL
    if not isinstance(value, str):
        return CODE_INVALID
    return frame.known[column].get(value, frame.columns[column].unseen)


def set_code(frame: Frame, part: Part, column: int, row: int, value: Category) -> None:
    """Give one cell its code, and remember the value if the reference never held it."""
    code = code_of(frame, column, value)
    part.codes[column, row] = code
    if code == frame.columns[column].unseen and isinstance(value, str):
        part.unseen.setdefault(column, []).append((row, value))


def _ask(plan: Plan, events: Sequence[Any], part: Part) -> None:
    """Values that are in no table: unseen ones, and spellings that nobody foresaw."""
    columns, rows = np.nonzero(part.codes == ASK)
    for column, row in zip(columns.tolist(), rows.tolist(), strict=True):
        set_code(plan.frame, part, column, row, category(plan.getters[column](events[row])))


def _flat_label(plan: Plan, events: Sequence[Any], part: Part, flat: Codes) -> None:
    """A flat event's own `label`, where its prediction gave none."""
    label = plan.frame.label
    assert label is not None
    own = part.codes[label]
    for row in np.flatnonzero((own == CODE_NULL) & (flat != CODE_NULL)).tolist():
        if flat[row] == ASK:
            set_code(plan.frame, part, label, row, category(plan.getters[plan.frame.flat_label](events[row])))
        else:
            own[row] = flat[row]


def _probabilities(plan: Plan, events: Sequence[Any], part: Part, flags: Bools) -> None:
    """Where there are probabilities: the largest stands in for an absent score, its class for an absent label."""
    frame = plan.frame
    no_score = np.zeros_like(flags) if frame.score is None else np.isnan(part.numeric[frame.score])
    no_label = np.zeros_like(flags) if frame.label is None else part.codes[frame.label] == CODE_NULL
    assert plan.probabilities is not None
    for row in np.flatnonzero(flags & (no_score | no_label)).tolist():
        score, label = most_probable(plan.probabilities(events[row]))
        if frame.score is not None and no_score[row]:
            part.numeric[frame.score, row] = score
        if frame.label is not None and no_label[row]:
            set_code(frame, part, frame.label, row, label)


def _segments(frame: Frame, part: Part, codes: Codes) -> None:
    """Named in `segments`, else the feature of that name, else the rest."""
    for dimension, name in enumerate(frame.dimensions):
        found = codes[frame.named_segment(dimension)]
        missing = found == MISSING
        if missing.any():
            if name in frame.numeric:
                numeric_segment(frame, part.numeric[frame.numeric[name]], dimension, found, missing)
            else:
                np.copyto(found, codes[frame.feature_segment(dimension)], where=missing)
            found[found < 0] = frame.rest[dimension]
        part.segments[dimension] = found


def numeric_segment(frame: Frame, values: Floats, dimension: int, found: Codes, missing: Bools) -> None:
    """Fill in a dimension that is a numeric column: its finite values, spelled as categories."""
    rest, index = frame.rest[dimension], frame.indices[dimension]
    for row in np.flatnonzero(missing).tolist():
        value = float(values[row])
        spelled = category(value) if math.isfinite(value) else None
        found[row] = index.get(spelled, rest) if isinstance(spelled, str) else rest


def join(frame: Frame, parts: Sequence[Part], sources: Codes) -> Batch:
    """One batch of a model's parts. `sources`: (n_events,) int32, the message of each position."""
    versions = tuple(dict.fromkeys(version for part in parts for version in part.versions))
    index = {version: code for code, version in enumerate(versions)}
    recoded, unseen, base = [], dict[int, list[tuple[int, str]]](), 0
    for part in parts:
        local = np.array([index[version] for version in part.versions], dtype=np.int32)
        recoded.append(local[part.version_codes])
        for column, pairs in part.unseen.items():
            unseen.setdefault(column, []).extend((base + row, value) for row, value in pairs)
        base += part.positions.size
    whole = Part(
        positions=_beside([part.positions for part in parts]),
        timestamps_ms=_beside([part.timestamps_ms for part in parts]),
        numeric=_beside([part.numeric for part in parts]),
        codes=_beside([part.codes for part in parts]),
        segments=_beside([part.segments for part in parts]),
        versions=versions,
        version_codes=_beside(recoded),
        unseen=unseen,
    )
    if np.any(whole.positions[1:] < whole.positions[:-1]):
        whole = whole.take(np.argsort(whole.positions))
    used = np.flatnonzero(np.bincount(whole.version_codes, minlength=len(versions)))
    order = sorted(used.tolist(), key=lambda code: versions[code])
    recode = np.zeros(len(versions), dtype=np.int32)
    recode[order] = np.arange(len(order), dtype=np.int32)
    return Batch(
        model=frame.spec.name,
        n=whole.positions.size,
        versions=tuple(versions[code] for code in order),
        version_codes=recode[whole.version_codes],
        timestamps_ms=whole.timestamps_ms,
        numeric=np.ascontiguousarray(whole.numeric),
        codes=np.ascontiguousarray(whole.codes),
        segments=np.ascontiguousarray(whole.segments),
        unseen={column: sorted(pairs) for column, pairs in sorted(whole.unseen.items())},
        sources=sources[whole.positions],
    )


def _beside(arrays: list[Any]) -> Any:
    """The rows (last axis) of all arrays, without a copy where there is one array."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)
