"""Tensors of serving protocols to one value a row. A row is the first index of every tensor.

The Open Inference Protocol (KServe v2), TensorFlow's columns and Seldon's tensors. Sources: kserve.github.io, "Open
Inference Protocol"; tensorflow.org/tfx/serving, "RESTful API"; docs.seldon.ai, "External Prediction API".
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from monitor.events.json.forgiving import Refused
from monitor.events.reasons import Reason

MOST_VALUES: Final = 10_000
"""Values of one row; what has more, such as an image, is no row of features."""

_PROTO_VALUES: Final = (
    "floatVal", "doubleVal", "intVal", "int64Val", "stringVal", "boolVal", "uint32Val", "uint64Val", "halfVal",
    "float_val", "double_val", "int_val", "int64_val", "string_val", "bool_val", "uint32_val", "uint64_val", "half_val",
)  # fmt: skip


def refused(detail: str) -> Refused:
    """An envelope that cannot be taken apart."""
    return Refused(Reason.SCHEMA, detail)


def named_tensors(tensors: Sequence[Any], what: str) -> list[Any]:
    """The rows of `inputs` or `outputs` as the Open Inference Protocol has them: objects with name, shape and data.

    A row is a list where there is one tensor of several values a row, else an object by the tensors' names.
    """
    columns: dict[str, list[list[Any]]] = {}
    for number, tensor in enumerate(tensors):
        if not isinstance(tensor, dict) or "data" not in tensor:
            raise refused(f"{what}[{number}] has no data: binary tensors and references are not read")
        columns[str(tensor.get("name", number))] = _rows(tensor["data"], tensor.get("shape"), f"{what}[{number}]")
    return _joined(columns, what)


def columns_of(columns: Mapping[str, Any], what: str) -> list[Any]:
    """The rows of an object of columns: lists by name, or the tensors of a `PredictRequest` in JSON."""
    found: dict[str, list[list[Any]]] = {}
    for name, value in columns.items():
        if isinstance(value, dict) and ("dtype" in value or any(key in value for key in _PROTO_VALUES)):
            values = next((value[key] for key in _PROTO_VALUES if key in value), None)
            shape = value.get("tensorShape", value.get("tensor_shape"))
            if not isinstance(values, list):
                raise refused(f"{what}.{name} has no plain values: tensorContent is not read")
            found[name] = _rows(values, _proto_shape(shape), f"{what}.{name}")
        else:
            found[name] = [_flat(one) for one in value] if isinstance(value, list) else [[value]]
    return _joined(found, what)


def shaped(values: Any, shape: Any, what: str) -> list[Any]:
    """The rows of one tensor without a name: values and shape."""
    return [row[0] if len(row) == 1 else row for row in _rows(values, shape, what)]


def _joined(columns: Mapping[str, list[list[Any]]], what: str) -> list[Any]:
    sizes = {len(rows) for rows in columns.values()}
    if len(sizes) > 1:
        shown = ", ".join(f"{name} {len(rows)}" for name, rows in list(columns.items())[:5])
        raise refused(f"the columns of {what} have different numbers of rows: {shown}")
    if len(columns) == 1:
        ((name, rows),) = columns.items()
        return [row if len(row) > 1 else {name: row[0]} if row else {} for row in rows]
    made: list[Any] = []
    for place in range(sizes.pop() if sizes else 0):
        row: dict[str, Any] = {}
        for name, rows in columns.items():
            own = rows[place]
            row |= {name: own[0]} if len(own) == 1 else {f"{name}_{i}": value for i, value in enumerate(own)}
        made.append(row)
    return made


def _rows(data: Any, shape: Any, what: str) -> list[list[Any]]:
    """The values of a tensor, row by row."""
    values = data if isinstance(data, list) else [data]
    if shape is None:
        return [_flat(value) for value in values]
    if not isinstance(shape, list) or not all(type(size) is int and size >= 0 for size in shape):
        raise refused(f"the shape of {what} is no list of sizes")
    flat = _flat(values)
    n = shape[0] if shape else 1
    if math.prod(shape) != len(flat):
        raise refused(f"{what} has {len(flat)} values, and a shape for {math.prod(shape)}")
    width = len(flat) // n if n else 0
    return [flat[place * width : (place + 1) * width] for place in range(n)]


def _flat(value: Any) -> list[Any]:
    return list(_leaves(value))


def _leaves(value: Any) -> Iterator[Any]:
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, list):
            stack.extend(reversed(one))
        else:
            yield one


def _proto_shape(shape: Any) -> Any:
    """The sizes of a `TensorShapeProto` in JSON, which writes 64-bit integers as text."""
    sizes = shape.get("dim") if isinstance(shape, dict) else None
    if not isinstance(sizes, list):
        return None
    texts = [str(one.get("size", "")) if isinstance(one, dict) else "" for one in sizes]
    return [int(text) if text.isascii() and text.isdigit() and len(text) < 19 else text for text in texts]
