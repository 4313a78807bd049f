"""Flat tables, from Arrow messages and from files, to the columns of batches."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

import numpy as np
import pyarrow as pa

from detectors.arrays import Ints
from monitor.events.arrow.arrays import texts
from monitor.events.arrow.piece import Piece, Room, rejected
from monitor.events.arrow.places import Seen
from monitor.events.arrow.rows import Rows
from monitor.events.arrow.sheet import Sheet
from monitor.events.arrow.unpacked import packed_columns, unpacked
from monitor.events.batch import Decoded
from monitor.events.frame import Frame
from monitor.events.json.forgiving import Refused
from monitor.events.mapping import MODEL, path
from monitor.events.models import ModelSpec, Role
from monitor.events.outcome import Outcome
from monitor.events.reasons import Reason

_MOST_SEEN: Final = 16
"""Schemas remembered: a topic's producers have one or a few."""


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
    decoder, outcome = TableDecoder(frames), Outcome()
    first = 0
    for batch in table.to_batches() if isinstance(table, pa.Table) else [table]:
        decoder.add_batch(batch, first, now_ms, outcome)
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


class TableDecoder:
    """Decodes record batches of the models of `frames`. It remembers schemas and dictionaries: keep it for a run.

    Not for several threads at once.
    """

    def __init__(self, frames: Mapping[str, Frame]) -> None:
        self._frames = frames
        self._mappings = tuple(frame.spec.mapping for frame in frames.values())
        self._only = next(iter(frames.values())) if len(frames) == 1 else None
        self._model_paths = tuple(dict.fromkeys(frame.model_path for frame in frames.values()))
        self._seen: list[Seen] = []

    def see(self, schema: Any) -> Seen:
        """What is known of a schema.

        Raises
        ------
        Refused
            no model finds its timestamps in it, or a name in it is no text.
        """
        for place, seen in enumerate(self._seen):
            if seen.schema.equals(schema):
                if place:
                    self._seen.insert(0, self._seen.pop(place))
                return seen
        require_names(schema)
        check_schema(self._frames, schema)
        self._seen.insert(0, Seen(schema, self._model_paths))
        del self._seen[_MOST_SEEN:]
        return self._seen[0]

    def unpacked(self, batch: Any) -> Any:
        """The batch with features that lie in a list or a map as a struct."""
        columns = packed_columns(batch.schema, self._mappings)
        return unpacked(batch, columns) if columns else batch

    def add_batch(self, batch: Any, first: int, now_ms: int, outcome: Outcome) -> None:
        """Decode one valid record batch of message 0, in which its first row is `first`, into the outcome.

        Raises
        ------
        Refused
            its schema has no timestamp.
        """
        batch = self.unpacked(batch)
        seen = self.see(batch.schema)
        base = outcome.events(np.zeros(batch.num_rows, dtype=np.int32))
        self.add([Piece(batch, 0, first, base, seen, Room(batch.get_total_buffer_size()))], now_ms, outcome)

    def add(self, pieces: Sequence[Piece], now_ms: int, outcome: Outcome) -> None:
        """Decode record batches with checked schemas into the outcome: a part for each model, a reject for a bad row.

        A model's rows of all pieces go into arrays that are made once: give many pieces at a time.
        """
        shares = [share for piece in pieces for share in self._shares(piece, outcome)]
        n_rows: Counter[str] = Counter()
        for _, frame, rows in shares:
            n_rows[frame.spec.name] += rows.size
        sheets = {name: Sheet(self._frames[name], n) for name, n in n_rows.items()}
        filled = dict.fromkeys(sheets, 0)
        for piece, frame, rows in shares:
            name = frame.spec.name
            own = piece.batch if rows.size == piece.batch.num_rows else _taken(piece.batch, rows)
            reader = Rows(frame, piece.seen.places(frame), own, sheets[name], filled[name])
            for row, refused in reader.event(piece.base + rows, piece.metadata("version"), now_ms):
                outcome.rejects.append(rejected(piece, int(rows[row]), refused))
            reader.numbers()
            reader.codes()
            reader.prediction()
            reader.segments()
            reader.absences()
            reader.look(outcome.looked_of(name))
            filled[name] += rows.size
        for name, sheet in sheets.items():
            outcome.add(name, sheet.part())

    def _shares(self, piece: Piece, outcome: Outcome) -> Iterator[tuple[Piece, Frame, Ints]]:
        """The rows of each model; those of no model become rejects."""
        n = piece.batch.num_rows
        if not n:
            return
        left = np.ones(n, dtype=np.bool_)
        told: list[tuple[Ints | None, Sequence[object]]] = []
        for place in self._model_paths:
            index: Ints | None = None
            names: Sequence[object] = [piece.metadata(MODEL) if place == (MODEL,) else None]
            if place in piece.seen.models:
                index, names = texts(piece.seen.models[place].of(piece.batch))
            told.append((index, names))
            codes_of: dict[str, list[int]] = {}
            for code, name in enumerate(names):
                model = self._model(name, place)
                if model is not None:
                    codes_of.setdefault(model, []).append(code)
            for model, codes in codes_of.items():
                rows = np.flatnonzero(left if index is None else np.isin(index, codes) & left)
                left[rows] = False
                if rows.size:
                    yield piece, self._frames[model], rows
        for row in np.flatnonzero(left).tolist():
            values = [names[0 if index is None else int(index[row])] for index, names in told]
            value = next((value for value in values if value is not None), None)
            refused = Refused(Reason.UNKNOWN_MODEL, self._no_model(value), foreign=isinstance(value, str))
            outcome.rejects.append(rejected(piece, row, refused))

    def _model(self, name: object, place: tuple[str, ...]) -> str | None:
        """The configured model that a row means with what lies in a place."""
        only = self._only
        if only is not None and (not place or (name is None and not only.must_name)):
            return only.spec.name
        frame = self._frames.get(name) if isinstance(name, str) else None
        return None if frame is None or frame.model_path != place else frame.spec.name

    def _no_model(self, value: object) -> str:
        if value is not None:
            return f"model {value!r}" if isinstance(value, str) else "the row names no model"
        places = [".".join(place) for place in self._model_paths if place not in ((), (MODEL,))]
        return f"no {places[0]}, where mapping.model says that it is named" if places else "the row names no model"


def require_names(schema: Any) -> None:
    """Refuse a schema in which a name is no text.

    Raises
    ------
    Refused
        with reason undecodable.
    """
    try:
        _read_names(schema)
    except UnicodeDecodeError as error:
        raise Refused(Reason.UNDECODABLE, f"a column's name is not UTF-8: {error}") from None


def _read_names(fields: Any) -> None:
    """Read the names of a schema's or a struct's fields, down to the innermost."""
    for place in range(len(fields.names) if isinstance(fields, pa.Schema) else fields.num_fields):
        field = fields.field(place)
        _ = field.name
        if pa.types.is_nested(field.type):
            _read_names(field.type)


def _taken(batch: Any, rows: Ints) -> Any:
    """Some rows of a batch, ascending."""
    try:
        return batch.take(pa.array(rows))
    except pa.ArrowNotImplementedError:  # of views and run-end encoded columns
        runs = np.split(rows, np.flatnonzero(np.diff(rows) != 1) + 1)
        slices = [batch.slice(run[0], run.size) for run in runs]
        return pa.concat_batches(slices)  # type: ignore[attr-defined]  # not in the stubs
