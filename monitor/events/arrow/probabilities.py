"""Columns of class probabilities in Arrow: what `most_probable` makes of each row, as if it were an event's."""

from collections.abc import Collection, Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Floats, Ints
from detectors.columns import INVALID, NULL
from monitor.events import values as values_of_events
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
    elif _is_list(kind):
        values, starts, ends = _entries(array)
        for row in rows.tolist():
            yield row, *most_probable(values[starts[row] : ends[row]].tolist())
    elif _is_map(kind):
        for row in rows.tolist():
            yield row, *most_probable(dict(array[row].as_py()))
    else:
        score, label = most_probable({} if pa.types.is_struct(kind) else INVALID_TEXT)
        yield from ((row, score, label) for row in rows.tolist())


def _of_struct(array: Any, rows: Ints) -> Best:
    places = sorted(range(array.type.num_fields), key=lambda place: clean(array.type.field(place).name))
    names = [clean(array.type.field(place).name) for place in places]
    values = np.stack([numbers(pc.struct_field(array, [place]))[rows] for place in places])
    empty = np.all(np.isnan(values), axis=0).tolist()
    values[~np.isfinite(values)] = -np.inf
    first = values.argmax(axis=0)
    largest = values[first, np.arange(rows.size)]
    null, invalid = most_probable({}), most_probable(INVALID_TEXT)
    for row, score, place, none in zip(rows.tolist(), largest.tolist(), first.tolist(), empty, strict=True):
        yield row, *((score, names[place]) if np.isfinite(score) else null if none else invalid)


def of_classes(array: Any, rows: Ints, classes: Collection[str]) -> Floats:
    """(n_classes, n_rows) each class's own of these rows' probabilities, of rows that have some.

    As `monitor.events.values.of_classes` has it, and of the types that `best_of` reads.
    """
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind: Any = array.type
    if pa.types.is_struct(kind):
        places = {clean(kind.field(place).name): place for place in range(kind.num_fields)}
        found = np.full((len(classes), rows.size), NULL)
        for own, name in zip(found, classes, strict=True):
            if name in places:
                own[:] = numbers(pc.struct_field(array, [places[name]]))[rows]
        return found
    if _is_list(kind):
        values, starts, ends = _entries(array)
        values = np.append(values, NULL)
        numbered = {str(place): place for place in range(int((ends - starts).max(initial=0)))}
        at = np.array([numbered.get(name, len(values)) for name in classes], dtype=np.int64)[:, None] + starts[rows]
        picked: Floats = values[np.where(at < ends[rows], at, len(values) - 1)]
        return picked
    if _is_map(kind):
        entries = [values_of_events.of_classes(dict(array[row].as_py()), classes) for row in rows.tolist()]
        return np.array(entries, dtype=np.float64).reshape(rows.size, len(classes)).T
    return np.full((len(classes), rows.size), INVALID)


def classes_in(array: Any) -> set[str]:
    """The classes that an array of probabilities names."""
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    kind: Any = array.type
    if pa.types.is_struct(kind):
        return {clean(kind.field(place).name) for place in range(kind.num_fields)}
    if _is_list(kind):
        longest = pc.max(pc.list_value_length(array)).as_py() or 0
        return set(map(str, range(longest)))
    if _is_map(kind):
        return {clean(key) for row in array.drop_null().to_pylist() for key, _ in row}
    return set()


def _is_list(kind: Any) -> bool:
    return any(matches(kind) for matches in (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list))


def _is_map(kind: Any) -> bool:
    if not (pa.types.is_map(kind) and pa.types.is_string(kind.key_type)):
        return False
    return pa.types.is_floating(kind.item_type) or pa.types.is_integer(kind.item_type)


def _entries(array: Any) -> tuple[Floats, Ints, Ints]:
    """The values of all lists one after another, and where each list begins and ends."""
    ends = np.cumsum(pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64))
    return numbers(array.flatten()), np.concatenate([[0], ends[:-1]]).astype(np.int64), ends
