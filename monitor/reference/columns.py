"""Where in a file a model's columns lie: features, prediction, segment dimensions. By the rules of flat events."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any, Final

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Bools
from monitor.config.nearest import nearest
from monitor.config.schema import Model
from monitor.errors import InputError
from monitor.events.arrow.places import Place, class_columns, find, find_prediction
from monitor.events.inner import opened
from monitor.events.mapping import MODEL, PROBABILITIES, SEGMENTS, is_origin
from monitor.events.mapping import Mapping as FieldMapping
from monitor.events.mapping import path as path_of
from monitor.events.models import CLASS_SCORE, LABEL, SCORE
from monitor.files.table import Progress, TableFile, unwatched
from monitor.files.values import fields_of, is_mixed
from monitor.reference.prediction import COLUMN as PREDICTION
from monitor.reference.prediction import only_values, schema_of

_ROWS: Final = 131_072


class Leaf(msgspec.Struct, frozen=True, kw_only=True):
    """A column, or a field of a struct column: the names that lead to it, outermost first, and its type."""

    path: tuple[str, ...]
    type: pa.DataType

    @property
    def selector(self) -> str:
        """How `TableFile.iter_batches` is asked for it."""
        return ".".join(self.path)

    @property
    def above(self) -> "Leaf | None":
        """The struct that it is a field of; its type does not matter."""
        return Leaf(path=self.path[:-1], type=pa.null()) if len(self.path) > 1 else None

    def of(self, batch: pa.RecordBatch) -> Any:
        """Its values in a batch; null where a struct around it is."""
        array: Any = batch.column(self.path[0])
        for name in self.path[1:]:
            array = pc.struct_field(array, [_field_index(array.type, name)])
        return array


class FilePlaces(msgspec.Struct, frozen=True, kw_only=True):
    """The leaves of a file by what they are to a model.

    Attributes
    ----------
    features
        By name, in the file's order; hidden: inner paths that are left out, for a feature has their name.
    classes
        By class, in the order of their names: where its probability lies.
    score, label, version, model, timestamp, prediction_id, target
        None where the file has no such column.
    spoken_features, spoken_prediction
        A row speaks of its features, or of its prediction, where one of these is not null; None: every row does.
    dimensions
        By name: where its value lies, first choice first.
    """

    features: Mapping[str, Leaf]
    hidden: tuple[str, ...]
    score: Leaf | None
    label: Leaf | None
    classes: Mapping[str, Leaf]
    spoken_features: tuple[Leaf, ...] | None
    spoken_prediction: tuple[Leaf, ...] | None
    version: Leaf | None
    model: Leaf | None
    timestamp: Leaf | None
    prediction_id: Leaf | None
    target: Leaf | None
    dimensions: Mapping[str, tuple[Leaf, ...]]

    def leaf_of(self, column: str) -> Leaf | None:
        """Where the values of a column of the layout lie."""
        if column.startswith(CLASS_SCORE):
            return self.classes.get(column.removeprefix(CLASS_SCORE))
        return {SCORE: self.score, LABEL: self.label}.get(column, self.features.get(column))


def find_places(table: TableFile, model: Model, mapping: FieldMapping) -> FilePlaces:
    """Where the columns of `model` lie in `table`; `mapping` is that of the file.

    Raises
    ------
    InputError
        A segment dimension, or a column whose kind is configured, is not in the file.
    """
    types = {column.name: column.type for column in table.columns}
    nested = _type_at(types, path_of(mapping.features))
    above = Leaf(path=path_of(mapping.features), type=pa.null() if nested is None else nested)
    inside = _fields(above)
    if inside is not None:
        opened_features = opened(inside, _fields)
    else:
        top = {name: Leaf(path=(name,), type=type_) for name, type_ in types.items() if name not in mapping.reserved}
        opened_features = opened(top, _fields).without(mapping.reserved)
    features = opened_features.leaves
    target = None if mapping.target is None else _first(types, mapping.target)
    by_class = class_columns(types, mapping, model.task)
    no_features = {PREDICTION, *(name for columns in by_class for name in columns.values())}
    features = {name: leaf for name, leaf in features.items() if leaf.path[0] not in no_features and leaf != target}
    score, label, classes = _prediction(table, mapping, model)
    named = types.get(SEGMENTS)
    segments = {}
    if named is not None and pa.types.is_struct(named):
        segments = {field.name: Leaf(path=(SEGMENTS, field.name), type=field.type) for field in named}
    dimensions = {}
    for name in model.segments:
        own = mapping.segment_path(name)
        placed = None if own is None else _first(types, mapping.segments[name])
        if own is None:
            dimensions[name] = tuple(leaves[name] for leaves in (segments, features) if name in leaves)
        else:
            dimensions[name] = () if placed is None else (placed,)
        if not dimensions[name] and is_origin(mapping.segments.get(name, "")):
            place = mapping.segments[name]
            hint = f"a file has no headers and no topic: give it a column {name!r}"
            raise InputError(f"{table.path} has no segment {name!r}, which events have as {place}", hint=hint)
        if not dimensions[name]:
            raise _missing(table, name, f"a segment of model {model.name!r}", {*segments, *features})
    for name in model.columns:
        if name not in features and not (name == SCORE and score) and not (name == LABEL and label):
            raise _missing(table, name, f"configured under `columns` of model {model.name!r}", features)
    return FilePlaces(
        features=features,
        score=score,
        label=label,
        classes=classes,
        spoken_features=_spoken(features.values(), ()) if inside is None else (above,),
        hidden=tuple(opened_features.hidden),
        spoken_prediction=_spoken(
            [leaf for leaf in (score, label) if leaf is not None],
            [path_of(above) for above in (mapping.score.rpartition(".")[0], mapping.label.rpartition(".")[0])],
        ),
        version=_first(types, mapping.version),
        model=_first(types, ".".join(mapping.model_path) or MODEL),
        timestamp=_first(types, mapping.timestamp),
        prediction_id=_first(types, mapping.prediction_id),
        target=target,
        dimensions=dimensions,
    )


def _fields(leaf: Leaf) -> dict[str, Leaf] | None:
    """The fields of an object by name; None: it is none."""
    types = fields_of(leaf.type)
    return None if types is None else {name: Leaf(path=(*leaf.path, name), type=types[name]) for name in types}


def _spoken(leaves: Collection[Leaf], bare: Collection[tuple[str, ...]]) -> tuple[Leaf, ...] | None:
    """The structs around these leaves, and those that lie in a struct's place; None if one is a column by itself."""
    found = [leaf if leaf.path in bare else leaf.above for leaf in leaves]
    return None if None in found else tuple(leaf for leaf in found if leaf is not None)


