"""Arrow arrays to the value conventions of batches, whatever their type; nothing here raises on a type."""

from typing import Any, Final, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from detectors.arrays import Bools, Floats, Ints
from detectors.columns import INVALID, NULL
from monitor.events.values import INVALID_TEXT, MAX_TIMESTAMP_MS, Category, category, timestamp

BAD_TIME: Final = -1
"""The milliseconds of a null, or of what is no time between 1970 and 9999."""

Scalar = TypeVar("Scalar", bound=np.generic)

_PER_MS: Final = {"us": 1_000, "ns": 1_000_000}


class Texts(NamedTuple):
    """A column of categories: `values[codes[i]]` is row i; the last value is null."""

    codes: Ints
    values: list[Category]


def numbers(array: Any) -> Floats:
    """(n,) float64: NULL for nulls, INVALID for what is not finite and for every value of a type that is no number.

    The caller's own: never the memory of `array`.
    """
    array = _stored(array)
    shared = _shared(array)
    if shared is not None:
        return shared.rows(numbers(shared.values), NULL)
    kind = array.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        if not pa.types.is_decimal(kind):
            read: Floats = array.to_numpy(zero_copy_only=False)  # a null becomes NaN, integers then floats
            if np.count_nonzero(np.isfinite(read)) == len(array) - array.null_count:
                # Whatever is not finite is a null. Arrow lends its memory read-only.
                return read.astype(np.float64, copy=not read.flags.writeable)
        valid = _validity(array)
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
    valid = _validity(array)
    values = np.full(len(array), INVALID)
    if valid is not None:
        values[~valid] = NULL
    return values


def texts(array: Any) -> Texts:
    """A column as categories: text, integers, booleans and floats in canonical spelling; other types are invalid."""
    array = _stored(array)
    shared = _shared(array)
    if shared is not None:
        return Texts(shared.codes, [*categories(shared.values), None])
    if not _is_category(array.type):
        valid = _validity(array)
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
    array = _stored(array)
    shared = _shared(array)
    if shared is not None:
        of_value = [*categories(shared.values), None]
        return [of_value[code] for code in shared.codes.tolist()]
    if _is_category(array.type):
        return [category(value) for value in _python(array)]
    valid = _validity(array)
    return [INVALID_TEXT if valid is None or valid[i] else None for i in range(len(array))]


def present(array: Any) -> Bools:
    """(n,) bool: what is not null. A null of a dictionary's or a run's value is one too."""
    array = _stored(array)
    shared = _shared(array)
    if shared is not None:
        return shared.rows(present(shared.values), False)
    valid = _validity(array)
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


def milliseconds(array: Any) -> Ints:
    """(n,) int64: milliseconds since 1970 UTC, or BAD_TIME. Native times without a zone are UTC."""
    array = _stored(array)
    shared = _shared(array)
    if shared is not None:
        return shared.rows(milliseconds(shared.values), BAD_TIME)
    kind = array.type
    valid = _validity(array)
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        date32 = pa.types.is_date32(kind)
        ticks = pc.cast(pc.cast(array, pa.int32()), pa.int64()) if date32 else pc.cast(array, pa.int64())
        unit = "d" if date32 else getattr(kind, "unit", "ms")
        raw: Ints = pc.fill_null(ticks, BAD_TIME).to_numpy(zero_copy_only=False).astype(np.int64)
        factor = {"d": 86_400_000, "s": 1_000}.get(unit, 1)
        most = MAX_TIMESTAMP_MS // factor
        result = (
            np.where((raw < 0) | (raw > most), BAD_TIME, raw * factor) if factor > 1 else raw // _PER_MS.get(unit, 1)
        )
    elif pa.types.is_integer(kind):
        whole = array if valid is None else pc.fill_null(array, pa.scalar(0, type=kind))
        result = whole.to_numpy(zero_copy_only=False).astype(np.int64)  # an unsigned one beyond int64 becomes negative
    elif pa.types.is_floating(kind) or pa.types.is_string(kind) or pa.types.is_large_string(kind):
        times = (timestamp(value) for value in _python(array))
        result = np.fromiter((BAD_TIME if time is None else time for time in times), dtype=np.int64, count=len(array))
    else:
        result = np.full(len(array), BAD_TIME, dtype=np.int64)
    if valid is not None:
        result = np.where(valid, result, BAD_TIME)
    return np.where((result < 0) | (result > MAX_TIMESTAMP_MS), BAD_TIME, result)


class _Shared(NamedTuple):
    """Values that rows share: row i is `values[codes[i]]`, or null where its code is one beyond them."""

    codes: Ints
    values: Any

    def rows(self, of_values: npt.NDArray[Scalar], null: float) -> npt.NDArray[Scalar]:
        """(n,) what each row has, of what each value has and a null does."""
        found: npt.NDArray[Scalar] = np.append(of_values, null).astype(of_values.dtype, copy=False)[self.codes]
        return found


def _shared(array: Any) -> _Shared | None:
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


def _stored(array: Any) -> Any:
    """Without extension, and of a type that pyarrow's kernels know."""
    while isinstance(array, pa.ExtensionArray):
        array = array.storage
    if pa.types.is_string_view(array.type):
        # Not by a cast: it reads what lies in the slots of nulls, which no validation looks at, and the process ends.
        return pa.array(array.to_pylist(), pa.large_string())
    if pa.types.is_float16(array.type):
        return pc.cast(array, pa.float32())
    return array


def _validity(array: Any) -> Bools | None:
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


def _python(array: Any) -> list[Any]:
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
