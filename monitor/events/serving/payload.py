"""The body of a request or a response to its rows: one value, list or object an instance.

| body | who sends it |
|---|---|
| `instances`, `predictions` | KServe v1, TensorFlow Serving (rows), MLflow |
| `inputs`, `outputs`: a list of tensors | KServe v2, Seldon, Triton, MLServer |
| `inputs`, `outputs`: an object of columns, a list | TensorFlow Serving (columns), MLflow |
| `dataframe_split`, `dataframe_records` | MLflow |
| `data`: `ndarray` or `tensor`, with `names`; `jsonData` | Seldon Core 1 |
| `examples` with `context`, `results` | TensorFlow Serving (classify, regress) |
| text: CSV without a header, JSON lines | SageMaker |
| any other object | one instance |
"""

import csv
import io
import re
from typing import Any, Final

from monitor.events.json.forgiving import Refused, parse
from monitor.events.serving.tensors import MOST_VALUES, columns_of, named_tensors, refused, shaped

_BESIDE: Final = ("probabilities", "scores", "labels", "classes")
"""Lists that may stand beside `predictions`, of as many entries."""
_OF_ERRORS: Final = frozenset(
    ("title", "detail", "message", "errors", "type", "status", "code", "instance", "path", "timestamp", "request_id")
)
"""What bodies of errors have beside what they tell (RFC 9457, FastAPI, gateways), and no prediction has alone."""
_NUMBER: Final = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MOST_DIGITS: Final = 300


def requested(body: Any) -> list[Any]:
    """The instances of a request: each an object of features, or a list of them.

    Raises
    ------
    Refused
        It is none that is known.
    """
    return [_features(row) for row in _rows(body, "instances", "inputs")]


def answered(body: Any) -> list[Any]:
    """What a response says of each instance, as it says it.

    Raises
    ------
    Refused
        It is none that is known, or an error.
    """
    if isinstance(body, dict):
        if error := _error(body):
            raise refused(f"the response is an error: {error[:120]}")
        for key in ("results", "result"):  # of classify and regress
            if isinstance(body.get(key), list):
                return [_classified(row) for row in body[key]]
    return _rows(body, "predictions", "outputs")


def _error(body: dict[str, Any]) -> str:
    """What a response says that failed; "" for one that did not."""
    if error := body.get("error") or body.get("error_code"):
        return str(error)
    status = body.get("status")  # Seldon's, beside which there may be data
    if isinstance(status, dict) and str(status.get("status")).upper() == "FAILURE":
        return " ".join(str(status[key]) for key in ("code", "reason", "info") if status.get(key))
    told = [body[key] for key in ("title", "detail", "message", "errors") if body.get(key)]
    return " ".join(map(str, told)) if told and body.keys() <= _OF_ERRORS else ""


def csv_rows(text: str) -> list[list[Any]]:
    """Rows of cells; a cell that is a number is one, an empty one is null."""
    try:
        found = [row for row in csv.reader(io.StringIO(text)) if row]
    except csv.Error as error:
        raise refused(f"not CSV: {error}") from None
    return [[_cell(cell) for cell in row] for row in found]


def json_rows(text: str) -> Any:
    """A JSON value; of JSON lines the list of them."""
    try:
        return parse(text.encode("utf-8", "replace"))
    except Refused:
        lines = [line for line in text.splitlines() if line.strip()]
        if len(lines) < 2:
            raise
        return {"instances": [parse(line.encode("utf-8", "replace")) for line in lines]}


