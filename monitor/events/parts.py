"""Rows and columns of one model on their way to its batch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np

from detectors.arrays import Bools, Codes, Floats, Ints
from detectors.columns import ABSENT, CODE_ABSENT, CODE_INVALID, CODE_NULL
from monitor.events.batch import Batch
from monitor.events.frame import Frame
from monitor.events.identity import NO_ID, hash_of
from monitor.events.lookup import MISSING
from monitor.events.values import MAX_TEXT, Category, category


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
    ids: Any = None

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
            ids=None if self.ids is None else self.ids[rows],
        )


class Row(msgspec.Struct, frozen=True, kw_only=True):
    """One event, value by value.

    `numeric` and `texts` lie as the rows of a batch, `segments` as the model's dimensions. `has_features` and
    `has_prediction` tell whether the event speaks of them at all.
    """

    time_ms: int
    version: str
    has_features: bool
    has_prediction: bool
    numeric: Sequence[float]
    texts: Sequence[Category]
    segments: Sequence[Category]
    identity: str | None = None


def code_of(frame: Frame, column: int, value: Category) -> int:
    """The code of a canonical value in a categorical column."""
    if value is None:
        return CODE_NULL
    if not isinstance(value, str):
        return CODE_INVALID
    return frame.known[column].get(value, frame.columns[column].unseen)


def segment_code(frame: Frame, dimension: int, value: Category) -> int:
    """The code of a canonical value in a segment dimension."""
    rest = frame.rest[dimension]
    return frame.indices[dimension].get(value, rest) if isinstance(value, str) else rest


def set_code(frame: Frame, part: Part, column: int, row: int, value: Category) -> None:
    """Give one cell its code, and remember the value if the reference never held it."""
    code = code_of(frame, column, value)
    part.codes[column, row] = code
    if code == frame.columns[column].unseen and isinstance(value, str):
        part.unseen.setdefault(column, []).append((row, value[:MAX_TEXT]))


def rows_part(frame: Frame, rows: Sequence[Row], positions: Ints) -> Part:
    """The columns of rows that the forgiving path made; `positions` (n,) are theirs."""
    n = len(rows)
    _, codes = frame.blank(n)
    numeric = np.array([row.numeric for row in rows], dtype=np.float64).reshape(n, frame.n_numeric).T
    texts = [row.version for row in rows]
    versions = tuple(dict.fromkeys(texts))
    index = {text: code for code, text in enumerate(versions)}
    part = Part(
        positions=positions,
        timestamps_ms=np.array([row.time_ms for row in rows], dtype=np.int64),
        numeric=np.ascontiguousarray(numeric),
        codes=codes[: frame.n_categorical],
        segments=np.empty((len(frame.dimensions), n), dtype=np.int32),
        versions=versions,
        version_codes=np.array([index[text] for text in texts], dtype=np.int32),
    )
    for column in range(frame.n_categorical):
        for at, row in enumerate(rows):
            set_code(frame, part, column, at, row.texts[column])
    for dimension in range(len(frame.dimensions)):
        part.segments[dimension] = [segment_code(frame, dimension, row.segments[dimension]) for row in rows]
    has_features, has_prediction = ([row.has_features for row in rows], [row.has_prediction for row in rows])
    set_absent(frame, part.numeric, part.codes, np.array(has_features, np.bool_), np.array(has_prediction, np.bool_))
    if frame.with_ids:
        ids = [NO_ID if row.identity is None else hash_of(frame.spec.name, row.identity) for row in rows]
        part.ids = np.array(ids, dtype=np.uint64).reshape(n, 2)
    return part


def set_absent(frame: Frame, numeric: Floats, codes: Codes, has_features: Bools, has_prediction: Bools) -> None:
    """Make absent what a row says nothing of: all its features, its prediction, or both.

    Parameters
    ----------
    numeric, codes
        (n_numeric, n) and (n_categorical, n), changed in place.
    has_features, has_prediction
        (n,) whether the row speaks of them.
    """
    for spoken, rows in ((has_features, frame.feature_rows), (has_prediction, frame.prediction_rows)):
        if not spoken.all():
            silent = np.flatnonzero(~spoken)
            for row in rows[0]:
                numeric[row, silent] = ABSENT
            for row in rows[1]:
                codes[row, silent] = CODE_ABSENT


def fill_segments(frame: Frame, part: Part, codes: Codes) -> None:
    """Named in `segments`, else the feature of that name, else the rest."""
    for dimension, name in enumerate(frame.dimensions):
        found = codes[frame.named_segment(dimension)]
        missing = found == MISSING
        if missing.any():
            if frame.spec.mapping.segment_path(name) is not None:
                pass  # it lies there, or nowhere
            elif name in frame.numeric:
                numeric_segment(frame, part.numeric[frame.numeric[name]], dimension, found, missing)
            else:
                np.copyto(found, codes[frame.feature_segment(dimension)], where=missing)
            found[found < 0] = frame.rest[dimension]
        part.segments[dimension] = found


def numeric_segment(frame: Frame, values: Floats, dimension: int, found: Codes, missing: Bools) -> None:
    """Fill in a dimension that is a numeric column: its finite values, spelled as categories."""
    for row in np.flatnonzero(missing).tolist():
        value = float(values[row])
        found[row] = segment_code(frame, dimension, category(value) if math.isfinite(value) else None)


def join(model: str, parts: Sequence[Part], sources: Codes) -> Batch:
    """One batch of the parts of a model of this name. `sources`: (n_events,) int32, the message of each position."""
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
        ids=None if any(part.ids is None for part in parts) else np.concatenate([part.ids for part in parts]),
    )
    if np.any(whole.positions[1:] < whole.positions[:-1]):
        whole = whole.take(np.argsort(whole.positions))
    used = np.flatnonzero(np.bincount(whole.version_codes, minlength=len(versions)))
    order = sorted(used.tolist(), key=lambda code: versions[code])
    recode = np.zeros(len(versions), dtype=np.int32)
    recode[order] = np.arange(len(order), dtype=np.int32)
    return Batch(
        model=model,
        n=whole.positions.size,
        versions=tuple(versions[code] for code in order),
        version_codes=recode[whole.version_codes],
        timestamps_ms=whole.timestamps_ms,
        numeric=np.ascontiguousarray(whole.numeric),
        codes=np.ascontiguousarray(whole.codes),
        segments=np.ascontiguousarray(whole.segments),
        unseen={column: sorted(pairs) for column, pairs in sorted(whole.unseen.items())},
        sources=sources[whole.positions],
        ids=whole.ids,
    )


def _beside(arrays: list[Any]) -> Any:
    """The rows (last axis) of all arrays, without a copy where there is one array."""
    return arrays[0] if len(arrays) == 1 else np.concatenate(arrays, axis=-1)
