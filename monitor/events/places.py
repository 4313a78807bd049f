"""Where the columns of a model lie in an Arrow schema. Found once a schema, used for every batch of it."""

from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Ints
from monitor.events.arrays import value_type
from monitor.events.dictionaries import Dictionaries
from monitor.events.direct import KINDS, ticks_per_ms
from monitor.events.frame import MODEL, SEGMENTS, Frame
from monitor.events.mapping import path

_ID_TYPES: Final = (
    pa.types.is_integer,
    pa.types.is_string,
    pa.types.is_large_string,
    pa.types.is_string_view,
    pa.types.is_null,
)


class Place(NamedTuple):
    """A column, or a field of struct columns: the positions to go through, and the type found there.

    Attributes
    ----------
    number_kind
        of a column that `direct.read_numbers` can read, else None: see `direct.KINDS`.
    dictionary_kind
        of the indices of a dictionary column that `direct.read_codes` can read, else None.
    """

    steps: tuple[int, ...]
    type: Any
    number_kind: Any = None
    dictionary_kind: Any = None

    def of(self, batch: Any) -> Any:
        """The array in a batch of the schema."""
        array = batch.column(self.steps[0])
        for step in self.steps[1:]:
            array = pc.struct_field(array, [step])
        return array


class Places:
    """Where one model's columns lie in one schema; None for what is not there.

    Attributes
    ----------
    timestamp, version, prediction_id
        the event's own. An id whose type makes every id good is None.
    ticks
        of the timestamp, when `direct.read_times` can read it; else 0.
    direct
        the numeric columns that `direct.read_numbers` reads: their kind, and its `places`.
    numbers
        the other numeric columns, by row of `Batch.numeric`; no_numbers: the rows without a column.
    codes
        the categorical columns, by row of `Batch.codes`; no_codes: the rows without a column.
    segments
        by dimension: its field in `segments`; features: the feature of its name.
    dictionaries
        the last of each column.
    """

    def __init__(self, frame: Frame, schema: Any) -> None:
        mapping = frame.spec.mapping
        found = find(schema, path(mapping.features))
        self._schema = schema
        self._features = found if found is not None and pa.types.is_struct(found.type) else None
        named = (mapping.timestamp, mapping.prediction_id, mapping.version)
        self._reserved = {MODEL, SEGMENTS, *named, mapping.score_column, mapping.label_column}
        self.dictionaries = Dictionaries()
        self.timestamp = self._mapped(mapping.timestamp)
        self.ticks = 0
        if self.timestamp is not None and len(self.timestamp.steps) == 1:
            self.ticks = ticks_per_ms(self.timestamp.type)
        self.version = self._mapped(mapping.version)
        self.prediction_id = self._mapped(mapping.prediction_id) if frame.role == "predictions" else None
        if self.prediction_id is not None:
            kind = value_type(self.prediction_id.type)
            if any(matches(kind) for matches in _ID_TYPES):
                self.prediction_id = None
        numeric = {row: self._feature(name) for name, row in frame.numeric.items()}
        codes = {row: self._feature(name) for name, row in frame.categorical.items()}
        if frame.score is not None:
            numeric[frame.score] = self._mapped(mapping.score_column) or self._mapped(mapping.score)
        if frame.label is not None:
            codes[frame.label] = self._mapped(mapping.label_column) or self._mapped(mapping.label)
        there = {row: place for row, place in numeric.items() if place is not None}
        self.numbers = {row: place for row, place in there.items() if place.number_kind is None}
        self.direct: list[tuple[Any, Ints]] = []
        for kind in KINDS.values():
            own = [(place.steps[0], row) for row, place in there.items() if place.number_kind is kind]
            if own:
                self.direct.append((kind, np.array(own, dtype=np.int64)))
        self.no_numbers = [row for row in range(frame.n_numeric) if row not in there]
        self.codes = {row: place for row, place in codes.items() if place is not None}
        self.no_codes = [row for row in range(frame.n_categorical) if row not in self.codes]
        self.segments = tuple(find(schema, (SEGMENTS, name)) for name in frame.dimensions)
        self.features = tuple(self._feature(name) for name in frame.dimensions)

    def _feature(self, name: str) -> Place | None:
        if self._features is not None:
            return _field(self._features, name)
        return None if name in self._reserved else find(self._schema, (name,))

    def _mapped(self, dotted: str) -> Place | None:
        """The column of this name, or the field at this path of struct columns."""
        return find(self._schema, (dotted,)) or find(self._schema, path(dotted))


class Seen:
    """A schema, and what has been found in it. Its metadata do not matter: data frames write their length into them.

    Attributes
    ----------
    schema
        as it came.
    model
        the column that names the models.
    """

    def __init__(self, schema: Any) -> None:
        self.schema = schema
        self.model = find(schema, (MODEL,))
        self._places: dict[str, Places] = {}

    def places(self, frame: Frame) -> Places:
        """Of a model's columns."""
        name = frame.spec.name
        if name not in self._places:
            self._places[name] = Places(frame, self.schema)
        return self._places[name]


def find(schema: Any, keys: tuple[str, ...]) -> Place | None:
    """The column, or the field of struct columns, at a path; of two with one name the last. None if there is none."""
    positions = schema.get_all_field_indices(keys[0])
    if not positions:
        return None
    kind = schema.field(positions[-1]).type
    index = KINDS.get(kind.index_type) if pa.types.is_dictionary(kind) else None
    place: Place | None = Place((positions[-1],), kind, KINDS.get(kind), index)
    for key in keys[1:]:
        if place is None or not pa.types.is_struct(place.type):
            return None
        place = _field(place, key)
    return place


def _field(place: Place, name: str) -> Place | None:
    positions = [i for i in range(place.type.num_fields) if place.type.field(i).name == name]
    return Place((*place.steps, positions[-1]), place.type.field(positions[-1]).type) if positions else None
