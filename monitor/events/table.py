"""Flat tables, from Arrow messages and from files, to the columns of batches."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Codes, Ints
from monitor.events.arrays import BAD_TIME, Texts, milliseconds, numbers, texts
from monitor.events.batch import Decoded, Rejected
from monitor.events.forgiving import Refused, bad_time
from monitor.events.frame import MODEL, SEGMENTS, Frame
from monitor.events.mapping import path
from monitor.events.models import ModelSpec, Role
from monitor.events.outcome import Outcome
from monitor.events.parts import Part, code_of, numeric_segment
from monitor.events.reasons import Reason


def decode_table(models: Sequence[ModelSpec], table: Any, role: Role, now_ms: int) -> Decoded:
    """Decode a pyarrow Table or RecordBatch of flat columns: a file's, say. All rows have the source 0.

    Every feature is the column of its name, or a field of a struct column at the mapping's `features`; score and label
    are the mapping's columns. Model and version are columns or in the schema's metadata. A bad row is rejected alone.

    Raises
    ------
    Refused
        the table has no timestamp column, so that no row is an event.
    """
    frames = {model.name: Frame(model, role) for model in models}
    outcome = Outcome()
    first = 0
    for batch in table.to_batches() if isinstance(table, pa.Table) else [table]:
        add_rows(frames, batch, 0, first, now_ms, outcome)
        first += batch.num_rows
    return outcome.decoded(frames)


def check_schema(frames: Mapping[str, Frame], schema: Any) -> None:
    """Refuse a schema in which no configured model finds its timestamps.

    Raises
    ------
    Refused
        with reason schema.
    """
    wanted = {frame.spec.mapping.timestamp for frame in frames.values()}
    if not any(path(name)[0] in schema.names or name in schema.names for name in wanted):
        raise Refused(Reason.SCHEMA, f"no column {' or '.join(sorted(wanted))}; columns: {', '.join(schema.names)}")


def add_rows(frames: Mapping[str, Frame], batch: Any, message: int, first: int, now_ms: int, outcome: Outcome) -> None:
    """Decode one record batch, which begins with row `first` of its message, into the outcome.

    Raises
    ------
    Refused
        its schema has no timestamp.
    """
    check_schema(frames, batch.schema)
    n = batch.num_rows
    base = outcome.events(np.full(n, message, dtype=np.int32))
    metadata = {key.decode(errors="replace"): value.decode(errors="replace") for key, value in _metadata(batch)}
    column = _column(batch, (MODEL,))
    if column is not None:
        named = texts(column)
        distinct: Sequence[object] = named.values
        index = named.codes
    else:
        distinct, index = [metadata.get(MODEL)], np.zeros(n, dtype=np.int64)
    for frame, rows in _by_frame(frames, distinct, index):
        if frame is None:
            for row in rows.tolist():
                value = distinct[index[row]]
                what = f"model {value!r}" if isinstance(value, str) else "the row names no model"
                _reject(batch, row, message, first, Refused(Reason.UNKNOWN_MODEL, what), outcome)
            continue
        own = batch if rows.size == n else batch.take(pa.array(rows))
        _Rows(frame, own, metadata.get("version")).add(base + rows, message, first, now_ms, outcome, rows)


def _by_frame(frames: Mapping[str, Frame], names: Sequence[object], index: Ints) -> list[tuple[Frame | None, Ints]]:
    only = next(iter(frames.values())) if len(frames) == 1 else None
    found: dict[str, list[int]] = {}
    unknown = []
    for code, name in enumerate(names):
        if name is None and only is not None:
            found.setdefault(only.spec.name, []).append(code)
        elif isinstance(name, str) and name in frames:
            found.setdefault(name, []).append(code)
        else:
            unknown.append(code)
    if len(found) + bool(unknown) == 1:
        frame = None if unknown else frames[next(iter(found))]
        return [(frame, np.arange(index.size))] if index.size else []
    groups: list[tuple[Frame | None, Ints]] = [
        (frames[name], np.flatnonzero(np.isin(index, codes))) for name, codes in found.items()
    ]
    groups.append((None, np.flatnonzero(np.isin(index, unknown))))
    return [(frame, rows) for frame, rows in groups if rows.size]


class _Rows:
    """The rows of one model in one record batch."""

    def __init__(self, frame: Frame, batch: Any, version: str | None) -> None:
        self.frame = frame
        self.batch = batch
        self.mapping = frame.spec.mapping
        self.version = version
        self.n: int = batch.num_rows
        self.features = _column(batch, path(self.mapping.features))
        if self.features is not None and not pa.types.is_struct(self.features.type):
            self.features = None
        named = (self.mapping.timestamp, self.mapping.prediction_id, self.mapping.version)
        self.reserved = {MODEL, SEGMENTS, *named, self.mapping.score_column, self.mapping.label_column}

    def feature(self, name: str) -> Any:
        """A feature's array, or None."""
        if self.features is not None:
            return _field(self.features, name)
        return None if name in self.reserved else _column(self.batch, (name,))

    def mapped(self, dotted: str) -> Any:
        """The column of this name, or the field at this path of struct columns."""
        exact = _column(self.batch, (dotted,))
        return _column(self.batch, path(dotted)) if exact is None else exact

    def add(self, positions: Ints, message: int, first: int, now_ms: int, outcome: Outcome, rows: Ints) -> None:
        """Decode the rows: a part for the good ones, a reject for each bad one."""
        name = self.frame.spec.name
        times = self.mapped(self.mapping.timestamp)
        times_ms = np.full(self.n, BAD_TIME) if times is None else milliseconds(times)
        versions = self._texts(self.mapped(self.mapping.version), self.version)
        wrong_version = np.array([value is not None and not isinstance(value, str) for value in versions.values])
        bad_version = wrong_version[versions.codes]
        bad_id = self._bad_ids()
        late = times_ms > now_ms + self.frame.spec.max_ahead_ms
        bad = (times_ms < 0) | late | bad_id | bad_version
        for row in np.flatnonzero(bad).tolist():
            if bad_id[row]:
                refused = Refused(
                    Reason.MISSING_ID, f"{self.mapping.prediction_id} is neither text nor an integer", name
                )
            elif times_ms[row] < 0:
                refused = Refused(
                    Reason.BAD_TIMESTAMP, f"{self.mapping.timestamp} is null or no time from 1970 on", name
                )
            elif bad_version[row]:
                refused = Refused(Reason.SCHEMA, f"{self.mapping.version} is neither text nor a number", name)
            else:
                refused = bad_time(int(times_ms[row]), now_ms, name)
            _reject(self.batch, row, message, first, refused, outcome, int(rows[row]))
        part = self._part(positions, times_ms, versions)
        outcome.add(name, part.take(np.flatnonzero(~bad)) if bad.any() else part)

    def _bad_ids(self) -> Any:
        bad = np.zeros(self.n, dtype=np.bool_)
        column = self.mapped(self.mapping.prediction_id) if self.frame.role == "predictions" else None
        if column is None:
            return bad
        kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
        kinds = (
            pa.types.is_integer,
            pa.types.is_string,
            pa.types.is_large_string,
            pa.types.is_string_view,
            pa.types.is_null,
        )
        return bad if any(matches(kind) for matches in kinds) else pc.is_valid(column).to_numpy(zero_copy_only=False)

    def _texts(self, column: Any, default: str | None = None) -> Texts:
        if column is None:
            return Texts(np.zeros(self.n, dtype=np.int64), [default])
        return texts(column)

    def _part(self, positions: Ints, times_ms: Ints, versions: Texts) -> Part:
        frame, mapping = self.frame, self.mapping
        numeric, codes = frame.blank(self.n)
        unseen: dict[int, list[tuple[int, str]]] = {}
        found: dict[str, Texts] = {}
        for name, row in frame.numeric.items():
            column = self.feature(name)
            if column is not None:
                numeric[row] = numbers(column)
        for name, row in frame.categorical.items():
            column = self.feature(name)
            if column is not None:
                found[name] = texts(column)
                self._encode(found[name], row, codes, unseen)
        if frame.score is not None:
            column = self.mapped(mapping.score_column)
            column = self.mapped(mapping.score) if column is None else column
            if column is not None:
                numeric[frame.score] = numbers(column)
        if frame.label is not None:
            column = self.mapped(mapping.label_column)
            column = self.mapped(mapping.label) if column is None else column
            if column is not None:
                self._encode(texts(column), frame.label, codes, unseen)
        segments = np.empty((len(frame.dimensions), self.n), dtype=np.int32)
        for dimension, name in enumerate(frame.dimensions):
            own = segments[dimension]
            own[:] = self._segment(dimension, self._texts(_column(self.batch, (SEGMENTS, name))))
            missing = own < 0
            if missing.any():
                if name in frame.numeric:
                    numeric_segment(frame, numeric[frame.numeric[name]], dimension, own, missing)
                else:
                    texts_of = found[name] if name in found else self._texts(self.feature(name))
                    np.copyto(own, self._segment(dimension, texts_of), where=missing)
                own[own < 0] = frame.rest[dimension]
        distinct = tuple("" if not isinstance(value, str) else value for value in versions.values)
        return Part(
            positions=positions,
            timestamps_ms=times_ms,
            numeric=numeric[: frame.n_numeric],
            codes=codes[: frame.n_categorical],
            segments=segments,
            versions=distinct,
            version_codes=versions.codes.astype(np.int32),
            unseen=unseen,
        )

    def _encode(self, column: Texts, row: int, codes: Codes, unseen: dict[int, list[tuple[int, str]]]) -> None:
        known, not_known = self.frame.known[row], self.frame.columns[row].unseen
        of_value = np.array(
            [
                known.get(value, not_known) if isinstance(value, str) else code_of(self.frame, row, value)
                for value in column.values
            ],
            dtype=np.int32,
        )
        codes[row] = of_value[column.codes]
        if (of_value == not_known).any():
            rows = np.flatnonzero(codes[row] == not_known)
            values = column.values
            unseen[row] = [
                (at, str(values[code])) for at, code in zip(rows.tolist(), column.codes[rows].tolist(), strict=True)
            ]

    def _segment(self, dimension: int, column: Texts) -> Codes:
        rest, index = self.frame.rest[dimension], self.frame.indices[dimension]
        of_value = [
            -1 if value is None else index.get(value, rest) if isinstance(value, str) else rest
            for value in column.values
        ]
        return np.array(of_value, dtype=np.int32)[column.codes]


