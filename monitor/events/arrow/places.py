"""Where the columns of a model lie in an Arrow schema. Found once a schema, used for every batch of it."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Bools, Ints
from monitor.events.arrow.arrays import present, value_type
from monitor.events.arrow.dictionaries import Dictionaries
from monitor.events.arrow.direct import KINDS, clock_for
from monitor.events.frame import Frame
from monitor.events.inner import Opened, opened
from monitor.events.looked import unknown_features
from monitor.events.mapping import MODEL, SEGMENTS, Mapping, path
from monitor.events.models import CLASSES, Task

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


class SchemaPlaces:
    """Where one model's columns lie in one schema; None for what is not there.

    Attributes
    ----------
    timestamp, version, prediction_id
        the event's own. An id whose type makes every id good is None.
    clock
        of the timestamp, when `direct.read_times` can read it; else None.
    direct
        the numeric columns that `direct.read_numbers` reads: their kind, and its `places`.
    numbers
        the other numeric columns, by row of `Batch.numeric`; no_numbers: the rows without a column.
    codes
        the categorical columns, by row of `Batch.codes`; no_codes: the rows without a column.
    more_scores, more_labels
        where else the score and the label of a row may lie, first choice first.
    probabilities
        where those of its classes may lie, first choice first.
    segments
        by dimension: its field in `segments`; features: the feature of its name.
    has_features, has_prediction
        which rows speak of their features, and of their prediction.
    dictionaries
        the last of each column.
    unknown
        by name: features that no column reads.
    """

    def __init__(self, frame: Frame, schema: Any) -> None:
        mapping = frame.spec.mapping
        found = find(schema, path(mapping.features))
        flat = found is None or not pa.types.is_struct(found.type)
        self._opened = opened_columns(schema, frame.reserved) if found is None or flat else opened_fields(found)
        self.dictionaries = Dictionaries()
        self.timestamp = mapped(schema, mapping.timestamp)
        self.clock: Any = None
        if self.timestamp is not None and len(self.timestamp.steps) == 1:
            self.clock = clock_for(self.timestamp.type, frame.times)
        self.version = mapped(schema, mapping.version)
        self.prediction_id = mapped(schema, mapping.prediction_id) if frame.reads_ids else None
        self.identity = self.prediction_id if frame.with_ids else None
        if self.prediction_id is not None:
            kind = value_type(self.prediction_id.type)
            if any(matches(kind) for matches in _ID_TYPES):
                self.prediction_id = None
        numeric = {row: self._feature(name) for name, row in frame.numeric.items()}
        codes = {row: self._feature(name) for name, row in frame.categorical.items()}
        prediction = find_prediction(schema, mapping, frame.spec.task, label=frame.label is not None)
        scores = prediction.scores if frame.score is not None else ()
        labels = prediction.labels if frame.label is not None else ()
        self.more_scores, self.more_labels = scores[1:], labels[1:]
        if frame.score is not None and scores:
            numeric[frame.score] = scores[0]
        if frame.label is not None and labels:
            codes[frame.label] = labels[0]
        self.probabilities = prediction.probabilities if frame.role == "predictions" else ()
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
        placed = {name: mapping.segments[name] for name in frame.dimensions if mapping.segment_path(name) is not None}
        self.segments = tuple(
            mapped(schema, placed[name]) if name in placed else find(schema, (SEGMENTS, name))
            for name in frame.dimensions
        )
        self.features = tuple(None if name in placed else self._feature(name) for name in frame.dimensions)
        self.unknown = self._unknown(frame, flat=flat)
        features = [self._feature(name) for name in (*frame.numeric, *frame.categorical)] if flat else []
        steps = {place.steps[:-1] for place in features if place is not None}
        around = tuple(at(schema, above) for above in sorted(steps) if above)
        self.has_features = Spoken(() in steps, around if found is None else (found, *around))
        self.has_prediction = Spoken(False, ())
        if frame.role == "predictions":
            score, label = frame.score is not None, frame.label is not None
            self.has_prediction = spoken_prediction(schema, mapping, frame.spec.task, score=score, label=label)

    def _unknown(self, frame: Frame, *, flat: bool) -> dict[str, Place]:
        places = self._opened.leaves
        if flat:
            for columns in class_columns(list(places), frame.spec.mapping, frame.spec.task):
                places = {name: place for name, place in places.items() if name not in columns.values()}
        return {name: places[name] for name in unknown_features(frame, places, flat=flat)} | dict(self._opened.hidden)

    def _feature(self, name: str) -> Place | None:
        return self._opened.values.get(name)


class Spoken(NamedTuple):
    """Which rows of a schema's batches speak of something: all, or those where one of some places is not null."""

    everywhere: bool
    places: tuple[Place, ...]

    def of(self, batch: Any) -> Bools:
        """(n,) whether each row does."""
        spoken = np.full(batch.num_rows, self.everywhere)
        for place in () if self.everywhere else self.places:
            spoken |= present(place.of(batch))
        return spoken


