"""Arrow columns of files as numbers and categories, also where one column holds values of several types."""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Bools, Floats
from detectors.columns import INVALID
from monitor.events.arrow import arrays
from monitor.events.values import INVALID_TEXT

MIXED: Final = pa.struct(
    [
        pa.field("number", pa.float64(), metadata={"driftline": "mixed"}),
        pa.field("boolean", pa.bool_()),
        pa.field("text", pa.string()),
        pa.field("other", pa.bool_()),
    ]
)
"""A JSON column with values of several types: at most one field is not null; `other` stands for arrays and objects.

Marked by its metadata: a file may have a struct of such fields, which is an object.
"""


def mixed(n: int, **fields: Any) -> Any:
    """(n,) a `MIXED` array of its fields; those not given are null."""
    filled = [fields.get(field.name, pa.nulls(n, field.type)) for field in MIXED]
    return pa.StructArray.from_arrays(filled, fields=list(MIXED))


def is_mixed(type_: pa.DataType) -> bool:
    """Whether a type is `MIXED`, and no struct that looks like it."""
    return pa.types.is_struct(type_) and type_ == MIXED and b"driftline" in (type_.field(0).metadata or {})


def fields_of(type_: pa.DataType) -> dict[str, pa.DataType] | None:
    """The types of an object's fields by name; None: the type is no object's."""
    if not pa.types.is_struct(type_) or is_mixed(type_):
        return None
    return {field.name: field.type for field in type_}


def is_number(type_: pa.DataType) -> bool:
    """Whether values of this type are numbers: integers, floats, decimals."""
    return pa.types.is_integer(type_) or pa.types.is_floating(type_) or pa.types.is_decimal(type_)


def is_text(type_: pa.DataType) -> bool:
    """Whether values of this type are text."""
    return pa.types.is_string(type_) or pa.types.is_large_string(type_) or pa.types.is_string_view(type_)


def value_type(type_: pa.DataType) -> pa.DataType:
    """The type of a column's values: that of the dictionary when there is one."""
    return type_.value_type if isinstance(type_, pa.DictionaryType) else type_


def numbers(values: Any) -> Floats:
    """(n,) float64 as in column batches; what is no finite number is INVALID. Zero has no sign."""
    if is_mixed(values.type):
        found = arrays.numbers(pc.struct_field(values, "number"))
        found[_valid(values, "other")] = INVALID
        for name in ("boolean", "text"):
            np.copyto(found, arrays.numbers(pc.struct_field(values, name)), where=_valid(values, name))
    else:
        found = arrays.numbers(values)
    found += 0.0
    return found


def as_numbers(values: Any) -> Any:
    """The same as an Arrow array, which `monitor.events.arrow.table` reads back alike."""
    found = numbers(values)
    return pa.array(found, mask=np.isnan(found))


def as_texts(values: Any) -> tuple[Any, Bools]:
    """(n,) the canonical texts of a `MIXED` array, null where there is none; and (n,) which of them are invalid."""
    spelled = arrays.texts(pc.struct_field(values, "number"))
    numeric = pa.array([value if isinstance(value, str) else None for value in spelled.values], pa.string())
    found: Any = pc.coalesce(
        pc.struct_field(values, "text"),
        pc.cast(pc.struct_field(values, "boolean"), pa.string()),
        numeric.take(pa.array(spelled.codes, pa.int64())),
    )
    invalid = np.array([value is INVALID_TEXT for value in spelled.values])[spelled.codes] | _valid(values, "other")
    return found, invalid


def texts(values: Any) -> arrays.Texts:
    """A column as categories; see `monitor.events.arrow.arrays.texts`. Invalid values of a `MIXED` array are null."""
    return arrays.texts(as_texts(values)[0] if is_mixed(values.type) else values)


def count_texts(values: Any) -> tuple[Iterable[tuple[str, int]], int, int]:
    """Each category with its count, and the number of nulls and of invalid values. A category may come twice."""
    invalid = 0
    if is_mixed(values.type):
        values, bad = as_texts(values)
        invalid = int(bad.sum())
    found = arrays.texts(values)
    counts = np.bincount(found.codes, minlength=len(found.values)).tolist()
    pairs = list(zip(found.values, counts, strict=True))
    nulls = sum(count for value, count in pairs if value is None) - invalid
    invalid += sum(count for value, count in pairs if value is INVALID_TEXT)
    return ((value, count) for value, count in pairs if isinstance(value, str) and count), nulls, invalid


def _valid(values: Any, name: str) -> Bools:
    found: Bools = pc.is_valid(pc.struct_field(values, name)).to_numpy(zero_copy_only=False)
    return found
