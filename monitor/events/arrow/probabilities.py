"""Columns of class probabilities in Arrow: what `most_probable` makes of each row, as if it were an event's."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Ints
from monitor.events.arrow.arrays import numbers, present
from monitor.events.values import INVALID_TEXT, Category, clean, most_probable

Best = Iterator[tuple[int, float, Category]]
"""Row, score, label."""


def best_of(array: Any, rows: Ints) -> Best:
    """The largest of each row's probabilities and its class; of these rows, but not of those that have none.

    A struct has a field a class, a map an entry; a list's classes are its positions. Anything else is invalid. So are
    lists of views: many rows may share one list, and a small message would take for ever.
    """
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    rows = rows[present(array)[rows]]
    kind: Any = array.type
    if pa.types.is_struct(kind) and kind.num_fields:
        yield from _of_struct(array, rows)
    elif any(matches(kind) for matches in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)):
        values = numbers(array.flatten())
        ends = np.cumsum(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64))
        starts = np.concatenate([[0], ends[:-1]])
        for row in rows.tolist():
            yield row, *most_probable(values[starts[row] : ends[row]].tolist())
    elif pa.types.is_map(kind) and pa.types.is_string(kind.key_type) and pa.types.is_floating(kind.item_type):
        for row in rows.tolist():
            yield row, *most_probable(dict(array[row].as_py()))
    else:
        score, label = most_probable({} if pa.types.is_struct(kind) else INVALID_TEXT)
        yield from ((row, score, label) for row in rows.tolist())


def _of_struct(array: Any, rows: Ints) -> Best:
    places = sorted(range(array.type.num_fields), key=lambda place: clean(array.type.field(place).name))
    names = [clean(array.type.field(place).name) for place in places]
    values = np.stack([numbers(pc.struct_field(array, [place]))[rows] for place in places])
    values[~np.isfinite(values)] = -np.inf
    first = values.argmax(axis=0)
    largest = values[first, np.arange(rows.size)]
    invalid = most_probable(INVALID_TEXT)
    for row, score, place in zip(rows.tolist(), largest.tolist(), first.tolist(), strict=True):
        yield row, *((score, names[place]) if np.isfinite(score) else invalid)