class Seen:
    """A schema, and what has been found in it. Its metadata do not matter: data frames write their length into them.

    Attributes
    ----------
    schema
        as it came.
    models
        the columns that name models, by their path.
    """

    def __init__(self, schema: Any, models: Iterable[tuple[str, ...]] = ((MODEL,),)) -> None:
        self.schema = schema
        found = {path: find(schema, (".".join(path),)) or find(schema, path) for path in models if path}
        self.models = {path: place for path, place in found.items() if place is not None}
        self._places: dict[str, SchemaPlaces] = {}

    def places(self, frame: Frame) -> SchemaPlaces:
        """Of a model's columns."""
        name = frame.spec.name
        if name not in self._places:
            self._places[name] = SchemaPlaces(frame, self.schema)
        return self._places[name]


def find(schema: Any, keys: tuple[str, ...]) -> Place | None:
    """The column, or the field of struct columns, at a path; of two with one name the last. None if there is none."""
    positions = schema.get_all_field_indices(keys[0])
    if not positions:
        return None
    place: Place | None = at(schema, (positions[-1],))
    for key in keys[1:]:
        if place is None or not pa.types.is_struct(place.type):
            return None
        place = _field(place, key)
    return place


def mapped(schema: Any, dotted: str) -> Place | None:
    """The column of this name, or the field at this path of struct columns."""
    return find(schema, (dotted,)) or find(schema, path(dotted))


def at(schema: Any, steps: Sequence[int]) -> Place:
    """The place that steps lead to."""
    kind = schema.field(steps[0]).type
    index = KINDS.get(kind.index_type) if pa.types.is_dictionary(kind) else None
    place = Place((steps[0],), kind, KINDS.get(kind), index)
    for step in steps[1:]:
        place = Place((*place.steps, step), place.type.field(step).type)
    return place


def opened_columns(schema: Any, reserved: frozenset[str]) -> Opened[Place]:
    """The features of flat rows by name: of two columns with one name the last."""
    columns = {name: at(schema, (place,)) for place, name in enumerate(schema.names) if name not in reserved}
    return opened(columns, _fields).without(reserved)


def opened_fields(features: Place) -> Opened[Place]:
    """The features in a struct column, by name."""
    return opened(_fields(features) or {}, _fields)


class Probabilities(NamedTuple):
    """Where the probabilities of classes lie: in one column, or, with `classes`, in a column each."""

    places: tuple[Place, ...]
    classes: tuple[str, ...] = ()

    def of(self, batch: Any) -> Any:
        """The array in a batch of the schema: of columns a struct, null where all are."""
        arrays = [place.of(batch) for place in self.places]
        if not self.classes:
            return arrays[0]
        there = np.any([present(array) for array in arrays], axis=0)
        return pa.StructArray.from_arrays(arrays, names=list(self.classes), mask=pa.array(~there))


class Prediction(NamedTuple):
    """Where the score, the label and the probabilities of a row may lie, first choice first: the next stands in where
    one is null."""

    scores: tuple[Place, ...]
    labels: tuple[Place, ...]
    probabilities: tuple[Probabilities, ...]


def find_prediction(schema: Any, mapping: Mapping, task: Task, *, label: bool = True) -> Prediction:
    """The columns that `forgiving.prediction` would look at, were each row an event; `label`: the model has labels."""
    classes = label and task in CLASSES
    bare_score, bare_label = _bare(schema, mapping.score, _is_score), _bare(schema, mapping.label, _is_label)
    if classes and bare_label is None:
        bare_label = _bare(schema, mapping.label, pa.types.is_integer)
        if bare_label is not None and bare_label == bare_score:
            bare_score = None
    scores = [mapped(schema, mapping.score)]
    labels = [mapped(schema, mapping.label), bare_label]
    if mapping.flat_score is not None:
        scores.append(find(schema, (mapping.flat_score,)))
    scores.append(bare_score)
    if mapping.flat_label is not None:
        labels.append(find(schema, (mapping.flat_label,)))
    known = [place for place in scores if place is not None]
    by_class = [place for place in known if task != "regression" and _is_by_class(place.type)]
    return Prediction(
        tuple(place for place in known if place not in by_class),
        tuple(place for place in labels if place is not None),
        () if task == "regression" else tuple(_probabilities(schema, mapping, task, by_class)),
    )