def chunks(table: TableFile, leaf: Leaf, keep: Bools | None, progress: Progress = unwatched) -> Iterator[Any]:
    """The values of one column, piece by piece; of the rows to keep only, when not all are."""
    start = 0
    for batch in table.iter_batches([leaf.selector], _ROWS, progress):
        values = leaf.of(batch)
        if keep is not None:
            values = values.filter(pa.array(keep[start : start + len(values)]))
        start += batch.num_rows
        yield values


def _prediction(
    table: TableFile, mapping: FieldMapping, model: Model
) -> tuple[Leaf | None, Leaf | None, dict[str, Leaf]]:
    """The leaves of score and label, and of classes by name."""
    schema = schema_of(table)
    whole = find(schema, (PREDICTION,))
    if whole is not None:
        fields = {field.name: Leaf(path=(PREDICTION, field.name), type=field.type) for field in whole.type}
        return fields.get("score"), fields.get("label"), _classes(fields.get(PROBABILITIES))
    found = only_values(find_prediction(schema, mapping, model.task))
    # Of events in JSON each class is a field already, and scores of several types no object: see `monitor.files.jsonl`.
    objects = [one.places[0] for one in found.probabilities if not one.classes]
    by_class = [place for place in objects if not is_mixed(place.type)]
    scores = [*(place for place in objects if is_mixed(place.type)), *found.scores]
    score, label = (_leaf(schema, places[0]) if places else None for places in (scores, found.labels))
    return score, label, _classes(_leaf(schema, by_class[0]) if by_class else None)


def _classes(struct: Leaf | None) -> dict[str, Leaf]:
    """The fields that have values, by name."""
    if struct is None or not pa.types.is_struct(struct.type) or is_mixed(struct.type):
        return {}
    fields = sorted(struct.type, key=lambda field: str(field.name))
    return {
        field.name: Leaf(path=(*struct.path, field.name), type=field.type)
        for field in fields
        if field.type != pa.null()
    }


def _leaf(schema: Any, place: Place) -> Leaf:
    field = schema.field(place.steps[0])
    names = [field.name]
    for step in place.steps[1:]:
        field = field.type.field(step)
        names.append(field.name)
    return Leaf(path=tuple(names), type=place.type)


def _first(types: Mapping[str, pa.DataType], *names: str) -> Leaf | None:
    """The column of the first name, or the field of struct columns at it, that there is; None if it has no values."""
    for path in (path for name in names for path in ((name,), path_of(name))):
        type_ = _type_at(types, path)
        if type_ is not None:
            return None if type_ == pa.null() else Leaf(path=path, type=type_)
    return None


def _type_at(types: Mapping[str, pa.DataType], path: tuple[str, ...]) -> pa.DataType | None:
    type_ = types.get(path[0])
    for name in path[1:]:
        if type_ is None or not pa.types.is_struct(type_):
            return None
        index = _field_index(type_, name)
        type_ = type_.field(index).type if index >= 0 else None
    return type_


def _field_index(type_: Any, name: str) -> int:
    index: int = type_.get_field_index(name)
    return index


def no_target(table: TableFile, model: Model, places: FilePlaces) -> InputError:
    """The data lacks the column that `mapping.target` names, or it is empty."""
    return _missing(
        table,
        model.mapping.target or "",
        f"with values, which `mapping.target` of model {model.name!r} names; a file of labels (--labels) would do too",
        places.features,
    )


def _missing(table: TableFile, name: str, what: str, known: Any) -> InputError:
    close = nearest(name, known)
    hint = f"did you mean {close!r}?" if close else f"its columns are: {', '.join(sorted(known)[:20]) or 'none'}"
    return InputError(f"{table.path} has no column {name!r}, {what}", hint=hint)
