"""Columns and keys of a file that no model reads: data that nobody would miss until they are looked for."""

from collections.abc import Iterable, Sequence
from typing import Final

import pyarrow as pa

from monitor.events.json.forgiving import Refused, named, parse, resolve
from monitor.events.mapping import path
from monitor.events.models import ModelSpec
from monitor.files.table import FileColumn

FIRST_LINES: Final = 100
"""Lines of a JSON file whose keys are looked at."""


def columns_unread(columns: Sequence[FileColumn], models: Sequence[ModelSpec]) -> tuple[str, ...]:
    """The columns of a table, and the fields of its struct of features, that are nothing to any model."""
    structs = {model.mapping.features for model in models}
    names: list[str] = []
    for column in columns:
        if column.name in structs and pa.types.is_struct(column.type):
            names += [field.name for field in column.type]
        else:
            names.append(column.name)
    return _unknown(names, models)


def keys_unread(lines: Iterable[bytes], models: Sequence[ModelSpec]) -> tuple[str, ...]:
    """The keys of flat events, and of the features of nested ones, that are nothing to any model."""
    names: dict[str, None] = {}
    for line in lines:
        try:
            event = parse(line)
        except Refused:
            continue
        if not isinstance(event, dict):
            continue
        for model in models:
            features = named(resolve(event, path(model.mapping.features)), model.mapping)
            names.update(dict.fromkeys(features if isinstance(features, dict) else event))
    return _unknown(names, models)


def _unknown(names: Iterable[str], models: Sequence[ModelSpec]) -> tuple[str, ...]:
    known = {column.name for model in models for column in model.layout.columns}
    known.update(name for model in models for name in (*model.dimensions, *model.mapping.reserved, "probabilities"))
    return tuple(name for name in names if name not in known)