def _probabilities(schema: Any, mapping: Mapping, task: Task, scores: Sequence[Place]) -> Iterator[Probabilities]:
    for place in scores:
        yield Probabilities((place,))
    for name in (mapping.probabilities, mapping.flat_probabilities):
        found = mapped(schema, name) if name is not None else None
        if found is not None:
            yield Probabilities((found,))
    for columns in class_columns(schema.names, mapping, task):
        places = [find(schema, (name,)) for name in columns.values()]
        yield Probabilities(tuple(place for place in places if place is not None), tuple(columns))


def class_columns(names: Iterable[str], mapping: Mapping, task: Task) -> list[dict[str, str]]:
    """The columns of flat tables that hold a class's probabilities each, by class; the first choice first.

    Named `<where probabilities lie>.<class>`; where the task has classes and no column is the score, `<score>.<class>`
    too.
    """
    names = list(names)
    prefixes = [mapping.probabilities, mapping.flat_probabilities]
    if task in CLASSES and not set(mapping.score_columns) & set(names):
        prefixes = [*mapping.score_columns, *prefixes]
    found = []
    for prefix in dict.fromkeys(one for one in prefixes if one is not None):
        columns = {name[len(prefix) + 1 :]: name for name in names if name.startswith(f"{prefix}.")}
        if task != "regression" and columns and prefix not in names:
            found.append({name: columns[name] for name in sorted(columns) if name})
    return [columns for columns in found if columns]


def spoken_prediction(schema: Any, mapping: Mapping, task: Task, *, score: bool = True, label: bool = True) -> Spoken:
    """The rows of which `forgiving.has_prediction` would say so, were each an event of a model that has these columns.

    A column is a key that every event has. In a struct that holds something else besides, so is each field.
    """
    wanted = [
        (path(mapping.score), mapping.score_columns if score else ()),
        (path(mapping.label), mapping.label_columns if label else ()),
    ]
    everywhere, places = False, list[Place]()
    if task != "regression":
        named = tuple(name for name in (mapping.probabilities, mapping.flat_probabilities) if name is not None)
        wanted.append((path(mapping.probabilities), named))
        everywhere = bool(class_columns(schema.names, mapping, task))
    for keys, columns in wanted:
        everywhere |= any(find(schema, (name,)) for name in columns)
        above = mapped(schema, ".".join(keys[:-1])) if columns and len(keys) > 1 else None
        if above is not None and (
            not pa.types.is_struct(above.type) or mapping.is_prediction(keys[:-1]) or find(schema, keys)
        ):
            places.append(above)
    return Spoken(everywhere, tuple(places))


def _bare(schema: Any, dotted: str, matches: Callable[[pa.DataType], bool]) -> Place | None:
    """The column in the place of the object that a path ends in."""
    above = dotted.rpartition(".")[0]
    place = mapped(schema, above) if above else None
    return place if place is not None and matches(value_type(place.type)) else None


def _is_by_class(kind: pa.DataType) -> bool:
    """A field or an entry a class."""
    return pa.types.is_struct(kind) or pa.types.is_map(kind)


def _is_score(kind: pa.DataType) -> bool:
    return pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind) or _is_list(kind)


def _is_label(kind: pa.DataType) -> bool:
    texts = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view, pa.types.is_boolean)
    return any(matches(kind) for matches in texts) or _is_list(kind)


def _is_list(kind: pa.DataType) -> bool:
    """A list in the place of an object is an invalid score and an invalid label."""
    return pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind)


def _field(place: Place, name: str) -> Place | None:
    return (_fields(place) or {}).get(name)


def _fields(place: Place) -> dict[str, Place] | None:
    """The fields of a struct by name, of two with one name the last; None: it is none."""
    if not pa.types.is_struct(place.type):
        return None
    fields = enumerate(place.type)
    return {field.name: Place((*place.steps, step), field.type) for step, field in fields}
