"""Arrow arrays to the value conventions of batches, whatever their type; nothing here raises on a type."""

from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import INVALID, NULL
from monitor.events.values import INVALID_TEXT, Category, category

BAD_TIME: Final = -1
"""The milliseconds of a null, or of what is no time."""

Scalar = TypeVar("Scalar", bound=np.generic)


class Texts(NamedTuple):
    """A column of categories: `values[codes[i]]` is row i; the last value is null."""

    codes: Ints
    values: list[Category]


def numbers(array: Any) -> Floats:
    """(n,) float64: NULL for nulls, INVALID for what is not finite and for every value of a type that is no number.

    Booleans are 1 and 0, and empty text is null.

    The caller's own: never the memory of `array`.
    """
    array = stored(array)
    common = shared(array)
    if common is not None:
        return common.rows(numbers(common.values), NULL)
    kind = array.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        if not pa.types.is_decimal(kind):
            read: Floats = array.to_numpy(zero_copy_only=False)  # a null becomes NaN, integers then floats
            if np.count_nonzero(np.isfinite(read)) == len(array) - array.null_count:
                # Whatever is not finite is a null. Arrow lends its memory read-only.
                return read.astype(np.float64, copy=not read.flags.writeable)
        valid = validity(array)
        if pa.types.is_decimal(kind):
            array = pc.cast(array, pa.float64(), safe=False)
        filled = array if valid is None else pc.fill_null(array, pa.scalar(0, type=array.type))
        values: Floats = filled.to_numpy(zero_copy_only=False).astype(np.float64)
        finite = np.isfinite(values)
        if not finite.all():
            values[~finite] = INVALID
        if valid is not None:
            values[~valid] = NULL
        return values
    valid = validity(array)
    if pa.types.is_boolean(kind):
        array, valid = pc.fill_null(array, False), validity(array)
        values = array.to_numpy(zero_copy_only=False).astype(np.float64)
    else:
        values = np.full(len(array), INVALID)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        empty = pc.fill_null(pc.equal(pc.binary_length(array), pa.scalar(0)), False)
        values[empty.to_numpy(zero_copy_only=False)] = NULL
    if valid is not None:
        values[~valid] = NULL
    return values


def texts(array: Any) -> Texts:
    """A column as categories: text, integers, booleans and floats in canonical spelling; other types are invalid."""
    array = stored(array)
    common = shared(array)
    if common is not None:
        return Texts(common.codes, [*categories(common.values), None])
    if not _is_category(array.type):
        valid = validity(array)
        index = np.zeros(len(array), dtype=np.int64) if valid is None else np.where(valid, 0, 1)
        return Texts(index, [INVALID_TEXT, None])
    return texts(pc.dictionary_encode(array))


def indices(array: Any) -> Ints:
    """(n,) the indices of a dictionary array; those of nulls are one beyond the dictionary."""
    found = array.indices
    if found.null_count:
        found = pc.fill_null(pc.cast(found, pa.int64(), safe=False), len(array.dictionary))
    index: Ints = found.to_numpy(zero_copy_only=False).astype(np.int64, copy=False)
    return index


def categories(array: Any) -> list[Category]:
    """Each value of an array as a category."""
    array = stored(array)
    common = shared(array)
    if common is not None:
        of_value = [*categories(common.values), None]
        return [of_value[code] for code in common.codes.tolist()]
    if _is_category(array.type):
        return [category(value) for value in python(array)]
    valid = validity(array)
    return [INVALID_TEXT if valid is None or valid[i] else None for i in range(len(array))]


def present(array: Any) -> Bools:
    """(n,) bool: what is not null. A null of a dictionary's or a run's value is one too."""
    array = stored(array)
    common = shared(array)
    if common is not None:
        return common.rows(present(common.values), False)
    valid = validity(array)
    return np.ones(len(array), dtype=np.bool_) if valid is None else valid


def value_type(kind: pa.DataType) -> pa.DataType:
    """The type of the values themselves: without dictionary, runs or extension."""
    while True:
        if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
            kind = kind.value_type
        elif isinstance(kind, pa.BaseExtensionType):
            kind = kind.storage_type
        else:
            return kind


class _Shared(NamedTuple):
    """Values that rows share: row i is `values[codes[i]]`, or null where its code is one beyond them."""

    codes: Ints
    values: Any

    def rows(self, of_values: npt.NDArray[Scalar], null: float) -> npt.NDArray[Scalar]:
        """(n,) what each row has, of what each value has and a null does."""
        found: npt.NDArray[Scalar] = np.append(of_values, null).astype(of_values.dtype, copy=False)[self.codes]
        return found


def shared(array: Any) -> _Shared | None:
    """The values of a dictionary or of runs; None for any other array.

    They are never laid out row by row: a small message could then fill the memory. Nor has pyarrow kernels that lay out
    every type of value.
    """
    if isinstance(array, pa.DictionaryArray):
        return _Shared(indices(array), array.dictionary)
    if isinstance(array, pa.RunEndEncodedArray):
        rows = np.arange(array.offset, array.offset + len(array))
        return _Shared(np.searchsorted(array.run_ends.to_numpy(), rows, side="right"), array.values)
    return None


def stored(array: Any) -> Any:
    """Without extension, and of a type that pyarrow's kernels know."""
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_string_view(array.type):
        # Not by a cast: it reads what lies in the slots of nulls, which no validation looks at, and the process ends.
        return pa.array(array.to_pylist(), pa.large_string())
    if pa.types.is_float16(array.type):
        return pc.cast(array, pa.float32())
    return array


def validity(array: Any) -> Bools | None:
    """(n,) bool, or None when nothing is null; of an array whose values are its own."""
    if not array.null_count and not pa.types.is_null(array.type):
        return None
    valid: Bools = pc.is_valid(array).to_numpy(zero_copy_only=False)
    return valid


def _is_category(kind: pa.DataType) -> bool:
    known = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_boolean,
        pa.types.is_integer,
        pa.types.is_floating,
    )
    return any(matches(kind) for matches in known)


def python(array: Any) -> list[Any]:
    """Values as Python has them. Text of a file that is not UTF-8 is bytes: no category, and no time."""
    try:
        found: list[Any] = array.to_pylist()
    except UnicodeDecodeError:
        return [_text(value) for value in pc.cast(array, pa.large_binary()).to_pylist()]
    return found


def _text(value: bytes | None) -> str | bytes | None:
    try:
        return None if value is None else value.decode()
    except UnicodeDecodeError:
        return value
