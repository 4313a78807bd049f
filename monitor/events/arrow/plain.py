"""Types of Arrow that few functions take, as their plain ones: views as text, bytes and lists, runs as their values."""

from typing import Any

import pyarrow as pa
import pyarrow.compute

kinds: Any = pa.types
pc: Any = pa.compute  # whose stubs lack some functions


def plain_type(type_: pa.DataType) -> pa.DataType:
    """The type that values of another are read as; itself for most."""
    kind: Any = type_
    if isinstance(kind, pa.BaseExtensionType):
        return plain_type(kind.storage_type)
    if kinds.is_string_view(kind):
        return pa.string()
    if kinds.is_binary_view(kind):
        return pa.binary()
    if kinds.is_run_end_encoded(kind):
        return plain_type(kind.value_type)
    if kinds.is_list_view(kind) or kinds.is_list(kind):
        return pa.list_(plain_type(kind.value_type))
    if kinds.is_large_list_view(kind) or kinds.is_large_list(kind):
        return pa.large_list(plain_type(kind.value_type))
    if kinds.is_struct(kind):
        return pa.struct([field.with_type(plain_type(field.type)) for field in kind])
    if kinds.is_dictionary(kind):
        value: Any = plain_type(kind.value_type)
        found: pa.DataType = pa.dictionary(kind.index_type, value, kind.ordered)
        return found
    return type_


def plain(array: Any, type_: pa.DataType) -> Any:
    """(n,) an array as one of its `plain_type`."""
    if array.type == type_:
        return array
    if isinstance(array, pa.ExtensionArray):
        return plain(array.storage, type_)
    if kinds.is_run_end_encoded(array.type):
        return plain(pc.run_end_decode(array), type_)
    if kinds.is_dictionary(array.type):
        values = plain(array.dictionary, plain_type(array.type.value_type))
        return pa.DictionaryArray.from_arrays(array.indices, values, ordered=array.type.ordered)
    if kinds.is_list_view(array.type) or kinds.is_large_list_view(array.type):
        return pa.array(array.to_pylist(), type_)  # the cast of a slice of them makes wrong offsets
    return array.cast(type_)


def with_plain_dictionaries(batch: Any) -> Any:
    """The record batch, its dictionaries of plain types: once, however many slices are taken of it."""
    for place, field in enumerate(batch.schema):
        if kinds.is_dictionary(field.type) and (type_ := plain_type(field.type)) != field.type:
            batch = batch.set_column(place, field.with_type(type_), plain(batch.column(place), type_))
    return batch