def _rows(body: Any, by_row: str, by_column: str) -> list[Any]:
    if isinstance(body, str):
        body = json_rows(body)
    if isinstance(body, list):  # rows, or one of them
        return body if body and all(isinstance(row, list | dict) for row in body) else [body]
    if not isinstance(body, dict):
        return [body]
    for key in (by_row, "instances", "predictions"):
        if isinstance(body.get(key), list):
            return _with_lists_beside(body, key)
    if isinstance(body.get("dataframe_records"), list):
        return list(body["dataframe_records"])
    split = body.get("dataframe_split", body if "columns" in body and "data" in body else None)
    if isinstance(split, dict):
        return _split(split)
    if isinstance(body.get("examples"), list):
        context = body.get("context")
        shared = context if isinstance(context, dict) else {}
        return [{**shared, **row} if isinstance(row, dict) else row for row in body["examples"]]
    tensors = body.get(by_column)
    if isinstance(tensors, list):
        if tensors and all(isinstance(one, dict) and "name" in one for one in tensors):
            return named_tensors(tensors, by_column)
        return tensors
    if isinstance(tensors, dict):
        return columns_of(tensors, by_column)
    if "jsonData" in body:
        return _rows(body["jsonData"], by_row, by_column)
    if "strData" in body:
        return _rows(body["strData"], by_row, by_column)
    if "binData" in body:
        raise refused("binData is not read")
    if isinstance(body.get("data"), dict):
        return _seldon(body["data"])
    return [body]


def _with_lists_beside(body: dict[str, Any], key: str) -> list[Any]:
    """Rows; `probabilities` and the like beside them belong to the rows of their places."""
    rows = list(body[key])
    beside = {name: body[name] for name in _BESIDE if isinstance(body.get(name), list) and len(body[name]) == len(rows)}
    if key != "predictions" or not beside:
        return rows
    return [
        {"prediction": row, **{name: values[place] for name, values in beside.items()}}
        for place, row in enumerate(rows)
    ]


def _split(split: dict[str, Any]) -> list[Any]:
    columns, data = split.get("columns"), split.get("data")
    if not isinstance(data, list) or not all(isinstance(row, list) for row in data):
        raise refused("dataframe_split has no data: a list of rows")
    if columns is None:
        return data
    if not isinstance(columns, list) or any(len(row) != len(columns) for row in data):
        raise refused("the rows of dataframe_split are not as long as its columns")
    names = list(map(str, columns))
    return [dict(zip(names, row, strict=True)) for row in data]


def _seldon(data: dict[str, Any]) -> list[Any]:
    if isinstance(data.get("ndarray"), list):
        rows = list(data["ndarray"])
    elif isinstance(data.get("tensor"), dict):
        rows = shaped(data["tensor"].get("values", []), data["tensor"].get("shape"), "data.tensor")
    else:
        raise refused(f"data has neither ndarray nor tensor, but {', '.join(map(str, list(data)[:5])) or 'nothing'}")
    names = data.get("names")
    if not isinstance(names, list) or not names:
        return rows
    wide = [row if isinstance(row, list) else [row] for row in rows]
    if any(len(row) != len(names) for row in wide):
        return rows
    return [dict(zip(map(str, names), row, strict=True)) for row in wide]


def _classified(row: Any) -> Any:
    """A result of classify: pairs of class and score."""
    pairs = isinstance(row, list) and row and all(isinstance(pair, list) and len(pair) == 2 for pair in row)
    return {"probabilities": {str(name): score for name, score in row}} if pairs else row


def _features(row: Any) -> Any:
    """An instance as `features` of an event: an object or a list, whose lists of one value are that value."""
    if isinstance(row, dict):
        flat: dict[str, Any] = {}
        for name, value in row.items():
            if isinstance(value, list) and len(value) != 1:
                flat |= {f"{name}_{place}": one for place, one in enumerate(value[:MOST_VALUES])}
            else:
                flat[name] = value[0] if isinstance(value, list) else value
        return flat
    if not isinstance(row, list):
        return [row]
    if len(row) > MOST_VALUES:
        raise refused(f"an instance of {len(row)} values is no row of features")
    return [one[0] if isinstance(one, list) and len(one) == 1 else one for one in row]


def _cell(text: str) -> Any:
    text = text.strip()
    if not _NUMBER.fullmatch(text) or len(text) > _MOST_DIGITS:
        return text or None
    return int(text) if text.lstrip("+-").isdigit() else float(text)
