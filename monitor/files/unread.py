"""Columns and keys of a file that no model reads: data that nobody would miss until they are looked for."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import pyarrow as pa

from monitor.events.arrow.places import class_columns
from monitor.events.arrow.unpacked import is_packed
from monitor.events.inner import opened
from monitor.events.json.forgiving import Refused, features_of, parse
from monitor.events.json.texts import object_places, opened_texts
from monitor.events.mapping import Mapping
from monitor.events.models import ModelSpec
from monitor.events.serving.events import Envelopes
from monitor.events.values import clean
from monitor.files.table import FileColumn
from monitor.files.values import fields_of, value_type

FIRST_LINES: Final = 100
"""Lines of a JSON file whose keys are looked at."""


def no_object_of_features(columns: Sequence[FileColumn], mapping: Mapping) -> str | None:
    """The column in the place of the object of features that holds something else, such as JSON as text."""
    for column in columns:
        kind = value_type(column.type)
        if column.name == mapping.features and not (
            pa.types.is_struct(kind) or pa.types.is_null(kind) or is_packed(kind)
        ):
            return column.name
    return None


def columns_unread(columns: Sequence[FileColumn], models: Sequence[ModelSpec]) -> tuple[str, ...]:
    """The columns of a table, and the fields of its struct of features, that are nothing to any model."""
    structs = {model.mapping.features for model in models}
    reserved = {name for model in models for name in model.mapping.reserved}
    nested = any(column.name in structs and pa.types.is_struct(column.type) for column in columns)
    names: list[str] = []
    for column in columns:
        if column.name in structs and pa.types.is_struct(column.type):
            found = opened({field.name: field.type for field in column.type}, fields_of)
            names += [*found.leaves, *found.hidden]
        elif nested:
            names.append(column.name)
    if not nested:
        found = opened({column.name: column.type for column in columns if column.name not in reserved}, fields_of)
        names += [*found.leaves, *found.hidden]
    of_classes = {
        name
        for model in models
        for columns in class_columns(names, model.mapping, model.task)
        for name in columns.values()
    }
    odd = [no_object_of_features(columns, model.mapping) for model in models]
    others = list(dict.fromkeys(name for name in odd if name is not None))
    return (*others, *_unknown([name for name in names if name not in of_classes], models))


def keys_unread(lines: Iterable[bytes], models: Sequence[ModelSpec]) -> tuple[str, ...]:
    """The keys of flat events, and of the features of nested ones, that are nothing to any model."""
    names: dict[str, None] = {}
    odd: dict[str, None] = {}
    envelopes = Envelopes(models) if any(model.envelope is not None for model in models) else None
    for event in _events(lines, envelopes):
        if not isinstance(event, dict):
            continue
        for model in models:
            own = opened_texts(event, object_places(model.mapping))
            found = features_of(own, model.mapping, model.mapping.reserved).opened
            names.update(dict.fromkeys((*found.leaves, *found.hidden)))
            if isinstance(own.get(model.mapping.features), str | int | float):
                odd[model.mapping.features] = None
    return (*odd, *map(clean, _unknown(names, models)))


def _events(lines: Iterable[bytes], envelopes: Envelopes | None) -> Iterator[object]:
    for line in lines:
        try:
            value = parse(line)
            found = [value] if envelopes is None else envelopes.events(value, None)
        except Refused:
            continue
        yield from found


def _unknown(names: Iterable[str], models: Sequence[ModelSpec]) -> tuple[str, ...]:
    known = {column.name for model in models for column in model.layout.columns}
    known.update(name for model in models for name in (*model.dimensions, *model.mapping.reserved))
    return tuple(name for name in names if name not in known)