def _column(batch: Any, keys: tuple[str, ...]) -> Any:
    """The column, or the field of struct columns, at a path; of two with one name the last. None if there is none."""
    places = batch.schema.get_all_field_indices(keys[0])
    if not places:
        return None
    array = batch.column(places[-1])
    for key in keys[1:]:
        if array is None or not pa.types.is_struct(array.type):
            return None
        array = _field(array, key)
    return array


def _field(array: Any, name: str) -> Any:
    places = [i for i in range(array.type.num_fields) if array.type.field(i).name == name]
    return pc.struct_field(array, [places[-1]]) if places else None


def _metadata(batch: Any) -> list[tuple[bytes, bytes]]:
    return list((batch.schema.metadata or {}).items())


def _reject(
    batch: Any, row: int, message: int, first: int, refused: Refused, outcome: Outcome, index: int | None = None
) -> None:
    outcome.rejects.append(
        Rejected(
            message=message,
            index=first + (row if index is None else index),
            reason=refused.reason,
            detail=refused.detail,
            model=refused.model,
            raw=row_as_json(batch, row),
        )
    )


def row_as_json(batch: Any, row: int) -> bytes:
    """One row as a JSON object. A time that Python cannot hold is given as its integer."""
    fields = {}
    for place, name in enumerate(batch.schema.names):
        value = batch.column(place)[row]
        try:
            fields[name] = value.as_py()
        except (ValueError, OverflowError, pa.ArrowException):
            fields[name] = getattr(value, "value", None)  # the integer below a time
    return msgspec.json.encode(fields, enc_hook=repr)
