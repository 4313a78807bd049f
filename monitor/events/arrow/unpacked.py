"""Features that lie in one column as a list or a map: as a struct of named fields, which every other part can read."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from monitor.events.json.forgiving import MAX_LISTED
from monitor.events.mapping import Mapping as FieldMapping


def is_packed(kind: pa.DataType) -> bool:
    """Whether a type is a list, or a map whose keys are text."""
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(matches(kind) for matches in lists) or (pa.types.is_map(kind) and pa.types.is_string(kind.key_type))


def packed_columns(schema: Any, mappings: Sequence[FieldMapping]) -> Mapping[int, FieldMapping]:
    """The columns that hold packed features, by their position, and the mapping that names their fields."""
    found = {}
    for mapping in mappings:
        place = schema.get_field_index(mapping.features)
        if place >= 0 and is_packed(schema.field(place).type):
            found[place] = mapping
    return found


def unpacked(batch: Any, columns: Mapping[int, FieldMapping]) -> Any:
    """The record batch with structs in the place of packed columns."""
    for place, mapping in columns.items():
        array = struct_of(batch.column(place), mapping)
        batch = batch.set_column(place, batch.schema.field(place).name, array)
    return batch


def fields_of(array: Any, mapping: FieldMapping) -> list[str]:
    """The names of the fields that a packed array would have: of a list by place, of a map by name."""
    if not pa.types.is_map(array.type):
        longest = pc.max(pc.list_value_length(array)).as_py() or 0
        return [mapping.feature_name(place) for place in range(longest)] if longest <= MAX_LISTED else []
    keys = pc.unique(pc.struct_field(_entries(array).flatten(), [0]).drop_null())
    return sorted(keys.to_pylist()) if len(keys) <= MAX_LISTED else []


def struct_of(array: Any, mapping: FieldMapping, names: Sequence[str] | None = None) -> Any:
    """(n,) the fields of a packed array; those of `names`, where given."""
    names = fields_of(array, mapping) if names is None else names
    is_map, mask = pa.types.is_map(array.type), pc.is_null(array)
    array = _entries(array) if is_map else array
    lengths = pc.fill_null(pc.list_value_length(array), 0).to_numpy(zero_copy_only=False).astype(np.int64)
    ends = np.cumsum(lengths)
    starts = ends - lengths
    values = array.flatten()
    if is_map:
        keys, values = pc.struct_field(values, [0]), pc.struct_field(values, [1])
        indices = [_last(keys, name, ends, lengths) for name in names]
    else:
        if pa.types.is_fixed_size_list(array.type):  # whose nulls have values too, which are not in `flatten`
            starts = np.where(mask.to_numpy(zero_copy_only=False), 0, starts)
        places = {mapping.feature_name(place): place for place in range(int(lengths.max(initial=0)))}
        indices = [
            pa.array(starts + places.get(name, 0), mask=lengths <= places.get(name, len(values))) for name in names
        ]
    fields = [values.take(index) for index in indices]
    if not fields:
        return pa.StructArray.from_arrays([pa.nulls(len(array))], names=[""], mask=mask)
    return pa.StructArray.from_arrays(fields, names=list(names), mask=mask)


def _entries(array: Any) -> Any:
    """A map as the list of its entries."""
    entry = pa.struct([("key", array.type.key_type), ("value", array.type.item_type)])
    return array.cast(pa.list_(entry))


def _last(keys: Any, name: str, ends: Any, lengths: Any) -> Any:
    """(n,) where the key lies last in each row's entries, null where it does not."""
    found = np.full(lengths.size, -1, dtype=np.int64)
    at = np.flatnonzero(pc.fill_null(pc.equal(keys, pa.scalar(name, keys.type)), False).to_numpy(zero_copy_only=False))
    found[np.searchsorted(ends, at, side="right")] = at
    return pa.array(found, mask=found < 0)
